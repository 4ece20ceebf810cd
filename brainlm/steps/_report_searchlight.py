"""Sections on searchlights and on models that are no networks, for a subject or for the group."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.figures.brain import draw_glass, draw_slices, top_share
from brainlm.figures.surface import draw_surface
from brainlm.io.store import load_json
from brainlm.report.page import Section
from brainlm.report.sentences import show_share
from brainlm.rsa.bootstrap import FEWEST_SUBJECTS
from brainlm.rsa.maps import UNTRAINED
from brainlm.rsa.models import OWN
from brainlm.steps._searchlight_maps import ALPHA, Maps, load_maps
from brainlm.workflow import GROUP_SEARCHLIGHT, SEARCHLIGHT

SHARE = 0.05  # of voxels that are drawn
MOST = 500  # voxels whose numbers stand beneath a figure
SHOWN = [
    *("network", "learning_rule", "minus", "model", "layer", "x_mm", "y_mm", "z_mm", "value", "p_corrected"),
    *("size_voxels", "size_mm3"),
]


def searchlight_sections(rows: pd.DataFrame, results: Path, subject: str) -> list[Section]:
    """Maps of the searchlight and their peaks; none where no searchlight was asked for."""
    config = load_json(results / "config.json")
    told = config["rsa"]["searchlight"]
    if told["radius_mm"] is None:
        return []
    section = Section("RSA around every voxel (searchlight)", level=3)
    if rows.empty:
        section.add_text(_why_none(config, subject))
        return [section]
    name = GROUP_SEARCHLIGHT if subject == "group" else SEARCHLIGHT.format(subject=subject, modality="fmri")
    maps, facts = load_maps(results / f"{name}.tsv")
    section.add_text(_how(facts))
    section.add_list([f"Note: {facts['note']}."]) if facts["note"] else None
    best = _best(maps, maps.names["learning_rule"].notna() & maps.names["minus"].isna())
    best = _best(maps, maps.names["minus"].isna()) if best is None else best
    on_template = config["fmri"]["grid"] == "template"
    _add_map(section, maps, best, on_template, subject)
    difference = _best_difference(maps)
    if difference is None:
        section.add_text("There is no difference to show: no learning rule was mapped beside the untrained network.")
    else:
        _add_map(section, maps, difference, on_template, subject)
    caption = (
        f"A row a cluster of voxels with corrected p below {ALPHA:g}, at its peak (mm); a map without one has its "
        "highest voxel, of size 0. The maps themselves: folder rsa of the results (NIfTI)"
    )
    section.add_table(rows.reindex(columns=SHOWN).dropna(axis=1, how="all"), caption, f"searchlight-{subject}")
    return [section]


def other_models_section(rows: pd.DataFrame, subject: str) -> list[Section]:
    """Users' own RDMs beside pixels and category, where they are most like the brain; none without users' RDMs."""
    if rows.empty:
        return []
    others = rows[rows["network"].isna() & (rows["stimuli"] == "conditions")]
    if not set(others["model"]) - set(OWN):
        return []
    section = Section("RSA with models that are no networks", level=3)
    columns = ["modality", "model", "region", "time_s", "value", "ci_low", "ci_high", "ceiling_lower", "ceiling_upper"]
    best = others.sort_values("value", ascending=False, kind="stable").drop_duplicates(["modality", "model"])
    table = best[[*columns, "p", "p_corrected"]].dropna(axis=1, how="all")
    caption = "Each model where it is most like the brain; p corrected over all models and places. All: tables/rsa.tsv"
    section.add_table(table, caption, f"models-{subject}")
    return [section]


def _why_none(config: dict, subject: str) -> str:
    if subject != "group":
        return "There is no searchlight here: this subject has no fMRI runs with conditions."
    if config["fmri"]["grid"] != "template":
        return (
            "There is no searchlight of the group: brains lie on grids of their own (fmri.grid: native), so that "
            "voxels of two people do not match. Maps of each subject are on its page."
        )
    return (
        f"There is no searchlight of the group: inference over subjects needs at least {FEWEST_SUBJECTS}. Maps of each "
        "subject are on its page."
    )


def _how(facts: dict) -> str:
    text = (
        f"Around each of {facts['voxels']:,} voxels the patterns within {facts['radius_mm']:g} mm were compared with "
        f"every model ({facts['measure']}, {facts['comparison'].replace('_', ' ')}); layers are averaged over training "
        "seeds. "
    )
    if "patches_cut" not in facts:  # of a group
        how = {"cluster": "by clusters", "fdr": "by false discovery rate"}.get(facts["correction"], "by the maximum")
        return text + (
            f"p: signs of whole subjects flipped ({facts['n_subjects']} subjects; none can be below "
            f"{facts['smallest_p']:.3g}), corrected over all voxels and maps {how}; differences to the untrained "
            f"network in both directions (none below twice that). {facts['voxels_left_out']:,} voxels that not all "
            "subjects have are left out."
        )
    return text + (
        f"A whole patch has {facts['voxels_of_a_whole_patch']} voxels; {facts['patches_cut']:,} are cut at the mask's "
        f"edge, and {facts['patches_too_small']:,} have fewer than {facts['fewest_voxels']} voxels and no value. p: "
        f"conditions shuffled {facts['n_permutations']:,} times, corrected by the maximum over all voxels and models. "
        "Differences to the untrained network are not tested in a single subject."
    )


def _best(maps: Maps, chosen: pd.Series) -> int | None:
    """Of some maps the one with the highest value anywhere."""
    rows = np.flatnonzero(chosen)
    return None if not len(rows) else int(rows[np.argmax(maps.values[rows].max(axis=1))])


def _best_difference(maps: Maps) -> int | None:
    """The difference to the untrained network of the learning rule and layer with the highest value."""
    names, differences = maps.names, maps.names["minus"].notna()
    if not differences.any():
        return None
    key = ["network", "learning_rule", "layer"]
    own = names.loc[differences, key].apply(tuple, axis=1)
    trained = names["minus"].isna() & names["learning_rule"].ne(UNTRAINED) & names[key].apply(tuple, axis=1).isin(own)
    best = _best(maps, trained)
    return int(own.index[own == tuple(names.loc[best, key])][0])


def _add_map(section: Section, maps: Maps, row: int, on_template: bool, subject: str) -> None:
    """Slices of one map, and the glass brain on the template's grid, with numbers of what is drawn."""
    name = maps.names.iloc[row]
    title, minus = _title(name), name["minus"] is not None
    values, clear = maps.values[row], maps.p_corrected[row] < ALPHA
    kind = "difference" if minus else "similarity"
    label = f"searchlight-{kind}-{subject}"
    shown = np.abs(values) if minus else np.maximum(values, 0)
    if not (shown > 0).any():
        section.add_text(f"The map of {title} is 0 or less everywhere, so that it is not drawn.")
        return
    volume, chosen, below = (_volume(maps, part) for part in (shown, clear, minus & (values < 0)))
    outlined = f"Blue outline: the {clear.sum():,} voxels with corrected p below {ALPHA:g}."
    outlined = outlined if clear.any() else f"No voxel has a corrected p below {ALPHA:g}."
    outlined = "Not tested." if np.isnan(maps.p_corrected[row]).all() else outlined
    of = "" if minus else ", of those above 0,"
    strokes = " Strokes: untrained is more like the brain." if minus else ""
    picked = "It is the map with the highest value, picked on these data: its height is no test."
    picked = "Of the rule and layer with the highest value." if minus else picked
    caption = (
        f"The {show_share(SHARE)} of voxels with the largest {kind} ({title}){of} on axial slices (z in mm).{strokes} "
        f"{outlined} {picked}"
    )
    mask = maps.space.mask
    figure = draw_slices(volume, mask, maps.space.affine, on_template, chosen > 0, SHARE, kind, below > 0)
    section.add_picture(figure, label, f"Map of the {kind} of {title} and brain", caption, _numbers(maps, row, shown))
    forward = np.maximum(values, 0)
    if on_template and (forward > 0).any():
        volume, numbers = _volume(maps, forward), _numbers(maps, row, forward)
        figure, above = draw_glass(volume, maps.space.affine, SHARE), ", above 0 only" if minus else ""
        caption = f"The same seen through the head (left, front, right, top){above}."
        section.add_picture(figure, f"{label}-glass", f"Glass brain of the {kind}: {title}", caption, numbers)
        figure = draw_surface(volume, maps.space.affine, SHARE)
        caption = f"The same on the inflated cortex of fsaverage5{above}; what lies deeper does not show."
        section.add_picture(figure, f"{label}-surface", f"Cortical map of the {kind}: {title}", caption, numbers)


def _title(name: pd.Series) -> str:
    if name["network"] is None:
        return str(name["model"])
    title = f"{name['learning_rule'].replace('_', ' ')}, {name['network']} {name['layer']}"
    return title if name["minus"] is None else f"{title}, minus {name['minus']}"


def _volume(maps: Maps, values: np.ndarray) -> np.ndarray:
    full = np.zeros(maps.space.mask.shape)
    full[maps.space.mask] = values
    return full


def _numbers(maps: Maps, row: int, shown: np.ndarray) -> pd.DataFrame:
    """The voxels that are drawn, the largest first, and where they lie (mm)."""
    best = np.argsort(-shown, kind="stable")[:MOST]
    best = best[shown[best] >= top_share(shown, SHARE)]
    affine = maps.space.affine
    places = np.argwhere(maps.space.mask)[best] @ affine[:3, :3].T + affine[:3, 3]
    table = pd.DataFrame(places, columns=["x_mm", "y_mm", "z_mm"])
    return table.assign(value=maps.values[row][best], p_corrected=maps.p_corrected[row][best])
