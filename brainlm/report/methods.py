"""How a study was done, in sentences made from its own settings, with the papers that the methods come from."""

REFERENCES = (
    "Arora S et al. (2017) A simple but tough-to-beat baseline for sentence embeddings. ICLR.",
    "Kneser R, Peters J, Klakow D (1997) Language model adaptation using dynamic marginals. Eurospeech.",
    "Kriegeskorte N, Mur M, Bandettini P (2008) Representational similarity analysis. Front Syst Neurosci 2:4.",
    "Kumar S, Byrne W (2004) Minimum Bayes-risk decoding for statistical machine translation. HLT-NAACL.",
    "Levy O, Goldberg Y (2014) Neural word embedding as implicit matrix factorization. NeurIPS.",
    "Nili H et al. (2014) A toolbox for representational similarity analysis. PLoS Comput Biol 10:e1003553.",
    "Phipson B, Smyth GK (2010) Permutation p-values should never be zero. Stat Appl Genet Mol Biol 9:39.",
    "Maris E, Oostenveld R (2007) Nonparametric statistical testing of EEG and MEG data. J Neurosci Methods 164:177.",
    "Pion-Tonachini L, Kreutz-Delgado K, Makeig S (2019) ICLabel. NeuroImage 198:181.",
    "Power JD et al. (2012) Spurious but systematic correlations in functional connectivity. NeuroImage 59:2142.",
    "Schulz K et al. (2020) Restricting the flow: information bottlenecks for attribution. ICLR.",
    "Schütt HH et al. (2023) Statistical inference on representational geometries. eLife 12:e82566.",
    "Walther A et al. (2016) Reliability of dissimilarity measures for multi-voxel pattern analysis. NeuroImage "
    "137:188.",
    "Witten IH, Bell TC (1991) The zero-frequency problem. IEEE Trans Inf Theory 37:1085.",
)
NORMALISATION = {
    "header": "by the header",
    "affine": "registered to the template by a matrix",
    "nonlinear": "registered to the template by a matrix and a smooth warp",
}
LIMITS = (
    "Identification tells which of the test windows' own texts was heard; it is not reading of free thought, and a "
    "high rank does not mean that the decoded text can be read.",
    "What counts is the gain over controls that see no brain; absolute scores of decoded text are high for empty talk.",
    "The rate of a gate bounds from above the information that passes it; rates of correlated voxels do not add up. A "
    "voxel that is not selected may still carry information.",
    "p values of ranks speak about these stories in these subjects; with few test stories they say little about "
    "others.",
    "A similarity of RDMs does not show that the brain learns by a rule, only that the outcomes are alike.",
)


def fmri_method(settings: dict, t_r: float) -> str:
    """Preprocessing of fMRI from the settings kept beside the model series."""
    steps = []
    if settings.get("slice_timing"):
        steps.append("slice timing corrected by cubic splines where the header gives slice times")
    if settings.get("motion_correction"):
        steps.append("each volume rigidly registered to a reference of the run (least squares, Gauss-Newton)")
    if settings.get("grid") == "template":
        how = NORMALISATION[settings.get("normalisation", "header")]
        steps.append(f"resampled once to {settings['voxel_size_mm']:g} mm cubes in the MNI152 field of view, {how}")
    elif settings.get("grid") == "native":
        steps.append("kept on its own grid")
    if settings.get("high_pass_s"):
        how = "a Butterworth filter" if settings.get("filter") == "butterworth" else "cosines"
        steps.append(f"slow drifts beyond {settings['high_pass_s']:g} s removed by {how}")
    if settings.get("low_pass_s"):
        steps.append(f"waves faster than {settings['low_pass_s']:g} s filtered out")
    if settings.get("scrub", "none") != "none":
        steps.append(
            f"volumes beyond {settings['fd_threshold_mm']:g} mm of displacement or {settings['std_dvars_threshold']:g} "
            f"of standardised DVARS left out of every fit ({settings['scrub']})"
        )
    if settings.get("confounds"):
        chosen = settings["confounds"]
        steps.append(f"confounds regressed out ({chosen if isinstance(chosen, str) else ', '.join(chosen)})")
    if settings.get("standardize"):
        steps.append("each voxel z-scored within its run")
    return f"fMRI (repetition time {t_r:g} s): {'; '.join(steps) or 'as given'}. Every operation used its own run only."


