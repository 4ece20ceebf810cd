"""Pictures drawn in six categories, and the levels of description that the simulated brain answers to."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

SIDE = 32  # pixels
_FINE = 4 * SIDE  # drawn this large, then made smaller, so that edges are smooth


def draw_picture(category: str, rng: np.random.Generator) -> UInt8[np.ndarray, "32 32 3"]:
    """One picture of ``category`` with its own colours, place, size and shape on a shaded ground."""
    ground = _shaded_ground(rng)
    image = Image.fromarray(ground)
    scale = rng.uniform(0.62, 0.9) * _FINE / 2
    centre = _FINE / 2 + rng.uniform(-0.12, 0.12, 2) * _FINE
    pen = _Pen(ImageDraw.Draw(image), centre, scale)
    _DRAWERS[category](pen, rng)
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=float)
    return np.clip(small + rng.normal(0, 4, small.shape), 0, 255).astype(np.uint8)


def describe(
    images: UInt8[np.ndarray, "pictures 32 32 3"], categories: list[str], rng: np.random.Generator
) -> dict[str, Float[np.ndarray, "pictures _"]]:
    """The levels: coarse ``light``, oriented ``edges``, ``colour``, and ``category`` with a part of each item."""
    pixels = images.astype(float) / 255
    return {
        "light": _components(_pool(pixels.mean(-1), 8), 8),
        "edges": _components(_edge_energy(pixels.mean(-1)), 8),
        "colour": _components(np.stack([_pool(pixels[..., c], 3) for c in range(3)], -1), 6),
        "category": _category_level(categories, rng),
    }


class _Pen:
    """Draws in units of the object's half size around its centre; y points down."""

    def __init__(self, draw: ImageDraw.ImageDraw, centre: np.ndarray, scale: float) -> None:
        self.draw, self.centre, self.scale = draw, centre, scale

    def at(self, *points: tuple[float, float]) -> list[tuple[float, float]]:
        return [tuple(self.centre + self.scale * np.asarray(point)) for point in points]

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: tuple) -> None:
        self.draw.ellipse([*self.at((x - rx, y - ry))[0], *self.at((x + rx, y + ry))[0]], fill=colour)

    def box(self, x: float, y: float, rx: float, ry: float, colour: tuple) -> None:
        self.draw.rectangle([*self.at((x - rx, y - ry))[0], *self.at((x + rx, y + ry))[0]], fill=colour)

    def polygon(self, points: list[tuple[float, float]], colour: tuple) -> None:
        self.draw.polygon(self.at(*points), fill=colour)

    def line(self, points: list[tuple[float, float]], width: float, colour: tuple) -> None:
        self.draw.line(self.at(*points), fill=colour, width=max(1, int(width * self.scale)))


def _shaded_ground(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:_FINE, 0:_FINE] / _FINE - 0.5
    slope = rng.uniform(-60, 60, 2)
    shade = slope[0] * x + slope[1] * y
    return np.clip(rng.uniform(90, 200, 3) + shade[..., None], 0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator, *base: int, spread: int = 35) -> tuple:
    return tuple(int(v) for v in np.clip(np.array(base) + rng.integers(-spread, spread + 1, 3), 0, 255))


def _face(pen: _Pen, rng: np.random.Generator) -> None:
    width = rng.uniform(0.6, 0.8)
    pen.ellipse(0, -0.15, width + 0.12, 0.92, _colour(rng, 80, 55, 35, spread=50))
    pen.ellipse(0, 0, width, 0.9, _colour(rng, 215, 170, 140))
    eye, height = _colour(rng, 50, 70, 90), rng.uniform(-0.3, -0.1)
    for side in (-1, 1):
        pen.ellipse(side * 0.3 * width / 0.7, height, 0.13, 0.09, (240, 240, 240))
        pen.ellipse(side * 0.3 * width / 0.7, height, 0.07, 0.08, eye)
    pen.line([(0, height + 0.15), (-0.06, 0.2), (0.05, 0.22)], 0.06, (130, 90, 70))
    pen.ellipse(0, 0.5, rng.uniform(0.18, 0.38), rng.uniform(0.05, 0.14), _colour(rng, 170, 50, 60))


def _house(pen: _Pen, rng: np.random.Generator) -> None:
    wall, top, width = _colour(rng, 190, 150, 110), rng.uniform(-0.95, -0.6), rng.uniform(0.6, 0.85)
    pen.box(0, 0.4, width, 0.55, wall)
    pen.polygon([(-width - 0.12, -0.15), (0, top), (width + 0.12, -0.15)], _colour(rng, 140, 50, 40))
    pen.box(rng.uniform(-0.2, 0.2), 0.65, 0.14, 0.3, _colour(rng, 80, 55, 40))
    for side in (-1, 1):
        pen.box(side * width * 0.62, 0.2, 0.15, 0.14, _colour(rng, 150, 200, 235))


