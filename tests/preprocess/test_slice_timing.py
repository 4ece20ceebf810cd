import numpy as np
import pytest

from brainlm.preprocess.slice_timing import correct_slice_timing


def test_slices_are_moved_to_the_middle_of_the_repetition():
    t_r, n = 2.0, 60
    slice_times = np.array([0.0, 0.5, 1.5])
    frames = np.arange(n) * t_r
    series = np.stack([np.sin(2 * np.pi * (frames + s) / 40) for s in slice_times])[None, None].astype(np.float32)
    corrected = correct_slice_timing(series, slice_times, t_r)
    expected = np.sin(2 * np.pi * (frames + 1) / 40)
    np.testing.assert_allclose(corrected[0, 0, :, 1:-1], np.tile(expected[1:-1], (3, 1)), atol=2e-3)


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 1.0, 2.0], [-0.1, 0, 1]])
def test_wrong_slice_times_are_refused(times):
    with pytest.raises(ValueError, match="slice times"):
        correct_slice_timing(np.zeros((1, 1, 3, 5)), np.array(times), 2.0)
