"""Spikes: the pair window, drift, rewards, surrogate slopes, and conversion."""

import gc
import math
import resource
import sys
from pathlib import Path

import pytest
import torch
from learning.cases import cosine, gradients, make_case, make_rule, relative_error

from brainlm.errors import ConfigError
from brainlm.learning.plasticity import pair_changes
from brainlm.networks.build import make_network
from brainlm.networks.rates import in_rates
from brainlm.networks.spiking import LeakyIntegrateAndFire, RegularSpikes

TAU = {"tau_plus": 3.0, "tau_minus": 5.0}


def train(*times, n=12):
    spikes = torch.zeros(1, n, 1, dtype=torch.float64)
    spikes[0, list(times)] = 1
    return spikes


@pytest.mark.parametrize("dt", range(-11, 12))
def test_one_pair_of_spikes_gives_the_exponential_window(dt):
    """Property 39: exp(-dt / tau_plus) if the unit fires later, exp(dt / tau_minus) if with the input or before."""
    before, after = train(max(0, -dt)), train(max(0, dt))
    causal, other = pair_changes(before, after, **TAU)
    assert abs(float(causal) - (math.exp(-dt / 3) if dt > 0 else 0)) <= 1e-12
    assert abs(float(other) - (math.exp(dt / 5) if dt <= 0 else 0)) <= 1e-12


def test_one_silent_side_changes_nothing():
    """Property 39."""
    for before, after in ((train(), train(2, 5)), (train(1, 4), train())):
        assert all(not change.any() for change in pair_changes(before, after, **TAU))


def test_every_pair_counts_once():
    """Trains are sums of pairs: dW = sum over pairs of the window."""
    first, second = (1, 2, 7, 9), (0, 2, 3, 8, 11)
    causal, other = pair_changes(train(*first), train(*second), **TAU)
    gaps = [b - a for a in first for b in second]
    assert float(causal) == pytest.approx(sum(math.exp(-g / 3) for g in gaps if g > 0), abs=1e-12)
    assert float(other) == pytest.approx(sum(math.exp(g / 5) for g in gaps if g <= 0), abs=1e-12)


def test_independent_trains_drift_as_their_rates_say():
    """Property 40: r^2 (A+ k+ + A- k-) a step, k+ the window's sum over dt > 0, k- over dt <= 0."""
    rng, rate, steps = torch.Generator().manual_seed(0), 0.2, 400
    before, after = (torch.rand(2, 250, steps, 8, generator=rng) < rate).double()
    causal, other = pair_changes(before, after, **TAU)
    fade_plus, fade_minus = math.exp(-1 / 3), math.exp(-1 / 5)
    k_plus, k_minus = fade_plus / (1 - fade_plus), 1 / (1 - fade_minus)
    a_plus, a_minus = 0.01, -0.012
    found = float((a_plus * causal + a_minus * other).mean()) / steps
    expected = rate**2 * (a_plus * k_plus + a_minus * k_minus)
    assert found == pytest.approx(expected, rel=0.05)


def spiking(dtype=torch.float64, **sizes):
    network, x, y = make_case("spiking_mlp", dtype, **sizes)
    return network, x, y


def test_weights_stay_within_their_bounds_and_no_graph_is_kept():
    """Property 40: soft bounds, dW proportional to (bound - W) or (bound + W)."""
    network, x, y = spiking(n_steps=10)
    rule = make_rule("stdp", network, x, bound=0.3)
    network[0].linear.weight.data.clamp_(-0.3, 0.3)
    for _ in range(200):
        found = gradients(rule, network, x, y)
        assert all(g.grad_fn is None and not g.requires_grad for g in found)
        network[0].linear.weight.data -= 2.0 * found[0]
        assert network[0].linear.weight.abs().max() <= 0.3
    assert found[0].any()


