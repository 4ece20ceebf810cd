"""Real RDMs: 92 images, human inferior temporal cortex of two people in two sessions (Kriegeskorte et al. 2008)."""

from itertools import product

import numpy as np
import pytest
from scipy.io import loadmat

from brainlm.errors import ConfigError
from brainlm.rsa.bootstrap import bootstrap, make_draws
from brainlm.rsa.compare import compare
from brainlm.rsa.noise_ceiling import noise_ceiling
from brainlm.rsa.pairs import triangle

SPEARMAN = {
    "animacy": 0.424,
    "EVA": 0.382,
    "monkeyIT": 0.354,
    "FaceBodyManmadeNatobj": 0.313,
    "HMAX": 0.205,
    "Silhouette": 0.150,
    "V1": 0.046,
    "RADON": -0.007,
}
HIGH, LOW = ("animacy", "EVA", "monkeyIT", "FaceBodyManmadeNatobj"), ("Silhouette", "V1", "RADON")


def load(folder):
    """People x sessions x pairs, and models x pairs in the order of SPEARMAN."""
    with np.load(folder / "rdm-92images" / "brain_rdms.npz") as stored:
        people = triangle(stored["rdms"])
    models = loadmat(folder / "rdm-92images" / "92_modelRDMs.mat", squeeze_me=True)["Models"]
    by_name = {str(model["name"]): np.array(model["RDM"], dtype=float) for model in models}
    return people, triangle(np.stack([by_name[name] for name in SPEARMAN]))


def test_eight_models_have_their_published_similarity(real_data):
    people, models = load(real_data)
    found = compare(models, people.mean((0, 1))[None], "spearman")[:, 0]
    assert found == pytest.approx(list(SPEARMAN.values()), abs=0.005)


def test_people_and_sessions_agree_as_far_as_is_known(real_data):
    people, _ = load(real_data)
    by_person, by_session = people.mean(1), people.reshape(4, -1)
    assert noise_ceiling(by_person, "spearman") == pytest.approx((0.210, 0.773), abs=0.005)
    assert noise_ceiling(by_session, "spearman") == pytest.approx((0.234, 0.598), abs=0.005)
    between = compare(by_session, by_session, "spearman")
    assert between[0, 1] == pytest.approx(0.277, abs=0.005) and between[2, 3] == pytest.approx(0.095, abs=0.005)
    assert compare(by_person[:1], by_person[1:], "spearman")[0, 0] == pytest.approx(0.210, abs=0.005)


def test_order_over_images_holds_between_the_two_groups_of_models_only(real_data):
    people, models = load(real_data)
    names = list(SPEARMAN)
    pairs = list(product(HIGH, LOW)) + [("animacy", "EVA"), ("monkeyIT", "FaceBodyManmadeNatobj"), ("V1", "RADON")]
    contrasts = np.zeros((len(pairs), len(names)))
    for row, (one, other) in enumerate(pairs):
        contrasts[row, names.index(one)], contrasts[row, names.index(other)] = 1, -1
    draws = make_draws(92, 1, 400, np.random.default_rng(0))
    mean = people.mean((0, 1))[None, None]
    single = bootstrap(models, mean, "spearman", draws, factors=("conditions",))
    assert np.all((np.sqrt(single.variance) > 0.03) & (np.sqrt(single.variance) < 0.07))  # known: 0.04-0.06
    found = bootstrap(models, mean, "spearman", draws, factors=("conditions",), contrasts=contrasts)
    low, _ = found.interval()
    between = len(HIGH) * len(LOW)
    assert np.all(low[:between] > 0)
    assert np.all(found.p(two_sided=True)[between:] > 0.05)


def test_two_people_allow_no_inference_over_people(real_data):
    people, models = load(real_data)
    with pytest.raises(ConfigError, match="over subjects needs at least 3; got 2"):
        bootstrap(models, people.mean(1)[:, None], "spearman", make_draws(92, 2, 10, np.random.default_rng(0)))
