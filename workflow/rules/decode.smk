# The language model once; then a unit a subject, protocol, fold and seed; then scores over all folds.
TRAINING = {
    "fmri": (
        "selector",
        "splits",
        "evaluation.window_s",
        "fmri.label_lag_s",
        "decoder.adapter_updates",
    ),
    "eeg": (
        "selector",
        "splits",
        "evaluation.window_s",
        "eeg_decoder",
        "decoder.adapter_updates",
    ),
}
OF_UNITS = ("beam_width", "candidates", "temperature", "guidance", "adapter_updates")
SCORED = (
    "evaluation.n_permutations",
    "evaluation.min_lag_s",
    "evaluation.noise_train_test",
    "evaluation.max_shared_pairs",
    "evaluation.max_shared_words",
    "evaluation.allow_leaks",
    "evaluation.text_model",
)
UNIT = f"{RESULTS}/{UNIT}"
SCORES = f"{RESULTS}/{SCORES}"
RESPONSES = f"{RESULTS}/{RESPONSES}"
SOURCES = dict(
    root=ROOT,
    derivatives=DERIVATIVES,
    stimuli=lambda wildcards: f"{RESULTS}/stimuli",
    language_model=lambda wildcards: f"{RESULTS}/language_model",
    device=config["device"],
)
FROM_SOURCES = (
    " --index {input.index:q} --derivatives {params.derivatives:q} --stimuli {params.stimuli:q} "
    "--bids-root {params.root:q} --language-model {params.language_model:q} --settings {params.settings:q}"
)


rule stimuli:
    input:
        plan.transcripts(),
        index=ancient(INDEX),
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
        stories=plan.story_digest(),
        out=lambda wildcards, output: os.path.dirname(output[0]),
        code=stamp(config, "stimuli"),
    shell:
        RUN
        + " stimuli --index {input.index:q} --bids-root {params.root:q} --settings {params.settings:q} "
        "--out {params.out:q} 2> {log:q}"


rule train_language_model:
    input:
        plan.text(),
        plan.events(use="labels"),
        index=ancient(INDEX),
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
    threads: 1 if GPU else config["decoder"]["processes"]
    resources:
        gpu=GPU * config["decoder"]["processes"],
        mem_mb=grow(2000, 4),
        runtime=grow(120),
    params:
        **SOURCES,
        settings=lambda wildcards: as_json(
            {
                "decoder": leave_out(config["decoder"], *OF_UNITS),
                "tasks": plan.uses(),
                "evaluation": {"labels": config["evaluation"]["labels"]},
            }
        ),
        rows=plan.digest(use="labels"),
        seed=config["seed"],
        code=stamp(config, "train_language_model"),
    shell:
        RUN
        + " train_language_model --index {input.index:q} --bids-root {params.root:q} "
        "--settings {params.settings:q} --seed {params.seed} --device {params.device} "
        "--out {params.language_model:q} 2> {log:q}"


