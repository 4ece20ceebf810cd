"""How voxels answer: explained variance, weights shared by the group and a subject's own, distractors."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.simulate.brain import CODES, Head, Planting, smooth_field
from brainlm.simulate.fmri import LEAD_IN_S, STEP_S, TAIL_S, TR, Voxels, convolve
from brainlm.simulate.latents import N_LATENTS, Meanings, impulses
from brainlm.simulate.stories import Story

SHARED = 0.6  # correlation between two subjects' weight vectors at one place
_LEVEL_WEIGHTS = {"light": (1.0, 0.2), "edges": (1.0, 0.4), "colour": (0.4, 0.5), "category": (0.1, 1.0)}


@dataclass(frozen=True)
class Strength:
    """Factors on the amplitudes of the planted and of the distractor answers; 0 switches a part off."""

    planted: float = 1.0
    distractors: float = 1.0


def n_volumes(story: Story) -> int:
    """Volumes of a story's run: lead-in, story, and the time for the last answer."""
    return int(np.ceil((LEAD_IN_S + story.duration + TAIL_S) / TR))


def story_columns(
    story: Story, meanings: Meanings
) -> tuple[Float[np.ndarray, "time latents"], Float[np.ndarray, "time 2"]]:
    """Convolved latents, and word onsets with loudness; the latents keep nothing of the other two.

    Word rate and loudness are regressed out within the run, so that counting words gives no content away.
    """
    n = round(n_volumes(story) * TR / STEP_S) + 1
    onsets = story.words["onset"].to_numpy() + LEAD_IN_S
    latents = convolve(impulses(onsets, meanings.of(story.words["text"]), n, STEP_S))
    loud = story.words["loudness"].to_numpy()
    rate = convolve(impulses(onsets, np.stack([np.ones(len(onsets)), loud - loud.mean()], 1), n, STEP_S))
    design = np.column_stack([np.ones(n), rate])
    return latents - design @ np.linalg.lstsq(design, latents, rcond=None)[0], rate - rate.mean(0)


def picture_columns(
    events: pd.DataFrame, names: list[str], levels: dict[str, np.ndarray], n_samples: int
) -> Float[np.ndarray, "time columns"]:
    """Convolved picture onsets: first the answer to any picture, then each level's columns in order."""
    features = np.column_stack([np.ones(len(names)), *levels.values()])
    shown = features[[names.index(name) for name in events["trial_type"]]]
    return convolve(impulses(events["onset"].to_numpy(), shown, n_samples, STEP_S))


def group_weights(rng: np.random.Generator) -> Float[np.ndarray, "latents x y z"]:
    """The weights that all subjects share: smooth over a voxel, of length 1 at each place."""
    return _unit(np.stack([smooth_field(rng, 1.0) for _ in range(N_LATENTS)]))


def subject_weights(
    shared: Float[np.ndarray, "latents x y z"], rng: np.random.Generator
) -> Float[np.ndarray, "latents x y z"]:
    """Shared weights mixed with own ones orthogonal to them, so that two subjects correlate ``SHARED``."""
    own = np.stack([smooth_field(rng, 1.0) for _ in range(N_LATENTS)])
    own -= own.mean(0)
    own = _unit(own - shared * (own * shared).sum(0))
    return np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own


def draw_explained(n: int, rng: np.random.Generator) -> Float[np.ndarray, " voxels"]:
    """Explained variance from 0.02 to 0.6, mean 0.3."""
    return 0.02 + 0.58 * rng.beta(1.8, 1.93, n)


def story_tuning(
    head: Head, planting: Planting, weights: Float[np.ndarray, "latents x y z"], rng: np.random.Generator
) -> Float[np.ndarray, "columns voxels"]:
    """What each voxel listens to in a story run: latents, word onsets, loudness, and the nuisance courses."""
    codes = planting.distractors[head.mask]
    content = weights[:, head.mask] * (planting.planted[head.mask] > 0)
    rate = np.stack([codes == CODES["word onsets"], codes == CODES["loudness"]])
    return np.concatenate([content, rate, nuisance_tuning(head, planting, rng)])


def picture_tuning(
    head: Head, planting: Planting, levels: dict[str, np.ndarray], rng: np.random.Generator
) -> Float[np.ndarray, "columns voxels"]:
    """The same in a picture run: any picture, the levels (early: light and edges; ventral: category), nuisance."""
    area = planting.visual[head.mask]
    parts = [(area > 0)[None] * 0.7]
    for level, (early, ventral) in _LEVEL_WEIGHTS.items():
        width = levels[level].shape[1]
        draws = rng.normal(size=(width, len(area))) / np.sqrt(width)
        parts.append(draws * np.select([area == 1, area == 2], [early, ventral], 0.0))
    return np.concatenate([*parts, nuisance_tuning(head, planting, rng)])


def nuisance_tuning(head: Head, planting: Planting, rng: np.random.Generator) -> Float[np.ndarray, "5 voxels"]:
    """Vascular voxels mix the early and late wave; each network has its own course."""
    codes, networks = planting.distractors[head.mask], planting.networks[head.mask]
    late = rng.uniform(0, 1, len(codes))
    vascular = codes == CODES["vascular"]
    return np.stack(
        [vascular * (1 - late), vascular * late, codes == CODES["respiratory"], networks == 1, networks == 2]
    ).astype(float)


def draw_voxels(
    scale: Float[np.ndarray, " voxels"],
    explained: Float[np.ndarray, " voxels"],
    tuning: Float[np.ndarray, "columns voxels"],
    runs: list[Float[np.ndarray, "_ columns"]],
    amplitude: Float[np.ndarray, " voxels"],
) -> Voxels:
    """Scale the tuning so that answers over all ``runs`` have the explained variance; the total stays ``scale``.

    With factor a on the amplitude, explained variance e becomes a^2 e / (a^2 e + 1 - e).
    """
    covariance = np.cov(np.concatenate(runs).T, bias=True)
    power = np.einsum("cv,cd,dv->v", tuning, covariance, tuning)
    tuned = power > 0
    signal = amplitude**2 * explained * tuned
    share = signal / (signal + 1 - explained)
    return Voxels(scale, share, tuning * np.sqrt(share / np.where(tuned, power, 1.0)))


def amplitudes(head: Head, planting: Planting, strength: Strength) -> Float[np.ndarray, " voxels"]:
    """The strength's factor at each voxel."""
    return np.where(planting.distractors[head.mask] > 0, strength.distractors, strength.planted).astype(float)


def _unit(field: np.ndarray) -> np.ndarray:
    field = field - field.mean(0)
    return field / np.linalg.norm(field, axis=0)
