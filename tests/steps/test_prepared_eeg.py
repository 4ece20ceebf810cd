"""Recordings that mne-bids-pipeline has cleaned: found by its names, entered unchanged, or refused in one line."""

import mne
import numpy as np
import pandas as pd
import pytest
from small_eeg import NAMES, make_raw, write_eeg
from small_tree import make_config

from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError, DataError
from brainlm.io.bids import index_recordings
from brainlm.io.store import load_json, load_table, save_index
from brainlm.steps.preprocess_eeg import preprocess_eeg
from brainlm.workflow import Plan

RUN = "sub-01/eeg/sub-01_task-see_run-1"
CLEAN = f"{RUN}_proc-clean_raw.fif"
EVENTS = "onset\tduration\ttrial_type\n1\t0\ta\n3\t0\tb\n"


@pytest.fixture
def prepared(tmp_path):
    """A raw tree whose data are away, and what the pipeline made of it: one bad channel, one component taken out."""
    root, folder = tmp_path / "bids", tmp_path / "pipeline"
    (root / "sub-01/eeg").mkdir(parents=True)
    write_eeg(root, make_raw(20), "1", EVENTS)
    (root / f"{RUN}_eeg.eeg").write_bytes(b"")
    (folder / RUN).parent.mkdir(parents=True)
    raw = make_raw(20, seed=1)
    raw.info["bads"] = ["Cz"]
    raw._data[NAMES.index("Cz")] = 0
    raw.save(folder / CLEAN, verbose="error")
    rows = "0\tica\tIndependent Component\tbad\tAuto-detected EOG artifact\n1\tica\tIndependent Component\tgood\t\n"
    head = "component\ttype\tdescription\tstatus\tstatus_description\n"
    (folder / "sub-01/eeg/sub-01_task-see_proc-ica_components.tsv").write_text(head + rows)
    for other in ("task-seen_run-1", "task-see_run-2"):
        raw.save(folder / f"sub-01/eeg/sub-01_{other}_proc-clean_raw.fif", verbose="error")
    return root, folder, raw


def config(root, folder, **changes):
    eeg = {"engine": "mne-bids-pipeline-derivatives", "derivatives": str(folder)} | changes
    told = {"bids_root": str(root), "results_dir": "x", "tasks": {"see": {"use": "conditions"}}, "eeg": eeg}
    return fill_config(told, SCHEMA)


def run(root, folder, out, **changes):
    told = config(root, folder, **changes)
    save_index(out / "index.tsv", index_recordings(make_config(root, "conditions", eeg=told["eeg"])))
    target = out / "derivatives"
    preprocess_eeg(index=out / "index.tsv", bids_root=root, recording=RUN, settings=told["eeg"], out=target)
    return target / RUN


def named(stem, ending):
    return stem.with_name(f"{stem.name}_desc-{ending}")


def test_a_prepared_run_enters_unchanged_but_for_filling_reference_and_rate(prepared, tmp_path):
    root, folder, raw = prepared
    stem = run(root, folder, tmp_path)
    found = mne.io.read_raw_fif(named(stem, "preproc_eeg.fif"), preload=True, verbose="error")
    expected = raw.copy().resample(125, method="polyphase").interpolate_bads(verbose="error")
    expected.set_eeg_reference("average", verbose="error")
    assert found.info["sfreq"] == 125 and found.info["bads"] == []
    np.testing.assert_allclose(found.get_data(), expected.get_data(), atol=1e-11)
    rejected = load_table(named(stem, "rejected.tsv"))
    assert rejected[["name", "reason", "done"]].to_numpy().tolist() == [
        ["Cz", "told by mne-bids-pipeline", "interpolated"],
        ["0", "Auto-detected EOG artifact (mne-bids-pipeline)", "removed"],
    ]
    quality = load_json(named(stem, "quality.json"))
    assert quality["reference"] == "average of the good channels" and quality["bad_channel_names"] == "Cz"
    assert named(stem, "confounds_timeseries.tsv").exists() and named(stem, "figures.npz").exists()


