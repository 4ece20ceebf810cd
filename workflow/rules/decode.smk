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
SOURCES = (
    f"--index {INDEX} --derivatives {DERIVATIVES} --stimuli {RESULTS}/stimuli --bids-root {ROOT} "
    f"--language-model {RESULTS}/language_model --settings {{params.settings:q}}"
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
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=as_json(config["stimuli"]),
        code=stamp(config, "stimuli"),
    shell:
        RUN
        + " stimuli --index {input.index} --bids-root {ROOT} --settings {params.settings:q} "
        "--out {RESULTS}/stimuli 2> {log}"


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
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        settings=DECODING,
        seed=config["seed"],
        device=config["device"],
        code=stamp(config, "train_language_model"),
    shell:
        RUN
        + " train_language_model --index {input.index} --stimuli {RESULTS}/stimuli --bids-root {ROOT} "
        "--settings {params.settings:q} --seed {params.seed} --device {params.device} "
        "--out {RESULTS}/language_model 2> {log}"


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
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        settings=DECODING,
        unit=UNIT,
        device=config["device"],
        code=stamp(config, "train_decoder"),
    shell:
        RUN
        + " train_decoder "
        + SOURCES
        + " --subject {wildcards.subject} --protocol {wildcards.protocol} "
        "--fold {wildcards.fold} --seed {wildcards.seed} --device {params.device} --out {params.unit} 2> {log}"


rule decode_unit:
    input:
        rules.train_decoder.output,
        index=INDEX,
    output:
        multiext(f"{UNIT}/", "decoded.tsv", "identification.npz"),
    log:
        f"{RESULTS}/logs/decode/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/decode/sub-{{subject}}_{{protocol}}_{{fold}}_{{seed}}.tsv"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=DECODING,
        unit=UNIT,
        device=config["device"],
        code=stamp(config, "decode"),
    shell:
        RUN + " decode " + SOURCES + " --model {params.unit} --device {params.device} "
        "--out {params.unit}/decoded.tsv 2> {log}"


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
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        settings=DECODING,
        units=lambda wildcards: plan.units(
            UNIT, wildcards.subject, wildcards.protocol, wildcards.seed
        ),
        truth=plan.truth(),
        code=stamp(config, "score_decoder"),
    shell:
        RUN
        + " score_decoder "
        + SOURCES
        + " --units {params.units} --truth {params.truth} --seed {wildcards.seed} "
        "--out {output.scores} 2> {log}"


rule decode:
    input:
        plan.scores(SCORES, "within"),


rule cross_subject:
    input:
        plan.scores(SCORES, "zero_shot"),
