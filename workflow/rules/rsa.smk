# Networks against brains: a job a subject and modality, then the group.
BRAIN = f"{RESULTS}/{BRAIN}"


rule rsa_subject:
    input:
        patterns=rules.patterns.output.arrays,
        activities=plan.models(NETWORK),
    output:
        rows=f"{BRAIN}_rsa.tsv",
        rdms=f"{BRAIN}_rdms.npz",
    log:
        f"{RESULTS}/logs/rsa/sub-{{subject}}_{{modality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rsa/sub-{{subject}}_{{modality}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(60),
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["rsa"], "patterns", "segments")
        ),
        seed=config["seed"],
        code=stamp(config, "rsa"),
    shell:
        RUN
        + " rsa --patterns {input.patterns:q} --activities {input.activities:q} --subject {wildcards.subject} "
        "--modality {wildcards.modality} --settings {params.settings:q} --seed {params.seed} --out {output.rows:q} "
        "--rdms-out {output.rdms:q} 2> {log:q}"


rule rsa_group:
    input:
        rdms=plan.brains(f"{BRAIN}_rdms.npz"),
        activities=plan.models(NETWORK),
    output:
        f"{RESULTS}/rsa/group_rsa.tsv",
    log:
        f"{RESULTS}/logs/rsa_group.log",
    benchmark:
        f"{RESULTS}/benchmarks/rsa_group.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(60),
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["rsa"], "patterns", "segments")
        ),
        seed=config["seed"],
        code=stamp(config, "rsa_group"),
    shell:
        RUN
        + " rsa_group --rdms {input.rdms:q} --activities {input.activities:q} --settings {params.settings:q} "
        "--seed {params.seed} --out {output:q} 2> {log:q}"


rule segments:
    input:
        rules.stimuli.output,
        lambda wildcards: plan.preprocessed(
            DERIVATIVES, "fmri", wildcards.subject, ("story",)
        ),
        lambda wildcards: plan.events(
            modality="fmri", subject=wildcards.subject, use="story"
        ),
        index=ancient(INDEX),
    output:
        arrays=f"{RESULTS}/patterns/sub-{{subject}}_modality-fmri_segments.npz",
        about=f"{RESULTS}/patterns/sub-{{subject}}_modality-fmri_segments.json",
    log:
        f"{RESULTS}/logs/segments/sub-{{subject}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/segments/sub-{{subject}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 3),
        runtime=grow(20),
    params:
        settings=lambda wildcards: as_json(config["rsa"]["segments"]),
        rows=lambda wildcards: plan.digest(
            modality="fmri", subject=wildcards.subject, use="story"
        ),
        root=ROOT,
        derivatives=DERIVATIVES,
        stimuli=SOURCES["stimuli"],
        code=stamp(config, "segments"),
    shell:
        RUN
        + " segments --index {input.index:q} --bids-root {params.root:q} --derivatives {params.derivatives:q} "
        "--stimuli {params.stimuli:q} --subject {wildcards.subject} --settings {params.settings:q} "
        "--out {output.arrays:q} 2> {log:q}"


rule rsa:
    input:
        plan.brains(f"{BRAIN}_rsa.tsv"),
        plan.listeners(rules.segments.output.arrays),
        rules.rsa_group.output if plan.brains("x") else [],
