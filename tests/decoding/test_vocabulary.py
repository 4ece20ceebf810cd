import pytest
import torch

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.vocabulary import OUTSIDE, ROOT, Vocabulary

WORDS = ["ab", "abba", "b", "aab"]


def make_vocabulary(alphabet: str = " ab", words=WORDS, alone=()) -> Vocabulary:
    vocabulary = Vocabulary(words, [1 / (2 + k) for k in range(len(words))], Alphabet(alphabet), 2, alone)
    vocabulary.read_words.weight.data = torch.randn(len(words), 2, generator=torch.Generator().manual_seed(0))
    return vocabulary


def change_of(vocabulary: Vocabulary, alphabet: str, text: str, content: torch.Tensor) -> torch.Tensor:
    characters = Alphabet(alphabet).batch([text])
    states = vocabulary.states(characters)
    change = vocabulary.change(vocabulary.masses(content[:, None]), states, torch.zeros_like(states))
    return change.gather(-1, characters[..., None])[0, :, 0]


@pytest.mark.parametrize("word", WORDS)
@torch.no_grad()
def test_over_a_word_the_changes_add_up_to_the_word_s_own(word):
    vocabulary, content = make_vocabulary(), torch.tensor([[1.0, -0.5]])
    both = vocabulary.log_probabilities(torch.cat([content, 0 * content]))
    wanted = (both[0] - both[1])[vocabulary.words.index(word)].item()
    spaced = change_of(vocabulary, " ab", word + " ", content)[: len(word) + 1]
    assert spaced.sum().item() == pytest.approx(wanted, abs=1e-5)
    assert change_of(vocabulary, " ab", word, content).sum().item() == pytest.approx(wanted, abs=1e-5)  # ended


@torch.no_grad()
def test_after_each_letter_the_changed_probabilities_are_those_of_the_words_that_remain():
    vocabulary, content = make_vocabulary(), torch.tensor([[0.3, 2.0]])
    masses = vocabulary.masses(content[:, None])
    change = vocabulary.change(masses, torch.tensor([[ROOT]]), torch.tensor([[0]]))[0, 0]
    p, before = (vocabulary.log_probabilities(x * content)[0].exp() for x in (1, 0))
    starts = {c: [i for i, word in enumerate(vocabulary.words) if word[0] == c] for c in "ab"}
    for letter, rows in starts.items():
        wanted = (p[rows].sum() / before[rows].sum()).log()
        assert change[Alphabet(" ab").encode(letter)[0]].item() == pytest.approx(wanted.item(), abs=1e-5)


@torch.no_grad()
def test_content_of_zero_and_unknown_words_change_nothing():
    vocabulary = make_vocabulary()
    assert change_of(vocabulary, " ab", "ab abba", torch.zeros(1, 2)).abs().max() < 1e-6
    states = vocabulary.states(Alphabet(" ab").batch(["bb ab"]))[0].tolist()
    assert states[2] == OUTSIDE and states[3] == ROOT
    assert change_of(vocabulary, " ab", "bbaa", torch.ones(1, 2))[1:].abs().max() < 1e-6


@torch.no_grad()
def test_words_that_need_no_space_end_where_they_are_written():
    vocabulary = make_vocabulary("猫狗", ["猫", "狗"], ["猫", "狗"])
    content = torch.tensor([[1.0, 1.0]])
    both = vocabulary.log_probabilities(torch.cat([content, 0 * content]))
    wanted = [(both[0] - both[1])[vocabulary.words.index(word)].item() for word in "狗猫狗"]
    assert change_of(vocabulary, "猫狗", "狗猫狗", content)[:3].tolist() == pytest.approx(wanted, abs=1e-5)


def test_what_content_says_of_words_is_learned_from_the_likelihood():
    vocabulary = make_vocabulary()
    content = torch.tensor([[1.0, 0.0]])
    characters = Alphabet(" ab").batch(["ab b"])
    states = vocabulary.states(characters)
    change = vocabulary.change(vocabulary.masses(content[:, None]), states, torch.zeros_like(states))
    change.gather(-1, characters[..., None]).sum().backward()
    gradient = dict(zip(vocabulary.words, vocabulary.read_words.weight.grad[:, 0].tolist(), strict=True))
    assert gradient["ab"] > 0 > gradient["abba"] and gradient["b"] > 0
