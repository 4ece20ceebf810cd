"""The whole data set: what is shared, then each subject's runs, with the truth under sourcedata/truth."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.simulate import answers, bids, brain, eeg, fmri
from brainlm.simulate.stories import characters
from brainlm.simulate.study import Study

log = logging.getLogger(__name__)


def write_dataset(out: Path, study: Study) -> None:
    """Write the BIDS data set of ``study`` into the folder ``out``."""
    _write_description(out, study)
    _write_stimuli(out, study)
    _write_group_truth(out, study)
    stimulus = [answers.story_columns(story, study.meanings) for story in study.stories]
    columns = [np.hstack(pair) for pair in stimulus]
    for number in range(1, study.size.subjects + 1):
        subject = f"{number:02d}"
        log.info("simulating sub-%s", subject)
        _write_fmri(out, study, subject, columns)
        if study.size.eeg_stories:
            _write_eeg(out, study, subject)


def _write_description(out: Path, study: Study) -> None:
    description = {
        "Name": "brainlm simulated study",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["brainlm"],
    }
    bids.write_json(out / "dataset_description.json", description)
    names = [f"sub-{n:02d}" for n in range(1, study.size.subjects + 1)]
    ages = [int(study.rng("age", name).integers(20, 40)) for name in names]
    bids.write_tsv(out / "participants.tsv", pd.DataFrame({"participant_id": names, "age": ages}))
    bids.write_json(out / "participants.json", {"age": {"Description": "Simulated age", "Units": "year"}})
    (out / "README").write_text(_README, encoding="utf-8")


def _write_stimuli(out: Path, study: Study) -> None:
    folder = out / "stimuli"
    for story in study.stories:
        bids.write_tsv(folder / f"{story.name}_words.tsv", story.words[["onset", "duration", "text"]])
        bids.write_tsv(folder / f"{story.name}_chars.tsv", characters(story))
        bids.write_sound(folder / f"{story.name}.wav", story.words, story.duration, study.rng("sound", story.name))
    (folder / "language_model.txt").write_text(study.text, encoding="utf-8")
    for name, image in study.pictures.items():
        bids.write_picture(folder / "pictures" / f"{name}.png", image)
    for name, image in study.training_pictures.items():
        bids.write_picture(folder / "pictures_train" / f"{name}.png", image)
    for part, images in (("pictures", study.pictures), ("pictures_train", study.training_pictures)):
        if images:
            rows = [(f"{name}.png", name.rstrip("0123456789")) for name in images]
            bids.write_tsv(folder / part / "labels.tsv", pd.DataFrame(rows, columns=["file", "label"]))


def _write_group_truth(out: Path, study: Study) -> None:
    truth = out / "sourcedata" / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    (truth / "README").write_text(_TRUTH_README, encoding="utf-8")
    meanings = study.meanings
    np.savez(truth / "latents.npz", words=np.array(meanings.words), vectors=meanings.vectors)
    bids.write_tsv(truth / "words.tsv", pd.DataFrame({"text": meanings.words, "topic": meanings.topics}))
    for story in study.stories:
        bids.write_tsv(truth / f"{story.name}_words.tsv", story.words)
    if study.pictures:
        np.savez(truth / "picture_levels.npz", names=np.array(list(study.pictures)), **study.levels)
    labels, names = brain.regions()
    atlas = out / "sourcedata" / "atlas"
    bids.write_volume(atlas / "atlas-regions_dseg.nii.gz", labels.astype(np.int16), brain.affine())
    table = pd.DataFrame({"index": range(1, len(names) + 1), "name": names})
    bids.write_tsv(atlas / "atlas-regions_dseg.tsv", table)


def _write_fmri(out: Path, study: Study, subject: str, columns: list[np.ndarray]) -> None:
    head = brain.draw_head(study.rng("head", subject))
    planting = brain.plant(head, study.centres, study.rng("planting", subject))
    weights = answers.subject_weights(study.weights, study.rng("weights", subject))
    folder = out / f"sub-{subject}"
    bids.write_volume(folder / "anat" / f"sub-{subject}_T1w.nii.gz", head.t1w.astype(np.int16), brain.affine(4.0))
    bids.write_json(
        folder / "anat" / f"sub-{subject}_T1w.json", {"Manufacturer": "simulated", "MagneticFieldStrength": 3}
    )
    scale = fmri.draw_scale(head.mask, study.rng("scale", subject))
    explained = answers.draw_explained(int(head.mask.sum()), study.rng("explained", subject))
    strength = answers.amplitudes(head, planting, study.strength)

    names = [f"run-{n:02d}" for n in range(1, len(columns) + 1)]
    runs = [_with_nuisance(part, study, subject, name) for part, name in zip(columns, names, strict=True)]
    tuning = answers.story_tuning(head, planting, weights, study.rng("tuning", subject))
    voxels = answers.draw_voxels(scale, explained, tuning, runs, strength)
    for name, story, run in zip(names, study.stories, runs, strict=True):
        events = _story_events(story, fmri.LEAD_IN_S)
        stem = folder / "func" / f"sub-{subject}_task-story_{name}"
        _write_run(out, study, stem, head, voxels, run, events, answers.n_volumes(story))
    _write_subject_truth(out, subject, head, planting, weights, voxels)
    if study.pictures:
        _write_picture_runs(out, study, subject, head, planting, scale, explained, strength)


def _write_picture_runs(out, study, subject, head, planting, scale, explained, strength) -> None:
    tuning = answers.picture_tuning(head, planting, study.levels, study.rng("picture tuning", subject))
    tables, runs, lengths = [], [], []
    for number in range(1, study.size.picture_runs + 1):
        events = study.picture_events("fmri", number, subject)
        lengths.append(int(np.ceil((events["onset"].iloc[-1] + 12) / fmri.TR)))
        n_samples = round(lengths[-1] * fmri.TR / fmri.STEP_S) + 1
        part = answers.picture_columns(events, list(study.pictures), study.levels, n_samples)
        runs.append(_with_nuisance(part, study, subject, f"pictures {number}"))
        tables.append(events)
    voxels = answers.draw_voxels(scale, explained, tuning, runs, strength)
    for number, (events, run, n_volumes) in enumerate(zip(tables, runs, lengths, strict=True), start=1):
        stem = out / f"sub-{subject}" / "func" / f"sub-{subject}_task-pictures_run-{number}"
        _write_run(out, study, stem, head, voxels, run, events, n_volumes)
    visual = np.where(head.mask, planting.visual, 0).astype(np.int16)
    bids.write_volume(out / "sourcedata" / "truth" / f"sub-{subject}_visual.nii.gz", visual, brain.affine())


def _write_run(out, study, stem, head, voxels, run, events, n_volumes) -> None:
    rng = study.rng("run", stem.name)
    motion = fmri.draw_motion(n_volumes, rng)
    series = fmri.draw_run(head, voxels, run, n_volumes, motion, rng)
    bids.write_bold(stem, series, brain.affine(), events)
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
    task = stem.name.split("_task-")[1].replace("_", "_motion_").removeprefix("story_")
    name = f"{stem.name.split('_')[0]}_{task}.tsv"
    bids.write_tsv(out / "sourcedata" / "truth" / name, pd.DataFrame(np.round(motion, 6), columns=names))


def _write_subject_truth(out, subject, head, planting, weights, voxels) -> None:
    def save(name: str, volume: np.ndarray) -> None:
        bids.write_volume(out / "sourcedata" / "truth" / f"sub-{subject}_{name}.nii.gz", volume, brain.affine())

    explained = np.zeros(brain.SHAPE, dtype=np.float32)
    explained[head.mask] = voxels.explained
    save("brain_mask", head.mask.astype(np.int16))
    save("planted", (planting.planted > 0).astype(np.int16))
    save("clusters", planting.planted.astype(np.int16))
    save("distractors", planting.distractors.astype(np.int16))
    save("explained_variance", explained)
    planted = np.moveaxis(weights * (planting.planted > 0), 0, -1).astype(np.float32)
    np.savez_compressed(out / "sourcedata" / "truth" / f"sub-{subject}_weights.npz", weights=planted)


def _write_eeg(out: Path, study: Study, subject: str) -> None:
    scalp = eeg.draw_scalp(study.sensors, study.levels, study.rng("scalp", subject))
    folder = out / f"sub-{subject}" / "eeg"
    strength = study.strength
    for number, story in enumerate(study.stories[: study.size.eeg_stories], start=1):
        stem = folder / f"sub-{subject}_task-story_run-{number:02d}"
        clean = eeg.story_answers(story, study.meanings, scalp, strength.planted, strength.distractors)
        stored = eeg.record(clean, scalp, study.rng("eeg", stem.name))
        bids.write_eeg(stem, stored, _story_events(story, eeg.LEAD_IN_S))
    for number in range(1, study.size.picture_runs + 1):
        stem = folder / f"sub-{subject}_task-pictures_run-{number}"
        events = study.picture_events("eeg", number, subject)
        n = int((events["onset"].iloc[-1] + 3) * eeg.SFREQ)
        clean = eeg.picture_answers(events, list(study.pictures), study.levels, scalp, strength.planted, n)
        bids.write_eeg(stem, eeg.record(clean, scalp, study.rng("eeg", stem.name)), events)
    bids.write_electrodes(folder, subject)
    truth = {
        "content_sensors": list(eeg.CONTENT_SENSORS),
        "picture_sensors": {level: list(names) for level, names in eeg.PICTURE_SENSORS.items()},
        "dead_channel": scalp.dead,
    }
    bids.write_json(out / "sourcedata" / "truth" / f"sub-{subject}_eeg.json", truth)


def _with_nuisance(columns: np.ndarray, study: Study, subject: str, run: str) -> np.ndarray:
    return np.hstack([columns, fmri.draw_nuisance(len(columns), study.rng("nuisance", subject, run))])


def _story_events(story, onset: float) -> pd.DataFrame:
    row = {
        "onset": onset,
        "duration": round(story.duration, 3),
        "trial_type": "story",
        "stim_file": f"{story.name}.wav",
    }
    return pd.DataFrame([row])


_README = """A simulated study: subjects hear stories and look at pictures, in fMRI and EEG.

