"""Trials with labels as the short-text case: every labelled volume is a window, a block of them is one trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from brainlm.decoding.encoder import BrainEncoder
from brainlm.decoding.hardware import mixed, send
from brainlm.decoding.refit import Ridge


@dataclass(frozen=True)
class LabelledVolumes:
    """Volumes inside blocks of one label each; volumes outside them are left out."""

    series: Float[np.ndarray, "volumes voxels"]
    label: Int[np.ndarray, " volumes"]
    block: Int[np.ndarray, " volumes"]  # unique over everything that is decoded together
    run: Int[np.ndarray, " volumes"]


def find_blocks(events: pd.DataFrame, gap_s: float = 4.0) -> pd.DataFrame:
    """Blocks (onset, end, trial_type) of neighbouring trials with one label, not more than ``gap_s`` apart."""
    events = events.sort_values("onset", ignore_index=True)
    ends = events["onset"] + events["duration"]
    fresh = (events["trial_type"] != events["trial_type"].shift()) | (events["onset"] - ends.shift() > gap_s)
    number = fresh.cumsum()
    return (
        events.assign(end=ends)
        .groupby(number)
        .agg(onset=("onset", "first"), end=("end", "last"), trial_type=("trial_type", "first"))
        .reset_index(drop=True)
    )


def block_of_volumes(times: Float[np.ndarray, " volumes"], blocks: pd.DataFrame) -> Int[np.ndarray, " volumes"]:
    """Number of the block that each time (s, the lag already taken off) lies in; -1 for none."""
    number = np.searchsorted(blocks["onset"].to_numpy() - 1e-6, times, side="right") - 1
    inside = (number >= 0) & (times < blocks["end"].to_numpy()[number.clip(min=0)] - 1e-6)
    return np.where(inside, number, -1)


class LabelModel(nn.Module):
    """Encoder of single volumes whose features are compared with each label's coordinates."""

    def __init__(self, encoder: BrainEncoder, coordinates: Float[Tensor, "labels width"]) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("coordinates", coordinates)
        self.register_buffer("precision", torch.ones(()))

    def forward(self, volumes: Float[Tensor, "volumes voxels"]) -> Float[Tensor, "volumes labels"]:
        """Score of each label: after :func:`refit_labels` its log-likelihood but for a constant (Gaussian noise)."""
        subject = torch.zeros(len(volumes), dtype=torch.long, device=volumes.device)
        features, _ = self.encoder(volumes[:, None], subject)
        return features[:, 0] @ self.coordinates.T * self.precision


def train_labels(
    model: LabelModel,
    volumes: LabelledVolumes,
    updates: int,
    beta: float,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    gate_learning_rate: float = 0.05,
    weight_decay: float = 0.1,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Train in place by cross-entropy plus ``beta`` nats; yields the terms after every tenth of the updates."""
    random = np.random.default_rng(seed)
    device = model.coordinates.device
    gates = [model.encoder.gates.logit]
    others = [p for p in model.parameters() if p is not gates[0] and p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "lr": learning_rate, "weight_decay": weight_decay},
            {"params": gates, "lr": gate_learning_rate, "weight_decay": 0.0},
        ]
    )
    for update in range(1, updates + 1):
        rows = random.integers(len(volumes.label), size=batch_size)
        brain = send(torch.from_numpy(np.asarray(volumes.series[rows], dtype=np.float32)), device)
        label = send(torch.from_numpy(volumes.label[rows]), device)
        with mixed(device):
            scores = model.train()(brain)
        contrast = cross_entropy(scores.float(), label)
        rate = model.encoder.gates.rate().mean()
        optimizer.zero_grad()
        (contrast + beta * rate).backward()
        optimizer.step()
        if update % max(1, updates // 10) == 0 or update == updates:
            yield {"update": update, "contrast": contrast.item(), "rate": rate.item()}


@torch.no_grad()
def refit_labels(model: LabelModel, volumes: LabelledVolumes, voxels: int, penalty: float) -> None:
    """Keep the ``voxels`` that the gates let pass most, and refit the readout as a ridge regression, in place.

    Its targets are the labels' coordinates; the precision is one over the variance of what it leaves unexplained.
    """
    encoder = model.encoder.eval()
    encoder.gates.select(min(voxels, len(encoder.gates.logit)))
    brain = torch.from_numpy(np.asarray(volumes.series, dtype=np.float32)).to(model.coordinates.device)
    units = np.concatenate([encoder.units(part[None])[0].cpu().numpy() for part in brain.split(32)])
    targets = model.coordinates.cpu().numpy()[volumes.label]
    weights, intercept = Ridge(units, targets).solve(penalty)
    encoder.set_readout(*(torch.from_numpy(part).float().to(brain.device) for part in (weights, intercept)))
    model.precision.fill_(1 / float(np.square(units @ weights + intercept - targets).mean()))


@torch.no_grad()
def score_volumes(
    model: LabelModel, series: Float[np.ndarray, "volumes voxels"]
) -> Float[np.ndarray, "volumes labels"]:
    """What a trained model gives each label, volume by volume."""
    return model(torch.from_numpy(np.asarray(series, dtype=np.float32))).numpy()


def pool_blocks(
    scores: Float[np.ndarray, "volumes labels"], block: Int[np.ndarray, " volumes"]
) -> Float[np.ndarray, "blocks labels"]:
    """Scores summed over the volumes of each block, in order of the blocks' numbers."""
    return np.stack([scores[block == number].sum(axis=0) for number in np.unique(block)])


def label_posterior(scores: Float[np.ndarray, "blocks labels"]) -> Float[np.ndarray, "blocks labels"]:
    """Probability of each label given log-likelihoods but for a constant, every label equally likely beforehand."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def block_permutation_p(
    decoded: Sequence[str], true: Sequence[str], run: Sequence[str], n_draws: int, seed: int
) -> tuple[float, int]:
    """p of the accuracy under exchange of true labels between blocks of one run, and the number of permutations.

    All are taken where they are few enough (exact), else ``n_draws`` at random.
    """
    decoded, true, run = (np.array(list(values), dtype=object) for values in (decoded, true, run))
    hits = []
    for name in np.unique(run):
        own = run == name
        hits.append((decoded[own][:, None] == true[own]).astype(int))
    observed = sum(int(np.trace(table)) for table in hits)
    total = np.prod([float(np.prod(np.arange(1, len(table) + 1))) for table in hits])
    if total <= max(n_draws, 20_000):
        counts = _all_sums([_hits_of_permutations(table) for table in hits])
        return float((counts >= observed).mean()), len(counts)
    random = np.random.default_rng(seed)
    sums = np.zeros(n_draws, dtype=int)
    for table in hits:
        order = random.permuted(np.tile(np.arange(len(table)), (n_draws, 1)), axis=1)
        sums += table[np.arange(len(table)), order].sum(axis=1)
    return float((1 + (sums >= observed).sum()) / (1 + n_draws)), n_draws


def _hits_of_permutations(table: Int[np.ndarray, "n n"]) -> Int[np.ndarray, " permutations"]:
    orders = np.array(list(permutations(range(len(table)))))
    return table[np.arange(len(table)), orders].sum(axis=1)


def _all_sums(parts: list[Int[np.ndarray, " n"]]) -> Int[np.ndarray, " all"]:
    total = np.zeros(1, dtype=int)
    for part in parts:
        total = (total[:, None] + part).ravel()
    return total
