"""A training that was stopped and gone on with is the training that was never stopped."""

from itertools import islice

import numpy as np
import torch
from small_decoder import learn, make_decoder

from brainlm.decoding.train import BrainModel, train
from brainlm.decoding.windows import StoryRun, Timing
from brainlm.steps._checkpoint import Checkpoint, digest_runs

TIMING = Timing(2.0, 1, 2, 3)


def make_runs() -> list[StoryRun]:
    random = np.random.default_rng(0)
    steps = 30
    return [
        StoryRun(
            f"run-{k}",
            f"story{k}",
            0,
            random.standard_normal((40, 27)).astype(np.float32),
            2,
            random.standard_normal((steps, 4)),
            random.integers(3, 9, steps),
            random.integers(15, 40, steps),
        )
        for k in range(2)
    ]


def train_gates(keeper, stop_after: int | None = None) -> tuple[list[dict], dict]:
    torch.manual_seed(3)
    model = BrainModel.of_volumes(torch.ones(3, 3, 3, dtype=torch.bool), 4, TIMING, dropout=0.2)
    rows = train(model, make_runs(), TIMING, updates=20, beta=0.1, batch_size=2, windows=8, keeper=keeper)
    return list(islice(rows, stop_after)), {name: value.clone() for name, value in model.state_dict().items()}


def write(keeper, stop_after: int | None = None) -> tuple[list[dict], dict]:
    decoder = make_decoder()
    rows = list(islice(learn(decoder, keeper=keeper), stop_after))
    return rows, {name: value.clone() for name, value in decoder.state_dict().items()}


def without_seconds(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_stopped_training_ends_as_one_that_went_through(tmp_path):
    for name, training in (("gates", train_gates), ("language", write)):
        rows, weights = training(None)
        checkpoint = Checkpoint(tmp_path / name / "checkpoint.safetensors", "job")
        training(checkpoint, stop_after=4)
        assert checkpoint.load()[1]["update"] == 8
        again, resumed = training(checkpoint)
        assert without_seconds(again) == without_seconds(rows)
        for key, value in weights.items():
            torch.testing.assert_close(resumed[key], value, rtol=0, atol=0)


def test_another_job_s_checkpoint_and_half_a_file_are_not_gone_on_from(tmp_path):
    mine = Checkpoint.of(tmp_path, "train_decoder", seed=0, runs=digest_runs(make_runs()))
    train_gates(mine, stop_after=2)
    runs = make_runs()
    runs[1].series[5, 5] += 1e-3
    assert mine.load() is not None
    assert Checkpoint.of(tmp_path, "train_decoder", seed=1, runs=digest_runs(make_runs())).load() is None
    assert Checkpoint.of(tmp_path, "train_decoder", seed=0, runs=digest_runs(runs)).load() is None
    mine.path.write_bytes(mine.path.read_bytes()[:1000])
    assert mine.load() is None
    mine.remove()
    mine.remove()
    assert not mine.path.exists()
