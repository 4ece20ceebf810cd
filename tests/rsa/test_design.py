"""Segments of stories: shifts stay inside stories and hold their level where text and brain drift; controls go out."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.spatial.distance import pdist

from brainlm.errors import ConfigError
from brainlm.rsa.brains import Brains
from brainlm.rsa.compare import partial_compare
from brainlm.rsa.design import Design
from brainlm.rsa.inference import group_permutation_test
from brainlm.rsa.models import NAMES, Models
from brainlm.rsa.pairs import square

STORIES = ("owl",) * 5 + ("fox",) * 4


def test_a_shift_moves_every_story_in_a_circle_of_its_own():
    places = np.arange(36.0)
    moved = square(places[Design(STORIES, np.empty((0, 36)), ()).shifts(200, np.random.default_rng(0))])
    original = square(places[None])[0]
    seen = set()
    for matrix in moved:
        found = [
            (a, b)
            for a in range(5)
            for b in range(4)
            if np.array_equal(
                matrix, original[np.ix_(order := [*np.roll(range(5), a), *np.roll(range(5, 9), b)], order)]
            )
        ]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) == 20  # every pair of lags, none among them


def test_shifts_hold_their_level_where_shuffles_do_not():
    """Text and brain that change slowly and have nothing to do with each other; distance in time is regressed out."""
    rng, n, times = np.random.default_rng(0), 24, 100
    stories, conditions = ("a",) * n + ("b",) * n, tuple(f"c{i:02d}" for i in range(2 * n))
    first, second = np.triu_indices(2 * n, 1)
    same = (first < n) == (second < n)
    controls = np.array([~same, np.where(same, second - first, n)], dtype=float)
    names = pd.DataFrame({"region": ["x"], "time_s": np.nan})
    found = np.empty((times, 2))
    for k in range(times):
        slow = lfilter([1], [1, -0.8], rng.normal(size=(2, 2, n + 20, 3)), axis=2)[:, :, 20:]  # side, story, time
        model, brain = (pdist(side.reshape(-1, 3))[None] for side in slow)
        design = Design(stories, controls, ("story", "time"))
        own = Models(model, pd.DataFrame([[None] * 5], columns=NAMES), conditions)
        clean, rest, _ = design.adjusted(own, Brains(brain, brain[:, None], names, conditions), "spearman")
        for column, shuffles in enumerate((None, design.shifts(99, rng))):
            test = group_permutation_test(clean.rdms, rest.rdms[None], "pearson", 99, rng, shuffles=shuffles)
            found[k, column] = test.p[0, 0]
    free, shifted = (found <= 0.05).mean(0)
    assert free > 0.15 and shifted < 0.12


def test_adjusted_rdms_compare_as_partial_correlations_do():
    rng = np.random.default_rng(0)
    models, brains, controls = (rng.normal(size=(n, 36)) for n in (2, 3, 2))
    names = tuple("abcdefghi")
    own = Models(models, pd.DataFrame([[None] * 5] * 2, columns=NAMES), names)
    brain = Brains(brains, brains[:, None], pd.DataFrame({"region": list("xyz"), "time_s": np.nan}), names)
    design = Design(STORIES, controls, ("length", "time"))
    clean, rest, comparison = design.adjusted(own, brain, "spearman")
    assert comparison == "pearson" and design.comparison("spearman") == "partial_spearman"
    assert np.allclose(clean.rdms @ rest.rdms.T, partial_compare(models, brains, controls, "spearman"))
    assert np.allclose(rest.run_rdms[:, 0], rest.rdms)
    same = Models(controls, own.names, names)
    assert np.isnan(design.adjusted(same, brain, "pearson")[0].rdms).all()  # nothing is left of a control
    with pytest.raises(ConfigError, match="whitened_cosine"):
        design.comparison("whitened_cosine")
    assert design.bare().comparison("whitened_cosine") == "whitened_cosine"


def test_a_control_that_no_longer_varies_is_dropped():
    story = pdist(np.array([[0.0]] * 5 + [[1.0]] * 4))
    design = Design(STORIES, np.array([story, np.arange(36.0)]), ("story", "time"))
    assert design.take(np.arange(5)).names == ("time",) and design.take(np.arange(3, 8)).names == ("story", "time")
