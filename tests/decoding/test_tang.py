import numpy as np
import pytest

from brainlm.decoding.tang import (
    DELAYS,
    Encoding,
    Likelihood,
    Story,
    delayed,
    fit_encoding,
    fit_word_rate,
    lanczos,
)
from brainlm.decoding.word_search import WordNgrams, search, word_gains

T_R, N_SAMPLES, N_VOXELS, N_WORDS, N_FEATURES = 2.0, 120, 60, 30, 6
VOCABULARY = [f"w{i}" for i in range(N_WORDS)]


def direct(encoding: Encoding, series: np.ndarray, rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The Gaussian log-likelihood as it is defined, but for its constant of the brain alone."""
    left = series[samples][:, encoding.voxels] - rows @ encoding.weights
    own = series[samples][:, encoding.voxels]
    quadratic = lambda part: np.einsum("tv,vw,tw->t", part, encoding.precision, part)  # noqa: E731
    return -0.5 * (quadratic(left) - quadratic(own))


def study(seed: int = 0, noise: float = 0.3, n_stories: int = 6, spacing_s: float = 1.0):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(N_WORDS, N_FEATURES))
    weights = random.normal(size=(len(DELAYS) * N_FEATURES, N_VOXELS)) / 3
    weights[:, 40:] = 0
    stories, texts = [], []
    for _ in range(n_stories):
        times = np.arange(1.0, N_SAMPLES * T_R - 12, spacing_s)
        words = random.integers(N_WORDS, size=len(times))
        rows = delayed(lanczos(times, N_SAMPLES, T_R) @ vectors[words])
        series = rows @ weights + noise * random.normal(size=(N_SAMPLES, N_VOXELS))
        stories.append(Story(vectors[words], times, series))
        texts.append([VOCABULARY[word] for word in words])
    return vectors, stories, texts


def test_lanczos_keeps_the_number_of_words():
    times = np.array([10.0, 11.3, 40.0])
    kernel = lanczos(times, 60, T_R)
    np.testing.assert_allclose(kernel[:, 0], np.eye(60)[5], atol=1e-12)  # on a sample: that sample alone
    np.testing.assert_allclose(kernel.sum(axis=0), 1, atol=0.02)


def test_delays_do_not_wrap():
    rows = np.arange(1.0, 7)[:, None]
    np.testing.assert_allclose(delayed(rows)[:, 0], [0, 1, 2, 3, 4, 5])
    np.testing.assert_allclose(delayed(rows)[:, 3], [0, 0, 0, 0, 1, 2])


def test_the_voxels_vanish_from_the_likelihood_exactly():
    _, stories, _ = study()
    encoding = fit_encoding(stories[:5], T_R, 30)
    likelihood = Likelihood(encoding, stories[5].series)
    random = np.random.default_rng(1)
    rows = random.normal(size=(200, len(DELAYS) * N_FEATURES))
    samples = random.integers(N_SAMPLES, size=200)
    fast = likelihood.of_rows(rows, samples)
    np.testing.assert_allclose(fast, direct(encoding, stories[5].series, rows, samples), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("word", [0, 3, 60, 226])
def test_what_a_word_adds_is_the_difference_of_whole_likelihoods(word):
    vectors, stories, _ = study()
    encoding = fit_encoding(stories[:5], T_R, 30)
    likelihood = Likelihood(encoding, stories[5].series)
    times = stories[5].times
    kernel = lanczos(times, N_SAMPLES, T_R)
    random = np.random.default_rng(2)
    rows = random.normal(size=(3, N_SAMPLES, N_FEATURES))
    change = vectors / encoding.deviation
    found = word_gains(likelihood, rows, kernel[:, word], change)
    everywhere = np.arange(N_SAMPLES)
    whole = lambda part: direct(encoding, stories[5].series, delayed(part), everywhere).sum()  # noqa: E731
    for h in range(3):
        for v in (0, 7, 29):
            with_word = rows[h] + kernel[:, word][:, None] * change[v]
            assert found[h, v] == pytest.approx(whole(with_word) - whole(rows[h]), rel=1e-6, abs=1e-6)


def test_planted_voxels_are_kept_and_the_number_of_words_is_found():
    _, stories, _ = study()
    encoding = fit_encoding(stories[:5], T_R, 40)
    assert len(set(encoding.voxels) & set(range(40))) >= 38
    rate = fit_word_rate(stories[:5], T_R, 20, encoding.scores)
    found = rate.times(stories[5].series, T_R)
    assert len(found) == pytest.approx(len(stories[5].times), rel=0.1)
    assert (np.diff(found) > 0).all()


def test_words_are_read_from_a_brain_with_little_noise():
    vectors, stories, texts = study(noise=0.05, spacing_s=2.0)
    encoding = fit_encoding(stories[:5], T_R, 40)
    ngrams = WordNgrams([], VOCABULARY)  # every word as likely: the brain alone decides
    blank = np.concatenate([story.vectors for story in stories[:5]]).mean(axis=0)
    never = [False] * N_WORDS
    shared = []
    for series in (stories[5].series, stories[5].series[::-1]):
        likelihood = Likelihood(encoding, series)
        words = search(encoding, likelihood, vectors, blank, ngrams, never, stories[5].times, N_SAMPLES, T_R, width=30)
        shared.append(np.mean([VOCABULARY[word] == true for word, true in zip(words, texts[5], strict=True)]))
    assert shared[0] > 0.5 and shared[1] < 0.15  # one of 30 words by chance


def test_word_ngrams_are_witten_and_bell_s():
    ngrams = WordNgrams([["a", "b", "a", "c"]], ["a", "b", "c"])
    unigram = (np.array([2, 1, 1]) + 3 * np.full(3, 1 / 3)) / (4 + 3)
    np.testing.assert_allclose(ngrams.next_word(()), unigram)
    after_a = (np.array([0, 1, 1]) + 2 * unigram) / (2 + 2)
    np.testing.assert_allclose(ngrams.next_word((0,)), after_a)
    assert ngrams.next_word((1, 0)).sum() == pytest.approx(1)


def test_two_stories_are_too_few():
    _, stories, _ = study(n_stories=2)
    with pytest.raises(ValueError, match="at least 3 training stories; got 2"):
        fit_encoding(stories, T_R, 10)
