"""Brain RDMs by every measure that the config offers."""

import numpy as np
import pytest

from brainlm.rsa.brains import region_rdms, timed_rdms
from brainlm.rsa.compare import compare
from brainlm.rsa.rdm import BRAIN_MEASURES, RDM_MEASURES, distances

NAMES = tuple(f"c{i}" for i in range(10))


@pytest.mark.parametrize("measure", BRAIN_MEASURES)
def test_planted_geometry_is_in_its_region_and_at_its_time(measure):
    rng = np.random.default_rng(0)
    features = rng.gamma(2, 1, size=(10, 4))
    pattern = 0.6 * features @ rng.random((4, 15))
    geometry = distances(pattern, measure if measure in RDM_MEASURES else "squared_euclidean")
    values = rng.gamma(2, 0.5, size=(5, 10, 30))
    values[:, :, :15] += pattern
    found = region_rdms(values, None, {"signal": list(range(15)), "noise": list(range(15, 30))}, NAMES, measure)
    likeness = compare(geometry[None], found.rdms, "spearman")[0]
    assert likeness[0] > 0.4 > abs(likeness[1])
    assert found.run_rdms.shape == (2, 5, 45) and found.conditions == NAMES
    times = np.arange(20) / 100
    course = np.repeat(rng.gamma(2, 0.5, size=(5, 10, 15, 1)), 20, axis=-1)
    course[..., 8:12] = values[:, :, :15, None]
    timed = timed_rdms(course, times, NAMES, measure, 0.01, 0.05)
    likeness = compare(geometry[None], timed.rdms, "spearman")[0]
    assert timed.names["time_s"].iloc[int(np.nanargmax(likeness))] == pytest.approx(0.11, abs=0.03)
    assert np.nanmax(likeness) > 0.4


@pytest.mark.parametrize(
    ("regions", "names", "told"),
    [
        ({"none": []}, "abc", "Region 'none' needs at least 1 voxel; got none"),
        ({}, "abc", "at least 1 region; got none"),
        ({"far": [0, 9]}, "abc", "Region 'far' needs voxels from 0 to 3; got 9"),
        ({"all": [0, 1]}, "abcd", "Patterns of 3 conditions need as many names; got 4"),
    ],
)
def test_regions_and_names_that_do_not_fit_are_refused_in_one_line(regions, names, told):
    values = np.random.default_rng(0).normal(size=(2, 3, 4))
    with pytest.raises(ValueError, match=told) as error:
        region_rdms(values, None, regions, tuple(names), "correlation")
    assert "\n" not in str(error.value)


def test_patterns_that_are_not_finite_are_counted_before_they_are_whitened():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    values[0, 1] = np.nan
    with pytest.raises(ValueError, match="1 hold NaN or infinity"):
        region_rdms(values[..., 0], None, {"all": [0, 1]}, ("a", "b", "c"), "crossnobis")
    with pytest.raises(ValueError, match="2 hold NaN or infinity"):
        timed_rdms(values, np.arange(5.0), ("a", "b", "c"), "crossnobis", 1.0, 2.0)
