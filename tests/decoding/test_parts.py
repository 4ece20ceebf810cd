"""Contents of parts: read in their order, told in their places."""

import numpy as np
import pytest
import torch

from brainlm.decoding.characters import Alphabet
from brainlm.decoding.language_model import divide, fit_words
from brainlm.decoding.parts import PartTargets, fit_parts
from brainlm.decoding.train import BrainModel
from brainlm.decoding.vocabulary import Vocabulary, parts_along
from brainlm.decoding.windows import StoryRun, Timing, brain_windows, separate_starts, usable_starts
from brainlm.stimuli.embeddings import join_tokens

TIMING = Timing(2.0, 0, 5, 5)
WIDTH, VOXELS, SHAPE = 2, 27, (3, 3, 3)
RESPONSE = np.array([0.1, 0.5, 1.0, 0.6, 0.2])  # of a sample's content, in samples


def heard(seed: int, n: int = 120) -> PartTargets:
    """A run whose voxels answer slowly to a content that changes with every sample."""
    random = np.random.default_rng(seed)
    content = random.standard_normal((n, WIDTH))
    slow = np.stack([np.convolve(column, RESPONSE)[:n] for column in content.T], axis=1)
    mixing = np.random.default_rng(0).standard_normal((WIDTH, VOXELS))
    series = (slow @ mixing + 0.3 * random.standard_normal((n, VOXELS))).astype(np.float32)
    starts = n - 4
    counts = np.full(starts, 5)
    run = StoryRun(f"run-{seed}", f"story{seed}", 0, series, 0, np.zeros((starts, WIDTH)), counts, counts * 5)
    steps = usable_starts(run, TIMING) if seed < 4 else separate_starts(run, TIMING)
    return PartTargets(run, steps, content[steps[:, None] + np.arange(5)])


def make_model() -> BrainModel:
    torch.manual_seed(0)
    return BrainModel.of_volumes(torch.ones(SHAPE, dtype=torch.bool), WIDTH, TIMING, parts=5, channels=2)


def test_the_order_of_contents_is_read_back_from_overlapping_responses():
    model, test = make_model(), heard(9)
    errors = fit_parts(model, [heard(k) for k in range(4)], [heard(5)], TIMING)
    windows = torch.from_numpy(brain_windows(test.run, test.steps, TIMING))
    with torch.no_grad():
        read = model.eval().read_parts(windows).numpy()
    r = np.array([[np.corrcoef(read[:, i, 0], test.coordinates[:, j, 0])[0, 1] for j in range(5)] for i in range(5)])
    assert (np.diag(r) > 0.6).all() and (r.argmax(axis=1) == np.arange(5)).all()
    assert min(errors.values()) < 0.7


def test_the_readout_of_parts_needs_validation():
    with pytest.raises(ValueError, match="validation"):
        fit_parts(make_model(), [heard(0)], [], TIMING)


def test_tokens_fall_to_the_share_of_the_text_that_they_start_in():
    assert divide(["aa", "b", "cccc", "dd"], 2, join_tokens) == [["aa", "b", "cccc"], ["dd"]]
    assert divide(list("猫狗鸟鱼"), 2, join_tokens) == [["猫", "狗"], ["鸟", "鱼"]]
    assert divide(["ab"], 3, join_tokens) == [["ab"], [], []]


def test_a_word_is_told_by_the_content_of_the_part_that_it_starts_in():
    alphabet = Alphabet(" ab")
    vocabulary = Vocabulary(["ab", "b"], [0.5, 0.5], alphabet, 1, [])
    vocabulary.read_words.weight.data = torch.tensor([[1.0], [-1.0]])
    characters = alphabet.batch(["ab ab ab"])[:, :8]
    states = vocabulary.states(characters)
    part = parts_along(states, torch.tensor([8.0]), 2)
    assert part.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1]]  # the word at 3 goes on beyond the half
    content = torch.tensor([[[2.0], [-2.0]]])
    change = vocabulary.change(vocabulary.masses(content), states, part)
    own = change.gather(-1, characters[..., None])[0, :, 0]
    assert own[:3].sum() > 0 > own[6:].sum()
    assert torch.allclose(own[:3].sum(), own[3:6].sum(), atol=1e-5)


def test_words_that_follow_a_coordinate_are_found():
    random = np.random.default_rng(0)
    coordinates = torch.as_tensor(random.standard_normal((400, 2)), dtype=torch.float32)
    spoken = [["low" if x < 0 else "high", random.choice(["the", "a"])] for x in coordinates[:, 0].tolist()]
    vocabulary = Vocabulary(["low", "high", "the", "a"], [0.25] * 4, Alphabet(" abcdefghijklmnopqrstuvwxyz"), 2, [])
    fit_words(vocabulary, coordinates, spoken, updates=150)
    moved = dict(zip(vocabulary.words, vocabulary.read_words.weight.tolist(), strict=True))
    assert moved["high"][0] > 0.8 and moved["low"][0] < -0.8
    assert max(abs(moved[word][axis]) for word, axis in (("the", 0), ("a", 0), ("high", 1), ("low", 1))) < 0.4
