"""Half the digits, parts of a batch, several processes, and memory that ends: the same training, or one line."""

import os
import signal
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_decoder import fail_in_second, learn, learn_beside_others, make_batch, make_decoder

from brainlm.decoding import hardware
from brainlm.decoding.language_model import TextLoss, assign_gradients, features_of
from brainlm.decoding.train import BrainModel, draw_segments, fit_rate_scale, loss_terms
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.errors import BrainlmError, ConfigError, DataError
from brainlm.steps import _gates
from brainlm.steps._memory import largest_that_fits, within_memory
from brainlm.training.processes import spread

TIMING = Timing(2.0, 1, 2, 3)
CPU = torch.device("cpu")
OPTIONS = {"updates": 20, "beta": 0.1, "batch_size": 6, "learning_rate": 1e-3, "gate_learning_rate": 0.01}
OPTIONS |= {"weight_decay": 0.0}


def make_runs() -> list[StoryRun]:
    random = np.random.default_rng(0)
    counts = random.integers(3, 9, 30)
    series = random.standard_normal((40, 27)).astype(np.float32)
    return [StoryRun("run", "story", 0, series, 2, random.standard_normal((30, 4)), counts, 5 * counts)]


def make_model() -> BrainModel:
    torch.manual_seed(0)
    return BrainModel.of_volumes(torch.ones(3, 3, 3, dtype=torch.bool), 4, TIMING)


def gradients(loss: torch.Tensor, model: torch.nn.Module) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_half_the_digits_in_products_move_the_selector_s_gradient_little(monkeypatch):
    runs, model = make_runs(), make_model().eval()  # no noise, no dropout
    batch = draw_segments(runs, TIMING, fit_rate_scale(runs), 4, 8, np.random.default_rng(1))
    found = []
    for kinds in (("cuda",), ("cuda", "cpu")):
        monkeypatch.setattr(hardware, "HALF_ON", kinds)
        terms = loss_terms(model, batch, TIMING.steps)
        assert all(term.dtype == torch.float32 for term in terms.values())
        found.append(gradients(sum(terms.values()), model))
    assert not torch.equal(*found)
    assert (found[0] - found[1]).norm() < 0.02 * found[0].norm()


def test_what_words_and_n_grams_say_keeps_its_digits(monkeypatch):
    decoder = make_decoder()
    batch = make_batch(decoder, 5, np.random.default_rng(0))
    features = features_of(batch, torch.Generator().manual_seed(0))
    whole = decoder(batch.characters, features)
    with torch.no_grad():
        decoder.transformer.lm_head.weight.zero_()
        silent = decoder(batch.characters, features)
        monkeypatch.setattr(hardware, "HALF_ON", ("cpu",))
        with hardware.mixed("cpu"):
            assert torch.equal(decoder(batch.characters, features), silent)
    assert not torch.equal(whole, silent)


def test_parts_of_a_batch_give_the_gradient_of_the_whole():
    decoder = make_decoder()
    batch = make_batch(decoder, 8, np.random.default_rng(0))
    features = features_of(batch, torch.Generator().manual_seed(0))
    found, losses = [], []
    for parts in (1, 3):
        decoder.zero_grad()
        losses.append(assign_gradients(TextLoss(decoder), batch.characters, features, parts, CPU).item())
        found.append(torch.cat([p.grad.flatten() for p in decoder.parameters()]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    for processes in (1, 2):
        spread(partial(learn_beside_others, tmp_path / str(processes)), processes, CPU, "decoder.processes")
    one, two = (load_file(tmp_path / name) for name in ("1", "2"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-5, msg=lambda told, name=name: f"{name}: {told}")


@pytest.mark.slow
def test_a_fault_or_an_end_of_one_process_is_told_in_one_line_by_the_first():
    with pytest.raises(DataError, match=r"^text.txt: expected words, got none.$"):
        spread(fail_in_second, 2, CPU, "decoder.processes")
    with pytest.raises(BrainlmError, match="decoder.processes: expected 2 processes .*SIGKILL") as caught:
        spread(kill_itself, 2, CPU, "decoder.processes")
    assert "\n" not in str(caught.value)


def kill_itself(device: torch.device) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_fewer_cards_than_processes_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="expected a graphics card for each of 2 processes, got 1"):
        spread(print, 2, torch.device("cuda"), "decoder.processes")


def test_memory_that_ends_is_one_line_with_the_size_that_fits(monkeypatch):
    terms = loss_terms

    def small_card(model, batch, steps):
        if len(batch.brain) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB. GPU 0 has\na capacity")
        return terms(model, batch, steps)

    monkeypatch.setattr("brainlm.decoding.train.loss_terms", small_card)
    with pytest.raises(ConfigError) as caught:
        _gates.train_gates(make_model(), make_runs(), TIMING, OPTIONS, 0, CPU)
    told = str(caught.value)
    assert told == (
        "selector.batch_size: expected a batch that fits in the graphics card's memory, got 6 (CUDA out of memory). "
        "1 fit: set selector.batch_size: 1."
    )


@pytest.mark.parametrize(("held", "fits"), [(100, 16), (5, 4), (1, 1), (0, 0)])
def test_the_largest_half_that_fits_is_found(held, fits):
    def attempt(size: int) -> None:
        if size > held:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    assert largest_that_fits(attempt, 32) == fits
    with pytest.raises(ConfigError, match=f"{fits} fit: set x: {fits}|Not even 1 fits"):
        within_memory(lambda: attempt(1000), attempt, "x", 32)


def test_learning_in_parts_ends_where_learning_at_once_does():
    one, two = make_decoder(), make_decoder()
    losses = [[row["validation"] for row in learn(model, accumulation=n)] for model, n in ((one, 1), (two, 2))]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_a_loss_that_is_no_number_stops():
    with pytest.raises(FloatingPointError, match="The loss is nan at update"):
        list(learn(make_decoder(), learning_rate=1e30))
