"""Decoding from EEG on planted answers: latencies, closed forms, gates, and a window's text found without a mean."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainlm.decoding.eeg_encoder import EegEncoder
from brainlm.decoding.eeg_filters import (
    SensorRun,
    add,
    encoding_gates,
    latency_columns,
    products,
    solve,
    token_impulses,
)
from brainlm.decoding.eeg_training import refit_sensors, run_products, start_encoder
from brainlm.decoding.identification import percentile_ranks
from brainlm.decoding.selector import latency_average
from brainlm.decoding.train import fit_rate_scale
from brainlm.decoding.windows import Timing, separate_starts

SENSORS, PER_STEP, PLANTED, LATENCY = 6, 8, (1, 2, 4), 6
TIMING = Timing.from_seconds(0.5, (0, 1.0), 5.0)
LATENCIES = (TIMING.delays - 1) * PER_STEP + 1


def planted_run(seed: int, strength: float, steps: int = 240) -> SensorRun:
    """Words of 3 coordinates answered at three sensors after 6 samples, without any mean over a second."""
    random = np.random.default_rng(seed)
    samples = steps * PER_STEP
    words = np.zeros((samples, 3))
    onsets = np.cumsum(random.integers(5, 11, samples // 8))
    onsets = onsets[onsets < samples - 2 * PER_STEP]
    topics = np.repeat(random.normal(size=(len(onsets) // 8 + 1, 3)), 8, axis=0)[: len(onsets)]
    words[onsets] = topics + 0.5 * random.normal(size=topics.shape)
    weights = np.random.default_rng(99).normal(size=(3, len(PLANTED)))
    answer = np.roll(words, LATENCY, axis=0) @ weights
    answer -= np.stack([np.convolve(column, np.full(16, 1 / 16), "same") for column in answer.T], axis=1)
    data = random.normal(size=(samples, SENSORS))
    data[:, PLANTED] += strength * answer
    data /= data.std(axis=0)
    series = data.reshape(steps, PER_STEP, SENSORS).transpose(0, 2, 1).reshape(steps, -1).astype(np.float32)
    text = np.stack([words[i * PER_STEP : (i + TIMING.steps) * PER_STEP].mean(axis=0) for i in range(steps - 10)])
    tokens = np.array([(words[i * PER_STEP : (i + 10) * PER_STEP] != 0).any(axis=1).sum() for i in range(steps - 10)])
    counts = np.column_stack([(words != 0).any(axis=1)] * 2).astype(float)
    return SensorRun(f"r{seed}", f"s{seed}", 0, series, 0, text / text.std(), tokens, tokens * 5, words, counts)


def fitted(strength: float) -> tuple[EegEncoder, list[SensorRun]]:
    torch.manual_seed(0)
    runs = [planted_run(seed, strength) for seed in range(5)]
    encoder = EegEncoder(SENSORS, LATENCIES, 3, TIMING.delays)
    parts = run_products(encoder, runs[:3], "coordinates", TIMING)
    start_encoder(encoder, parts, runs[:3], "coordinates", TIMING, fit_rate_scale(runs[:3]))
    refit_sensors(encoder, parts, runs[:3], runs[3:4], "coordinates", TIMING, [8, LATENCIES * SENSORS])
    return encoder.eval(), runs


def ranks_of(encoder: EegEncoder, run: SensorRun) -> np.ndarray:
    units = encoder(torch.from_numpy(run.series)[None], torch.tensor([0]))[0][0].detach().numpy()
    starts = separate_starts(run, TIMING)
    found = np.stack([units[start : start + TIMING.steps].mean(axis=0) for start in starts])
    return percentile_ranks(found @ run.coordinates[starts].T, np.arange(len(starts)))


def test_a_moment_sees_the_samples_after_it_and_no_others():
    encoder = EegEncoder(2, 9, 3, delays=2)
    samples = torch.arange(5 * 8.0)
    window = torch.stack([samples, 100 + samples]).unflatten(1, (5, 8)).transpose(0, 1).reshape(1, 5, 16)
    seen = encoder.latency_view(window)
    assert seen.shape == (1, 32, 18)
    torch.testing.assert_close(seen[0, 3], torch.cat([torch.arange(3.0, 12), 100 + torch.arange(3.0, 12)]))
    np.testing.assert_array_equal(latency_columns(window[0].numpy(), 2, 9)[:32], seen[0].numpy())


def test_latencies_that_a_step_cannot_see_are_refused():
    with pytest.raises(ValueError, match="10 latencies need more than 2 steps"):
        EegEncoder(2, 10, 3, delays=2)


def test_neighbours_of_a_gate_are_the_latencies_beside_it_at_the_same_sensor():
    index, weight = latency_average(2, 3)
    kept = [set(row[w > 0].tolist()) for row, w in zip(index, weight, strict=True)]
    assert kept == [{0, 1}, {0, 1, 2}, {1, 2}, {3, 4}, {3, 4, 5}, {4, 5}]
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(6))


def test_words_fall_on_the_nearest_sample_and_those_outside_are_left_out():
    tokens = pd.DataFrame({"onset": [0.0, 0.26, 99.0]})
    train = token_impulses(tokens, np.ones((3, 1)), onset=0.5, hz=4, n_samples=8)
    assert train[:, 0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_filters_solve_the_same_ridge_as_the_normal_equations_and_closed_gates_stay_out():
    run = planted_run(0, 1.0)
    found = products(run, "words", SENSORS, LATENCIES, TIMING)
    kept = np.zeros(len(found.xx), dtype=bool)
    kept[[3, 40]] = True
    weights = solve(found, kept)
    assert (weights[~kept] == 0).all() and (weights[kept] != 0).all()
    x = latency_columns(run.series, SENSORS, LATENCIES)[:, kept].astype(float)
    y = (run.words - run.words.mean(axis=0))[: len(x)]
    own = np.linalg.solve(x.T @ x + 0.01 * len(x) * np.eye(2), x.T @ y) / y.std(axis=0)
    np.testing.assert_allclose(weights[kept], own, rtol=1e-2)


def test_the_encoding_model_finds_planted_sensors_and_their_latency():
    parts = [products(planted_run(seed, 1.0), "words", SENSORS, LATENCIES, TIMING) for seed in range(3)]
    by_sensor = encoding_gates(parts).reshape(SENSORS, LATENCIES)
    assert set(by_sensor.max(axis=1).argsort()[-3:]) == set(PLANTED)
    assert (by_sensor[list(PLANTED)].argmax(axis=1) == LATENCY).all()
    assert add(parts).n == sum(part.n for part in parts)


def test_a_window_is_found_though_its_mean_over_time_is_zero():
    encoder, runs = fitted(3.0)
    samples = runs[4].series.reshape(-1, SENSORS, PER_STEP).mean(axis=2)
    assert np.abs(np.stack([samples[i : i + 10].mean(axis=0) for i in range(0, 230, 10)])).mean() < 0.1
    assert ranks_of(encoder, runs[4]).mean() > 0.7  # chance 0.5, standard error 0.06
    rates = encoder.gates.rate().detach().numpy().reshape(SENSORS, LATENCIES).sum(axis=1)
    assert set(rates.argsort()[-3:]) == set(PLANTED)


def test_noise_is_not_decoded():
    encoder, runs = fitted(0.0)
    assert abs(ranks_of(encoder, runs[4]).mean() - 0.5) < 0.15
    noise = replace(runs[4], series=np.random.default_rng(5).normal(size=runs[4].series.shape).astype(np.float32))
    assert abs(ranks_of(encoder, noise).mean() - 0.5) < 0.15
