import numpy as np
from nilearn.datasets import load_mni152_brain_mask

from brainlm.figures.surface import draw_surface, load_mesh, project

AFFINE = np.array([[4.0, 0, 0, -80], [0, 4, 0, -114], [0, 0, 4, -62], [0, 0, 0, 1]])
SHAPE = (41, 49, 41)


def blob(place: tuple[float, float, float], radius: float = 10) -> np.ndarray:
    where = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return (np.linalg.norm(where - place, axis=-1) <= radius).astype(float)


def vertices_of(place: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Distances (mm) from ``place`` of the vertices that show a blob around it."""
    parts = project(blob(place), AFFINE).data.parts
    mesh = load_mesh("pial").parts
    return {side: np.linalg.norm(mesh[side].coordinates[parts[side] > 0.5] - place, axis=1) for side in parts}


def test_a_map_lies_on_the_cortex_where_it_lies_in_the_template():
    shown = vertices_of((-56, -22, 8))  # left superior temporal gyrus
    assert len(shown["left"]) > 20 and shown["left"].max() < 17 and not len(shown["right"])
    shown = vertices_of((56, -22, 8))
    assert len(shown["right"]) > 20 and not len(shown["left"])


def test_what_lies_deep_does_not_show():
    assert not any(len(shown) for shown in vertices_of((-12, -18, 8)).values())  # thalamus


def test_the_cortex_is_drawn_from_four_sides_and_uncovered_where_nothing_passes():
    figure = draw_surface(blob((-56, -22, 8), radius=14), AFFINE, share=1.0)
    left, _, _, right = (axis.collections[0].get_facecolor() for axis in figure.axes)
    grey = [np.ptp(colours[:, :3], axis=1) < 0.02 for colours in (left, right)]
    assert 0.9 < grey[0].mean() < 1 and grey[1].all()


def test_the_template_s_cortex_lies_around_its_brain():
    mask = load_mni152_brain_mask(resolution=2)
    inside = [
        np.asarray(mask.dataobj)[tuple(np.round((points - mask.affine[:3, 3]) / 2).astype(int).T)].mean()
        for points in (part.coordinates for part in load_mesh("pial").parts.values())
    ]
    assert min(inside) > 0.9
