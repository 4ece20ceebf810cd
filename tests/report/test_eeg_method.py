from brainlm.config import SCHEMA, fill_config
from brainlm.report.methods import eeg_method


def told(**eeg) -> str:
    config = {"bids_root": "x", "results_dir": "y", "tasks": {"see": {"use": "story"}}, "eeg": eeg}
    return eeg_method(fill_config(config, SCHEMA)["eeg"])


def test_methods_name_what_the_config_asked_for():
    plain = told()
    assert "0.5 to 40 Hz" in plain and "ICLabel" in plain and "eye from 0.8" in plain and "(average)" in plain
    other = told(ica={"method": "none"}, ransac=True, reference=["Cz", "Pz"], band_hz=[1, 30])
    assert "1 to 30 Hz" in other and "ICLabel" not in other and "RANSAC" in other and "(Cz and Pz)" in other
    assert "infomax) that follow the eyes" in told(ica={"method": "infomax", "labels": "eyes"})


def test_what_another_pipeline_did_is_not_told_as_ours():
    text = told(engine="mne-bids-pipeline-derivatives", ransac=True)
    assert "cleaned by mne-bids-pipeline" in text and "ICLabel" not in text and "RANSAC" not in text
