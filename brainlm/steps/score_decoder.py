"""Step: score the decoded recordings of one subject, protocol and seed beside every control."""

import logging
from pathlib import Path

import pandas as pd

from brainlm.decoding.audit import find_fitted
from brainlm.io.bids import read_dataset_name
from brainlm.io.language import load_weights
from brainlm.io.store import load_json, save_table
from brainlm.steps._adapter import attach_adapter
from brainlm.steps._label_scores import score_labels
from brainlm.steps._language import load_language
from brainlm.steps._runs import Sources
from brainlm.steps._selector_scores import score_selector, score_sensors
from brainlm.steps._split_audit import stamp_leaks
from brainlm.steps._story_scores import score_stories
from brainlm.training.devices import resolve_device

logger = logging.getLogger(__name__)

COLUMNS = [
    *("dataset", "subject", "modality", "protocol", "minutes", "fold", "seed", "decoder", "metric", "value", "ci_low"),
    *("ci_high", "null", "of", "p", "p_gain", "n", "n_effective", "window_s", "candidates", "oracle_timing"),
    *("leak_stamp", "n_null", "p_smallest", "best_control", "left_out", "space"),
]


def score_decoder(
    *,
    index: Path,
    derivatives: Path,
    stimuli: Path,
    bids_root: Path,
    language_model: Path,
    units: list[Path],
    truth: Path = Path("none"),
    settings: dict,
    seed: int,
    device: str,
    out: Path,
) -> None:
    """Write the rows of the table decoding (``out``), and of the table selector beside it (_selector.tsv).

    ``units`` are all folds of one subject, protocol and seed. ``truth`` is the folder with the planted voxels of a
    simulated data set, or none. A leak stops the job, unless evaluation.allow_leaks is set.
    """
    states, facts = zip(*(load_weights(unit) for unit in units), strict=True)
    modality = facts[0].get("modality", "fmri")
    sources = Sources(index, derivatives, stimuli, bids_root, modality)
    language = load_language(language_model)
    place = resolve_device(device)
    language.decoder.to(place)
    if facts[0]["kind"] == "labels":
        stamp = stamp_leaks(_fitted_on_test(units), f"sub-{facts[0]['subject']}", settings)
        rows = [{"leak_stamp": stamp} | row for row in score_labels(sources, units, language, settings, seed)]
    else:
        attach_adapter(states[0], language)
        rows = score_stories(sources, units, language, settings, seed, place)
    known = {
        "dataset": read_dataset_name(bids_root),
        "subject": facts[0]["subject"],
        "seed": facts[0]["seed"],
    }
    common = known | {
        "modality": modality,
        "protocol": facts[0]["protocol"],
        "fold": "all" if len(units) > 1 else facts[0]["fold"],
        "oracle_timing": "no",
    }
    table = pd.DataFrame(rows).assign(**common)
    save_table(out, table.reindex(columns=COLUMNS))
    score_gates = score_sensors if modality == "eeg" else score_selector
    selector = [
        score_gates(sources, unit, language, settings, truth, seed)
        | known
        | {"fold": fact["fold"], "modality": modality}
        for unit, fact in zip(units, facts, strict=True)
    ]
    save_table(out.with_name(out.name.replace("_scores.tsv", "_selector.tsv")), pd.DataFrame(selector))


def _fitted_on_test(units: list[Path]) -> list[str]:
    """Sentences that name what was fitted on a recording that is tested."""
    splits = {unit.name: load_json(unit / "split.json") for unit in units}
    return [
        f"{name}: {leak}" for name, split in splits.items() for leak in find_fitted(split["fitted_on"], split["test"])
    ]
