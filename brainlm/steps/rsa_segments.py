"""Compare one subject's brain during segments of stories with networks that read them."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.errors import DataError, choose
from brainlm.io.activity import load_arrays, load_patterns
from brainlm.rsa.bootstrap import FEWEST_CONDITIONS
from brainlm.rsa.brains import region_rdms
from brainlm.rsa.compare import PARTIAL, check_same_conditions
from brainlm.rsa.design import Design
from brainlm.rsa.mixtures import among
from brainlm.rsa.models import Models, difference_rdm, network_models
from brainlm.rsa.pairs import pair_places
from brainlm.rsa.rdm import BRAIN_MEASURES, CROSS_VALIDATED, WHITENED
from brainlm.rsa.table import subject_tables
from brainlm.steps._rsa_results import (
    Compared,
    check_settings,
    labelled,
    noted,
    save_compared,
    save_tables,
    without_layers,
)
from brainlm.steps._segment_texts import NUMBERS, load_texts

logger = logging.getLogger(__name__)


def rsa_segments(
    *,
    patterns: Path,
    texts: Path,
    activities: list[Path],
    subject: str,
    modality: str,
    settings: dict,
    seed: int,
    out: Path,
    rules_out: Path,
    rdms_out: Path,
) -> None:
    """Compare the brain RDMs of the segments that ``subject`` heard with the RDMs of all layers in ``activities``.

    ``settings`` is the config's section ``rsa``; its ``segments.controls`` (differences of length, frequency and word
    rate of the text, one story or another, distance in time) are regressed out of both sides. Stories are shifted in
    circles, not shuffled. Writes the same files as the step rsa.
    """
    told = settings["segments"]
    choose("rsa.segments.measure", told["measure"], list(BRAIN_MEASURES))
    settings = settings | {"measure": told["measure"]}
    check_settings(settings)
    if told["controls"]:
        choose("rsa.comparison of segments, whose controls are regressed out,", settings["comparison"], PARTIAL)
    table = load_texts(texts)
    values, about, notes = _heard(patterns, table)
    if len(values) < 2 and told["measure"] in (*WHITENED, *CROSS_VALIDATED):
        raise DataError(
            f"{patterns}: rsa.segments.measure {told['measure']} asks for segments that are all heard twice or more, "
            "got some heard once. Choose correlation."
        )
    own = table[table["condition"].isin(set(about["conditions"]))].reset_index(drop=True)
    stored = [load_arrays(path) for path in activities]
    if not stored:
        raise DataError(f"{patterns}: expected activities of networks that read its segments, got none. Name one.")
    try:
        brains = region_rdms(values, None, about["regions"], tuple(own["condition"]), told["measure"])
        models = network_models(stored, settings["network_measure"])
        check_same_conditions(models.conditions, tuple(table["condition"]))
        rdms = among(models.rdms, np.flatnonzero(table["condition"].isin(set(own["condition"]))))
        compared = Compared(brains, Models(rdms, models.names, brains.conditions), _design(own, told["controls"]))
    except ValueError as error:
        raise DataError(f"{patterns} and networks that read its segments: {error} See rsa.segments.") from error
    known = {"dataset": about["dataset"], "subject": subject, "modality": modality, "stimuli": "segments"}
    known |= {"without_layers": without_layers(stored)}
    tables = subject_tables(compared.models, brains, settings, np.random.default_rng(seed), compared.design)
    logger.info("sub-%s %s: %d models x %d brain RDMs", subject, modality, len(rdms), len(brains.rdms))
    save_compared(rdms_out, compared, known | settings)
    save_tables(out, rules_out, [labelled(noted(tables, "; ".join(notes) or None), known)])


def _heard(path: Path, table: pd.DataFrame) -> tuple[Float[np.ndarray, "runs segments features"], dict, list[str]]:
    """Patterns of the segments with words in the order of ``table``, what they are, and what is to be told of them.

    Where every segment was heard the same number of times, each time is a run; else times are averaged.
    """
    arrays, about = load_patterns(path)
    rows = pd.DataFrame(about["segments"])
    order = [name for name in table["condition"] if name in set(rows["condition"])]
    if len(order) < FEWEST_CONDITIONS:
        raise DataError(
            f"{path}: expected at least {FEWEST_CONDITIONS} segments with words, got {len(order)}. See rsa.segments."
        )
    silent = rows.loc[~rows["condition"].isin(order), "condition"].nunique()
    notes = [f"{silent} segments without words are left out"] if silent else []
    places = rows.groupby("condition").indices
    times = {len(places[name]) for name in order}
    if len(times) == 1:
        values = np.stack([arrays["values"][places[name]] for name in order], axis=1)
    else:
        values = np.stack([arrays["values"][places[name]].mean(axis=0) for name in order])[None]
        notes.append(f"segments were heard {min(times)} to {max(times)} times and averaged")
    return values, about | {"conditions": order}, notes


def _design(table: pd.DataFrame, names: list[str]) -> Design:
    """The segments' stories, and the RDMs of those controls that differ between any two segments."""
    conditions = tuple(table["condition"])
    first, second = pair_places(len(table))
    story, onset = table["story"].to_numpy(), table["onset"].to_numpy(dtype=float)
    same, apart = story[first] == story[second], np.abs(onset[first] - onset[second])
    rdms = {"story": (~same).astype(float), "time": np.where(same, apart, apart[same].max(initial=0.0))}
    rdms |= {
        name: difference_rdm(table[name].to_numpy(), conditions).dissimilarities
        for name in NUMBERS
        if np.ptp(table[name].to_numpy()) > 0
    }
    used = [name for name in names if name in rdms and np.ptp(rdms[name]) > 0]
    n_pairs = len(first)
    return Design(tuple(story), np.array([rdms[name] for name in used]).reshape(-1, n_pairs), tuple(used))
