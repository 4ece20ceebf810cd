import json

import pytest
from small_tree import RUN, make_config, make_tree

from brainlm.errors import ConfigError, DataError
from brainlm.io.bids import index_recordings
from brainlm.io.fmriprep import check_engine, find_prepared, read_confounds

STEM = "sub-01_ses-2_task-story_run-1"
RAW = f"sub-01/ses-2/func/{STEM}"
MNI = "space-MNI152NLin2009cAsym"


def lay(folder, *names: str):
    place = folder / "sub-01" / "ses-2" / "func"
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / name).write_bytes(b"\x1f" * 2000)
    return folder


def both(stem: str) -> list[str]:
    return [f"{stem}_desc-preproc_bold.nii.gz", f"{stem}_desc-brain_mask.nii.gz"]


@pytest.mark.parametrize(
    ("names", "space", "resolution"),
    [
        ([*both(f"{STEM}_{MNI}"), f"{STEM}_desc-confounds_timeseries.tsv"], "MNI152NLin2009cAsym", None),
        ([*both(f"{STEM}_{MNI}_res-2"), f"{STEM}_desc-confounds_regressors.tsv"], "MNI152NLin2009cAsym", None),
        ([*both(STEM), *both(f"{STEM}_{MNI}"), f"{STEM}_desc-confounds_timeseries.tsv"], "native", None),
        ([*both(f"{STEM}_space-T1w"), *both(STEM), f"{STEM}_desc-confounds_timeseries.tsv"], "T1w", None),
        (
            [*both(f"{STEM}_{MNI}_res-2"), *both(f"{STEM}_{MNI}_res-3"), f"{STEM}_desc-confounds_timeseries.tsv"],
            "MNI152NLin2009cAsym",
            "3",
        ),
        (  # the release keeps the zeros of a label that the raw name lacks
            [
                *both(f"sub-01_ses-2_task-story_run-01_{MNI}"),
                "sub-01_ses-2_task-story_run-01_desc-confounds_timeseries.tsv",
            ],
            "MNI152NLin2009cAsym",
            None,
        ),
        (  # infants: a cohort of the template; magnitude: the part is said
            [*both(f"{STEM}_part-mag_{MNI}_cohort-1"), f"{STEM}_part-mag_desc-confounds_timeseries.tsv"],
            "MNI152NLin2009cAsym",
            None,
        ),
    ],
)
def test_files_of_every_release_are_found(tmp_path, names, space, resolution):
    other = STEM.replace("story", "storytwo")
    more = [*both(f"{other}_{MNI}"), f"{other}_desc-confounds_timeseries.tsv"]
    found = find_prepared(lay(tmp_path, *names, *more), RAW, space, resolution)
    assert (found.series.name, found.mask.name) == tuple(n for n in names if _is(n, space, resolution))
    assert found.confounds.name == next(name for name in names if name.endswith(".tsv"))


def _is(name: str, space: str, resolution: str | None) -> bool:
    told = f"space-{space}" in name if space != "native" else "space-" not in name
    return told and name.endswith(".nii.gz") and (resolution is None or f"res-{resolution}_" in name)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "got 0; there is: no preprocessed series of it at all"),
        (both(f"{STEM}_space-T1w"), f"got 0; there is: {STEM}_space-T1w_desc-preproc_bold.nii.gz. Set fmri.space"),
        ([*both(f"{STEM}_{MNI}_res-1"), *both(f"{STEM}_{MNI}_res-2")], "got 2; there is"),
        (both(f"{STEM}_{MNI}"), "expected a table desc-confounds_timeseries.tsv"),
        (
            [f"{STEM}_{MNI}_desc-preproc_bold.nii.gz", f"{STEM}_desc-confounds_timeseries.tsv"],
            "brain_mask.nii.gz: expected a recording, found no file",
        ),
    ],
)
def test_a_missing_piece_is_named_with_what_there_is(tmp_path, names, message):
    with pytest.raises(DataError, match=message.replace(".", r"\.")) as caught:
        find_prepared(lay(tmp_path, *names), RAW, "MNI152NLin2009cAsym", None)
    assert "\n" not in str(caught.value)


def test_the_table_has_a_row_a_volume_and_numbers(tmp_path):
    path = tmp_path / "x_desc-confounds_timeseries.tsv"
    path.write_text("trans_x\tdvars\n0.1\tn/a\n0.2\t3\n")
    path.with_suffix(".json").write_text(json.dumps({"a_comp_cor_00": {"Mask": "combined"}}))
    table, facts = read_confounds(path, 2)
    assert table["dvars"].isna().tolist() == [True, False] and facts["a_comp_cor_00"]["Mask"] == "combined"
    with pytest.raises(DataError, match="expected 3 rows, a row a volume of the series, got 2"):
        read_confounds(path, 3)
    path.write_text("trans_x\nmuch\n0.2\n")
    with pytest.raises(DataError, match="expected numbers in trans_x, got 'much'"):
        read_confounds(path, 2)


def test_an_engine_without_its_folder_or_licence_is_refused(tmp_path):
    plain = {"engine": "brainlm", "derivatives": None, "fmriprep": {"license": None}}
    check_engine(plain)
    with pytest.raises(ConfigError, match="expected fMRIPrep's output folder"):
        check_engine(plain | {"engine": "fmriprep-derivatives", "derivatives": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match="FreeSurfer's licence file"):
        check_engine(plain | {"engine": "fmriprep"})


def test_echoes_are_one_recording_which_our_engine_refuses(tmp_path):
    root = make_tree(tmp_path)
    for ending in ("nii.gz", "json"):
        whole = root / f"{RUN}_bold.{ending}"
        for echo in (1, 2, 3):
            (root / f"{RUN}_echo-{echo}_bold.{ending}").write_bytes(whole.read_bytes())
        whole.unlink()
    (root / f"{RUN}_part-phase_bold.nii.gz").write_bytes(b"phase")
    fmri = {"engine": "brainlm", "derivatives": None, "fmriprep": {"license": None}, "space": "native"}
    with pytest.raises(DataError, match="expected a run of one echo, got several. Let fMRIPrep combine them"):
        index_recordings(make_config(root, fmri=fmri))
    licence = tmp_path / "license.txt"
    licence.write_text("x")
    table = index_recordings(
        make_config(root, fmri=fmri | {"engine": "fmriprep", "fmriprep": {"license": str(licence)}})
    )
    assert table["recording"].tolist() == [RUN]
