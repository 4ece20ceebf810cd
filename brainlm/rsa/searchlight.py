"""RDMs around every voxel, a chunk of centres at a time: memory grows with the chunk, not with the brain.

Voxels outside the mask are rows of zeros, which add nothing to inner products; so patches of every size go through the
same matrix products, and each centre's result is the same whatever chunk it comes in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg.blas import dtrsm

from brainlm.errors import ConfigError, choose
from brainlm.records import Space
from brainlm.rsa.compare import COMPARISONS, InnerProduct, compare
from brainlm.rsa.noise import FEWEST_SAMPLES, shrinkage_intensity
from brainlm.rsa.pairs import permute_pairs
from brainlm.rsa.patch_measures import SEARCHLIGHT_MEASURES, gram, voxel_rows
from brainlm.rsa.patches import Patches
from brainlm.rsa.rdm import WHITENED, check_values

CHUNK = 32  # centres: more do not fit the processor's cache and are slower
FEWEST_VOXELS = 3  # two points always correlate by 1 or -1
_AT_ONCE = 4_000_000  # entries of RDMs compared with shuffled models at a time
_SHUFFLES = 250
_BLOCK = 4096  # voxels
_ROUNDING = 2e-6  # of sums in single precision


@dataclass(frozen=True)
class SearchlightRdms:
    """RDMs of some centres; NaN where a patch has too few voxels."""

    centres: Int[np.ndarray, " centres"]
    rdms: Float[np.ndarray, "centres pairs"]
    n_voxels: Int[np.ndarray, " centres"]


@dataclass(frozen=True)
class SearchlightMap:
    """Similarity of each model (or sum of models) at each voxel, with its patch's size; p where labels were permuted.

    ``p_corrected`` holds for all voxels and models together (maximum statistic).
    """

    values: Float[np.ndarray, "models voxels"]
    n_voxels: Int[np.ndarray, " voxels"]
    p: Float[np.ndarray, "models voxels"] | None = None
    p_corrected: Float[np.ndarray, "models voxels"] | None = None


class Searchlight:
    """Patterns around every voxel of a mask, ready to be turned into RDMs by one measure.

    Measures in WHITENED are normalised in each patch by the shrinkage covariance of the residuals there; without
    residuals, by what differs between runs for the same condition; with ``whiten`` off, not at all. Squared distances
    are divided by the patch's size.

    Raises
    ------
    ConfigError
        If a searchlight cannot use the measure.
    ValueError
        If a value is not finite, runs or residual samples are too few, or a voxel's residuals are constant.
    """

    def __init__(
        self,
        values: Float[np.ndarray, "runs conditions voxels"],
        space: Space,
        radius_mm: float,
        measure: str,
        residuals: Float[np.ndarray, "samples voxels"] | None = None,
        fewest_voxels: int = FEWEST_VOXELS,
        whiten: bool = True,
    ) -> None:
        self.measure = choose("searchlight measure", measure, list(SEARCHLIGHT_MEASURES))
        self.patches = Patches(space, radius_mm)
        self.fewest_voxels = fewest_voxels
        check_values(values)
        self.n_runs, self.n_conditions, _ = values.shape
        if measure == "crossnobis" and self.n_runs < 2:
            raise ValueError(f"Crossnobis needs at least 2 runs; got {self.n_runs}. Choose another measure.")
        self._noise = None
        if measure in WHITENED and whiten:
            values, self._noise = _standardised(values, residuals)
            self._fourth = _fourth_powers(self._noise)
        self._rows = voxel_rows(values, measure)

    def __len__(self) -> int:
        return self.patches.n_voxels

    def chunks(
        self, centres: Int[np.ndarray, " centres"] | None = None, chunk: int = CHUNK
    ) -> Iterator[SearchlightRdms]:
        """RDMs of ``chunk`` centres after another, of all voxels by default."""
        if chunk < 1:
            raise ConfigError(f"A searchlight chunk must hold at least 1 centre; got {chunk}.")
        centres = np.arange(len(self)) if centres is None else centres
        for start in range(0, len(centres), chunk):
            yield self._rdms(centres[start : start + chunk])

    def _rdms(self, centres: np.ndarray) -> SearchlightRdms:
        n_voxels = self.patches.count(centres)
        grams = self._shared_grams(centres) if self._noise is None else self._whitened_grams(centres)
        with np.errstate(invalid="ignore", divide="ignore"):
            rdms = SEARCHLIGHT_MEASURES[self.measure](grams, n_voxels, self.n_runs)
        enough = n_voxels >= self.fewest_voxels
        undefined = ~np.isfinite(rdms).all(1) & enough
        if undefined.any():
            raise ValueError(
                f"Constant or zero patterns in {int(undefined.sum())} of {len(centres)} patches, first around voxel "
                f"{int(centres[undefined][0])} of the mask: {self.measure} is not defined. Take those voxels out of "
                "the mask or choose a Euclidean measure."
            )
        rdms[~enough] = np.nan
        return SearchlightRdms(centres, rdms, n_voxels)

    def _shared_grams(self, centres: np.ndarray) -> list[np.ndarray]:
        """Gram matrices of each patch, the part that two neighbours share being multiplied once."""
        common, which, own = self.patches.shared(centres)
        found = []
        for rows in self._rows:
            grams = gram(_take(rows, common))[which]
            grams += gram(_take(rows, own))
            found.append(grams)
        return found

    def _whitened_grams(self, centres: np.ndarray) -> list[np.ndarray]:
        """Gram matrices after patterns are divided by the Cholesky factor of the patch's shrunk noise correlation."""
        members = self.patches.members(centres)
        patterns = [_take(rows, members) for rows in self._rows]
        for place, factor in enumerate(np.linalg.cholesky(self._noise_correlation(members))):
            for some in patterns:  # in place: the transpose is in Fortran's order
                dtrsm(1.0, factor.T, some[place].reshape(len(factor), -1).T, side=1, lower=0, overwrite_b=1)
        return [gram(some) for some in patterns]

    def _noise_correlation(self, members: np.ndarray) -> np.ndarray:
        noise = _take(self._noise, members).astype(float, copy=False)
        n_samples = noise.shape[-1]
        correlation = noise @ np.swapaxes(noise, 1, 2) / (n_samples - 1)
        together = np.einsum("cvt,cvt->ct", noise, noise)
        moments = np.square(together).sum(1) - self._fourth[members].sum(1)
        correlation *= 1 - shrinkage_intensity(correlation, moments, n_samples)[:, None, None]
        diagonal = np.arange(members.shape[1])
        correlation[:, diagonal, diagonal] = 1  # also of places outside the mask, which are zeros
        return correlation


