import numpy as np
import pytest
import torch

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.selector import Gates, mean_dice, neighbour_average, rate_nats


@pytest.mark.parametrize("gate", [0.1, 0.5, 0.9])
def test_rate_is_the_divergence_averaged_over_a_z_scored_signal(gate):
    response = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    response = (response - response.mean()) / response.std(correction=0)
    passed = torch.distributions.Normal(gate * response, torch.full_like(response, 1 - gate))
    divergence = torch.distributions.kl_divergence(passed, torch.distributions.Normal(0.0, 1.0)).mean()
    assert rate_nats(torch.tensor([gate], dtype=torch.float64)).item() == pytest.approx(divergence.item(), rel=1e-9)


def test_a_closed_gate_passes_nothing_and_an_open_one_stays_finite():
    assert rate_nats(torch.zeros(1)).item() == 0
    gates = Gates(torch.ones(2, 2, 2, dtype=torch.bool))
    with torch.no_grad():
        gates.logit.fill_(1e3)
    assert torch.isfinite(gates.rate()).all()


def test_neighbours_lie_within_one_step_and_inside_the_mask():
    mask = torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(1)) > 0.4
    index, weight = neighbour_average(mask)
    where = mask.nonzero()
    for voxel in range(len(where)):
        expected = {j for j in range(len(where)) if (where[j] - where[voxel]).abs().max() <= 1}
        assert set(index[voxel][weight[voxel] > 0].tolist()) == expected
    np.testing.assert_allclose(weight.sum(dim=1), 1, rtol=1e-6)


def test_gates_add_noise_in_training_only():
    gates = Gates(torch.ones(2, 2, 1, dtype=torch.bool))
    responses = torch.zeros(1, 1000, 4)
    assert gates.train()(responses).std().item() == pytest.approx(0.5, abs=0.05)
    assert gates.eval()(responses).abs().max() == 0


@pytest.mark.parametrize("channels", [0, 4])
@pytest.mark.parametrize("shape", [(6, 7, 5), (8, 6, 1), (3, 1, 1)])
def test_encoder_takes_any_grid_and_gives_a_feature_a_step(shape, channels):
    mask = torch.ones(shape, dtype=torch.bool)
    encoder = BrainEncoder(mask, width=5, delays=4, channels=channels, subjects=2)
    features, rate = encoder(torch.randn(3, 10, int(mask.sum())), torch.tensor([0, 1, -1]))
    assert features.shape == (3, 7, 5)
    assert rate.item() == pytest.approx(encoder.gates.rate().mean().item())


def test_without_channels_the_features_are_linear_in_the_voxels():
    encoder = BrainEncoder(torch.ones(3, 3, 3, dtype=torch.bool), width=4, delays=2, channels=0).eval()
    one, other = torch.randn(2, 1, 5, 27)
    read = lambda window: encoder(window, torch.tensor([0]))[0] - encoder(0 * one, torch.tensor([0]))[0]  # noqa: E731
    torch.testing.assert_close(read(2 * one + other), 2 * read(one) + read(other), atol=1e-5, rtol=1e-4)


def test_an_unknown_subject_gets_the_mean_layer():
    encoder = BrainEncoder(torch.ones(3, 3, 3, dtype=torch.bool), width=4, delays=2, subjects=2).eval()
    with torch.no_grad():
        encoder.subject_layers.copy_(torch.randn(2, 4, 4))
        window = torch.randn(1, 2, 27)
        known = [encoder(window, torch.tensor([s]))[0] for s in (0, 1)]
        unknown = encoder(window, torch.tensor([-1]))[0]
    torch.testing.assert_close(unknown, (known[0] + known[1]) / 2)


def test_agreement_of_maps_by_hand():
    first, second = np.zeros((2, 2, 2, 1), dtype=bool)
    first[0], second[0, 0] = True, True
    assert mean_dice(np.stack([first, second])) == pytest.approx(2 / 3)
    assert mean_dice(np.stack([first, second, ~first])) == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert mean_dice(np.zeros((2, 4), dtype=bool)) == 1
    with pytest.raises(ValueError, match="needs two maps or more; got 1"):
        mean_dice(first[None])
