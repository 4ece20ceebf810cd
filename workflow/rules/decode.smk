# The language model once; then a unit a subject, protocol, fold and seed; then scores over all folds.
DECODING = as_json(
    {
        name: config[name]
        for name in (
            "selector",
            "decoder",
            "splits",
            "evaluation",
            "tasks",
            "stimuli",
            "fmri",
        )
    }
)
UNIT = f"{RESULTS}/decoding/sub-{{subject}}_protocol-{{protocol}}_fold-{{fold}}_seed-{{seed}}"
SCORES = f"{RESULTS}/decoding/sub-{{subject}}_protocol-{{protocol}}_seed-{{seed}}"
SOURCES = dict(
    root=ROOT,
    derivatives=DERIVATIVES,
    stimuli=lambda wildcards: f"{RESULTS}/stimuli",
    language_model=lambda wildcards: f"{RESULTS}/language_model",
    settings=lambda wildcards: DECODING,
    device=config["device"],
)
FROM_SOURCES = (
    " --index {input.index:q} --derivatives {params.derivatives:q} --stimuli {params.stimuli:q} "
    "--bids-root {params.root:q} --language-model {params.language_model:q} --settings {params.settings:q}"
)


rule stimuli:
    input:
        index=INDEX,
    output:
        expand(
            f"{RESULTS}/stimuli/{{story}}_{{part}}.tsv",
            story=plan.stories(),
            part=("words", "chars"),
        ),
        touch(f"{RESULTS}/stimuli/done"),
    log:
        f"{RESULTS}/logs/stimuli.log",
    benchmark:
        f"{RESULTS}/benchmarks/stimuli.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        root=ROOT,
        settings=lambda wildcards: as_json(config["stimuli"]),
        out=lambda wildcards, output: os.path.dirname(output[0]),
        code=stamp(config, "stimuli"),
    shell:
        RUN
        + " stimuli --index {input.index:q} --bids-root {params.root:q} --settings {params.settings:q} "
        "--out {params.out:q} 2> {log:q}"


rule train_language_model:
    input:
        index=INDEX,
        stimuli=f"{RESULTS}/stimuli/done",
    output:
        multiext(
            f"{RESULTS}/language_model/",
            "model.safetensors",
            "model.json",
            "embedding.npz",
            "history.tsv",
        ),
    log:
        f"{RESULTS}/logs/train_language_model.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_language_model.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        **SOURCES,
        seed=config["seed"],
        code=stamp(config, "train_language_model"),
    shell:
        RUN
        + " train_language_model --index {input.index:q} --stimuli {params.stimuli:q} --bids-root {params.root:q} "
        "--settings {params.settings:q} --seed {params.seed} --device {params.device} "
        "--out {params.language_model:q} 2> {log:q}"


rule train_decoder:
    input:
        lambda wildcards: plan.decoded_recordings(
            DERIVATIVES, wildcards.subject, wildcards.protocol
        ),
        rules.train_language_model.output,
        index=INDEX,
    output:
        multiext(
            f"{UNIT}/",
            "model.safetensors",
            "model.json",
            "split.json",
            "rate.nii.gz",
            "timing_rate.nii.gz",
            "selected.nii.gz",
            "history.tsv",
            "choices.tsv",
        ),
    log:
        f"{RESULTS}/logs/train_decoder/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_decoder/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        **SOURCES,
        unit=lambda wildcards, output: os.path.dirname(output[0]),
        code=stamp(config, "train_decoder"),
    shell:
        RUN
        + " train_decoder"
        + FROM_SOURCES
        + " --subject {wildcards.subject} --protocol {wildcards.protocol} "
        "--fold {wildcards.fold} --seed {wildcards.seed} --device {params.device} --out {params.unit:q} 2> {log:q}"


rule decode_unit:
    input:
        rules.train_decoder.output,
        index=INDEX,
    output:
        decoded=f"{UNIT}/decoded.tsv",
        identification=f"{UNIT}/identification.npz",
    log:
        f"{RESULTS}/logs/decode/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/decode/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        **SOURCES,
        unit=lambda wildcards, output: os.path.dirname(output[0]),
        code=stamp(config, "decode"),
    shell:
        RUN
        + " decode"
        + FROM_SOURCES
        + " --model {params.unit:q} --device {params.device} "
        "--out {output.decoded:q} 2> {log:q}"


rule score_decoder:
    input:
        lambda wildcards: [
            f"{unit}/decoded.tsv"
            for unit in plan.units(
                UNIT, wildcards.subject, wildcards.protocol, wildcards.seed
            )
        ],
        index=INDEX,
    output:
        scores=f"{SCORES}_scores.tsv",
        selector=f"{SCORES}_selector.tsv",
    log:
        f"{RESULTS}/logs/score_decoder/sub-{{subject}}_{{protocol}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_decoder/sub-{{subject}}_{{protocol}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        **SOURCES,
        units=lambda wildcards: plan.units(
            UNIT, wildcards.subject, wildcards.protocol, wildcards.seed
        ),
        truth=plan.truth(),
        code=stamp(config, "score_decoder"),
    shell:
        RUN
        + " score_decoder"
        + FROM_SOURCES
        + " --units {params.units:q} --truth {params.truth:q} --seed {wildcards.seed} "
        "--out {output.scores:q} 2> {log:q}"


rule decode:
    input:
        plan.scores(SCORES, "within"),


rule cross_subject:
    input:
        plan.scores(SCORES, "zero_shot"),