def searchlight_map(
    searchlight: Searchlight,
    models: Float[np.ndarray, "models pairs"],
    comparison: str,
    chunk: int = CHUNK,
    weights: Float[np.ndarray, "maps models"] | None = None,
) -> SearchlightMap:
    """Similarity of each model to the RDM around each voxel; with ``weights``, sums of the models' similarities."""
    n_maps = len(models if weights is None else weights)
    values = np.full((n_maps, len(searchlight)), np.nan)
    n_voxels = np.zeros(len(searchlight), dtype=int)
    for part in _gathered(searchlight, chunk):
        found = compare(models, part.rdms, comparison)
        values[:, part.centres] = found if weights is None else weights @ found
        n_voxels[part.centres] = part.n_voxels
    return SearchlightMap(values, n_voxels)


def searchlight_permutations(
    searchlight: Searchlight,
    models: Float[np.ndarray, "models pairs"],
    comparison: str,
    n_permutations: int,
    rng: np.random.Generator,
    chunk: int = CHUNK,
    null: Float[np.ndarray, "permutations maps voxels"] | None = None,
    weights: Float[np.ndarray, "maps models"] | None = None,
) -> SearchlightMap:
    """The map with p from shuffled conditions, (k + 1) / (n + 1): RDMs are made once, only models are shuffled.

    Shuffled values are single precision; one that misses the value by less than that can tell counts as reached, so p
    is never too small by rounding.

    ``null``, if given, is filled with the values under each shuffle, which cluster correction needs. With ``weights``,
    maps are sums of the models' similarities, as their mean over training seeds.
    """
    shuffles = permute_pairs(models.shape[1], n_permutations, rng)
    n_maps = len(models if weights is None else weights)
    values = np.full((n_maps, len(searchlight)), np.nan)
    n_voxels = np.zeros(len(searchlight), dtype=int)
    exceeded = np.zeros(values.shape)
    highest = np.full(n_permutations, -np.inf)
    for part in _gathered(searchlight, chunk):
        found, shuffled_maps = _compare_shuffled(models, part.rdms, comparison, shuffles, weights)
        values[:, part.centres], n_voxels[part.centres] = found, part.n_voxels
        for rows, model, shuffled in shuffled_maps:
            reached = shuffled >= (found[model] - _ROUNDING).astype(shuffled.dtype)
            exceeded[model, part.centres] += np.count_nonzero(reached, axis=0)
            highest[rows] = np.fmax(highest[rows], np.fmax.reduce(shuffled, axis=1))
            if null is not None:
                null[rows, model, part.centres] = shuffled
    reached = n_permutations - np.searchsorted(np.sort(highest), values - _ROUNDING)
    counts = (np.where(np.isfinite(values), (k + 1) / (n_permutations + 1), np.nan) for k in (exceeded, reached))
    return SearchlightMap(values, n_voxels, *counts)


