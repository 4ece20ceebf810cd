"""Public data sets by their published file names, with a few volumes or seconds in place of the recordings."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from pybv import write_brainvision
from scipy.io import savemat

GRID = '''File type = "ooTextFile"
Object class = "TextGrid"
xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phone"
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "AA"
    item [2]:
        class = "IntervalTier"
        name = "Word"
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "sp"
        intervals [2]:
            xmin = 0.5
            xmax = 0.75
            text = "said ""so"""
        intervals [3]:
            xmin = 0.75
            xmax = 1.5
            text = ""
        intervals [4]:
            xmin = 1.5
            xmax = 2
            text = "null"
'''
WORDS = ["once", "upon", "a", "time"]


def describe(root: Path, name: str) -> None:
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": name, "BIDSVersion": "1.6.0"}))


def bold(root: Path, stem: str, t_r: float, seconds: float = 60) -> None:
    """``stem``_bold.nii.gz and its JSON."""
    path = root / f"{stem}_bold.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(np.zeros((2, 2, 2, int(seconds / t_r)), np.int16), np.eye(4))
    image.header.set_zooms((2, 2, 2, t_r))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps({"RepetitionTime": t_r}))


def eeg(root: Path, stem: str, names: list[str], sfreq: float, seconds: float = 30) -> None:
    """``stem``_eeg.vhdr, .eeg, .vmrk and channels.tsv with an index before the names, as one of the sets has it."""
    folder = root / Path(stem).parent
    data = np.random.default_rng(0).normal(size=(len(names), int(sfreq * seconds)))
    base = f"{Path(stem).name}_eeg"
    write_brainvision(data=data, sfreq=sfreq, ch_names=names, fname_base=base, folder_out=folder, unit="µV")
    (folder / f"{base}.json").write_text(json.dumps({"TaskName": "x", "PowerLineFrequency": 50}))
    rows = "".join(f"{i}\t{name}\tEEG\tV\tgood\n" for i, name in enumerate(names))
    (folder / f"{Path(stem).name}_channels.tsv").write_text("\tname\ttype\tunits\tstatus\n" + rows)


def grid(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GRID, encoding="utf-8")


def lebel(root: Path) -> None:
    describe(root, "ds003020")
    for story in ("alternateithicatom", "souls", "avatar", "life"):
        bold(root, f"sub-UTS01/ses-2/func/sub-UTS01_ses-2_task-{story}", 2.0)
    bold(root, "sub-UTS01/ses-2/func/sub-UTS01_ses-2_task-wheretheressmoke_run-1", 2.0)
    bold(root, "sub-UTS01/ses-7/func/sub-UTS01_ses-7_task-treasureisland", 2.0)
    for story in ("alternateithicatom", "souls", "avatar", "life", "wheretheressmoke", "treasureisland"):
        grid(root / "derivative" / "TextGrids" / f"{story}.TextGrid")


def smn4lang(root: Path) -> None:
    describe(root, "ds004078")
    for run in (1, 3, 45):
        stem = f"sub-01/func/sub-01_task-RDR_run-{run}"
        bold(root, stem, 0.71)
        rows = f"10.650000\t20.000000\taudio/story_{run}.wav\n38.650000\t2.000000\timages/hurryup.png\n"
        (root / f"{stem}_events.tsv").write_text("onset\tduration\tstim_file\n" + rows)
        for level, texts in (("word", ["从前", "有"]), ("char", ["从", "前", "有"])):
            start = 11.0 + np.arange(len(texts)) * 0.5
            folder = root / "derivatives" / "annotations" / "time_align" / f"{level}-level"
            folder.mkdir(parents=True, exist_ok=True)
            padded = np.array([f"{text} " for text in texts], dtype=object)
            content = {"start": start[None], "end": start[None] + 0.4, level: padded}
            savemat(folder / f"story_{run}_{level}_time.mat", content)


def narratives(root: Path) -> None:
    describe(root, "ds002345")
    for subject, story, run in (("001", "pieman", "_run-1"), ("002", "tunnel", ""), ("003", "lucy", "")):
        stem = f"sub-{subject}/func/sub-{subject}_task-{story}{run}"
        bold(root, stem, 1.5)
        rows = f"0\t5\tmusic\tn/a\n8\t40\tstory\t{story}_audio.wav\n"
        (root / f"{stem}_events.tsv").write_text("onset\tduration\ttrial_type\tstim_file\n" + rows)
        folder = root / "stimuli" / "gentle" / story
        folder.mkdir(parents=True)
        folder.joinpath("align.csv").write_text("I,i,0.5,0.6\nbegan,began,0.7,1.0\nhmm,<unk>,,\nmy,my,1.1,1.2\n")


def little_prince(root: Path) -> None:
    describe(root, "ds003643")
    for run in (15, 16, 17):
        stem = f"sub-EN057/func/sub-EN057_task-lppEN_run-{run}"
        for echo in (1, 2, 3):
            bold(root, f"{stem}_echo-{echo}", 2.0)
        prepared = f"derivatives/fmriprep/{stem}_space-MNI152NLin2009cAsym_desc-preproc"
        bold(root, prepared, 2.0)
        mask = root / prepared.replace("_desc-preproc", "_desc-brain_mask.nii.gz")
        nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), mask)
        (root / f"derivatives/fmriprep/{stem}_desc-confounds_timeseries.tsv").write_text("trans_x\n" + "0\n" * 30)
    table = pd.DataFrame({"word": WORDS, "lemma": WORDS, "onset": [0.1, 0.5, 0.1, 0.1], "section": [1, 1, 2, 3]})
    (root / "annotation" / "EN").mkdir(parents=True)
    table = table.assign(offset=table["onset"] + 0.3)
    table.to_csv(root / "annotation" / "EN" / "lppEN_word_information.csv", index=False, encoding="utf-8-sig")


def broderick(root: Path) -> None:
    describe(root, "ds004408")
    names = [f"{row}{number}" for row in "ABCD" for number in range(1, 33)]
    for run in range(1, 21):
        eeg(root, f"sub-001/eeg/sub-001_task-listening_run-{run:02}", names, 512, seconds=4)
        grid(root / "stimuli" / f"audio{run:02}.TextGrid")


def things_eeg(root: Path) -> None:
    describe(root, "ds003825")
    stem = "sub-01/eeg/sub-01_task-rsvp"
    eeg(root, stem, ["Fz", "Cz", "Pz", "O1", "O2"], 1000)
    head = "onset\tduration\teventnumber\tobject\tstim\tstimname\n"
    shown = ["carousel_11s", "piano_05n", "tent_08n", "carousel_11s", "piano_05n"]
    rows = [
        f"{10.724 + i / 10:.3f}\t50\t{i}\t{name.partition('_')[0]}\tstimuli\\{name}.jpg\t{name}.jpg\n"
        for i, name in enumerate(shown)
    ]
    (root / f"{stem}_events.tsv").write_text(head + "".join(rows))


def things_fmri(root: Path) -> None:
    describe(root, "ds004192")
    stem = "sub-01/ses-things01/func/sub-01_ses-things01_task-things_run-01"
    bold(root, stem, 1.5)
    (root / f"{stem}_events.tsv").write_text("onset\tduration\ttrial_type\n3\t0.5\texp\n7.5\t0.5\ttest\n")


def continuous_characters(root: Path) -> None:
    describe(root, "ds006630")
    for subject in ("015", "019"):
        for run in ("01", "02", "03"):
            bold(root, f"sub-{subject}/func/sub-{subject}_task-SemanticListening_run-{run}", 1.5)
    (root / "stimuli").mkdir()
    for story in ("story01", "story02", "story03"):
        (root / "stimuli" / f"{story}_words.tsv").write_text("onset\tduration\ttext\n0\t0.5\t从前\n")
