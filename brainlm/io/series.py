"""Region series in place of volumes: a table of numbers a subject, named by the config's ``fmri.series``."""

import re
from pathlib import Path

from brainlm.errors import ConfigError, DataError
from brainlm.io.fmri import load_region_series
from brainlm.io.transcripts import find_transcript


def find_series(root: Path, settings: dict) -> list[dict[str, str]]:
    """A row of the run table for each file that fits ``settings["files"]``, where {subject} is the label.

    Raises
    ------
    ConfigError
        If the pattern does not hold {subject} once.
    DataError
        If no file fits.
    """
    pattern = settings["files"]
    if pattern.count("{subject}") != 1:
        raise ConfigError(f"fmri.series.files: expected a path with {{subject}} once, got {pattern}.")
    before, after = pattern.split("{subject}")
    label = re.compile(re.escape(before) + "([A-Za-z0-9]+)" + re.escape(after))
    found = [
        (path, label.fullmatch(path.relative_to(root).as_posix())) for path in sorted(root.glob(f"{before}*{after}"))
    ]
    rows = [_row(path.relative_to(root), match[1], settings["task"]) for path, match in found if match]
    if not rows:
        raise DataError(f"{root / pattern}: expected region series, found no file of that name.")
    return rows


def examine_series(root: Path, row: dict[str, str], config: dict) -> dict[str, str]:
    """What the run table says about the region series of ``row``; the first sample is at ``start_s`` of the story.

    Raises
    ------
    DataError
        If the file or the story's words are not there, or the file does not hold the regions.
    """
    settings = config["fmri"]["series"]
    samples = load_region_series(root / row["path"], settings["regions"])[0].shape[3]
    find_transcript(root / config["stimuli"]["folder"], settings["story"])
    return {
        "t_r": f"{settings['t_r']:.9g}",
        "n_samples": str(samples),
        "duration_s": f"{settings['start_s'] + samples * settings['t_r']:.6g}",
        "story": settings["story"],
    }


def _row(path: Path, subject: str, task: str) -> dict[str, str]:
    name = f"sub-{subject}/func/sub-{subject}_task-{task}"
    return {"recording": name, "modality": "fmri", "subject": subject, "task": task, "path": path.as_posix()}