def test_the_update_of_stdp_is_its_equation():
    """dW = (A+ causal + A- other) times the distance to the bound that it moves to."""
    network, x, y = spiking(n_steps=10)
    rule = make_rule("stdp", network, x, a_plus=0.02, a_minus=-0.01, tau_plus=2.0, tau_minus=3.0)
    found = gradients(rule, network, x, y)[0]
    before, after = network[0].reshape(x), network[0](x)
    weight, bound = network[0].linear.weight.detach(), float(rule.bounds[0])
    expected = torch.zeros_like(weight)
    for t in range(10):
        for s in range(10):
            window = 0.02 * math.exp(-(t - s) / 2) if t > s else -0.01 * math.exp((t - s) / 3)
            expected += window * torch.einsum("bu,bi->ui", after[:, t], before[:, s]) / len(x)
    expected = -expected * torch.where(expected > 0, bound - weight, bound + weight)
    assert relative_error([found], [expected]) <= 1e-6  # bounds are kept in single precision


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_memory_stays_flat_over_twenty_networks():
    """Property 40."""

    def resident():
        for _ in range(20):
            network, x, y = spiking(torch.float32, n_steps=30, hidden=[200])
            rule = make_rule("stdp", network, x)
            for _ in range(5):
                gradients(rule, network, x, y)
            del network, rule
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])  # as it is now: a peak may lie in what ran before
        return pages * resource.getpagesize()

    resident()
    before = resident()
    assert resident() <= 1.02 * before


def test_a_unit_without_leak_fires_in_proportion_to_a_constant_drive():
    """v_t = v_{t-1} + drive - threshold s: spikes in T steps are T drive, rounded, for drives from 0 to 1."""
    drives = torch.linspace(-0.5, 1.0, 31, dtype=torch.float64)
    spikes = LeakyIntegrateAndFire()(drives.expand(1, 40, 31))
    expected = torch.floor(40 * drives.clamp(min=0) + 0.5 + 1e-9)
    assert ((spikes.sum(1)[0] - expected).abs() <= 1).all() and float((spikes.sum(1)[0] - expected).abs().mean()) < 0.1
    leaky = LeakyIntegrateAndFire(retain=0.8)(torch.full((1, 200, 1), 0.19, dtype=torch.float64))
    assert leaky[:, 50:].sum() == 0  # the membrane settles at 0.19 / (1 - 0.8), below threshold


def test_spikes_of_a_stimulus_are_even_and_as_many_as_it_is_strong():
    x = torch.tensor([[0.0, 0.25, -0.5, 1.0, 3.0]], dtype=torch.float64)
    spikes = RegularSpikes(8)(x)
    assert spikes.sum(1).tolist() == [[0, 2, -4, 8, 8]]
    gaps = spikes[0, :, 1].nonzero().flatten().diff()
    assert gaps.tolist() == [4]


def test_the_surrogate_slope_is_that_of_a_fast_sigmoid():
    """ds/dv = 1 / (1 + slope |v - threshold|)^2, for one unit over one step."""
    unit = LeakyIntegrateAndFire(slope=3.0, start=0.0)
    drive = torch.tensor([[[0.4, 1.7]]], dtype=torch.float64, requires_grad=True)
    unit(drive).sum().backward()
    expected = 1 / (1 + 3.0 * (drive.detach() - 1).abs()) ** 2
    assert torch.allclose(drive.grad, expected)


def test_the_surrogate_gradient_goes_back_through_time():
    """Two steps, v_2 = retain v_1 + drive_2 - s_1: d s_2 / d drive_1 = retain x slope at v_2."""
    unit = LeakyIntegrateAndFire(retain=0.5, slope=3.0, start=0.0)
    drive = torch.tensor([[[0.4], [0.3]]], dtype=torch.float64, requires_grad=True)
    unit(drive)[0, 1].sum().backward()
    at = 1 / (1 + 3.0 * abs(0.5 * 0.4 + 0.3 - 1)) ** 2
    assert torch.allclose(drive.grad[0, :, 0], torch.tensor([0.5 * at, at], dtype=torch.float64))


@pytest.mark.parametrize("name", ["spiking_mlp", "spiking_textcnn"])
def test_rates_of_a_converted_network_approach_the_sources_activities(name):
    """Conversion: spikes / T -> min(max(a, 0), 1) of the source with the same weights, the output too."""
    errors = []
    for n_steps in (20, 500):
        network, x, _ = make_case(name, n_steps=n_steps)
        x = x / x.abs().max()
        rule = make_rule("spiking_conversion", network, x)
        source = in_rates(network).activities(x)
        found = rule.respond(network, x)
        pairs = [(f.flatten(1), s.flatten(1)) for f, s in zip(found, source, strict=True)]
        errors.append(max(float((f - s).abs().max()) for f, s in pairs))
    assert errors[1] < 0.03 and errors[1] < errors[0] / 4


