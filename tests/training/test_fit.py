"""The one loop, the order of stimuli, and the verdict on learning."""

import numpy as np
import pytest
import torch

from brainlm.training.batches import iterate_batches, n_updates, split_by_label
from brainlm.training.evaluate import learning_status, paired_lower_bound
from brainlm.training.fit import fit


def test_fit_steps_along_the_gradients_it_is_given():
    weight = torch.nn.Parameter(torch.tensor([1.0]))

    def assign_gradients(slope):
        weight.grad = slope.clone()
        return torch.tensor(0.5)

    seen = []
    batches = [(torch.tensor([2.0]),), (torch.tensor([-1.0]),)]
    fit(assign_gradients, torch.optim.SGD([weight], lr=0.1), batches, lambda update, loss: seen.append((update, loss)))
    assert weight.item() == pytest.approx(1.0 - 0.2 + 0.1)
    assert seen == [(1, 0.5), (2, 0.5)]


def test_fit_stops_when_the_loss_is_no_number():
    weight = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(FloatingPointError, match="update 1"):
        fit(lambda x: torch.tensor(float("nan")), torch.optim.SGD([weight], lr=0.1), [(weight,)])


def test_each_pass_shows_each_stimulus_once_in_an_order_of_the_seed():
    x, y = torch.arange(10.0), torch.arange(10) * 2
    first = list(iterate_batches(x, y, 3, 4, seed=1))
    assert len(first) == n_updates(10, 3, 4) == 9
    assert all(torch.equal(b, 2 * a) for a, b in first)
    shown = torch.cat([a for a, _ in first]).reshape(3, 10)
    assert all(sorted(row.tolist()) == list(range(10)) for row in shown)
    assert not torch.equal(shown[0], shown[1])
    again = list(iterate_batches(x, y, 3, 4, seed=1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))


def test_split_keeps_the_share_of_each_label_and_shares_nothing():
    labels = ["a"] * 8 + ["b"] * 4
    train, test = split_by_label(labels, 0.25, np.random.default_rng(0))
    assert sorted([*train, *test]) == list(range(12))
    assert [labels[i] for i in test] == ["a", "a", "b"]
    with pytest.raises(ValueError, match="'c' has one"):
        split_by_label([*labels, "c"], 0.25, np.random.default_rng(0))


def test_paired_bound_covers_the_true_difference_and_is_near_its_level():
    rng, n, covered = np.random.default_rng(0), 150, 0
    for _ in range(2000):
        u = rng.random(n)
        right, reference = u < 0.7, (u > 0.1) & (u < 0.7)  # difference 0.1
        covered += paired_lower_bound(right, reference) <= 0.1
    assert 0.96 <= covered / 2000 <= 0.995


def test_status_needs_a_bound_above_zero():
    same = np.ones(20, dtype=bool)
    assert paired_lower_bound(same, same) < 0
    assert paired_lower_bound(same, ~same) > 0.7
    assert learning_status("backprop", 0.01) == "learned"
    assert learning_status("backprop", 0.0) == "failed"
    assert learning_status("untrained", 0.0) == "reference"
