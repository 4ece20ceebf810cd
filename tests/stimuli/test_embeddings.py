import numpy as np
import pytest

from brainlm.stimuli.embeddings import Embedding, fit_embedding, label_embedding, tokenize


def test_tokenize_splits_words_and_chinese_characters():
    assert tokenize("The Dog's bone, 狗吃 meat.") == ["the", "dog's", "bone", "狗", "吃", "meat"]


def test_words_of_one_topic_lie_together():
    random = np.random.default_rng(0)
    topics = [[f"{name}{i}" for i in range(8)] for name in ("sea", "town", "farm")]
    sentences = [list(random.choice(topics[random.integers(3)], 6)) + ["the"] for _ in range(600)]
    embedding = fit_embedding(sentences, dimensions=5)
    unit = embedding.vectors / np.linalg.norm(embedding.vectors, axis=1, keepdims=True)
    topic = np.array([token.rstrip("01234567") for token in embedding.tokens])
    same = (topic[:, None] == topic) & ~np.eye(len(topic), dtype=bool) & (topic != "the")[:, None]
    other = (topic[:, None] != topic) & (topic != "the")[:, None] & (topic != "the")
    similarity = unit @ unit.T
    assert similarity[same].min() > similarity[other].max()
    assert embedding.weights[embedding.tokens.index("the")] == embedding.weights.min()


def test_text_vector_is_the_weighted_mean():
    embedding = Embedding(("a", "b"), np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 0.5]))
    np.testing.assert_allclose(embedding.text_vector(["a", "b", "unknown", "b"]), [0.25, 0.5])
    np.testing.assert_array_equal(embedding.text_vector([]), [0, 0])


def test_too_little_text_is_refused():
    with pytest.raises(ValueError, match="more than 5 tokens"):
        fit_embedding([["a", "b"]] * 10, dimensions=5)


def test_labels_are_equally_far_apart():
    vectors = label_embedding(["face", "house", "face"]).vectors
    np.testing.assert_array_equal(vectors, np.eye(2))


@pytest.mark.parametrize("text", ["the dog's bone", "狗吃肉", "the 狗 eats", ""])
def test_joining_tokens_gives_the_text_back(text):
    from brainlm.stimuli.embeddings import join_tokens

    assert join_tokens(tokenize(text)) == text
