"""Models without a network: users' RDMs and single numbers."""

import numpy as np
import pytest

from brainlm.records import Rdm
from brainlm.rsa.models import difference_rdm, given_models, network_models, same_order


def test_differences_of_one_number_a_condition():
    rdm = difference_rdm(np.array([1.0, 4, 2]), ("a", "b", "c"))
    assert rdm.dissimilarities.tolist() == [3, 1, 2] and rdm.conditions == ("a", "b", "c")
    logarithms = difference_rdm(np.exp([1.0, 4, 2]), ("a", "b", "c"), logarithmic=True)
    assert np.allclose(logarithms.dissimilarities, [3, 1, 2])


@pytest.mark.parametrize(
    ("values", "logarithmic"), [([1.0, 1, 1], False), ([1.0, np.nan, 2], False), ([1.0, 0, 2], True)]
)
def test_numbers_that_make_no_rdm_are_refused(values, logarithmic):
    with pytest.raises(ValueError, match="that are not all the same; got"):
        difference_rdm(np.array(values), ("a", "b", "c"), logarithmic)


def test_given_rdms_become_models_in_any_order_of_conditions():
    one = Rdm(np.array([1.0, 2, 3]), ("a", "b", "c"), "given")
    models = given_models([one, Rdm(np.array([4.0, 5, 6]), ("a", "b", "c"), "given")], ["first", "second"])
    assert models.names["model"].tolist() == ["first", "second"]
    assert same_order(models, ("c", "a", "b")).rdms.tolist() == [[2, 3, 1], [5, 6, 4]]
    with pytest.raises(ValueError, match="1 only in the model"):
        given_models([one, Rdm(np.array([1.0, 2, 3]), ("a", "b", "d"), "given")], ["first", "second"])
    with pytest.raises(ValueError, match="2 RDMs need as many different names; got x, x"):
        given_models([one, one], ["x", "x"])


def test_activities_that_do_not_fit_are_refused_in_one_line():
    about = {"network": "mlp", "learning_rule": "oja", "seed": 0}
    arrays = {"conditions": np.array(list("abc")), "layer1": np.random.default_rng(0).normal(size=(3, 4))}
    network_models([(arrays, about), (arrays, about | {"seed": 1})], "correlation")
    with pytest.raises(ValueError, match="mlp oja, seed 0, layer1 is there more than once"):
        network_models([(arrays, about)] * 2, "correlation")
    with pytest.raises(ValueError, match="mlp oja, seed 0, layer1: 3 conditions, activity to 2"):
        network_models([(arrays | {"layer1": np.eye(2)}, about)], "correlation")
    with pytest.raises(ValueError, match="no array 'conditions'"):
        network_models([({"layer1": np.eye(3)}, about)], "correlation")