Everything comes from a seeded generator; no person was measured. Stories: the words and characters with their times
(onset, duration, text; seconds from the story's start) lie beside the sound that events.tsv names (stimuli/NAME.wav:
noise with the loudness of speech, no speech). language_model.txt is more text of the same generator, one sentence a
line. pictures_train/ holds pictures that no subject saw. What was planted, and where, stands in sourcedata/truth.
"""

_TRUTH_README = """What was planted. Volumes lie on the BOLD grid (22 x 26 x 22 voxels of 8 mm).

sub-*_planted              1 where the answer is linear in the latents of the words heard
sub-*_clusters             the same, numbered by cluster (one number, one place, in all subjects)
sub-*_distractors          1 word onsets, 2 loudness, 3 vascular, 4 respiratory, 5 network
sub-*_explained_variance   of the answer in story runs, over answer and noise (drift and movement not counted)
sub-*_weights              weights: x, y, z, latent; zero where nothing is planted
sub-*_visual               1 early, 2 ventral: answers in picture runs
sub-*_motion_run-*         head movement in story runs: mm and radians, x -> Rz Ry Rx (x - c) + c + t in scanner
                           millimetres, c the centre of the field of view (sub-*_pictures_motion_*: picture runs)
sub-*_eeg.json             sensors that answer to content (before any re-reference) and to pictures; the dead channel
latents.npz, words.tsv     the latents of each content word, and its topic
story*_words.tsv           words as spoken, with topic, sentence number and loudness
picture_levels.npz         the description of each picture that the brain answers to
"""