def _compare_shuffled(
    models: np.ndarray, rdms: np.ndarray, comparison: str, shuffles: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, Iterator[tuple[slice, int, np.ndarray]]]:
    """Similarities, and those (shuffles x centres) of one shuffled map after another, some shuffles at a time."""
    function = COMPARISONS[comparison]
    if not isinstance(function, InnerProduct):
        found = function(models, rdms)
        if weights is None:
            return found, _shuffled(models, rdms, shuffles, function)
        return weights @ found, _shuffled_sums(models, rdms, shuffles, function, weights)
    prepared, target = function.model(models), function.brain(rdms)
    prepared = prepared if weights is None else weights @ prepared  # a sum of products is the product with the sum
    single = prepared.astype(np.float32), target.astype(np.float32)
    return prepared @ target.T, _shuffled(*single, shuffles, lambda moved, brains: moved @ brains.T)


def _shuffled(
    models: np.ndarray, rdms: np.ndarray, shuffles: np.ndarray, function: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Iterator[tuple[slice, int, np.ndarray]]:
    for start in range(0, len(shuffles), _SHUFFLES):
        rows = slice(start, start + _SHUFFLES)
        for model, vector in enumerate(models):
            yield rows, model, function(vector[shuffles[rows]], rdms)


def _shuffled_sums(
    models: np.ndarray,
    rdms: np.ndarray,
    shuffles: np.ndarray,
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    weights: np.ndarray,
) -> Iterator[tuple[slice, int, np.ndarray]]:
    """Similarities that must be taken of each model before they are summed."""
    for start in range(0, len(shuffles), _SHUFFLES):
        rows = slice(start, start + _SHUFFLES)
        for place, row in enumerate(weights):
            used = np.flatnonzero(row)
            yield rows, place, sum(row[model] * function(models[model][shuffles[rows]], rdms) for model in used)


def _gathered(searchlight: Searchlight, chunk: int) -> Iterator[SearchlightRdms]:
    """Chunks joined until comparing them is worth a matrix product."""
    waiting: list[SearchlightRdms] = []
    for part in searchlight.chunks(chunk=chunk):
        waiting.append(part)
        if sum(some.rdms.size for some in waiting) >= _AT_ONCE:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[SearchlightRdms]) -> SearchlightRdms:
    arrays = ((part.centres, part.rdms, part.n_voxels) for part in parts)
    return SearchlightRdms(*(np.concatenate(some) for some in zip(*arrays, strict=True)))


def _take(rows: np.ndarray, members: np.ndarray) -> np.ndarray:
    return rows.take(members, axis=0, mode="clip")  # no index is out of range; numpy's own check costs a copy


def _standardised(values: np.ndarray, residuals: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Patterns in units of each voxel's noise, and the noise (voxels x samples, then a row of 0) of variance 1."""
    if residuals is None:
        residuals = (values - values.mean(0)).reshape(-1, values.shape[-1])
    if len(residuals) < FEWEST_SAMPLES:
        raise ValueError(f"A noise covariance needs at least {FEWEST_SAMPLES} samples; got {len(residuals)}.")
    if not np.isfinite(residuals).all():
        raise ValueError(f"Residuals must be finite; got {int((~np.isfinite(residuals)).sum())} other values.")
    constant = np.ptp(residuals, axis=0) == 0
    if constant.any():
        raise ValueError(
            f"A noise covariance needs voxels that vary; got {int(constant.sum())} whose residuals are constant, first "
            f"voxel {int(np.flatnonzero(constant)[0])} of the mask. Take those voxels out of the mask."
        )
    scale = residuals.std(0, ddof=1, dtype=float)
    noise = np.zeros((residuals.shape[1] + 1, len(residuals)), dtype=residuals.dtype)
    means = residuals.mean(0, dtype=float)
    for start in range(0, residuals.shape[1], _BLOCK):  # a whole copy in double precision would cost too much memory
        part = slice(start, min(start + _BLOCK, residuals.shape[1]))
        noise[part] = ((residuals[:, part] - means[part]) / scale[part]).T
    return values / scale, noise


def _fourth_powers(noise: np.ndarray) -> np.ndarray:
    parts = (np.square(noise[start : start + _BLOCK].astype(float)) for start in range(0, len(noise), _BLOCK))
    return np.concatenate([np.einsum("vt,vt->v", squares, squares) for squares in parts])
