# Networks against brains: a job a subject and modality, then the group.
BRAIN = f"{RESULTS}/{BRAIN}"
SEARCHLIGHT = f"{RESULTS}/{SEARCHLIGHT}"
GROUP_SEARCHLIGHT = f"{RESULTS}/{GROUP_SEARCHLIGHT}"
HEARD = f"{BRAIN}_segments"
OF_RDMS = ("measure", "controls")  # what patterns of segments do not follow
NOT_OF_REGIONS = ("fusion", "patterns", "segments", "searchlight")
GIVEN = [os.path.join(ROOT, path) for path in config["rsa"]["models"].values()]
MASK = [
    os.path.join(ROOT, path) for path in [config["rsa"]["searchlight"]["mask"]] if path
]
VOLUMES = [
    f"_{kind}{end}" for kind in ("value", "p_corrected") for end in (".nii.gz", ".json")
]
LIGHT = ("searchlight", "models", "measure", "network_measure", "comparison")


rule rsa_subject:
    input:
        patterns=rules.patterns.output.arrays,
        activities=plan.models(NETWORK),
        given=GIVEN,
    output:
        rows=f"{BRAIN}_rsa.tsv",
        rules=f"{BRAIN}_rules.tsv",
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
        settings=lambda wildcards: as_json(leave_out(config["rsa"], *NOT_OF_REGIONS)),
        root=ROOT,
        seed=config["seed"],
        code=stamp(config, "rsa"),
    shell:
        RUN
        + " rsa --patterns {input.patterns:q} --activities {input.activities:q} --bids-root {params.root:q} "
        "--subject {wildcards.subject} --modality {wildcards.modality} --settings {params.settings:q} "
        "--seed {params.seed} --out {output.rows:q} "
        "--rules-out {output.rules:q} --rdms-out {output.rdms:q} 2> {log:q}"


rule segments:
    input:
        rules.stimuli.output,
        lambda wildcards: plan.preprocessed(
            DERIVATIVES, wildcards.modality, wildcards.subject, ("story",)
        ),
        lambda wildcards: plan.events(
            modality=wildcards.modality, subject=wildcards.subject, use="story"
        ),
        index=ancient(INDEX),
    output:
        arrays=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_segments.npz",
        about=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_segments.json",
    log:
        f"{RESULTS}/logs/segments/sub-{{subject}}_{{modality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/segments/sub-{{subject}}_{{modality}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 3),
        runtime=grow(20),
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["rsa"]["segments"], *OF_RDMS)
        ),
        rows=lambda wildcards: plan.digest(
            modality=wildcards.modality, subject=wildcards.subject, use="story"
        ),
        root=ROOT,
        derivatives=DERIVATIVES,
        stimuli=SOURCES["stimuli"],
        code=stamp(config, "segments"),
    shell:
        RUN
        + " segments --index {input.index:q} --bids-root {params.root:q} --derivatives {params.derivatives:q} "
        "--stimuli {params.stimuli:q} --subject {wildcards.subject} --modality {wildcards.modality} "
        "--settings {params.settings:q} --out {output.arrays:q} 2> {log:q}"


rule segment_texts:
    input:
        rules.stimuli.output,
        index=ancient(INDEX),
    output:
        f"{RESULTS}/stimuli/segments.tsv",
    log:
        f"{RESULTS}/logs/segment_texts.log",
    benchmark:
        f"{RESULTS}/benchmarks/segment_texts.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["rsa"]["segments"], "lag_s", *OF_RDMS)
        ),
        rows=lambda wildcards: plan.story_digest(),
        stimuli=SOURCES["stimuli"],
        code=stamp(config, "segment_texts"),
    shell:
        RUN
        + " segment_texts --index {input.index:q} --stimuli {params.stimuli:q} --settings {params.settings:q} "
        "--out {output:q} 2> {log:q}"


rule read_segments:
    input:
        network=f"{NETWORK}/network.json",
        weights=f"{NETWORK}/{plan.weights()}",
        texts=rules.segment_texts.output,
    output:
        f"{NETWORK}/segments.npz",
    log:
        f"{RESULTS}/logs/read_segments/{{network}}_{{learning_rule}}_{{protocol}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_segments/{{network}}_{{learning_rule}}_{{protocol}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        root=ROOT,
        code=lambda wildcards: stamp(
            config, "read_segments", f"brainlm.learning.{wildcards.learning_rule}"
        ),
    shell:
        RUN
        + " read_segments --network {input.network:q} --weights {input.weights:q} --texts {input.texts:q} "
        "--bids-root {params.root:q} --out {output:q} 2> {log:q}"


