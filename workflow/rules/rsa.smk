# Networks against brains: a job a subject and modality, then the group.
BRAIN = f"{RESULTS}/{BRAIN}"


rule rsa_subject:
    input:
        patterns=rules.patterns.output.arrays,
        activities=plan.networks(NETWORK, "activity.npz"),
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
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: as_json(config["rsa"]),
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
        activities=plan.networks(NETWORK, "activity.npz"),
    output:
        f"{RESULTS}/rsa/group_rsa.tsv",
    log:
        f"{RESULTS}/logs/rsa_group.log",
    benchmark:
        f"{RESULTS}/benchmarks/rsa_group.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=lambda wildcards: as_json(config["rsa"]),
        seed=config["seed"],
        code=stamp(config, "rsa_group"),
    shell:
        RUN
        + " rsa_group --rdms {input.rdms:q} --activities {input.activities:q} --settings {params.settings:q} "
        "--seed {params.seed} --out {output:q} 2> {log:q}"


rule rsa:
    input:
        plan.brains(f"{BRAIN}_rsa.tsv"),
        rules.rsa_group.output if plan.brains("x") else [],
