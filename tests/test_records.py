import numpy as np
import pandas as pd
import pytest

from brainlm.records import Patterns, Rdm, Recording, Space

EVENTS = pd.DataFrame({"onset": [0.0], "duration": [1.0], "trial_type": ["word"]})


def volume_space():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0] = True
    return Space(mask=mask, affine=np.eye(4))


def test_a_space_counts_its_columns():
    assert len(volume_space()) == 4
    assert len(Space(electrodes=("Cz", "Pz"))) == 2


def test_a_space_is_of_one_kind():
    with pytest.raises(ValueError, match="both or neither"):
        Space()
    with pytest.raises(ValueError, match="affine"):
        Space(mask=np.ones((1, 1, 1), dtype=bool))


def test_a_recording_fits_its_space():
    with pytest.raises(ValueError, match="3 sensors in the signal, 4 in its space"):
        Recording(np.zeros((5, 3)), 0.5, volume_space(), EVENTS, "sub-01_task-story_bold")


def test_a_recording_has_a_sampling_rate():
    with pytest.raises(ValueError, match="above 0 Hz"):
        Recording(np.zeros((5, 4)), 0.0, volume_space(), EVENTS, "sub-01_task-story_bold")


def test_conditions_are_unique():
    with pytest.raises(ValueError, match="repeated: face"):
        Patterns(np.zeros((2, 3)), ("face", "face"))


def test_an_rdm_has_every_pair():
    assert Rdm(np.zeros(3), ("a", "b", "c"), "correlation").measure == "correlation"
    with pytest.raises(ValueError, match="3 pairs; got 2"):
        Rdm(np.zeros(2), ("a", "b", "c"), "correlation")
