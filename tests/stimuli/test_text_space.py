import numpy as np
import pytest

from brainlm.stimuli.embeddings import Embedding, label_embedding
from brainlm.stimuli.text_space import fit_text_space


def random_texts(n: int) -> list[list[str]]:
    random = np.random.default_rng(0)
    return [list(random.choice(list("abcdefgh"), random.integers(5, 30))) for _ in range(n)]


def test_coordinates_have_unit_variance_and_say_nothing_of_length():
    vectors = np.random.default_rng(1).normal(size=(8, 6)) + 1
    space = fit_text_space(Embedding(tuple("abcdefgh"), vectors, np.ones(8)), random_texts(500), coordinates=4)
    texts = random_texts(500)
    coordinates = space.coordinates(texts)
    np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(coordinates.T, bias=True), np.eye(4), atol=1e-9)
    lengths = np.array([len(text) for text in texts])
    assert max(abs(np.corrcoef(lengths, column)[0, 1]) for column in coordinates.T) < 1e-9


def test_labels_keep_their_axes():
    labels = [["face"], ["house"], ["chair"]]
    space = fit_text_space(label_embedding([label[0] for label in labels]), labels, coordinates=2)
    distances = [np.linalg.norm(a - b) for a in space.coordinates(labels) for b in space.coordinates(labels)]
    assert len({round(d, 6) for d in distances}) == 2  # none, and one for every pair


def test_texts_of_one_kind_are_refused():
    with pytest.raises(ValueError, match="span 0 dimensions"):
        fit_text_space(label_embedding(["a", "b"]), [["a"]] * 5, coordinates=1)
