"""What makes a folder of results a BIDS derivative: its description, what validators may pass over, sidecars."""

import os
from importlib.metadata import version
from pathlib import Path

from brainlm.io.store import atomic, save_json

BIDS_VERSION = "1.10.0"
OWN_FILES = (
    "*_timeseries.*",
    "*_desc-quality.*",
    "*_desc-figures.*",
    "*_desc-rejected.*",
    "*_desc-*_dropped.tsv",
    "*_epo.fif",
    "*_xfm.*",
)  # BIDS has no name for these; fMRIPrep does the same


def describe(folder: Path, bids_root: Path) -> None:
    """Write the description of a derivative folder (named brainlm-...), unless it is there."""
    if (folder / "dataset_description.json").exists():
        return
    with atomic(folder / ".bidsignore") as tmp:
        tmp.write_text("".join(f"{pattern}\n" for pattern in OWN_FILES), encoding="utf-8")
    save_json(
        folder / "dataset_description.json",
        {
            "Name": f"{folder.name} derivatives",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "brainlm", "Version": version("brainlm")}],
            "DatasetLinks": {"raw": Path(os.path.relpath(bids_root, folder)).as_posix()},
        },
    )


def describe_series(path: Path, raw: dict, t_r: float, start_time: float, sources: list[str], space: str) -> None:
    """Write the sidecar of a preprocessed series: what the raw one said that still holds, and what was done.

    ``space`` says in words where the series lies. Times are in seconds.
    """
    kept = {name: raw[name] for name in ("TaskName", "EchoTime", "FlipAngle", "MagneticFieldStrength") if name in raw}
    done = {
        "RepetitionTime": t_r,
        "StartTime": start_time,
        "SkullStripped": False,
        "SliceTimingCorrected": "SliceTiming" in raw,
        "Sources": sources,
        "Description": f"Preprocessed by brainlm; {space}",
    }
    save_json(path.with_name(path.name.replace(".nii.gz", ".json")), kept | done)
