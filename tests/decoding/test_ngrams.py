from collections import Counter

import numpy as np
import pytest

from brainlm.decoding import ngrams as room
from brainlm.decoding.characters import END, N_SPECIAL, Alphabet
from brainlm.decoding.ngrams import fit_ngrams

TEXT = "abba ab aab b abab ba"
ALPHABET = Alphabet(" ab")


def counts_after(context: str) -> Counter:
    n = len(context)
    return Counter(TEXT[i + n] for i in range(len(TEXT) - n) if TEXT[i : i + n] == context)


def witten_bell(context: str, character: str) -> float:
    """The rule by hand; contexts seen once are left out, as in the model."""
    counts = counts_after(context)
    shorter = witten_bell(context[1:], character) if context else 1 / len(ALPHABET)
    n, kinds = sum(counts.values()), len(counts)
    return (counts[character] + kinds * shorter) / (n + kinds) if not context or n >= 2 else shorter


@pytest.mark.parametrize("order", [0, 1, 3])
def test_probabilities_follow_witten_and_bell(order):
    ngrams = fit_ngrams([TEXT], ALPHABET, order)
    states = ngrams.states(ALPHABET.batch([TEXT]))[0]
    for place in range(order + 1, len(TEXT)):
        context = TEXT[place - order : place]
        found = ngrams.log_p[states[place]].double().exp().numpy()[N_SPECIAL:]
        wanted = np.array([witten_bell(context, character) for character in ALPHABET.characters])
        assert found / found.sum() == pytest.approx(wanted / wanted.sum(), abs=1e-6)


def test_each_state_sums_to_one_and_rarely_ends():
    p = fit_ngrams([TEXT], ALPHABET).log_p.exp()
    assert p.sum(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert 0 < p[:, END].max() < 0.01


def test_too_large_a_text_loses_its_rarest_contexts(monkeypatch):
    text = "".join(np.random.default_rng(0).choice(list(" ab"), 3000))
    whole = fit_ngrams([text], ALPHABET)
    monkeypatch.setattr(room, "LARGEST", 600)
    small = fit_ngrams([text], ALPHABET)
    assert small.log_p.numel() <= 600 < whole.log_p.numel()
    assert small.following.max() < len(small.log_p)


def test_contexts_do_not_reach_over_the_end_of_a_text():
    apart = fit_ngrams(["aaa", "bbb"], ALPHABET, 2)
    together = fit_ngrams(["aaabbb"], ALPHABET, 2)
    a = ALPHABET.encode("a")[0]
    b = ALPHABET.encode("b")[0]
    after_a = [model.log_p[model.following[0, a].long(), b].item() for model in (apart, together)]
    assert after_a[0] < after_a[1]


def test_writing_keeps_to_what_the_text_holds():
    ngrams = fit_ngrams(["ab " * 50], ALPHABET)
    assert ngrams.write(ALPHABET, 30, seed=0).count("ab") >= 8
    assert ngrams.write(ALPHABET, 30, seed=0) == ngrams.write(ALPHABET, 30, seed=0)
    assert len(ngrams.write(ALPHABET, 30, seed=1)) == 30
