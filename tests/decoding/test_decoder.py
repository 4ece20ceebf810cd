import itertools

import pytest
import torch

from brainlm.decoding.characters import END, UNKNOWN, Alphabet
from brainlm.decoding.decoder import CharacterDecoder, until_end
from brainlm.decoding.search import beam_search


def make_decoder(longest: int = 5) -> CharacterDecoder:
    torch.manual_seed(0)
    decoder = CharacterDecoder(Alphabet("ab"), width=4, longest=longest, size=16, layers=1, heads=2, slots=2)
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
def test_a_wide_beam_finds_the_best_text_of_all(guidance):
    decoder = make_decoder()
    features = torch.randn(3, 1, 4, generator=torch.Generator().manual_seed(1))
    without = features.clone()
    without[..., :-1] = 0
    letters = range(len(decoder.alphabet))
    texts = [t for t in itertools.product(letters, repeat=5) if END not in t[: max(0, t.index(END) if END in t else 5)]]
    unique = sorted({t[: t.index(END) + 1] + (END,) * (4 - t.index(END)) if END in t else t for t in texts})
    all_texts = torch.tensor(unique)
    found = beam_search(
        decoder.transformer, torch.stack([decoder.memory(features), decoder.memory(without)]), 700, guidance, 5
    )
    for item in range(3):
        score = guided_score(decoder, all_texts, features[item], without[item], guidance)
        best = all_texts[score.argmax()].tolist()
        assert found[item].tolist() == best[: found.shape[1]]


@torch.inference_mode()
def guided_score(decoder, texts, features, without, guidance):
    with_brain = decoder(texts, features.expand(len(texts), 1, -1)).log_softmax(-1)
    alone = decoder(texts, without.expand(len(texts), 1, -1)).log_softmax(-1)
    guided = ((1 + guidance) * with_brain - guidance * alone).log_softmax(-1)
    return (guided.gather(-1, texts[..., None])[..., 0] * until_end(texts)).sum(1)


def test_likelihood_sums_to_one_over_all_texts():
    decoder = make_decoder(longest=3)
    features = torch.randn(1, 1, 4)
    total = 0.0
    for length in range(3):
        for text in itertools.product([1, 2, 3, 4, 0], repeat=length):
            if END in text:
                continue
            row = torch.tensor([[*text, END]])
            total += decoder.log_likelihood(row, features).exp().item()
    rest = sum(
        decoder.log_likelihood(torch.tensor([list(text)]), features).exp().item()
        for text in itertools.product([n for n in range(5) if n != END], repeat=3)
    )
    assert total + rest == pytest.approx(1, abs=1e-4)


def test_text_depends_on_nothing_but_the_features():
    decoder = make_decoder(longest=12)
    features = torch.randn(4, 1, 4, generator=torch.Generator().manual_seed(2)) * 3
    features[..., -1] = 8
    together = decoder.decode(features)
    assert together == [decoder.decode(features[i : i + 1])[0] for i in range(4)]