def eeg_method(settings: dict) -> str:
    """Preprocessing of EEG, and what its decoder does; ``settings`` is the config's section eeg."""
    chosen = settings["reference"]
    reference = f"re-referenced ({chosen if isinstance(chosen, str) else ' and '.join(chosen)})"
    if settings["engine"] != "brainlm":
        steps = ["cleaned by mne-bids-pipeline", "its bad channels interpolated", reference]
    else:
        steps = ["mains notched out, band-pass filter of {:g} to {:g} Hz (zero phase)".format(*settings["band_hz"])]
        steps += ["flat, saturated and deviant channels interpolated", *_components(settings["ica"]), reference]
    if settings["ransac"] and settings["engine"] == "brainlm":
        steps.insert(2, "and those that the others do not predict (RANSAC; Bigdely-Shamlo et al. 2015)")
    return (
        f"EEG: {', '.join(steps)}, resampled to at most {settings['resample_hz']:g} Hz (MNE). Every operation used its "
        "own run only. Where stories are decoded from EEG, gates lie over sensors and latencies; filters behind them "
        "give, at each moment, what a word said there would have been, and moments count by their energy."
    )


def _components(ica: dict) -> list[str]:
    if ica["method"] == "none":
        return []
    if ica["labels"] == "eyes":
        return [f"independent components ({ica['method']}) that follow the eyes removed"]
    kinds = ", ".join(f"{kind} from {p:g}" for kind, p in sorted(ica["thresholds"].items()))
    return [
        f"independent components ({ica['method']}) labelled by ICLabel (Pion-Tonachini et al. 2019; by their "
        f"correlation with the eyes where channels have no places), those of no brain removed (probability of {kinds})"
    ]


def decoding_method(kind: str, min_lag_s: float) -> str:
    """Selector, decoder and their tests, for stories or labels; shifts are at least ``min_lag_s``."""
    selector = (
        "Voxel selection: one gate a voxel passes the response or replaces it by noise; training pays for every nat "
        "that passes (Schulz et al. 2020)."
    )
    if kind == "labels":
        return (
            f"{selector} How many voxels are kept was fixed beforehand. A character decoder writes the label's text. "
            "The p of the accuracy comes from permuting blocks within runs, p = (k + 1) / (n + 1) (Phipson & Smyth "
            "2010)."
        )
    return (
        f"{selector} Gates start from how well a ridge regression on text predicts each voxel in held-out training "
        "runs, unless the config starts them even; the number of voxels kept and the readout's penalty were chosen on "
        "validation runs. Separate gates predict content (coordinates of the text, PPMI-SVD word vectors averaged as "
        "in Arora et al. 2017; Levy & Goldberg 2014) and timing (numbers of words and characters). The decoder writes "
        "characters, free-running: no true text, length or timing reaches it. It adds a transformer that attends to "
        "the predicted content and length, character n-grams (Witten & Bell 1991) and a vocabulary adapted to the "
        "content (Kneser et al. 1997), all learned from text alone; of several texts drawn for a window, the one most "
        "like the others is kept (Kumar & Byrne 2004). p of ranks: the brain shifted circularly against each test "
        f"story by random lags of at least {min_lag_s:g} s, decoder fixed, p = (k + 1) / (n + 1) (Phipson & "
        "Smyth 2010). p of the gain: signs of whole blocks of windows flipped. Intervals: whole blocks drawn with "
        "replacement; the best control is taken anew in each draw."
    )


def rsa_method(measure: str, comparison: str, correction: str) -> str:
    """RSA from the settings in its table."""
    return (
        f"RSA: {measure} dissimilarities between conditions of the brain, correlation distance between layers' "
        f"responses, related by {comparison} (Kriegeskorte et al. 2008; Walther et al. 2016). p: conditions permuted, "
        f"corrected over all models and places ({correction.replace('_', ' ')}). Ceilings: Nili et al. (2014), from "
        "runs within a subject and from subjects in the group; their null is what noise of the same kind reaches. "
        "Intervals: t, from a bootstrap of conditions and, in the group, of subjects, corrected for drawing both "
        "(Schütt et al. 2023)."
    )
