"""Maps of voxels that a lab would draw from the same training runs."""

import numpy as np

from brainlm.decoding.encoding import encoding_map
from brainlm.decoding.other_voxels import anova_map, intersubject_map
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.io.fmri import load_series
from brainlm.records import Space
from brainlm.steps._runs import Sources


def voxel_maps(
    sources: Sources, runs: list[StoryRun], space: Space, timing: Timing, seed: int
) -> dict[str, np.ndarray]:
    """By name, a value a voxel; ``intersubject`` only where several people's runs of a story are in ``runs``."""
    variance, tsnr = np.zeros(len(space)), np.zeros(len(space))
    for run in runs:
        stem = sources.derivatives / "brainlm-fmri" / run.recording
        series = load_series(stem.with_name(f"{stem.name}_desc-preproc_bold.nii.gz"))[0][space.mask]
        variance += series.var(axis=1)
        tsnr += series.mean(axis=1) / series.std(axis=1).clip(min=1e-9)
    shared = intersubject_map(runs)
    return {
        "random": np.random.default_rng(seed).normal(size=len(space)),
        "variance": variance,
        "tsnr": tsnr,
        "word_rate": encoding_map(runs, [run.tokens[:, None].astype(float) for run in runs], timing),
        "encoding_map": encoding_map(runs, [run.coordinates for run in runs], timing),
        "anova": anova_map(runs, timing, seed),
        **({} if shared is None else {"intersubject": shared}),
    }
