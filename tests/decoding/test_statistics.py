import numpy as np
import pytest
from scipy import stats

from brainlm.decoding.metrics import (
    Texts,
    bleu,
    character_error_rate,
    content_word_recall,
    content_words,
    distinct_2,
    each_pair,
    known_words,
    meteor,
    pair_metrics,
    similarity,
    word_error_rate,
)
from brainlm.decoding.statistics import (
    autocorrelation_length,
    bootstrap_interval,
    holm,
    make_blocks,
    measure_gain,
    sign_flip_p,
)


def test_text_metrics_by_hand():
    assert character_error_rate("cat", "cart") == pytest.approx(1 / 4)
    assert word_error_rate(["the", "cat"], ["a", "cat", "sat"]) == pytest.approx(2 / 3)
    assert content_word_recall(["the", "cat"], ["the", "cat", "sat"], {"cat", "sat"}) == 0.5
    assert np.isnan(content_word_recall(["cat"], ["the"], {"cat"}))
    np.testing.assert_allclose(known_words([["cat", "czt"], ["cat"], []], {"cat"}), [0.5, 1, np.nan])
    assert bleu(["a", "b"], ["a", "b"], 1) == pytest.approx(1)
    assert bleu(["a", "c"], ["a", "b"], 1) == pytest.approx(0.5)
    assert distinct_2([["a", "b", "a", "b"]]) == pytest.approx(2 / 3)
    assert content_words(["the", "boat"], [0.05, 0.001]) == {"boat"}
    np.testing.assert_allclose(similarity(np.eye(2), np.array([[2.0, 0], [0, 0]])), [[1, 0], [0, 0]])


def test_each_pair_has_a_decoded_row_and_a_true_column():
    decoded = Texts(["cat", "dog"], [["cat"], ["dog"]])
    true = Texts(["cat", "cow"], [["cat"], ["cow"]])
    values = each_pair(pair_metrics({"cat"})["cer"], decoded, true)
    np.testing.assert_allclose(values, [[0, 2 / 3], [1, 2 / 3]])


def test_blocks_stay_inside_stories_and_are_never_short():
    values = np.random.default_rng(0).normal(size=61)
    stories = np.repeat([0, 1], [31, 30])
    blocks = make_blocks(values, stories, window_s=10)
    assert all(len(set(stories[blocks == b])) == 1 for b in np.unique(blocks))
    assert np.bincount(blocks).min() >= 2


def test_autocorrelation_length_of_white_and_of_slow_noise():
    random = np.random.default_rng(0)
    assert autocorrelation_length(random.normal(size=500)) == 1
    assert autocorrelation_length(np.cumsum(random.normal(size=500))) > 10


def test_interval_covers_the_mean_of_correlated_windows():
    covered = 0
    for seed in range(200):
        noise = np.repeat(np.random.default_rng(seed).normal(size=40), 2)
        low, high = bootstrap_interval(noise, np.arange(80) // 2, n_draws=500, seed=seed)
        covered += low <= 0 <= high
    assert 180 <= covered <= 198


def test_sign_flips_are_uniform_without_effect():
    p = [sign_flip_p(np.random.default_rng(s).normal(size=30), 500, seed=s) for s in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_gain_is_over_the_best_control_and_not_above_zero_without_effect():
    random = np.random.default_rng(0)
    stories = np.repeat([0, 1], 30)
    weak, strong = random.normal(size=(2, 60)) + np.array([[0.0], [0.5]])
    gain = measure_gain(strong + 1, {"weak": weak, "strong": strong}, stories, 10)
    assert gain.control == "strong" and gain.value == pytest.approx(1)
    assert gain.p < 0.01 and gain.low > 0 and gain.n_blocks >= 20
    none = measure_gain(random.normal(size=60), {"a": weak, "b": strong}, stories, 10)
    assert none.p > 0.05 and none.low < 0


def test_holm_by_hand_and_holds_its_family_wise_error():
    adjusted = holm(np.array([0.04, 0.01, np.nan, 0.03]))
    np.testing.assert_allclose(adjusted, [0.06, 0.03, np.nan, 0.06])
    random = np.random.default_rng(0)
    wrong = [np.nanmin(holm(random.uniform(size=8))) < 0.05 for _ in range(2000)]
    assert stats.binomtest(sum(wrong), 2000, 0.05).pvalue > 0.01


def test_meteor_is_its_definition():
    """Banerjee & Lavie 2005: 10 P R / (R + 9 P) times 1 - 0.5 (runs / matches)^3."""
    true = ["the", "cat", "sat", "on", "the", "mat"]
    assert meteor(true, true) == pytest.approx(1 - 0.5 / 6**3)
    assert meteor(["on", "the", "mat", "sat", "the", "cat"], true) == pytest.approx(
        1 - 0.5 * (3 / 6) ** 3
    )  # three runs
    assert meteor(["the", "cat"], true) == pytest.approx(10 * (2 / 6) / (2 / 6 + 9) * (1 - 0.5 / 2**3))
    assert meteor(["the", "the", "the"], ["the"]) == pytest.approx(10 / 3 / (1 + 9 / 3) * 0.5)  # each word once
    assert meteor([], true) == meteor(["dog"], true) == 0


def test_meteor_matches_stems():
    """Porter's endings: plural, third person, past and participle; not the words of another root."""
    told = ["the", "dogs", "walked", "past", "running", "water"]
    assert meteor(["the", "dog", "walks", "past", "runs", "waters"], told) == meteor(told, told)
    assert meteor(["walker"], ["walk"]) == meteor(["universe"], ["verse"]) == 0
    assert meteor(["天", "气"], ["天", "气"]) == pytest.approx(1 - 0.5 / 2**3)
