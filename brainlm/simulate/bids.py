"""Writing the data set: NIfTI, BrainVision, PNG, sound and their BIDS sidecars, with equal bytes for equal input."""

import json
import wave
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pybv
from jaxtyping import Float, Int16, Num, UInt8
from PIL import Image

from brainlm.simulate.eeg import CHANNELS, LINE_HZ, SFREQ, landmarks, positions
from brainlm.simulate.fmri import TR, slice_times

_EVENTS = {
    "trial_type": {"Description": "story: a story is heard; in picture runs, the name of the picture shown"},
    "stim_file": {"Description": "File under stimuli/; a story's words and characters lie beside its sound"},
}


def write_json(path: Path, content: dict) -> None:
    """Sorted as given, indented, with a newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Tab-separated, missing values as n/a."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def write_volume(path: Path, data: Num[np.ndarray, "..."], affine: Float[np.ndarray, "4 4"]) -> None:
    """NIfTI in mm and seconds; a fourth axis has the step ``TR``. The space is MNI152 (qform and sform code 4)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, 4)
    image.set_sform(affine, 4)
    if data.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], TR))
    nib.save(image, path)


def write_bold(
    stem: Path, series: Int16[np.ndarray, "x y z volumes"], affine: np.ndarray, events: pd.DataFrame
) -> None:
    """One BOLD run with its sidecar and events; ``stem`` ends in ``_run-..``."""
    write_volume(_named(stem, "_bold.nii.gz"), series, affine)
    task = stem.name.split("_task-")[1].split("_")[0]
    sidecar = {
        "TaskName": task,
        "RepetitionTime": TR,
        "EchoTime": 0.03,
        "FlipAngle": 77,
        "MagneticFieldStrength": 3,
        "Manufacturer": "simulated",
        "SliceTiming": [float(t) for t in slice_times()],
        "PhaseEncodingDirection": "j-",
        "Instructions": "Listen" if task == "story" else "Look",
    }
    write_json(_named(stem, "_bold.json"), sidecar)
    _write_events(stem, events)


def write_eeg(stem: Path, microvolts: Float[np.ndarray, "time channels"], events: pd.DataFrame) -> None:
    """One EEG run as BrainVision (0.1 microvolt a step) with its sidecars."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    pybv.write_brainvision(
        data=microvolts.T * 1e-6,
        sfreq=SFREQ,
        ch_names=list(CHANNELS),
        fname_base=f"{stem.name}_eeg",
        folder_out=str(stem.parent),
        resolution=0.1,
        unit="µV",
        fmt="binary_int16",
    )
    write_json(_named(stem, "_eeg.json"), _eeg_sidecar(stem, len(microvolts)))
    channels = {"name": CHANNELS, "type": "EEG", "units": "µV", "low_cutoff": "n/a", "high_cutoff": "n/a"}
    write_tsv(_named(stem, "_channels.tsv"), pd.DataFrame(channels | {"sampling_frequency": SFREQ}))
    _write_events(stem, events)


def write_electrodes(folder: Path, subject: str) -> None:
    """Where the electrodes of one subject lie."""
    stem = folder / f"sub-{subject}_space-CapTrak"
    x, y, z = np.round(positions(), 4).T
    write_tsv(_named(stem, "_electrodes.tsv"), pd.DataFrame({"name": CHANNELS, "x": x, "y": y, "z": z}))
    coordsystem = {
        "EEGCoordinateSystem": "CapTrak",
        "EEGCoordinateUnits": "m",
        "AnatomicalLandmarkCoordinates": landmarks(),
        "AnatomicalLandmarkCoordinateSystem": "CapTrak",
        "AnatomicalLandmarkCoordinateUnits": "m",
    }
    write_json(_named(stem, "_coordsystem.json"), coordsystem)


def write_picture(path: Path, image: UInt8[np.ndarray, "32 32 3"]) -> None:
    """A PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_sound(path: Path, words: pd.DataFrame, seconds: float, rng: np.random.Generator) -> None:
    """A stand-in for the story's sound (WAV, 4 kHz, 8 bits): noise as loud as each word, silence between."""
    rate = 4000
    envelope = np.zeros(int(np.ceil(seconds * rate)))
    for onset, duration, loud in zip(words["onset"], words["duration"], words["loudness"], strict=True):
        part = envelope[int(onset * rate) : int((onset + duration) * rate)]
        part += loud * np.hanning(len(part))
    samples = np.clip(128 + 25 * envelope * rng.standard_normal(len(envelope)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())


def _named(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _write_events(stem: Path, events: pd.DataFrame) -> None:
    write_tsv(_named(stem, "_events.tsv"), events)
    write_json(_named(stem, "_events.json"), _EVENTS)


def _eeg_sidecar(stem: Path, n_samples: int) -> dict:
    task = stem.name.split("_task-")[1].split("_")[0]
    return {
        "TaskName": task,
        "Instructions": "Listen" if task == "story" else "Look",
        "Manufacturer": "simulated",
        "EEGReference": "FCz",
        "EEGGround": "AFz",
        "EEGPlacementScheme": "10-20",
        "SamplingFrequency": SFREQ,
        "PowerLineFrequency": LINE_HZ,
        "SoftwareFilters": "n/a",
        "HardwareFilters": "n/a",
        "EEGChannelCount": len(CHANNELS),
        "EOGChannelCount": 0,
        "ECGChannelCount": 0,
        "EMGChannelCount": 0,
        "MiscChannelCount": 0,
        "TriggerChannelCount": 0,
        "RecordingType": "continuous",
        "RecordingDuration": n_samples / SFREQ,
    }
