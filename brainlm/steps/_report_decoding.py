"""Sections on decoding: one group for each protocol and seed, all folds together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from brainlm.decoding.controls import REFERENCES
from brainlm.decoding.identification import percentile_ranks
from brainlm.decoding.metrics import content_words
from brainlm.figures import decoding as figures
from brainlm.figures.brain import FEWEST_SLICES, draw_glass, draw_slices
from brainlm.figures.surface import draw_surface
from brainlm.io.fmri import load_volume
from brainlm.io.reports import load_decoded, load_named_arrays, load_preprocessing, load_word_shares
from brainlm.io.store import load_json, load_table
from brainlm.report import sentences
from brainlm.report.page import Section, mark_words
from brainlm.steps._report_eeg_decoding import add_gates
from brainlm.steps._report_split import split_section
from brainlm.steps._story_test import SILENT
from brainlm.steps._stretches import ENDING
from brainlm.stimuli.embeddings import tokenize

SHOWN, SEED = 20, 0  # windows of text on a page, and what they are drawn by
ENOUGH_BLOCKS = 20
RANKS = ("identification_rank", "identification_rank_matched", "text_rank")
SHARE = 0.05


@dataclass(frozen=True)
class Decoded:
    """What was decoded under one protocol with one seed: the units of its folds, and its rows of the tables."""

    results: Path
    subject: str
    modality: str
    protocol: str
    seed: int
    units: list[Path]
    facts: list[dict]  # of each unit
    rows: pd.DataFrame  # of the table decoding
    selector: pd.DataFrame

    @property
    def group(self) -> str:
        """Name for anchors and files."""
        return ("eeg-" if self.modality == "eeg" else "") + f"{self.protocol}-{self.seed}"

    @property
    def labels(self) -> bool:
        """Whether labels were decoded, not stories."""
        return self.facts[0]["kind"] == "labels"

    def section(self, title: str) -> Section:
        """A part of this group."""
        return Section(title, level=3, group=self.group)


def find_decoded(results: Path, subject: str, units: list[Path], decoding: pd.DataFrame, selector: pd.DataFrame):
    """The subject's units put together by modality, protocol and seed, fMRI first."""
    groups: dict[tuple[str, str, int], list[tuple[Path, dict]]] = {}
    for unit in units:
        facts = load_json(unit / "model.json")
        key = (facts.get("modality", "fmri"), facts["protocol"], facts["seed"])
        groups.setdefault(key, []).append((unit, facts))
    found = []
    for (modality, protocol, seed), members in sorted(groups.items(), key=lambda item: (item[0][0] == "eeg", item[0])):
        own = {"modality": modality, "protocol": protocol, "seed": seed}
        mine = [table[(table[list(own)] == list(own.values())).all(axis=1)] for table in (decoding, selector)]
        paths, facts = [list(part) for part in zip(*sorted(members, key=lambda m: m[1]["fold"]), strict=True)]
        found.append(Decoded(results, subject, modality, protocol, seed, paths, facts, *mine))
    return found


def decoding_sections(decoded: Decoded, headline: str) -> list[Section]:
    """Scores, examples, identification, maps, controls, training and split of one group.

    ``headline`` stands on top of the page and is not told again.
    """
    protocol = sentences.protocol_words(decoded.protocol)
    title = f"Decoding {protocol}" + (" from EEG" if decoded.modality == "eeg" else "")
    title += f", seed {decoded.seed}" if decoded.seed else ""
    scores = Section(title)
    _add_scores(scores, decoded, headline)
    windows = pd.concat([_windows(*pair) for pair in zip(decoded.units, decoded.facts, strict=True)])
    windows = windows.reset_index(drop=True)
    return [
        scores,
        _texts(decoded, windows),
        _confusion(decoded, windows) if decoded.labels else _identification(decoded, windows),
        _maps(decoded),
        _selector(decoded),
        _controls(decoded),
        _training(decoded),
        split_section(decoded.section("Split audit"), decoded.units, decoded.facts, decoded.labels),
    ]