def _tool(pen: _Pen, rng: np.random.Generator) -> None:
    angle = rng.uniform(-0.5, 0.5)
    c, s = np.cos(angle), np.sin(angle)

    def turn(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(c * x - s * y, s * x + c * y) for x, y in points]

    wood, metal, head = _colour(rng, 150, 100, 50), _colour(rng, 130, 130, 140), rng.uniform(0.4, 0.7)
    pen.polygon(turn((-0.1, -0.7), (0.1, -0.7), (0.13, 0.95), (-0.13, 0.95)), wood)
    pen.polygon(turn((-head, -0.9), (head * 0.8, -0.9), (head, -0.5), (-head, -0.55)), metal)


def _tree(pen: _Pen, rng: np.random.Generator) -> None:
    pen.box(0, 0.6, rng.uniform(0.08, 0.16), 0.4, _colour(rng, 100, 70, 40))
    green = _colour(rng, 50, 120, 50)
    for _ in range(7):
        x, y, r = rng.uniform(-0.4, 0.4), rng.uniform(-0.65, 0.1), rng.uniform(0.25, 0.42)
        pen.ellipse(x, y, r, r, _colour(rng, *green, spread=18))


def _car(pen: _Pen, rng: np.random.Generator) -> None:
    body, roof = tuple(int(v) for v in rng.integers(30, 230, 3)), rng.uniform(-0.5, -0.3)
    pen.polygon([(-0.55, 0), (-0.35, roof), (0.3, roof), (0.55, 0)], body)
    pen.polygon([(-0.42, 0), (-0.28, roof + 0.1), (0.24, roof + 0.1), (0.42, 0)], _colour(rng, 170, 210, 230))
    pen.box(0, 0.18, 0.97, 0.22, body)
    for side in (-1, 1):
        pen.ellipse(side * 0.55, 0.42, 0.22, 0.22, (25, 25, 25))
        pen.ellipse(side * 0.55, 0.42, 0.1, 0.1, (170, 170, 170))


def _fish(pen: _Pen, rng: np.random.Generator) -> None:
    body, side = _colour(rng, 220, 140, 60, spread=60), rng.choice([-1.0, 1.0])
    tall = rng.uniform(0.3, 0.5)
    pen.polygon([(side * 0.5, 0), (side * 0.98, -0.45), (side * 0.98, 0.45)], _colour(rng, *body, spread=25))
    pen.polygon([(-0.1, -tall + 0.1), (0.25, -tall - 0.25), (0.3, -0.1)], _colour(rng, *body, spread=25))
    pen.ellipse(-side * 0.12, 0, 0.72, tall, body)
    for stripe in (-0.25, 0.05, 0.35):
        pen.line(
            [(side * stripe, -tall * 0.8), (side * stripe, tall * 0.8)], 0.06, _colour(rng, 240, 240, 230, spread=15)
        )
    pen.ellipse(-side * 0.6, -0.08, 0.07, 0.07, (15, 15, 15))


_DRAWERS = {"face": _face, "house": _house, "tool": _tool, "tree": _tree, "car": _car, "fish": _fish}
CATEGORIES = tuple(_DRAWERS)


def _pool(maps: np.ndarray, n: int) -> np.ndarray:
    edges = np.linspace(0, SIDE, n + 1).astype(int)
    rows = np.add.reduceat(maps, edges[:-1], axis=1)
    return np.add.reduceat(rows, edges[:-1], axis=2) / (SIDE / n) ** 2


def _edge_energy(gray: np.ndarray) -> np.ndarray:
    """Gradient strength in 6 orientations, pooled on a 4 x 4 grid."""
    dy, dx = np.gradient(gray, axis=(1, 2))
    angle = np.arctan2(dy, dx)
    strength = np.hypot(dx, dy)
    tuned = [strength * np.maximum(np.cos(2 * (angle - a)), 0) for a in np.arange(6) * np.pi / 6]
    return np.stack([_pool(m, 4) for m in tuned], -1)


def _components(values: np.ndarray, n: int) -> np.ndarray:
    """Scores on the first ``n`` principal components, scaled together to a mean square of 1 a column."""
    flat = values.reshape(len(values), -1)
    u, s, _ = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    scores = u[:, :n] * s[:n]
    return scores / np.sqrt((scores**2).mean())


def _category_level(categories: list[str], rng: np.random.Generator) -> np.ndarray:
    """A random direction for each category and a smaller one for each item."""
    names = sorted(set(categories))
    centres = rng.normal(size=(len(names), 8))
    items = rng.normal(size=(len(categories), 8))
    scores = centres[[names.index(c) for c in categories]] + 0.5 * items
    scores -= scores.mean(0)
    return scores / np.sqrt((scores**2).mean())
