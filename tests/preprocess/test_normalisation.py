import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from brainlm.preprocess.anatomy import carry_tissue
from brainlm.preprocess.bias import correct_bias
from brainlm.preprocess.grids import Grid, carry
from brainlm.preprocess.normalisation import Template, Warp, find_affine, find_warp
from brainlm.preprocess.waves import Waves

MM = 6.0


def small_template() -> Template:
    """Blobs of grey, white and fluid in an ellipsoid."""
    random = np.random.default_rng(0)
    shape = (26, 30, 26)
    affine = np.diag([MM, MM, MM, 1])
    affine[:3, 3] = -MM * (np.array(shape) - 1) / 2
    radius = np.linalg.norm((np.indices(shape).T - (np.array(shape) - 1) / 2) / [9, 11, 8.5], axis=-1).T
    brain, rim = radius < 1, (radius >= 1) & (radius < 1.15)
    fields = np.stack([gaussian_filter(random.normal(size=shape), 1.5) for _ in range(3)])
    shares = np.exp(30 * fields) / np.exp(30 * fields).sum(axis=0) * brain
    return Template(np.concatenate([shares, rim[None].astype(float)]), brain | rim, Grid(shape, affine))


def image_through(template: Template, warp: Warp, affine: np.ndarray, values: list[float]) -> np.ndarray:
    grid = Grid((30, 30, 30), affine)
    voxels = carry(np.linalg.inv(template.grid.affine), warp.carry_back(grid.places()))
    seen = [map_coordinates(part, voxels, order=3, mode="constant") for part in template.tissue]
    return np.tensordot(values, np.stack(seen), 1)


def known(template: Template, bend: float) -> Warp:
    waves = Waves(template.grid, 90.0)
    coefficients = np.random.default_rng(1).normal(size=(3, *waves.counts)) / (1 + 3 * np.indices(waves.counts).sum(0))
    field = waves.field(coefficients)
    matrix = nib.affines.from_matvec(np.diag([1.05, 0.95, 1.02]) + 0.04 * np.triu(np.ones((3, 3)), 1), [7, -6, 5])
    return Warp(matrix, field * bend / np.sqrt(np.square(field).sum(axis=0).mean()), template.grid)


def oblique() -> np.ndarray:
    """Voxels of 5.5 mm, turned, the first axis to the left."""
    turned = nib.eulerangles.euler2mat(0.2, -0.1, 0.15) @ np.diag([-5.5, 5.5, 5.5])
    return nib.affines.from_matvec(turned, -turned @ np.full(3, 14.5))


def test_affine_and_warp_are_found_in_an_oblique_image_of_any_contrast():
    template = small_template()
    true = known(template, bend=3.0)
    places = template.grid.places()[:, template.tissue[:3].sum(axis=0) > 0.5]
    for values in ([500, 800, 200, 100], [900, 750, 1200, 50]):  # as in T1w, as in BOLD
        image = image_through(template, true, oblique(), values)
        affine = find_affine(image, oblique(), template)
        warp = find_warp(image, oblique(), template, affine.warp)
        before, after = (np.linalg.norm(fit.warp.carry(places) - true.carry(places), axis=0) for fit in (affine, warp))
        assert np.median(before) < 4 and np.median(after) < 1.2 and np.median(after) < np.median(before)
        assert affine.explained < warp.explained <= 1


def test_the_same_image_gives_the_same_bits():
    template = small_template()
    image = image_through(template, known(template, 2.0), oblique(), [500, 800, 200, 100])
    first, second = (
        find_warp(picture, oblique(), template, find_affine(picture, oblique(), template).warp)
        for picture in (image, image.copy())
    )
    assert first.warp.displacement.tobytes() == second.warp.displacement.tobytes()
    assert first.warp.matrix.tobytes() == second.warp.matrix.tobytes()


def test_a_rigid_search_finds_a_rigid_movement_and_keeps_sizes():
    template = small_template()
    true = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.05, -0.04, 0.06), [4, -3, 5])
    image = image_through(template, Warp(true), oblique(), [900, 750, 1200, 50])
    found = find_affine(image, oblique(), template, rigid=True).warp.matrix
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found, true, atol=0.5)
    np.testing.assert_allclose(found[:3, :3], true[:3, :3], atol=0.01)


def test_the_way_back_undoes_the_way_there():
    template = small_template()
    warp = known(template, 4.0)
    places = np.random.default_rng(2).uniform(-40, 40, (3, 50))
    np.testing.assert_allclose(warp.carry_back(warp.carry(places)), places, atol=0.05)
    assert carry_tissue(template, Warp(np.eye(4)), template.grid) == pytest.approx(template.tissue, abs=1e-9)


def test_a_fold_has_no_way_back():
    template = small_template()
    folded = np.stack([40 * np.sin(template.grid.places()[0] / 3)] * 3)
    with pytest.raises(ValueError, match="expected a smooth warp"):
        Warp(np.eye(4), folded, template.grid).carry_back(template.grid.places())


def test_an_image_that_lies_elsewhere_is_refused():
    template = small_template()
    with pytest.raises(ValueError, match="expected an image of a head"):
        find_affine(np.eye(5)[:, :, None] * np.ones(5), np.diag([3.0, 3, 3, 1]), template)


def test_a_step_over_waves_is_the_least_squares_solution():
    grid = Grid((6, 5, 4), np.diag([2.0, 2, 2, 1]))
    waves, random = Waves(grid, 8.0), np.random.default_rng(3)
    slope, residual = random.normal(size=(3, *grid.shape)), random.normal(size=grid.shape)
    coefficients, price = random.normal(size=(3, *waves.counts)), 0.7
    eye = np.eye(coefficients.size).reshape(-1, *coefficients.shape)
    columns = np.stack([(slope * waves.field(unit)).sum(axis=0).ravel() for unit in eye], axis=1)
    cost = np.tile(price * waves.bending.ravel(), 3)
    normal = columns.T @ columns + np.diag(cost)
    normal += 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
    expected = np.linalg.solve(normal, columns.T @ residual.ravel() - cost * coefficients.ravel())
    found = waves.step(slope, residual, price, coefficients)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-3, atol=1e-6)


def test_bending_is_the_energy_of_second_derivatives():
    grid = Grid((60, 50, 40), np.diag([1.0, 1, 1, 1]))
    waves = Waves(grid, 40.0)
    unit = np.zeros((3, *waves.counts))
    unit[0, 2, 1, 1] = 1
    field = waves.field(unit)[0]
    inner = np.s_[3:-3, 3:-3, 3:-3]
    second = sum(np.gradient(np.gradient(field, axis=i), axis=i) for i in range(3))
    np.testing.assert_allclose(second[inner], -np.sqrt(waves.bending[2, 1, 1]) * field[inner], atol=3e-6)


def test_a_planted_bias_field_is_taken_out():
    template = small_template()
    image = np.tensordot([500, 800, 200, 100], template.tissue, 1) + 1
    line = template.grid.places()[1] / 100
    mask = template.tissue[:3].sum(axis=0) > 0.5
    corrected = correct_bias(image * np.exp(0.4 * line), template.grid.affine, mask)
    ratio = np.log(corrected / image)[mask]
    assert ratio.std() < 0.3 * (0.4 * line)[mask].std()
