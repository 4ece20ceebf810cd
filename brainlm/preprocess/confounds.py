"""What moves a series and is no answer of the brain: measured under fMRIPrep's names.

Definitions: framewise displacement, Power et al. 2012; DVARS and its standardised form, Nichols 2013 (Notes on creating
a standardized version of DVARS); CompCor, Behzadi et al. 2007 and Muschelli et al. 2014; rmsd, Jenkinson 1999.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from nilearn.glm.first_level.design_matrix import create_cosine_drift

from brainlm.preprocess.motion import framewise_displacement

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
TISSUES = {"csf": "CSF", "white_matter": "WM"}
HEAD_RADIUS_MM = 80.0  # of rmsd
COMPCOR_HIGH_PASS_S = 128.0
COMPCOR_VARIANCE = 0.5  # components are kept until they explain this share,
COMPCOR_LEAST = 5  # and never fewer than these
TCOMPCOR_SHARE = 0.02  # of the brain's voxels, the most variable
MAX_NON_STEADY = 50  # volumes among which the first ones may stand out


@dataclass(frozen=True)
class Thresholds:
    """Beyond either, a volume is outlying."""

    fd_mm: float = 0.5
    std_dvars: float = 1.5


@dataclass
class Confounds:
    """A table with a row a volume, and what its CompCor columns are (as fMRIPrep's JSON has it)."""

    table: pd.DataFrame
    facts: dict[str, dict] = field(default_factory=dict)

    @property
    def outlying(self) -> Bool[np.ndarray, " time"]:
        """Volumes of sudden change, and those before the signal is steady."""
        columns = [name for name in self.table if "outlier" in name]
        return self.table[columns].to_numpy(dtype=bool).any(axis=1) if columns else np.zeros(len(self.table), bool)


def expanded(names: tuple[str, ...], *endings: str) -> list[str]:
    """Each name bare, then with every ending."""
    return [name + ending for name in names for ending in ("", *endings)]


def measure_confounds(
    series: Float[np.ndarray, "time voxels"],
    motion: Float[np.ndarray, "time 6"] | None,
    t_r: float,
    high_pass_s: float | None,
    tissue: dict[str, Float[np.ndarray, "time inside"]] | None = None,
    thresholds: Thresholds | None = None,
) -> Confounds:
    """All confounds of a run; ``tissue`` holds the series of csf and white_matter where they are known.

    Where ``motion`` is None (not estimated), nothing is said about it, and where a tissue is not known neither.
    """
    tissue, thresholds = tissue or {}, thresholds or Thresholds()
    signals = {"global_signal": series} | {name: tissue[name] for name in TISSUES if name in tissue}
    means = pd.DataFrame({name: inside.mean(axis=1, dtype=float) for name, inside in signals.items()})
    parts = [_expand(pd.DataFrame(motion, columns=list(MOTION))), _displacement(motion)] if motion is not None else []
    parts += [_expand(means), dvars(series)]
    components, facts = _all_components(series, tissue, t_r)
    parts += [components, measure_cosines(len(series), t_r, high_pass_s)]
    table = pd.concat(parts, axis=1)
    return Confounds(pd.concat([table, _outliers(table, thresholds)], axis=1), facts)


def dvars(series: Float[np.ndarray, "time voxels"]) -> pd.DataFrame:
    """Root mean square change from volume to volume, and the same over what noise alone would give (std_dvars).

    Noise: a first-order autoregression whose deviation is the interquartile range / 1.349 of each voxel. As in
    fMRIPrep, dvars is in thousandths of the median intensity, where there is one: not where means lie below deviations.
    """
    means, deviations = series.mean(axis=0, dtype=float), series.std(axis=0, dtype=float)
    scale = 1000 / np.median(means) if np.median(means) > np.median(deviations) else 1.0
    total, n = np.zeros(len(series) - 1), 0
    expected = 0.0
    for start in range(0, series.shape[1], 8192):
        block = series[:, start : start + 8192].astype(float)
        block = block[:, block.std(axis=0) > 0]
        total += np.square(np.diff(block, axis=0)).sum(axis=1)
        expected += _expected_change(block).sum()
        n += block.shape[1]
    raw = scale * np.sqrt(total / series.shape[1])
    standard = np.sqrt(total / max(n, 1)) / (expected / n) if expected > 0 else np.full(len(total), np.nan)
    pad = [np.nan]
    return pd.DataFrame({"dvars": np.concatenate([pad, raw]), "std_dvars": np.concatenate([pad, standard])})


def find_components(
    series: Float[np.ndarray, "time voxels"], t_r: float, variance: float = COMPCOR_VARIANCE
) -> tuple[Float[np.ndarray, "time components"], Float[np.ndarray, " all"]]:
    """Principal components (unit length) of the voxels, without drift and of unit variance.

    As many as explain the share ``variance``, at least five. Drift: a constant and cosines slower than 128 s. Returns
    the singular values of all components, too.
    """
    drift = create_cosine_drift(1 / COMPCOR_HIGH_PASS_S, np.arange(len(series)) * t_r)
    gram = np.zeros((len(series), len(series)))
    for start in range(0, series.shape[1], 8192):
        block = series[:, start : start + 8192].astype(float)
        block -= drift @ (np.linalg.pinv(drift) @ block)
        deviation = block.std(axis=0)
        block = block[:, deviation > 1e-6 * np.abs(series[:, start : start + 8192]).max(initial=1e-30)]
        block /= block.std(axis=0)
        gram += block @ block.T
    sizes, directions = np.linalg.eigh(gram)
    sizes, directions = sizes[::-1].clip(0), directions[:, ::-1]
    rank = int((sizes > sizes[0] * 1e-10).sum()) if sizes[0] > 0 else 0
    explained = np.cumsum(sizes[:rank]) / max(sizes[:rank].sum(), 1e-30)
    kept = min(rank, max(COMPCOR_LEAST, int(np.searchsorted(explained, variance) + 1)))
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(len(sizes))])
    return (directions * signs)[:, :kept], np.sqrt(sizes[:rank])


