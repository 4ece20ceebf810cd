"""An image brought to the template by least squares on tissue: affine, then smooth waves, whatever the contrast.

The image is modelled as the template's tissue maps, each with a value of its own that may change along a line (bias),
so a T1w and a BOLD image are treated alike. Gauss-Newton on 12, then on some hundred parameters with bending as price:
Friston et al. 1995 (doi:10.1002/hbm.460030303), Ashburner and Friston 1999 (Human Brain Mapping 7:254-266).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from brainlm.preprocess.grids import Grid, carry, grid_of
from brainlm.preprocess.waves import Waves

LEVELS_MM = (12.0, 6.0, 3.0)  # smoothing, standard deviation
AFFINE_UPDATES = 40
REFIT = 10  # updates of a matrix that is not rigid with the same values of the tissues
AFFINE_TOLERANCE_MM = 0.05
NODS_DEGREES = (0, -25, 25)  # of the head, tried as starts: slices are often tilted
STRETCH = 0.1  # standard deviation of heads' sizes and shears from the template's, as a share
SHORTEST_WAVE_MM = 50.0
WARP_UPDATES = 12
WARP_TOLERANCE_MM = 0.05
STIFFNESS = 2e3  # price of bending in units of the residual's variance
SMALLEST_OVERLAP = 0.3  # of the template's head
HEAD_MM = 150.0  # from its top down; what lies lower is neck
LINE_MM = 80.0  # scale of the lines along which tissue values may change


# change of the stretch (upper triangle) with each of the 12 parameters of a small matrix
STRETCHES = np.zeros((6, 12))
for _row, (_i, _j) in enumerate(zip(*np.triu_indices(3), strict=True)):
    STRETCHES[_row, 3 + 3 * _i + _j] += 0.5
    STRETCHES[_row, 3 + 3 * _j + _i] += 0.5


@dataclass(frozen=True)
class Template:
    """Shares of grey, white, fluid and of the rim around the brain, and where (brain and rim) to compare."""

    tissue: Float[np.ndarray, "4 x y z"]
    head: Bool[np.ndarray, "x y z"]
    grid: Grid


@dataclass(frozen=True)
class Warp:
    """From places of the template (mm) to places of an image: displaced, then carried by a matrix."""

    matrix: Float[np.ndarray, "4 4"]
    displacement: Float[np.ndarray, "3 x y z"] | None = None  # mm, on ``grid``
    grid: Grid | None = None

    def carry(self, places: Float[np.ndarray, "3 *more"]) -> Float[np.ndarray, "3 *more"]:
        """Where ``places`` (mm) of the template are in the image (mm)."""
        return carry(self.matrix, places + self._displaced(places))

    def carry_back(self, places: Float[np.ndarray, "3 *more"]) -> Float[np.ndarray, "3 *more"]:
        """Where ``places`` (mm) of the image are in the template (mm), to 0.01 mm.

        Raises
        ------
        ValueError
            If the displacement folds, so that there is no way back.
        """
        undisplaced = carry(np.linalg.inv(self.matrix), places)
        found, change = undisplaced, np.inf
        for _ in range(50):
            better = undisplaced - self._displaced(found)
            change, found = np.abs(better - found).max(initial=0), better
            if change < 0.01:
                return found
        raise ValueError(f"expected a smooth warp; the way back still moves by {change:.2f} mm after 50 steps.")

    def then(self, matrix: Float[np.ndarray, "4 4"]) -> "Warp":
        """This warp, and a matrix (mm) after it."""
        return Warp(matrix @ self.matrix, self.displacement, self.grid)

    def _displaced(self, places: np.ndarray) -> np.ndarray:
        if self.displacement is None or self.grid is None:
            return np.zeros_like(places)
        voxels = carry(np.linalg.inv(self.grid.affine), places)
        return np.stack([map_coordinates(part, voxels, order=1, mode="nearest") for part in self.displacement])


@dataclass(frozen=True)
class Fit:
    """A warp, and the share of the image's variance over brain and rim that tissue explains through it."""

    warp: Warp
    explained: float
    information: float  # nats a voxel of the template's head: much explained of a small overlap is little


@dataclass(frozen=True)
class _Comparison:
    """The image on the template's grid, its model by tissue, where there is both, and the variance left."""

    seen: Float[np.ndarray, "x y z"]
    model: Float[np.ndarray, "x y z"]
    inside: Bool[np.ndarray, "x y z"]
    weights: Float[np.ndarray, " columns"]
    left: float
    explained: float

    def residual(self) -> Float[np.ndarray, "x y z"]:
        """What the next step is to explain; 0 where nothing is compared."""
        return np.where(self.inside, self.model - self.seen, 0)


