"""Sections on the quality of fMRI runs: ranked numbers, what was left out and why, and a figure a run."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.figures.quality import draw_strips
from brainlm.figures.quality_run import RunPicture, draw_run
from brainlm.io.reports import load_run_quality
from brainlm.io.store import load_json
from brainlm.preprocess.quality import FAR, TOO_MANY, rank_runs
from brainlm.report.page import Section

LABELS = {
    "fd_mean_mm": "mean displacement (mm)",
    "dvars_mean": "mean DVARS",
    "outlying_share": "share of outlying volumes",
    "tsnr_median": "median tSNR",
    "registration_explained": "variance explained by registration (the worst step)",
}
HEADS = {  # of the table, in this order; other quantities follow
    "worst_z": "worst z",
    "fd_mean_mm": "FD mm",
    "fd_max_mm": "FD max",
    "dvars_mean": "DVARS",
    "std_dvars_max": "std DVARS max",
    "tsnr_median": "tSNR",
    "outlying_share": "outlying",
    "registration_explained": "registered",
    "volumes": "volumes",
}
COUNTED = ("fd_above", "std_dvars_above", "non_steady_volumes")  # in the table of volumes
VOLUMES = ("volumes", "non_steady_volumes", "fd_above", "std_dvars_above", "outlying_share")
SCRUBBED = {"none": "kept", "zero": "out of the fit, set to 0", "interpolate": "out of the fit, bridged"}
COURSES = ("framewise_displacement", "rmsd", "dvars", "std_dvars")
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
MOST_DRAWN = 2000  # runs in the strips
NAMED = 6  # runs called by name in a sentence


def ranked_section(wide: pd.DataFrame, results: Path) -> Section:
    """All runs of the study, the worst first, cells that stand out marked, and each quantity as a strip of points.

    ``wide`` has a row a run (its short name) and a column a quantity.
    """
    section = Section("Quality: fMRI, the worst first", level=3)
    ranked, bad = rank_runs(wide, _fd_threshold(results))
    section.add_text(_verdict(ranked, bad, _fd_threshold(results)))
    _say_if_not_sought(section, wide)
    labels = {name: label for name, label in LABELS.items() if name in wide}
    if labels and len(wide) <= MOST_DRAWN:
        alt = f"{', '.join(labels.values())} of {len(wide)} runs as points; marked runs carry their names"
        told = "A point a run; filled and named: marked in the table; dashes: median."
        table = ranked.reset_index(names="recording")
        section.add_plot(draw_strips(ranked, bad, labels), "quality-fmri", alt, told, table)
    if len(wide) > MOST_DRAWN:
        section.add_text(f"More than {MOST_DRAWN} runs are not drawn as points; the table has them all.")
    _add_table(section, ranked, bad)
    return section


def run_sections(wide: pd.DataFrame, recordings: dict[str, str], results: Path) -> list[Section]:
    """The table of a subject's runs, what was left out of each and why, and a figure a run (marked runs are open).

    ``wide`` has a row a run (its short name); ``recordings`` leads from short names to recordings.
    """
    top = Section("Quality: fMRI", level=3)
    ranked, bad = rank_runs(wide, _fd_threshold(results))
    top.add_text(_verdict(ranked, bad, _fd_threshold(results)))
    _say_if_not_sought(top, wide)
    _add_table(top, ranked.loc[wide.index], bad.loc[wide.index])
    stored = {name: load_run_quality(results, recordings[name]) for name in wide.index}
    kept = _left_out(wide, {name: facts["settings"] for name, (_, _, facts) in stored.items()})
    top.add_table(
        kept, "Volumes that stand out, by cause (one may have several), and what became of them", "quality-volumes"
    )
    top.add_text(
        "A volume is outlying where displacement or standardised DVARS lies above its threshold, or the signal is not "
        "steady yet. Below: a figure a run; how to read it stands in docs/quality.md."
    )
    most = max((_most_tsnr(arrays) for arrays, _, _ in stored.values()), default=1.0)
    return [top, *(_run(name, *stored[name], most, bool(bad.loc[name].any())) for name in wide.index)]


def _run(name: str, arrays: dict, confounds: pd.DataFrame, facts: dict, most_tsnr: float, is_bad: bool) -> Section:
    settings = facts["settings"]
    thresholds = settings["fd_threshold_mm"], settings["std_dvars_threshold"]
    given = settings["engine"] != "brainlm" and settings["space"].startswith("MNI152")
    on_template = settings["grid"] == "template" or given
    picture = RunPicture(arrays, facts["t_r"], *thresholds, most_tsnr, on_template)
    section = Section(name, level=4, folded=True, open=is_bad)
    known = [column for column in (*MOTION, *COURSES) if column in confounds]
    numbers = confounds[known].assign(outlying=(confounds.filter(regex="outlier").sum(axis=1) > 0).astype(int))
    alt = f"{name}: {_courses_in_words(confounds, *thresholds)}; carpets before and after cleaning"
    alt += "; slices of mean image with outlines and of temporal SNR" if "slices_mean" in arrays else ""
    caption = "Triangles: above the threshold. Carpets show the same voxels, by tissue where it is known."
    section.add_picture(draw_run(confounds, picture), f"quality-{name}", alt, caption, numbers)
    return section


def _courses_in_words(confounds: pd.DataFrame, fd_mm: float, std_dvars: float) -> str:
    limits = {"framewise_displacement": ("displacement", fd_mm), "std_dvars": ("standardised DVARS", std_dvars)}
    return " and ".join(
        f"{label} above {limit:g} in {int((confounds[column] > limit).sum())} of {len(confounds)} volumes"
        for column, (label, limit) in limits.items()
        if column in confounds
    )


def _verdict(ranked: pd.DataFrame, bad: pd.DataFrame, fd_threshold_mm: float) -> str:
    marked = bad.index[bad.any(axis=1)].tolist()
    rule = (
        f"Marked: a robust z over these runs beyond {FAR:g}, a mean displacement above {fd_threshold_mm:g} mm, or more "
        f"than {100 * TOO_MANY:.0f} % outlying volumes."
    )
    if not marked:
        return f"None of {len(ranked)} runs stands out. {rule}"
    names = ", ".join(marked[:NAMED]) + (f" and {len(marked) - NAMED} more" if len(marked) > NAMED else "")
    return f"{len(marked)} of {len(ranked)} runs {'stands' if len(marked) == 1 else 'stand'} out: {names}. {rule}"


def _say_if_not_sought(section: Section, wide: pd.DataFrame) -> None:
    if "fd_mean_mm" not in wide:
        section.add_text("Motion was not estimated, so that there is no displacement.")


def _add_table(section: Section, table: pd.DataFrame, bad: pd.DataFrame) -> None:
    first = [name for name in HEADS if name in table]
    columns = first + [name for name in table if name not in (*first, *COUNTED)]
    shown = table[columns].reset_index(names="run").rename(columns=HEADS)
    flags = bad[columns].reset_index(drop=True).rename(columns=HEADS).assign(run=False)
    caption = (
        "A row a run. Worst z: the largest robust z of displacement (FD), DVARS, tSNR and registration; outlying: "
        "share of volumes; registered: share of variance explained"
    )
    section.add_table(shown, caption, "quality-fmri-table", flags)


def _left_out(wide: pd.DataFrame, settings: dict[str, dict]) -> pd.DataFrame:
    table = wide.reindex(columns=list(VOLUMES))
    rows = []
    for name, row in table.iterrows():
        limits = settings[name]["fd_threshold_mm"], settings[name]["std_dvars_threshold"]
        rows.append(
            {
                "run": name,
                "volumes": row["volumes"],
                "not steady": row["non_steady_volumes"],
                f"FD > {limits[0]:g} mm": row["fd_above"],
                f"std DVARS > {limits[1]:g}": row["std_dvars_above"],
                "outlying": np.round(row["outlying_share"] * row["volumes"]),
                "they are": SCRUBBED[settings[name]["scrub"]],
            }
        )
    return pd.DataFrame(rows)


def _most_tsnr(arrays: dict[str, np.ndarray]) -> float:
    if "slices_tsnr" not in arrays:
        return 1.0
    inside = arrays["slices_tsnr"][arrays["slices_mask"].astype(bool)].astype(float)
    return float(np.percentile(inside, 98)) if len(inside) else 1.0


def _fd_threshold(results: Path) -> float:
    return float(load_json(results / "config.json")["fmri"]["fd_threshold_mm"])