def count_non_steady(global_signal: Float[np.ndarray, " time"]) -> int:
    """First volumes whose mean stands out: modified z (Iglewicz and Hoaglin 1993) above 3.5 among the first 50."""
    start = np.asarray(global_signal, dtype=float)[:MAX_NON_STEADY]
    distance = np.abs(start - np.median(start))
    spread = np.median(distance)
    outlying = 0.6745 * distance / spread > 3.5 if spread > 0 else np.zeros(len(start), bool)
    return len(start) if outlying.all() else int(np.argmin(outlying))


def measure_cosines(n_times: int, t_r: float, high_pass_s: float | None) -> pd.DataFrame:
    """Discrete cosines slower than ``high_pass_s``, none for None."""
    if not high_pass_s:
        return pd.DataFrame(index=range(n_times))
    drifts = create_cosine_drift(1 / high_pass_s, np.arange(n_times) * t_r)[:, :-1]  # the last column is the constant
    return pd.DataFrame(drifts, columns=[f"cosine_{i:02d}" for i in range(drifts.shape[1])])


def _expand(table: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name in table:
        own = table[name]
        columns[name], columns[f"{name}_derivative1"] = own, own.diff()
        columns[f"{name}_power2"], columns[f"{name}_derivative1_power2"] = own**2, own.diff() ** 2
    return pd.DataFrame(columns)


def _displacement(motion: Float[np.ndarray, "time 6"]) -> pd.DataFrame:
    return pd.DataFrame({"framewise_displacement": framewise_displacement(motion), "rmsd": _rmsd(motion)})


def _rmsd(motion: Float[np.ndarray, "time 6"]) -> Float[np.ndarray, " time"]:
    """Root mean square displacement of a ball of 80 mm about the centre of rotation between neighbouring volumes."""
    matrices = np.stack([_rigid(row) for row in motion])
    change = matrices[1:] @ np.linalg.inv(matrices[:-1]) - np.eye(4)
    turned = HEAD_RADIUS_MM**2 / 5 * np.square(change[:, :3, :3]).sum(axis=(1, 2))
    return np.concatenate([[np.nan], np.sqrt(turned + np.square(change[:, :3, 3]).sum(axis=1))])


def _rigid(row: Float[np.ndarray, " 6"]) -> Float[np.ndarray, "4 4"]:
    (cx, cy, cz), (sx, sy, sz) = np.cos(row[3:]), np.sin(row[3:])
    matrix = np.eye(4)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix[:3, :3], matrix[:3, 3] = about_z @ about_x @ about_y, row[:3]
    return matrix


def _expected_change(block: Float[np.ndarray, "time voxels"]) -> Float[np.ndarray, " voxels"]:
    low, high = np.percentile(block, [25, 75], axis=0, method="lower")
    centred = block - block.mean(axis=0)
    correlation = (centred[1:] * centred[:-1]).sum(axis=0) / np.square(centred).sum(axis=0)
    return np.sqrt(2 * (1 - correlation)) * (high - low) / 1.349


def _all_components(series, tissue: dict[str, np.ndarray], t_r: float) -> tuple[pd.DataFrame, dict[str, dict]]:
    """CompCor of both tissues together (a), of each (c, w), and of the brain's most variable voxels (t)."""
    known = [name for name in TISSUES if name in tissue and tissue[name].shape[1]]
    noise = {f"{name[0]}_comp_cor": (tissue[name], TISSUES[name]) for name in known}
    if len(known) == len(TISSUES):
        noise["a_comp_cor"] = (np.concatenate([tissue[name] for name in known], axis=1), "combined")
    deviation = series.std(axis=0, dtype=float)
    variable = np.sort(np.argsort(-deviation, kind="stable")[: max(1, round(TCOMPCOR_SHARE * len(deviation)))])
    noise["t_comp_cor"] = (series[:, variable], "")
    columns, facts = {}, {}
    for prefix in sorted(noise):
        inside, mask = noise[prefix]
        components, sizes = find_components(inside, t_r)
        share = np.square(sizes) / np.square(sizes).sum() if len(sizes) else sizes
        for i, component in enumerate(components.T):
            name = f"{prefix}_{i:02d}"
            columns[name] = component
            facts[name] = {
                "Method": "tCompCor" if prefix[0] == "t" else "aCompCor",
                "Retained": True,
                "SingularValue": float(sizes[i]),
                "VarianceExplained": float(share[i]),
                "CumulativeVarianceExplained": float(share[: i + 1].sum()),
            } | ({"Mask": mask} if mask else {})
    return pd.DataFrame(columns, index=range(len(series))), facts


def _outliers(table: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """A column a volume that stands out: 1 there, 0 elsewhere."""
    sudden = (table["std_dvars"] > thresholds.std_dvars).to_numpy()
    if "framewise_displacement" in table:
        sudden = sudden | (table["framewise_displacement"] > thresholds.fd_mm).to_numpy()
    early = range(count_non_steady(table["global_signal"].to_numpy()))
    told = {f"non_steady_state_outlier_{i:02d}": at for i, at in enumerate(early)}
    told |= {f"motion_outlier_{i:02d}": at for i, at in enumerate(np.flatnonzero(sudden))}
    return pd.DataFrame({name: (np.arange(len(table)) == at).astype(float) for name, at in told.items()}).reindex(
        range(len(table))
    )