def _add_scores(section: Section, decoded: Decoded, headline: str) -> None:
    rows = decoded.rows
    if rows.empty:
        section.add_text("The table decoding has no row of this unit: it was not scored.")
        return
    own = rows[rows["decoder"] == "brainlm"].set_index("metric")
    rate = rows[rows["decoder"] == "rate_only"].set_index("metric")
    told = [
        sentences.rank_sentence(
            own.loc[name].to_dict() | {"metric": name}, rate.loc[name].to_dict() if name in rate.index else None
        )
        for name in RANKS
        if name in own.index
    ]
    if decoded.labels:
        told.append(sentences.accuracy_sentence(own.loc["accuracy"].to_dict()))
        told.append("Ranks among windows are not defined for labels; the accuracy takes their place.")
    silent = rows[rows["metric"] == SILENT]
    if silent["value"].sum():
        told.append(f"{silent['value'].sum():g} of {silent['n'].sum():g} windows hold no word, and are left out.")
    if "gain" in own.index:
        gain = sentences.headline(own.loc["gain"].to_dict())
        told += [gain] if gain != headline else []
        blocks = own.loc["gain", "n_effective"]
        if blocks < ENOUGH_BLOCKS:
            told.append(
                f"The gain rests on {blocks:g} independent blocks, fewer than {ENOUGH_BLOCKS}: its p is coarse."
            )
    section.add_list(told)
    chosen = rows[rows["metric"].isin([*RANKS, "accuracy"])].copy()
    chosen = chosen[chosen["decoder"].isin(["brainlm", "rate_only"])]
    chosen["label"] = [
        metric.replace("_", " ") + (" (rate only)" if decoder == "rate_only" else "")
        for metric, decoder in zip(chosen["metric"], chosen["decoder"], strict=True)
    ]
    chosen = chosen.assign(own=chosen["decoder"] == "brainlm").sort_values("own", ascending=False, kind="stable")
    chance = float(own.loc["accuracy", "null"]) if decoded.labels else 0.5
    alt = "Scores of the decoder with 95 % intervals, their nulls and chance"
    columns = ["decoder", "metric", "value", "ci_low", "ci_high", "null", "p", "n", "n_effective"]
    section.add_plot(
        figures.draw_ranks(chosen, chance), f"ranks-{decoded.group}", alt, f"{alt}. Blue: brainlm.", chosen[columns]
    )
    more = rows[rows["decoder"] == "brainlm"].drop_duplicates("metric")
    shown = ["metric", "value", "ci_low", "ci_high", "null", "p", "p_gain", "p_holm", "n", "n_effective", "candidates"]
    more = more.reindex(columns=shown)
    section.add_table(more.dropna(axis=1, how="all"), "Every metric of the decoder", f"metrics-{decoded.group}")


def _windows(unit: Path, facts: dict) -> pd.DataFrame:
    """Decoded windows of a unit, each with the percentile rank of its true text."""
    table, stored = load_decoded(unit), load_named_arrays(unit / "identification.npz")
    scores = stored["scores"]
    if facts["kind"] == "labels":
        true = np.array([facts["labels"].index(label) for label in table["true"]])
    else:
        true = np.arange(len(scores))
    return table.assign(rank=percentile_ranks(scores, true), fold=facts["fold"])