class _Level:
    """Image and template at one smoothness."""

    def __init__(
        self, image: np.ndarray, affine: np.ndarray, template: Template, sigma_mm: float, stride: int = 1
    ) -> None:
        self.grid = grid_of(image, affine)
        self.image = gaussian_filter(np.asarray(image, dtype=np.float32), sigma_mm / self.grid.zooms())
        zooms, every = template.grid.zooms(), (slice(None, None, stride),) * 3
        tissue = np.stack([gaussian_filter(part, sigma_mm / zooms)[every] for part in template.tissue])
        coarse = template.grid.affine @ np.diag([stride, stride, stride, 1.0])
        self.template = Template(tissue, template.head[every], grid_of(tissue[0], coarse))
        self.places = self.template.grid.places()
        self.middle = self.places[:, self.template.head].mean(axis=1, keepdims=True)
        self.to_voxel = np.linalg.inv(affine)
        # smoothing makes neighbours alike: so many points tell as much as one
        width = 2 * np.sqrt(np.pi) * np.maximum(sigma_mm, self.grid.zooms())
        self.points_a_value = max(1.0, float(np.prod(width / self.template.grid.zooms())))

    def compare(self, warp: Warp, weights: Float[np.ndarray, " columns"] | None = None) -> _Comparison:
        """``weights`` of the tissues are fitted where they are not given."""
        voxels = carry(self.to_voxel, warp.carry(self.places))
        inside = self.template.head & self.grid.holds(voxels)
        if inside.sum() < SMALLEST_OVERLAP * self.template.head.sum():
            raise ValueError("expected an image of the head; less than a third of the template's head lies in it.")
        seen = map_coordinates(self.image, voxels, order=1, mode="nearest")
        columns, values = self._columns(inside), seen[inside].astype(float)
        if weights is None:
            normal = columns.T @ columns
            normal += 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
            weights = np.linalg.solve(normal, columns.T @ values)
        model = seen.copy()
        model[inside] = columns @ weights
        left = float(np.square(values - model[inside]).mean())
        return _Comparison(seen, model, inside, weights, left, 1 - left / max(float(values.var()), 1e-30))

    def slope(self, compared: _Comparison) -> Float[np.ndarray, "3 x y z"]:
        """A mm, of the mean of image and model (Benhimane and Malis 2004); 0 where nothing is compared."""
        slope = np.stack(np.gradient((compared.seen + compared.model) / 2))
        return slope / self.template.grid.zooms().reshape(3, 1, 1, 1) * compared.inside

    def _columns(self, inside: np.ndarray) -> np.ndarray:
        parts, places = self.template.tissue[:, inside], self.places[:, inside]
        lines = (places - self.middle) / LINE_MM
        return np.concatenate([parts, *(parts * line for line in lines)]).T


def find_affine(
    image: Float[np.ndarray, "x2 y2 z2"], affine: Float[np.ndarray, "4 4"], template: Template, rigid: bool = False
) -> Fit:
    """The matrix (12 parameters, or 6) that carries the template onto an image, from the best of six starts.

    The starts are the header's own place and the middle of what is bright (from the head's top down), each with the
    head level, lowered and raised.

    Raises
    ------
    ValueError
        If the image does not hold the template's head.
    """
    fits = [Fit(Warp(start), 0.0, 0.0) for start in _starts(image, affine, template)]
    # first what cannot shrink, as a template that shrinks into a bright corner fits well there
    for sigma in LEVELS_MM[:2]:
        level = _Level(image, affine, template, sigma, stride=2)
        tried = [_affine_descent(level, fit.warp.matrix, rigid=True) for fit in fits]
        fits = [fit for fit in tried if fit is not None]
    if not fits:
        raise ValueError("expected an image of a head; the template fits nowhere in it.")
    fit = max(fits, key=lambda fit: fit.information)
    for sigma in LEVELS_MM[1:]:
        fit = _affine_descent(_Level(image, affine, template, sigma), fit.warp.matrix, rigid)
        if fit is None:
            raise ValueError("expected an image of a head; the template slid out of its field of view.")
    return fit


