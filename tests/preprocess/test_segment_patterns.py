import numpy as np
import pytest
from nilearn.glm.first_level import compute_regressor

from brainlm.preprocess.segments import BIN_S, N_BINS, segment_means, without_word_count, word_locked_means

T_R = 2.0
TIMES = 1.0 + T_R * np.arange(160)
ONSETS = 6.0 + 10.0 * np.arange(30)
TENS = np.full(30, 10.0)


def answers(amplitudes: np.ndarray) -> np.ndarray:
    """What SPM's response makes of segments with ``amplitudes`` (segments x voxels)."""
    columns = [compute_regressor(np.array([[t], [10.0], [1.0]]), "spm", TIMES)[0][:, 0] for t in ONSETS]
    return np.column_stack(columns) @ amplitudes


def test_planted_segments_come_back_best_when_their_answer_is_due():
    true = np.random.default_rng(0).normal(size=(30, 40))
    found = {}
    for lag in (0.0, 5.0, 10.0):
        means, kept = segment_means(answers(true), TIMES, ONSETS, TENS, lag)
        found[lag] = np.corrcoef(means.ravel(), true[kept].ravel())[0, 1]
    print("r with the planted amplitudes by lag (s):", {lag: round(r, 3) for lag, r in found.items()})
    assert found[5.0] >= 0.95 > found[0.0] and found[5.0] > found[10.0]


def test_a_segment_is_the_mean_of_its_samples():
    series = np.arange(160.0)[:, None]
    means, kept = segment_means(series, TIMES, np.array([4.0, 310.0]), np.array([4.0, 10.0]), 5.0)
    assert kept.tolist() == [True, False]  # the second's answer ends after the recording
    np.testing.assert_array_equal(means, [[4.5]])  # samples at 9 and 11 s


def test_nothing_linear_in_the_number_of_words_is_left_and_means_stay():
    random = np.random.default_rng(1)
    counts = random.integers(15, 35, 30).astype(float)
    own = random.normal(size=(30, 40))
    values = without_word_count(3 + own + 0.5 * counts[:, None], counts)
    np.testing.assert_allclose((counts - counts.mean()) @ values, 0, atol=1e-9)
    np.testing.assert_allclose(values.mean(axis=0), (3 + own + 0.5 * counts[:, None]).mean(axis=0))
    assert np.corrcoef((values - values.mean(0)).ravel(), (own - own.mean(0)).ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(without_word_count(own, np.full(30, 7.0)), own)


def test_segments_without_a_sample_are_refused():
    with pytest.raises(ValueError, match="a segment of 0.5 s holds no sample"):
        segment_means(np.ones((160, 1)), TIMES, np.array([4.2]), np.array([0.5]), 5.0)
    with pytest.raises(ValueError, match="no segment lies inside"):
        segment_means(np.ones((160, 1)), TIMES, np.array([400.0]), np.array([10.0]), 5.0)


def test_answers_to_words_are_averaged_bin_by_bin_in_their_segment():
    signals = np.column_stack([np.arange(400.0), -np.arange(400.0)])  # at 100 Hz
    onsets, segments = np.array([0.5, 1.5, 2.0]), np.array([0, 0, 2])
    found, kept = word_locked_means(signals, 100.0, onsets, segments, 4)
    assert kept.tolist() == [True, False, True, False]  # the others have no word
    middle = 10 * np.arange(N_BINS) + 4.5
    np.testing.assert_allclose(found.reshape(2, N_BINS, 2)[0, :, 0], 100 + middle)
    np.testing.assert_allclose(found.reshape(2, N_BINS, 2)[1, :, 1], -(200 + middle))


def test_a_segment_whose_answers_leave_the_recording_is_left_out():
    signals = np.zeros((300, 1))
    assert word_locked_means(signals, 100.0, np.array([-0.1, 0.2, 1.0]), np.array([0, 0, 1]), 2)[1].tolist() == [0, 1]
    assert word_locked_means(signals, 100.0, np.array([1.0, 3 - N_BINS * BIN_S]), np.array([0, 1]), 2)[1].all()
    with pytest.raises(ValueError, match="none of 2 segments has words whose answers are all inside"):
        word_locked_means(signals, 100.0, np.array([2.5]), np.array([1]), 2)


def test_planted_answers_to_words_come_back():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(20, 6))  # segments x sensors, at 0.3 to 0.4 s after each of ten words
    onsets = np.arange(200) + 0.02 * rng.integers(5, size=200)
    signals = rng.normal(size=(20200, 6))
    for word, onset in enumerate(onsets):
        first = round((onset + 0.3) * 100)
        signals[first : first + 10] += true[word // 10]
    found, _ = word_locked_means(signals, 100.0, onsets, np.arange(200) // 10, 20)
    r = [np.corrcoef(part.ravel(), true.ravel())[0, 1] for part in np.moveaxis(found.reshape(20, N_BINS, 6), 1, 0)]
    assert r[3] > 0.98 and max(r[:3] + r[4:]) < 0.3