def test_jobs_follow_the_pipeline_s_file(prepared, tmp_path):
    root, folder, _ = prepared
    told = config(root, folder) | {"results_dir": str(tmp_path / "results")}
    assert Plan.of(told).raw(RUN) == [str(folder / CLEAN)]


def test_the_first_part_of_a_split_file_stands_for_all(prepared, tmp_path):
    root, folder, raw = prepared
    (folder / CLEAN).unlink()
    place = folder / "sub-01/eeg/sub-01_task-see_run-1_proc-clean_raw.fif"
    longer = mne.concatenate_raws([raw.copy() for _ in range(30)], verbose="error")
    longer.save(place, split_size="2MB", split_naming="bids", buffer_size_sec=1, verbose="error")
    parts = sorted(folder.glob("**/*run-1_proc-clean_split-*_raw.fif"))
    assert len(parts) > 1 and not place.exists()
    found = mne.io.read_raw_fif(named(run(root, folder, tmp_path), "preproc_eeg.fif"), verbose="error")
    assert found.times[-1] == pytest.approx(600, abs=0.1)


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ([], "got 0; there is: nothing of this recording. Run mne-bids-pipeline to its end"),
        (["run-1_proc-filt_raw"], r"there is: sub-01_task-see_run-1_proc-filt_raw\.fif\. Run mne-bids-pipeline"),
        (["proc-clean_epo"], r"got epochs alone, in which runs cannot be told apart\. .*process_raw_clean"),
        (["run-1_proc-clean_raw", "run-01_proc-clean_raw"], "got 2; there is"),
    ],
)
def test_a_missing_piece_is_one_line(prepared, tmp_path, left, message):
    root, folder, raw = prepared
    (folder / CLEAN).unlink()
    for name in left:
        (folder / f"sub-01/eeg/sub-01_task-see_{name}.fif").write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match=message) as caught:
        run(root, folder, tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "index.tsv").exists()


def test_another_state_of_its_processing_can_be_read(prepared, tmp_path):
    root, folder, raw = prepared
    (folder / CLEAN).rename(folder / f"{RUN}_proc-filt_raw.fif")
    assert named(run(root, folder, tmp_path, processing="filt"), "preproc_eeg.fif").exists()


def test_pointers_crops_units_tables_and_a_missing_folder_are_refused(prepared, tmp_path):
    root, folder, raw = prepared
    with pytest.raises(ConfigError, match="expected mne-bids-pipeline's output folder"):
        run(root, tmp_path / "none", tmp_path)
    raw.copy().crop(2).save(folder / CLEAN, overwrite=True, verbose="error")
    with pytest.raises(DataError, match="got it from 2 s on, so that events"):
        run(root, folder, tmp_path)
    mne.io.RawArray(raw.get_data() * 1e6, raw.info, verbose="error").save(folder / CLEAN, overwrite=True)
    with pytest.raises(DataError, match="expected EEG of microvolts"):
        run(root, folder, tmp_path)
    (folder / CLEAN).write_text("/annex/objects/MD5E-s1--0.fif\n")
    with pytest.raises(DataError, match="pointer to annexed content"):
        run(root, folder, tmp_path)
    raw.save(folder / CLEAN, overwrite=True, verbose="error")
    (folder / "sub-01/eeg/sub-01_task-see_proc-ica_components.tsv").write_text("component\n0\n")
    with pytest.raises(DataError, match="expected columns of components, status, status_description missing"):
        run(root, folder, tmp_path)


def test_a_pipeline_s_table_may_be_away(prepared, tmp_path):
    root, folder, _ = prepared
    (folder / "sub-01/eeg/sub-01_task-see_proc-ica_components.tsv").unlink()
    rejected = load_table(named(run(root, folder, tmp_path), "rejected.tsv"))
    assert rejected["kind"].tolist() == ["channel"] and isinstance(rejected, pd.DataFrame)