def _texts(decoded: Decoded, windows: pd.DataFrame) -> Section:
    section = decoded.section("What was said, and what was decoded")
    shares = load_word_shares(decoded.results)
    content = content_words(list(shares), list(shares.values())) if shares and not decoded.labels else set()
    drawn = draw_windows(windows)
    section.add_text(
        f"{len(drawn)} of {len(windows)} test windows, drawn by chance (seed {SEED}) whatever they look like, in their "
        "order; then the best, the median and the worst by the rank of the true text."
    )
    if decoded.labels:
        section.add_text("A label counts as found only if the decoded text is the same, letter by letter.")
    elif content:
        section.add_text(
            "Content words that stand in both texts are marked; content words that were said and not decoded, or "
            "decoded and not said, are underlined. The rest are function words, or no words."
        )
    else:
        section.add_text("The language model's word counts are missing here, so that no word is marked.")
    order = windows.sort_values("rank", kind="stable")
    picked = [("best", order.iloc[-1]), ("median", order.iloc[len(order) // 2]), ("worst", order.iloc[0])]
    for why, row in [("", row) for _, row in drawn.iterrows()] + picked:
        where = f"{row['story'].rpartition('/')[2]}, {row['onset']:g} s; rank of the true text {row['rank']:.2f}"
        section.add_pair(
            f"{why}: {where}" if why else where,
            "true" if decoded.labels else "said",
            *_marked(row, content, decoded.labels),
        )
    return section


def draw_windows(windows: pd.DataFrame) -> pd.DataFrame:
    """``SHOWN`` windows by chance, the same for the same number of windows, in their order."""
    places = np.random.default_rng(SEED).permutation(len(windows))[:SHOWN]
    return windows.iloc[np.sort(places)]


def _marked(row: pd.Series, content: set[str], labels: bool) -> tuple:
    said, written = set(tokenize(row["true"])), set(tokenize(row["decoded"]))
    if labels:
        hit = row["true"] == row["decoded"]
        return mark_words(row["true"], said if hit else set(), set()), mark_words(
            row["decoded"], written if hit else set(), set() if hit else written
        )
    found = said & written & content
    return mark_words(row["true"], found, said & content), mark_words(row["decoded"], found, written & content)


def _identification(decoded: Decoded, windows: pd.DataFrame) -> Section:
    section = decoded.section("Identification")
    alt = "Percentile rank of the true text of every test window along each story"
    numbers = windows[["window", "story", "onset", "rank"]]
    section.add_plot(
        figures.draw_rank_course(windows),
        f"rank-course-{decoded.group}",
        alt,
        "Rank of the true text along time; above 0.5 is better than chance.",
        numbers,
    )
    stored = load_named_arrays(decoded.units[0] / "identification.npz")
    scores = stored["scores"]
    ranks = (rankdata(scores, axis=1) - 1) / max(1, scores.shape[1] - 1)
    stories = [str(story) for story in stored["stories"]]
    section.add_picture(
        figures.draw_identification(ranks, stories),
        f"identification-{decoded.group}",
        "Matrix of test windows by candidate texts; a bright diagonal means that the right text was found",
        "Every window of brain (row) against the text of every test window (column). A bright diagonal means that the "
        "right text was found; white lines part the stories.",
        pd.DataFrame(scores, columns=[str(label) for label in stored["labels"]]),
    )
    return section


def _confusion(decoded: Decoded, windows: pd.DataFrame) -> Section:
    section = decoded.section("Which label was taken for which")
    counts = pd.crosstab(windows["true"], windows["decoded"])
    known = sorted(set(windows["true"]))
    others = [name for name in counts.columns if name not in known]
    counts = counts.reindex(index=known, columns=[*known, *others], fill_value=0)
    if others:
        section.add_text(
            f"{len(others)} decoded texts are no label: {', '.join(name or '(empty)' for name in others)}."
        )
    alt = "Counts of decoded texts for every true label; the diagonal is right"
    numbers = counts.reset_index()
    section.add_picture(figures.draw_confusion(counts), f"confusion-{decoded.group}", alt, f"{alt}.", numbers)
    return section


def _maps(decoded: Decoded) -> Section:
    section = decoded.section("Where the information comes from")
    facts = decoded.facts[0]
    if decoded.modality == "eeg":
        add_gates(section, decoded.results, decoded.units, decoded.group)
        return section
    mask = np.zeros(facts["shape"], dtype=bool)
    mask.ravel()[facts["voxels"]] = True
    settings = [part.get("settings", {}) for part in load_preprocessing(decoded.results, decoded.subject)]
    on_template = bool(settings) and all(part.get("grid") == "template" for part in settings)
    if len(decoded.units) > 1:
        section.add_text(f"Means over the gates of {len(decoded.units)} folds; selected: in at least half of them.")
    share = f"the {sentences.show_share(SHARE)} of voxels that may pass most"
    for name, what in (("rate", "content gates"), ("timing_rate", "timing gates, which give length and pace")):
        rate, affine = _mean_volume(decoded.units, f"{name}.nii.gz")
        if not (rate > 0).any():
            section.add_text(f"The {what}: none of them is open, so that there is no map.")
            continue
        selected = _mean_volume(decoded.units, "selected.nii.gz")[0] >= 0.5 if name == "rate" else None
        outlined = "" if selected is None else _selection(int(selected.sum()), int(mask.sum()))
        numbers = _peaks(rate, affine, selected)
        thin = min(rate.shape) < FEWEST_SLICES
        shown = "nats a sample, in the one slice" if thin else f"{share} (nats a sample), on axial slices (z in mm)"
        caption = f"The {what}: {shown}.{outlined}"
        figure = draw_slices(rate, mask, affine, on_template, selected, SHARE)
        section.add_picture(figure, f"{name}-{decoded.group}", f"Map of the {what} on slices", caption, numbers)
        if on_template and name == "rate":
            caption = f"The same {what} seen through the head: left, front, right, top."
            figure = draw_glass(rate, affine, SHARE)
            section.add_picture(figure, f"glass-{decoded.group}", f"Glass brain of the {what}", caption, numbers)
            caption = f"The same {what} on the inflated cortex of fsaverage5; what lies deeper does not show."
            figure = draw_surface(rate, affine, SHARE)
            section.add_picture(figure, f"surface-{decoded.group}", f"Cortical map of the {what}", caption, numbers)
    if not on_template:
        section.add_text("The recordings are on their own grid, so that no template or glass brain is drawn.")
    return section


def _selection(n_selected: int, n_voxels: int) -> str:
    if n_selected == n_voxels:
        return " All voxels were kept."
    return f" Blue outline: the {n_selected} selected voxels." if n_selected else " No voxel was selected."


def _mean_volume(units: list[Path], name: str) -> tuple[np.ndarray, np.ndarray]:
    volumes = [load_volume(unit / name) for unit in units]
    return np.mean([np.asarray(volume, dtype=float) for volume, _ in volumes], axis=0), volumes[0][1]


def _peaks(rate: np.ndarray, affine: np.ndarray, selected: np.ndarray | None, most: int = 500) -> pd.DataFrame:
    """The voxels of the highest rate and where they lie (mm)."""
    best = np.argsort(-rate.ravel(), kind="stable")[:most]
    best = best[rate.ravel()[best] > 0]
    places = np.column_stack(np.unravel_index(best, rate.shape))
    table = pd.DataFrame(places @ affine[:3, :3].T + affine[:3, 3], columns=["x_mm", "y_mm", "z_mm"])
    table["rate_nats"] = rate.ravel()[best]
    return table if selected is None else table.assign(selected=selected.ravel()[best])


def _selector(decoded: Decoded) -> Section:
    section = decoded.section("The selector beside simpler maps")
    known = decoded.selector.drop(columns=["dataset", "subject", "modality", "protocol", "seed"], errors="ignore")
    known = known.dropna(axis=1, how="all")
    if known.empty:
        section.add_text("The table selector has no row of this unit.")
        return section
    if not any(name.startswith("auc") for name in known):
        section.add_text("Where the responsive voxels truly lie is not known in these data, so that maps have no AUC.")
    else:
        section.add_text(
            "auc: how well the rate tells planted voxels from all others (chance 0.5), distractors counted as others; "
            "beside it the same for other maps. precision at 100: planted voxels among the 100 of the highest rate."
        )
    if "rank_selected" in known:
        section.add_text(
            "rank: mean rank of the true window among all test windows (chance 0.5) with the readout fitted on the "
            "selected voxels, on as many by another map, and on the whole region of the atlas that did best on "
            "validation windows. A map that ranks as high finds voxels that serve as well."
        )
    if "dice_over_seeds" not in known:
        section.add_text("One fold and seed was trained, so that the stability of the selection is not known.")
    turned = known.set_index("fold").T.rename_axis("quantity").rename(columns=lambda fold: f"fold {fold}").reset_index()
    section.add_table(turned, "Selector", f"selector-{decoded.group}")
    return section


def _controls(decoded: Decoded) -> Section:
    section = decoded.section("Controls")
    metric = "accuracy" if decoded.labels else "content_word_recall"
    rows = decoded.rows[decoded.rows["metric"] == metric]
    if len(rows) < 2:
        section.add_text(f"No control was scored by {metric.replace('_', ' ')}.")
        return section
    section.add_text(
        "All on the same windows. upper bound is the decoder fed with the true text's features: a reference, no "
        "control."
        if not decoded.labels
        else "Linear classifiers on the same folds are baselines, which see the brain too; shuffled and constant "
        "answers enter the gain."
    )
    alt = f"{metric.replace('_', ' ').capitalize()} of the decoder, its controls and references with 95 % intervals"
    columns = ["decoder", "value", "ci_low", "ci_high", "n", "n_effective"]
    figure = figures.draw_controls(rows, REFERENCES, metric.replace("_", " "))
    section.add_plot(figure, f"controls-{decoded.group}", alt, f"{alt}.", rows[columns])
    texts = decoded.rows[decoded.rows["decoder"] != "rate_only"]
    wide = texts.pivot_table(index="decoder", columns="metric", values="value", aggfunc="first", sort=False)
    wide = wide.drop(columns=[*RANKS, "gain", "top1", "top10", "mrr"], errors="ignore")
    wide = wide.drop(columns=[name for name in wide if ENDING.search(name)])  # too wide a page: in the table decoding
    section.add_table(wide.reset_index(), "Every metric of every decoder", f"controls-table-{decoded.group}")
    return section


def _training(decoded: Decoded) -> Section:
    section = decoded.section("Training")
    unit = decoded.units[0]
    if len(decoded.units) > 1:
        section.add_text(f"Curves of the first of {len(decoded.units)} folds.")
    history = load_table(unit / "history.tsv")
    figure = figures.draw_history(history)
    section.add_plot(
        figure, f"training-{decoded.group}", "Terms of the loss over updates", "Training of the gates.", history
    )
    choices = unit / "choices.tsv"
    table = load_table(choices) if choices.exists() else pd.DataFrame()
    if table.empty:
        section.add_text("The number of voxels was not chosen among several, so there is no curve over it.")
    else:
        alt = "Validation score against the number of voxels kept"
        caption = f"{alt}, at the best penalty; the blue point was chosen."
        section.add_plot(figures.draw_choices(table), f"choices-{decoded.group}", alt, caption, table)
    if nats := decoded.facts[0].get("adapter"):
        section.add_text(sentences.adapter_sentence(nats))
    return section