rule rsa_segments:
    input:
        patterns=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_segments.npz",
        texts=rules.segment_texts.output,
        activities=plan.readers(f"{NETWORK}/segments.npz"),
    output:
        rows=f"{HEARD}_rsa.tsv",
        rules=f"{HEARD}_rules.tsv",
        rdms=f"{HEARD}_rdms.npz",
    log:
        f"{RESULTS}/logs/rsa_segments/sub-{{subject}}_{{modality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rsa_segments/sub-{{subject}}_{{modality}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(60),
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["rsa"], "fusion", "patterns", "models", "searchlight")
        ),
        seed=config["seed"],
        code=stamp(config, "rsa_segments"),
    shell:
        RUN
        + " rsa_segments --patterns {input.patterns:q} --texts {input.texts:q} --activities {input.activities:q} "
        "--subject {wildcards.subject} --modality {wildcards.modality} --settings {params.settings:q} "
        "--seed {params.seed} --out {output.rows:q} --rules-out {output.rules:q} --rdms-out {output.rdms:q} 2> {log:q}"


rule rsa_group:
    input:
        rdms=plan.brains(f"{BRAIN}_rdms.npz") + plan.readings(f"{HEARD}_rdms.npz"),
    output:
        rows=f"{RESULTS}/rsa/group_rsa.tsv",
        rules=f"{RESULTS}/rsa/group_rules.tsv",
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
        settings=lambda wildcards: as_json(leave_out(config["rsa"], *NOT_OF_REGIONS)),
        seed=config["seed"],
        code=stamp(config, "rsa_group"),
    shell:
        RUN
        + " rsa_group --rdms {input.rdms:q} --settings {params.settings:q} --seed {params.seed} "
        "--out {output.rows:q} --rules-out {output.rules:q} 2> {log:q}"


rule rsa_fusion:
    input:
        rdms=lambda wildcards: plan.brains(f"{BRAIN}_rdms.npz", wildcards.who),
    output:
        f"{RESULTS}/{FUSION}",
    log:
        f"{RESULTS}/logs/rsa_fusion/{{who}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rsa_fusion/{{who}}.tsv"
    wildcard_constraints:
        who="group|sub-[A-Za-z0-9]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(60),
    params:
        subject=lambda wildcards: wildcards.who.removeprefix("sub-"),
        settings=lambda wildcards: as_json(
            {
                key: config["rsa"][key]
                for key in (
                    "comparison",
                    "correction",
                    "n_permutations",
                    "n_bootstraps",
                )
            }
        ),
        seed=config["seed"],
        code=stamp(config, "rsa_fusion"),
    shell:
        RUN
        + " rsa_fusion --rdms {input.rdms:q} --subject {params.subject} --settings {params.settings:q} "
        "--seed {params.seed} --out {output:q} 2> {log:q}"


rule searchlight:
    input:
        patterns=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_patterns.npz",
        activities=plan.models(NETWORK),
        given=GIVEN,
        mask=MASK,
    output:
        multiext(SEARCHLIGHT, *VOLUMES, "_n_voxels.nii.gz", "_n_voxels.json"),
        rows=f"{SEARCHLIGHT}.tsv",
    log:
        f"{RESULTS}/logs/searchlight/sub-{{subject}}_{{modality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/searchlight/sub-{{subject}}_{{modality}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 8),
        runtime=grow(60, 0.5),
    params:
        settings=lambda wildcards: pick(config, *[f"rsa.{key}" for key in LIGHT]),
        root=ROOT,
        seed=config["seed"],
        code=stamp(config, "searchlight"),
    shell:
        RUN
        + " searchlight --patterns {input.patterns:q} --activities {input.activities:q} --bids-root {params.root:q} "
        "--subject {wildcards.subject} --settings {params.settings:q} --seed {params.seed} --out {output.rows:q} "
        "2> {log:q}"


rule searchlight_group:
    input:
        plan.group_searchlight(f"{SEARCHLIGHT}_value.nii.gz"),
        rows=plan.group_searchlight(f"{SEARCHLIGHT}.tsv"),
    output:
        multiext(GROUP_SEARCHLIGHT, *VOLUMES),
        rows=f"{GROUP_SEARCHLIGHT}.tsv",
    log:
        f"{RESULTS}/logs/searchlight_group.log",
    benchmark:
        f"{RESULTS}/benchmarks/searchlight_group.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 8),
        runtime=grow(120),
    params:
        settings=lambda wildcards: pick(config, "rsa.searchlight", "rsa.correction"),
        seed=config["seed"],
        code=stamp(config, "searchlight_group"),
    shell:
        RUN
        + " searchlight_group --rows {input.rows:q} --settings {params.settings:q} --seed {params.seed} "
        "--out {output.rows:q} 2> {log:q}"


rule rsa:
    input:
        plan.fusions(f"{RESULTS}/{FUSION}"),
        plan.searchlights(f"{SEARCHLIGHT}.tsv"),
        rules.searchlight_group.output if plan.group_searchlight("x") else [],
        plan.brains(f"{BRAIN}_rsa.tsv"),
        plan.listeners(rules.segments.output.arrays),
        plan.readings(f"{HEARD}_rsa.tsv"),
        rules.rsa_group.output if plan.brains("x") or plan.readings("x") else [],
