"""Blocks that show RDMs themselves: matrices in order of category, and a map of brain and layers."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import rankdata

from brainlm.figures.similarity import MOST_NAMED, draw_map, draw_rdms
from brainlm.report.page import Section
from brainlm.rsa.bootstrap import FEWEST_CONDITIONS
from brainlm.rsa.layout import on_a_plane, order_conditions, second_order
from brainlm.rsa.models import Models
from brainlm.rsa.pairs import pair_places, square, triangle
from brainlm.steps._rsa_results import Compared, common_conditions, load_compared, take_conditions
from brainlm.workflow import BRAIN

MOST_BRAINS = 10  # matrices and stars of a figure


@dataclass(frozen=True)
class Shown:
    """RDMs of one subject or of several, models of the first training seed, and the comparison that relates them."""

    subjects: list[Compared]  # with the brain RDMs that are drawn
    models: list[int]
    titles: list[str]  # of the brain RDMs
    comparison: str

    @property
    def first(self) -> Compared:
        return self.subjects[0]

    @property
    def names(self) -> pd.DataFrame:
        return self.first.models.names.iloc[self.models].reset_index(drop=True)


def _path(results: Path, subject: str, modality: str, stimuli: str) -> Path:
    """Where the RDMs of a subject lie."""
    stem = BRAIN.format(subject=subject, modality=modality) + ("_segments" if stimuli == "segments" else "")
    return results / f"{stem}_rdms.npz"


def rdm_blocks(section: Section, rows: pd.DataFrame, results: Path, subjects: list[str], name: str) -> None:
    """Matrices, and for each network a map; what cannot be drawn is told. ``rows`` of one modality and stimuli."""
    modality, stimuli = rows[["modality", "stimuli"]].iloc[0]
    paths = [_path(results, subject, modality, stimuli) for subject in subjects]
    if not paths or not all(path.exists() for path in paths):
        section.add_text("The dissimilarity matrices themselves were not kept.")
        return
    shown, told = _load(paths)
    if told:
        section.add_text(told)
    if shown is None:
        return
    _add_matrices(section, shown, rows, name)
    for network in sorted(set(shown.names["network"].dropna())):
        _add_map(section, shown, network, name)


def _load(paths: list[Path]) -> tuple[Shown | None, str]:
    """What is drawn of these files, and what is told of what is not."""
    (first, about), notes = load_compared(paths[0]), []
    chosen, titles = _chosen_brains(first.brains.names)
    subjects = [_with_brains(load_compared(path)[0], chosen) for path in paths]
    common = common_conditions(subjects)
    if len(common) < FEWEST_CONDITIONS:
        return None, f"No matrices are drawn: subjects share {len(common)} conditions."
    if any(set(compared.brains.conditions) != common for compared in subjects):
        subjects = [take_conditions(compared, common) for compared in subjects]
        notes.append(f"Matrices are of the {len(common)} segments that all subjects have.")
    names, rdms = subjects[0].models.names, subjects[0].models.rdms
    seeds = names.groupby(["network", "learning_rule"])["seed"].transform("min")
    varied = np.isfinite(rdms).all(1) & (np.ptp(np.nan_to_num(rdms), axis=1) > 0)
    models = np.flatnonzero(varied & (names["seed"].isna() | (names["seed"] == seeds)).to_numpy()).tolist()
    lost = names[~varied]
    if len(lost):
        told = {
            " ".join(filter(None, (row.network, row.learning_rule, row.layer or row.model)))
            for row in lost.itertuples()
        }
        notes.append(f"Not drawn, as not finite or constant: {', '.join(sorted(told))}.")
    if len(chosen) < len(first.brains.names):
        notes.append(f"{len(chosen)} of {len(first.brains.names)} brain RDMs are drawn, spread over all.")
    return Shown(subjects, models, titles, about["comparison"]), " ".join(notes)


def _with_brains(compared: Compared, chosen: np.ndarray) -> Compared:
    """Some brain RDMs, without those of all runs but one: many subjects fit into memory."""
    brains = compared.brains
    names = brains.names.iloc[chosen].reset_index(drop=True)
    small = replace(brains, rdms=brains.rdms[chosen], run_rdms=brains.run_rdms[chosen, :1], names=names)
    return replace(compared, brains=small)


def _chosen_brains(names: pd.DataFrame) -> tuple[Int[np.ndarray, " chosen"], list[str]]:
    """At most ten: of EEG times after the stimulus, spread evenly."""
    times = names["time_s"].to_numpy(dtype=float)
    timed = np.isfinite(times)
    among = np.flatnonzero(~timed | (times > 0))
    among = among if len(among) else np.arange(len(times))
    most = 6 if timed.any() else MOST_BRAINS
    chosen = among[np.unique(np.linspace(0, len(among) - 1, min(most, len(among))).round().astype(int))]
    titles = [f"{times[i]:.2f} s" if timed[i] else str(names["region"].iloc[i]).replace("_", " ") for i in chosen]
    return chosen, titles


def _add_matrices(section: Section, shown: Shown, rows: pd.DataFrame, name: str) -> None:
    best = _best_layers(shown.names, rows)
    brains = np.mean([[rankdata(rdm) for rdm in one.brains.rdms] for one in shown.subjects], axis=0)
    models = shown.first.models.rdms[np.array(shown.models, dtype=int)[best]]
    titles = [*shown.titles, *(_title(row) for row in shown.names.iloc[best].itertuples())]
    rdms = np.concatenate([brains, models])
    conditions = shown.first.brains.conditions
    order = order_conditions(conditions, shown.first.labels, brains, "story" if shown.first.design else "category")
    sorted_rdms = triangle(square(rdms)[:, order.places[:, None], order.places])
    sizes = f": {_sizes(order.groups)}" if order.groups else ""
    alt = f"{len(rdms)} dissimilarity matrices of {len(conditions)} conditions, ordered by {order.by}{sizes}"
    caption = f"{alt}. Dark: unlike, as ranks. Of each network and rule the layer that is most like the brain"
    caption += f"; brains are means of ranks over {len(shown.subjects)} subjects." if len(shown.subjects) > 1 else "."
    first, second = pair_places(len(conditions))
    placed = [conditions[i] for i in order.places]
    pairs = [f"{placed[i]}|{placed[j]}" for i, j in zip(first, second, strict=True)]
    numbers = pd.DataFrame(sorted_rdms, index=titles, columns=pairs).T.reset_index(names="pair")
    section.add_picture(draw_rdms(sorted_rdms, titles, order.groups), f"{name}-rdms", alt, caption, numbers)


def _sizes(groups: tuple[tuple[str, int], ...]) -> str:
    if len(groups) > MOST_NAMED:
        return f"{len(groups)} groups"
    return ", ".join(f"{group} ({size})" for group, size in groups)


def _best_layers(names: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    """Rows of models that are no network, and of each network and rule the layer of the highest mean similarity."""
    means = rows.groupby(["network", "learning_rule", "layer"])["value"].mean()
    best = means.dropna().groupby(level=[0, 1]).idxmax().tolist()
    keys = list(zip(names["network"], names["learning_rule"], names["layer"], strict=True))
    return [place for place, key in enumerate(keys) if key[0] is None or key in best]


def _title(row: tuple) -> str:
    """A name short enough to stand above a matrix."""
    return f"{row.learning_rule} {row.layer}".replace("_", " ") if row.network else str(row.model).replace("_", " ")


def _add_map(section: Section, shown: Shown, network: str, name: str) -> None:
    """Brain and layers by 1 less their similarity: for each subject on its own, then averaged."""
    names = shown.names
    kept = (names["network"].isna() | (names["network"] == network)).to_numpy()
    models = names[kept].reset_index(drop=True)
    unlike = np.mean([_unlike(one, shown, np.array(shown.models)[kept]) for one in shown.subjects], axis=0)
    n = len(shown.titles)
    try:
        points, faithful = on_a_plane(unlike)
    except ValueError as error:
        section.add_text(f"No map of {network} and brain is drawn: {error}")
        return
    kinds = ["brain"] * n + ["network" if net else "model" for net in models["network"]]
    titles = [*shown.titles, *(_title(row) for row in models.itertuples())]
    table = pd.DataFrame({"kind": kinds, "name": titles, "x": points[:, 0], "y": points[:, 1]})
    for column in ("learning_rule", "layer"):
        table[column] = [None] * n + models[column].tolist()
    alt = f"Map of brain and layers of {network}. {_nearest(unlike, titles, kinds)}"
    seed = models["seed"].dropna().unique()
    caption = (
        f"{alt} Near: alike (1 less {shown.comparison.replace('_', ' ')}, multidimensional scaling). Distances of the "
        f"plane and the true ones correlate by {faithful:.2f}. Numbers: layers, of training seed {seed[0]}."
    )
    numbers = pd.concat([table, pd.DataFrame(unlike, columns=[f"unlike {title}" for title in titles])], axis=1)
    section.add_plot(draw_map(table), f"{name}-map-{network}", alt, caption, numbers)


def _unlike(one: Compared, shown: Shown, models: np.ndarray) -> Float[np.ndarray, "rdms rdms"]:
    """Dissimilarities of RDMs (less what is regressed out) in one subject."""
    chosen: Models = one.models.take(models)
    brains, comparison = one.brains, shown.comparison
    if one.design is not None:
        chosen, brains, comparison = one.design.adjusted(chosen, brains, comparison)
    return second_order(np.concatenate([brains.rdms, chosen.rdms]), comparison)


def _nearest(unlike: np.ndarray, titles: list[str], kinds: list[str]) -> str:
    """What is nearest to each brain RDM among the layers, with its similarity."""
    nets = np.flatnonzero(np.array(kinds) == "network")
    told = []
    for brain in np.flatnonzero(np.array(kinds) == "brain"):
        near = nets[np.argmin(unlike[brain, nets])]
        told.append(f"{titles[brain]}: {titles[near]} ({1 - unlike[brain, near]:.2f})")
    return f"Most alike (similarity): {', '.join(told)}."