rule train_decoder:
    input:
        lambda wildcards: plan.decoded_recordings(
            DERIVATIVES, wildcards.subject, wildcards.protocol, wildcards.modality
        ),
        rules.train_language_model.output,
        rules.stimuli.output,
        lambda wildcards: plan.decoded_events(
            wildcards.subject, wildcards.protocol, wildcards.modality
        ),
        index=ancient(INDEX),
    output:
        multiext(
            UNIT.replace("{modality}", "{modality,fmri}") + "/",
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
        f"{RESULTS}/logs/train_decoder/sub-{{subject}}_{{modality}}_{{protocol}}_{{fold}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_decoder/sub-{{subject}}_{{modality}}_{{protocol}}_{{fold}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        gpu=GPU,
        mem_mb=grow(3000, 3),
        runtime=grow(240, 0.05),
    params:
        **SOURCES,
        settings=lambda wildcards: pick(config, *TRAINING[wildcards.modality]),
        rows=lambda wildcards: plan.decoded_digest(
            wildcards.subject, wildcards.protocol, wildcards.modality
        ),
        unit=lambda wildcards, output: os.path.dirname(output[0]),
        code=stamp(config, "train_decoder"),
    shell:
        RUN
        + " train_decoder"
        + FROM_SOURCES
        + " --subject {wildcards.subject} --modality {wildcards.modality} --protocol {wildcards.protocol} "
        "--fold {wildcards.fold} --seed {wildcards.seed} --device {params.device} --out {params.unit:q} 2> {log:q}"


use rule train_decoder as train_eeg_decoder with:
    output:
        multiext(
            UNIT.replace("{modality}", "{modality,eeg}") + "/",
            "model.safetensors",
            "model.json",
            "split.json",
            "gates.tsv",
            "history.tsv",
            "choices.tsv",
        ),


rule decode_unit:
    input:
        multiext(f"{UNIT}/", "model.safetensors", "model.json", "split.json"),
        index=ancient(INDEX),
    output:
        decoded=f"{UNIT}/decoded.tsv",
        identification=f"{UNIT}/identification.npz",
    log:
        f"{RESULTS}/logs/decode/sub-{{subject}}_{{modality}}_{{protocol}}_{{fold}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/decode/sub-{{subject}}_{{modality}}_{{protocol}}_{{fold}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        gpu=GPU,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        **SOURCES,
        settings=lambda wildcards: pick(
            config, *TRAINING[wildcards.modality], "decoder"
        ),
        rows=lambda wildcards: plan.decoded_digest(
            wildcards.subject, wildcards.protocol, wildcards.modality
        ),
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
                UNIT,
                wildcards.subject,
                wildcards.modality,
                wildcards.protocol,
                wildcards.seed,
            )
        ],
        lambda wildcards: plan.decoded_recordings(
            DERIVATIVES, wildcards.subject, wildcards.protocol, wildcards.modality
        ),
        index=ancient(INDEX),
    output:
        scores=f"{SCORES}_scores.tsv",
        selector=f"{SCORES}_selector.tsv",
    log:
        f"{RESULTS}/logs/score_decoder/sub-{{subject}}_{{modality}}_{{protocol}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_decoder/sub-{{subject}}_{{modality}}_{{protocol}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        gpu=GPU,
        mem_mb=grow(3000, 3),
        runtime=grow(60, 0.05),
    params:
        **SOURCES,
        settings=lambda wildcards: pick(
            config, *TRAINING[wildcards.modality], *SCORED, "decoder"
        ),
        rows=lambda wildcards: plan.decoded_digest(
            wildcards.subject, wildcards.protocol, wildcards.modality
        ),
        units=lambda wildcards: plan.units(
            UNIT,
            wildcards.subject,
            wildcards.modality,
            wildcards.protocol,
            wildcards.seed,
        ),
        truth=plan.truth(),
        code=stamp(config, "score_decoder"),
    shell:
        RUN
        + " score_decoder"
        + FROM_SOURCES
        + " --units {params.units:q} --truth {params.truth:q} --seed {wildcards.seed} --device {params.device} "
        "--out {output.scores:q} 2> {log:q}"


rule word_responses:
    input:
        lambda wildcards: plan.preprocessed(
            DERIVATIVES, "eeg", wildcards.subject, ("story",)
        ),
        rules.train_language_model.output,
        rules.stimuli.output,
        lambda wildcards: plan.events(
            modality="eeg", subject=wildcards.subject, use="story"
        ),
        index=ancient(INDEX),
    output:
        arrays=f"{RESPONSES}.npz",
        clusters=RESPONSES.replace("_responses", "_clusters") + ".tsv",
    log:
        f"{RESULTS}/logs/word_responses/sub-{{subject}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/word_responses/sub-{{subject}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(3000, 4),
        runtime=grow(60),
    params:
        **SOURCES,
        rows=lambda wildcards: plan.digest(
            modality="eeg", subject=wildcards.subject, use="story"
        ),
        seed=config["seed"],
        code=stamp(config, "word_responses"),
    shell:
        RUN
        + " word_responses --index {input.index:q} --derivatives {params.derivatives:q} --stimuli {params.stimuli:q} "
        "--bids-root {params.root:q} --language-model {params.language_model:q} --subject {wildcards.subject} "
        "--seed {params.seed} --out {output.arrays:q} 2> {log:q}"


rule word_rate:
    input:
        lambda wildcards: plan.preprocessed(DERIVATIVES, "fmri", None, ("story",)),
        rules.stimuli.output,
        lambda wildcards: plan.events(modality="fmri", use="story"),
        index=ancient(INDEX),
    output:
        table=f"{RESULTS}/responses/word_rate.tsv",
    log:
        f"{RESULTS}/logs/word_rate.log",
    benchmark:
        f"{RESULTS}/benchmarks/word_rate.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(60),
    params:
        **SOURCES,
        rows=lambda wildcards: plan.digest(modality="fmri", use="story"),
        lag=config["evaluation"]["min_lag_s"],
        seed=config["seed"],
        code=stamp(config, "word_rate"),
    shell:
        RUN
        + " word_rate --index {input.index:q} --derivatives {params.derivatives:q} --stimuli {params.stimuli:q} "
        "--bids-root {params.root:q} --min-lag-s {params.lag} --seed {params.seed} --out {output.table:q} 2> {log:q}"


rule decode:
    input:
        plan.scores(SCORES, "within"),
        plan.responses(f"{RESPONSES}.npz"),
        rules.word_rate.output if config["fmri"]["word_rate"] else [],


rule cross_subject:
    input:
        [plan.scores(SCORES, name) for name in plan.protocols() if name != "within"],