def test_conversion_trains_the_source_and_then_the_spikes():
    network, x, y = spiking()
    tuned = make_rule("spiking_conversion", network, x, fine_tune=True, source_updates=1)
    plain = make_rule("spiking_conversion", network, x)
    first, second = gradients(tuned, network, x, y), gradients(tuned, network, x, y)
    assert relative_error(first, gradients(plain, network, x, y)) == 0
    assert relative_error(second, gradients(make_rule("surrogate_gradient", network, x), network, x, y)) == 0
    assert relative_error(first, second) > 0.01
    assert cosine(first, second) > 0.2


def test_a_leaky_network_cannot_be_converted():
    network, x, _ = spiking(retain=0.9)
    with pytest.raises(ConfigError, match="without leak"):
        make_rule("spiking_conversion", network, x)


def test_reward_moves_the_winners_synapses_by_the_order_of_spikes():
    """dw = rate w (1 - w) of the winner alone: reward_before or _after if right, punish_before or _after if not."""
    torch.manual_seed(0)
    x = torch.rand(1, 6, dtype=torch.float64).repeat(4, 1)  # four times one stimulus: the same winner
    network = make_network("spiking_mlp", x[:1].float(), 3, {"hidden": [5], "n_steps": 8, "population": 2}).double()
    network[0].linear.weight.data[:4].abs_()
    network[0].linear.weight.data[4:] = -1.0  # an input that never fires
    rule = make_rule("reward_stdp", network, x, threshold=0.3)
    spikes = network[0](x)[0]
    potential = network[1].linear(spikes).cumsum(0).detach()
    times = [next((t for t in range(8) if potential[t, u] >= 0.3), 7) for u in range(6)]
    winner = max(range(6), key=lambda u: (-times[u], float(potential[times[u], u])))
    answer = winner // 2
    w = (network[1].linear.weight.detach()[winner] / float(rule.scale) + 1) / 2
    early = torch.tensor([bool(spikes[: times[winner] + 1, i].any()) for i in range(5)])
    assert early.any() and not early.all()
    for hits in (4, 3, 1, 0):  # of four labels, as many are the answer: the rest of the weighing is by the other share
        y = torch.tensor([answer] * hits + [(answer + 1) % 3] * (4 - hits))
        change = -gradients(rule, network, x, y)[2]
        rewarded, punished = torch.where(early, 0.004, -0.003).double(), torch.where(early, -0.004, 0.0005).double()
        rate = 2 * hits / 4 * (4 - hits) / 4 * (rewarded + punished) / 2
        assert torch.allclose(change[winner], 2 * float(rule.scale) * rate * w * (1 - w), rtol=1e-5, atol=1e-9)
        assert not change[[u for u in range(6) if u != winner]].any()


def test_the_answer_of_reward_stdp_is_the_class_of_the_first_unit_to_fire():
    network, x, _ = spiking(n_steps=10)
    rule = make_rule("reward_stdp", network, x, threshold=0.05)
    output = rule.respond(network, x)[-1]
    drives = network[-1].linear(network[1](network[0](x))).cumsum(1)
    crossed = torch.cat([drives >= 0.05, torch.ones_like(drives[:, :1], dtype=torch.bool)], 1)
    first = crossed.to(torch.int).argmax(1).clamp(max=9)
    for scores, times in zip(output, first, strict=True):
        assert times[scores.argmax()] == times.min()


def test_half_of_a_batch_twice_is_the_batch():
    """Property 2 for spikes: the surrogate gradient is a mean over stimuli."""
    network, x, y = spiking()
    rule = make_rule("surrogate_gradient", network, x)
    halves = [gradients(rule, network, x[part], y[part]) for part in (slice(0, 3), slice(3, 6))]
    mean = [(a + b) / 2 for a, b in zip(*halves, strict=True)]
    assert relative_error(mean, gradients(rule, network, x, y)) <= 1e-12
