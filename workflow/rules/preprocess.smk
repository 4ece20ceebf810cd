# One job a recording, then condition patterns a subject.
SERIES = (
    ["_desc-preproc_bold.nii.gz", "_desc-preproc_bold.json"]
    if config["fmri"]["engine"] == "brainlm"
    else []
)
EPOCHS = ("epoch_s", "baseline_s", "baseline", "reject_uv")
LATER = (*EPOCHS, "epochs", "word_responses")
CUT = f"{DERIVATIVES}/brainlm-eeg/{{recording}}_desc-{{around}}"
PATTERNS = {"fmri": ("rsa.patterns",), "eeg": tuple(f"eeg.{key}" for key in EPOCHS)}


rule preprocess_fmri:
    input:
        lambda wildcards: plan.raw(wildcards.recording),
        index=ancient(INDEX),
    output:
        multiext(
            f"{DERIVATIVES}/brainlm-fmri/{{recording}}",
            *SERIES,
            "_desc-brain_mask.nii.gz",
            "_desc-confounds_timeseries.tsv",
            "_desc-confounds_timeseries.json",
            "_desc-model_timeseries.npy",
            "_desc-model_timeseries.json",
            "_desc-quality.json",
            "_desc-quality.npz",
        ),
    log:
        f"{RESULTS}/logs/preprocess_fmri/{{recording}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/preprocess_fmri/{{recording}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.fmri_memory_mb(wildcards.recording),
        runtime=grow(30, 0.1),
    params:
        settings=lambda wildcards: as_json(
            leave_out(config["fmri"], "label_lag_s", "word_rate", "fmriprep")
        ),
        row=lambda wildcards: plan.digest(recording=wildcards.recording),
        root=ROOT,
        out=lambda wildcards: f"{DERIVATIVES}/brainlm-fmri",
        code=stamp(config, "preprocess_fmri"),
    shell:
        RUN
        + " preprocess_fmri --index {input.index:q} --bids-root {params.root:q} --recording {wildcards.recording:q} "
        "--settings {params.settings:q} --out {params.out:q} 2> {log:q}"


rule preprocess_eeg:
    input:
        lambda wildcards: plan.raw(wildcards.recording),
        index=ancient(INDEX),
    output:
        multiext(
            f"{DERIVATIVES}/brainlm-eeg/{{recording}}",
            "_desc-preproc_eeg.fif",
            "_desc-confounds_timeseries.tsv",
            "_desc-rejected.tsv",
            "_desc-figures.npz",
            "_desc-quality.json",
        ),
    log:
        f"{RESULTS}/logs/preprocess_eeg/{{recording}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/preprocess_eeg/{{recording}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 8),
        runtime=grow(30, 0.1),
    params:
        settings=lambda wildcards: as_json(leave_out(config["eeg"], *LATER)),
        row=lambda wildcards: plan.digest(recording=wildcards.recording),
        root=ROOT,
        out=lambda wildcards: f"{DERIVATIVES}/brainlm-eeg",
        seed=config["seed"],
        code=stamp(config, "preprocess_eeg"),
    shell:
        RUN
        + " preprocess_eeg --index {input.index:q} --bids-root {params.root:q} --recording {wildcards.recording:q} "
        "--settings {params.settings:q} --seed {params.seed} --out {params.out:q} 2> {log:q}"


rule epochs:
    input:
        lambda wildcards: (
            [] if wildcards.around == "trials" else f"{RESULTS}/stimuli/done"
        ),
        lambda wildcards: plan.events(recording=wildcards.recording),
        recording=f"{DERIVATIVES}/brainlm-eeg/{{recording}}_desc-preproc_eeg.fif",
        index=ancient(INDEX),
    output:
        epochs=f"{CUT}_epo.fif",
        dropped=f"{CUT}_dropped.tsv",
    log:
        f"{RESULTS}/logs/epochs/{{recording}}_{{around}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/epochs/{{recording}}_{{around}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 100),  # a second around each character is a hundred times the recording
        runtime=grow(30, 0.1),
    params:
        settings=lambda wildcards: pick(config, *PATTERNS["eeg"]),
        row=lambda wildcards: plan.digest(recording=wildcards.recording),
        root=ROOT,
        derivatives=lambda wildcards: DERIVATIVES,
        stimuli=lambda wildcards: f"{RESULTS}/stimuli",
        seed=config["seed"],
        code=stamp(config, "epochs"),
    shell:
        RUN
        + " epochs --index {input.index:q} --bids-root {params.root:q} --derivatives {params.derivatives:q} "
        "--stimuli {params.stimuli:q} --recording {wildcards.recording:q} --around {wildcards.around} "
        "--settings {params.settings:q} --seed {params.seed} --out {output.epochs:q} 2> {log:q}"


rule patterns:
    input:
        lambda wildcards: plan.preprocessed(
            DERIVATIVES, wildcards.modality, wildcards.subject, ("conditions",)
        ),
        lambda wildcards: plan.events(
            modality=wildcards.modality, subject=wildcards.subject, use="conditions"
        ),
        index=ancient(INDEX),
    output:
        arrays=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_patterns.npz",
        about=f"{RESULTS}/patterns/sub-{{subject}}_modality-{{modality}}_patterns.json",
    log:
        f"{RESULTS}/logs/patterns/sub-{{subject}}_{{modality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patterns/sub-{{subject}}_{{modality}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=grow(2000, 4),
        runtime=grow(20),
    params:
        settings=lambda wildcards: pick(config, *PATTERNS[wildcards.modality]),
        rows=lambda wildcards: plan.digest(
            modality=wildcards.modality, subject=wildcards.subject, use="conditions"
        ),
        root=ROOT,
        derivatives=DERIVATIVES,
        code=stamp(config, "patterns"),
    shell:
        RUN
        + " patterns --index {input.index:q} --bids-root {params.root:q} --derivatives {params.derivatives:q} "
        "--subject {wildcards.subject} --modality {wildcards.modality} --settings {params.settings:q} "
        "--out {output.arrays:q} 2> {log:q}"


rule preprocess:
    input:
        plan.all_preprocessed(DERIVATIVES),
        plan.epochs(f"{CUT}_epo.fif"),