def find_warp(
    image: Float[np.ndarray, "x2 y2 z2"], affine: Float[np.ndarray, "4 4"], template: Template, start: Warp
) -> Fit:
    """A smooth displacement before ``start``'s matrix that lets tissue explain more of the image."""
    waves = Waves(template.grid, SHORTEST_WAVE_MM)
    coefficients = np.zeros((3, *waves.counts))
    for sigma in LEVELS_MM[1:]:
        level = _Level(image, affine, template, sigma)
        weights = None
        for _ in range(WARP_UPDATES):
            compared = level.compare(Warp(start.matrix, waves.field(coefficients), template.grid), weights)
            weights = compared.weights
            step = waves.step(level.slope(compared), compared.residual(), STIFFNESS * compared.left, coefficients)
            coefficients = coefficients + step
            if np.abs(waves.field(step)).max() < WARP_TOLERANCE_MM:
                break
    warp = Warp(start.matrix, waves.field(coefficients), template.grid)
    return _fit(level.compare(warp), warp, template)


def _fit(compared: _Comparison, warp: Warp, template: Template) -> Fit:
    overlap = compared.inside.sum() / template.head.sum()
    return Fit(warp, compared.explained, float(-overlap * np.log(1 - compared.explained) / 2))


def _affine_descent(level: _Level, matrix: np.ndarray, rigid: bool) -> Fit | None:
    """Gauss-Newton from ``matrix``; None where the head slides out of the image."""
    weights = None
    for update in range(AFFINE_UPDATES):
        if update % REFIT == 0:
            weights = None
        try:
            compared = level.compare(Warp(matrix), weights)
        except ValueError:  # this start leads nowhere; the caller says so if all do
            return None
        # held for a while: weights that follow each step let the template shrink into an even part of the brain
        weights = None if rigid else compared.weights
        places = level.places[:, compared.inside].T
        slopes = _slopes(places, level.slope(compared)[:, compared.inside].T, rigid)
        size = np.linalg.norm(slopes, axis=0) + 1e-30
        slopes /= size
        right, normal = slopes.T @ compared.residual()[compared.inside], slopes.T @ slopes + 1e-6 * np.eye(len(size))
        if not rigid:
            price = compared.left * level.points_a_value / STRETCH**2
            right -= price * STRETCHES.T @ _stretch(matrix) / size
            normal += price * (STRETCHES / size).T @ (STRETCHES / size)
        step = cho_solve(cho_factor(normal), right) / size
        small = _small_matrix(step)
        matrix = matrix @ small
        if np.abs(carry(small, places.T) - places.T).max() < AFFINE_TOLERANCE_MM:
            break
    return _fit(compared, Warp(matrix), level.template)


def _stretch(matrix: np.ndarray) -> Float[np.ndarray, " 6"]:
    """Logarithm of the symmetric part of a matrix: what is neither turn nor shift; 0 for a rigid one."""
    squares, axes = np.linalg.eigh(matrix[:3, :3].T @ matrix[:3, :3])
    return ((axes * np.log(squares) / 2) @ axes.T)[np.triu_indices(3)]


def _slopes(places: np.ndarray, slope: np.ndarray, rigid: bool) -> Float[np.ndarray, "points parameters"]:
    """How the image changes with a mm along each axis, and with a turn (6) or any matrix (12)."""
    if rigid:
        return np.column_stack([slope, np.cross(places, slope)])
    return np.column_stack([slope, (slope[:, :, None] * places[:, None]).reshape(len(places), 9)])


def _small_matrix(step: np.ndarray) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    turn = Rotation.from_rotvec(step[3:]).as_matrix() if len(step) == 6 else np.eye(3) + step[3:].reshape(3, 3)
    matrix[:3, :3], matrix[:3, 3] = turn, step[:3]
    return matrix


def _starts(image: np.ndarray, affine: np.ndarray, template: Template) -> list[np.ndarray]:
    bright = image > 0.2 * np.percentile(image, 98)
    places = grid_of(image, affine).places()[:, bright]
    head = places[:, places[2] > np.percentile(places[2], 99.5) - HEAD_MM]
    middle = template.grid.places()[:, template.head].mean(axis=1)
    starts = []
    for place in (middle, head.mean(axis=1)):  # the header's own, and that of what is bright
        for nod in NODS_DEGREES:
            start = np.eye(4)
            start[:3, :3] = Rotation.from_euler("x", nod, degrees=True).as_matrix()
            start[:3, 3] = place - start[:3, :3] @ middle
            starts.append(start)
    return starts
