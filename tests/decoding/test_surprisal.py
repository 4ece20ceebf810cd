import numpy as np
import pytest

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.ngrams import fit_ngrams
from brainlm.decoding.surprisal import word_surprisal


def test_a_word_that_never_followed_surprises_more_than_one_that_always_did():
    text = "the cat sat on the mat. the cat sat on the mat. a dog ran. " * 20
    alphabet = Alphabet("".join(sorted(set(text))))
    ngrams = fit_ngrams([text], alphabet)
    usual, odd = (word_surprisal(ngrams, alphabet, ["the", "cat", last]) for last in ("sat", "ran"))
    assert odd[2] > usual[2] + 2 and np.all(usual >= 0)
    assert usual[:2] == pytest.approx(odd[:2])


def test_surprisal_adds_up_to_the_text_s_own():
    text = "one two three four. two one four three. " * 30
    alphabet = Alphabet("".join(sorted(set(text))))
    ngrams = fit_ngrams([text], alphabet)
    words = ["two", "one", "four"]
    numbers = alphabet.encode("two one four ")[:13]
    state, total = ngrams.first, 0.0
    for number in numbers:
        total -= float(ngrams.log_p[state, number])
        state = int(ngrams.following[state, number])
    assert word_surprisal(ngrams, alphabet, words).sum() == pytest.approx(total)
