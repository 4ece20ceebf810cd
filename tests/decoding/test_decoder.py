import itertools

import pytest
import torch

from brainlm.decoding.characters import END, START, UNKNOWN, Alphabet
from brainlm.decoding.decoder import CharacterDecoder, until_end
from brainlm.decoding.ngrams import fit_ngrams
from brainlm.decoding.vocabulary import Vocabulary


def make_decoder(longest: int = 5) -> CharacterDecoder:
    torch.manual_seed(0)
    alphabet = Alphabet(" ab")
    vocabulary = Vocabulary(["ab", "a"], [0.4, 0.6], alphabet, 3, [])
    ngrams = fit_ngrams(["ab a ab ab b"], alphabet, order=2)
    decoder = CharacterDecoder(alphabet, ngrams, vocabulary, width=4, longest=longest, size=16, layers=1, heads=2)
    for parameter in decoder.parameters():  # larger weights than GPT-2's start, so that texts differ
        parameter.data.mul_(8 if parameter.dim() > 1 else 1)
    return decoder.eval()


def test_alphabet_goes_there_and_back_and_marks_the_unknown():
    alphabet = Alphabet.of("猫 sat")
    assert alphabet.decode(alphabet.encode("sat 猫")) == "sat 猫"
    assert alphabet.encode("z")[0] == UNKNOWN and alphabet.decode(alphabet.encode("z")) == "\ufffd"


@pytest.mark.parametrize("characters", ["", "aba"])
def test_a_wrong_alphabet_is_refused(characters):
    with pytest.raises(ValueError):
        Alphabet(characters)


def test_until_end_counts_the_first_end_mark():
    assert until_end(torch.tensor([[5, END, END], [END, 4, END]])).tolist() == [[1, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("guidance", [0.0, 1.5])
@torch.inference_mode()
def test_a_wide_beam_finds_the_best_text_of_all(guidance):
    decoder = make_decoder(longest=4)
    features = torch.randn(3, 1, 4, generator=torch.Generator().manual_seed(1))
    features[..., -1] = 4
    decoder.weights[1] *= 1 + guidance  # what guidance means
    letters = range(len(decoder.alphabet))
    texts = {t[: t.index(END) + 1] if END in t else t for t in itertools.product(letters, repeat=4)}
    rows = torch.tensor([(*t, *[END] * (4 - len(t))) for t in sorted(texts)])
    scores = [decoder.log_likelihood(rows, item.expand(len(rows), 1, -1)) for item in features]
    decoder.weights[1] /= 1 + guidance
    found = decoder.decode(features, beam_width=1300, guidance=guidance)
    assert found == [decoder.alphabet.decode(rows[score.argmax()].tolist()) for score in scores]


@torch.inference_mode()
def test_sampled_texts_are_as_frequent_as_likely():
    decoder = make_decoder(longest=4)
    features = torch.tensor([[[0.5, -1.0, 1.0, 1.0]]])
    drawn = decoder.sample(features, candidates=20_000, temperature=1.0)[0]
    logits = decoder(torch.full((1, 1), END), features)[0, 0]
    logits[[START, END, UNKNOWN]] = float("-inf")
    for letter, p in zip("ab", logits.softmax(-1)[-2:].tolist(), strict=True):
        assert sum(text.startswith(letter) for text in drawn) / len(drawn) == pytest.approx(p, abs=0.015)


@torch.inference_mode()
def test_sampled_texts_end_with_a_word_at_the_length_that_the_features_tell():
    decoder = make_decoder(longest=60)
    features = torch.zeros(2, 1, 4)
    features[:, 0, -1] = torch.tensor([5.0, 20.0])
    short, long = decoder.sample(features, candidates=40, temperature=1.0)
    # a space may stand at either end, and a word may go on beyond the length
    assert min(map(len, long)) >= 15 > 12 > sorted(map(len, short))[20]
    assert not any(text.endswith(" ") for text in short + long)


@torch.inference_mode()
def test_sampling_again_gives_the_same_and_another_seed_another():
    decoder = make_decoder(longest=20)
    features = torch.full((3, 1, 4), 9.0)
    first = decoder.sample(features, 5, 0.9, seed=1)
    assert first == decoder.sample(features, 5, 0.9, seed=1)
    assert first[:2] == decoder.sample(features[:2], 5, 0.9, seed=1)
    assert first != decoder.sample(features, 5, 0.9, seed=2)


def test_likelihood_sums_to_one_over_all_texts():
    decoder = make_decoder(longest=3)
    features = torch.randn(1, 1, 4)
    total = 0.0
    for length in range(3):
        for text in itertools.product(range(6), repeat=length):
            if END in text:
                continue
            row = torch.tensor([[*text, END]])
            total += decoder.log_likelihood(row, features).exp().item()
    rest = sum(
        decoder.log_likelihood(torch.tensor([list(text)]), features).exp().item()
        for text in itertools.product([n for n in range(6) if n != END], repeat=3)
    )
    assert total + rest == pytest.approx(1, abs=1e-4)


def test_text_depends_on_nothing_but_the_features():
    decoder = make_decoder(longest=12)
    features = torch.randn(4, 1, 4, generator=torch.Generator().manual_seed(2)) * 3
    features[..., -1] = 8
    together = decoder.decode(features)
    assert together == [decoder.decode(features[i : i + 1])[0] for i in range(4)]
