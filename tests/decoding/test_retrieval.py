"""Retrieval finds planted texts, and is ridge regression."""

import numpy as np
from sklearn.linear_model import Ridge

from brainlm.decoding import retrieval
from brainlm.decoding.retrieval import linear_kernel, nearest_training_texts


def planted(noise, seed=0):
    """Windows of 3 samples and 40 voxels that answer 5 coordinates; test windows tell training texts again."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(5, 3, 40))
    coordinates = {"training": random.normal(size=(60, 5)), "validation": random.normal(size=(20, 5))}
    again = random.integers(60, size=30)
    coordinates["test"] = coordinates["training"][again]
    brain = {
        role: 2 + np.einsum("wc,crv->wrv", rows, mixing) + noise * random.normal(size=(len(rows), 3, 40))
        for role, rows in coordinates.items()
    }
    return brain, coordinates, again


def test_a_planted_text_is_found_again():
    brain, coordinates, again = planted(noise=0.5)
    assert nearest_training_texts(brain, coordinates).tolist() == again.tolist()


def test_without_an_answer_texts_are_found_by_chance():
    brain, coordinates, again = planted(noise=0.5)
    random = np.random.default_rng(1)
    for role, windows in brain.items():
        brain[role] = random.normal(size=windows.shape)
    assert np.mean(nearest_training_texts(brain, coordinates) == again) < 0.2


def test_the_dual_form_is_ridge_regression(monkeypatch):
    """The same texts as scikit-learn's primal ridge with an intercept, at one penalty."""
    brain, coordinates, _ = planted(noise=3.0)
    flat = {role: windows.reshape(len(windows), -1) for role, windows in brain.items()}
    scale = np.diag(linear_kernel(brain["training"], brain["training"])).mean()
    monkeypatch.setattr(retrieval, "PENALTIES", [0.3])
    said = Ridge(alpha=0.3 * scale).fit(flat["training"], coordinates["training"]).predict(flat["test"])
    alike = said @ coordinates["training"].T / np.linalg.norm(coordinates["training"], axis=1)
    assert nearest_training_texts(brain, coordinates).tolist() == alike.argmax(axis=1).tolist()


def test_the_kernel_does_not_depend_on_the_chunk(monkeypatch):
    brain, _, _ = planted(noise=1.0)
    whole = linear_kernel(brain["test"], brain["training"])
    monkeypatch.setattr(retrieval, "CHUNK", 7)
    np.testing.assert_allclose(linear_kernel(brain["test"], brain["training"]), whole)
