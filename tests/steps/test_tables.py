import numpy as np
import pandas as pd

from brainlm.io.fmri import save_volume
from brainlm.io.store import load_json, save_index, save_json, save_table
from brainlm.steps.tables import correct_claims, tables

NAMES = ["recording", "modality", "subject", "session", "task", "run", "use", "excluded", "reason"]
RUNS = [
    ("sub-01/func/a", "fmri", "01", "", "story", "1", "story", "", ""),
    ("sub-02/func/b", "fmri", "02", "", "story", "1", "story", "yes", "moved"),
]
SETTINGS = {
    "evaluation": {"protocols": {"within": "all"}, "seeds": [0]},
    "eeg_decoder": {"protocols": {}},
    "learning": {"networks": ["mlp"], "learning_rules": ["oja"], "seeds": [0], "protocols": ["matched"], "data": {}},
    "rsa": {"checkpoint": "final", "fusion": False, "models": {}, "searchlight": {"radius_mm": None}},
}


def read(path):
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def make_results(folder):
    save_index(folder / "index.tsv", pd.DataFrame(RUNS, columns=NAMES))
    for subject, protocol, seed in (
        ("01", "within", 0),
        ("01", "within", 1),
        ("01", "zero_shot", 0),
        ("02", "within", 0),
    ):
        stem = f"sub-{subject}_modality-fmri_protocol-{protocol}_seed-{seed}"
        known = {"dataset": "made", "modality": "fmri", "decoder": "brainlm", "p": "n/a", "p_gain": 0.02}
        known |= {"subject": subject, "protocol": protocol, "seed": seed, "fold": 0}
        row = pd.DataFrame([known | {"metric": "gain", "value": 0.1}])
        save_table(folder / "decoding" / f"{stem}_scores.tsv", row)
        save_table(folder / "decoding" / f"{stem}_selector.tsv", row[["subject", "seed", "fold"]].assign(auc=0.9))
    for rule in ("oja", "backprop"):
        unit = folder / "learning" / f"network-mlp_rule-{rule}_protocol-matched_seed-0"
        save_table(unit / "row.tsv", pd.DataFrame([{"learning_rule": rule, "accuracy": 0.5}]))
        save_table(unit / "timing.tsv", pd.DataFrame([{"step": "train_network", "recording": unit.name}]))
    save_json(folder / "derivatives/brainlm-fmri/sub-01/func/a_desc-quality.json", {"tsnr": 80.0})


def test_results_that_the_config_no_longer_asks_for_stay_out(tmp_path):
    make_results(tmp_path)
    tables(results=tmp_path, index=tmp_path / "index.tsv", settings=SETTINGS, out=tmp_path / "tables")
    decoding, selector, learning, timing = (
        read(tmp_path / "tables" / f"{name}.tsv") for name in ("decoding", "selector", "learning", "timing")
    )
    assert decoding[["subject", "protocol", "seed"]].values.tolist() == [["01", "within", "0"]]
    assert selector[["subject", "protocol", "auc"]].values.tolist() == [["01", "within", "0.9"]]
    assert learning["learning_rule"].tolist() == ["oja"]
    assert load_json(tmp_path / "config.json") == SETTINGS
    assert timing["recording"].tolist() == ["network-mlp_rule-oja_protocol-matched_seed-0"]


def test_agreement_of_the_seeds_selections_is_the_dice_coefficient(tmp_path):
    make_results(tmp_path)
    for seed, n in ((0, 6), (1, 3)):  # the second selected half of the first: 2 * 3 / (6 + 3)
        mask = np.zeros((2, 2, 3), dtype=np.uint8)
        mask.flat[:n] = 1
        unit = tmp_path / f"decoding/sub-01_modality-fmri_protocol-within_fold-0_seed-{seed}"
        save_volume(unit / "selected.nii.gz", mask, np.eye(4))
    settings = SETTINGS | {"evaluation": {"protocols": {"within": "all"}, "seeds": [0, 1]}}
    tables(results=tmp_path, index=tmp_path / "index.tsv", settings=settings, out=tmp_path / "tables")
    assert read(tmp_path / "tables/selector.tsv")["dice_over_seeds"].tolist() == ["0.666667"] * 2


def test_claims_are_corrected_over_subjects_and_metrics_of_a_protocol():
    known = {"dataset": "made", "modality": "fmri", "decoder": "brainlm"}
    told = [
        {"protocol": "within", "p": "0.01", "p_gain": "n/a"},
        {"protocol": "within", "p": "n/a", "p_gain": "0.02"},  # the gain's p counts among them
        {"protocol": "within", "p": "n/a", "p_gain": "n/a"},
        {"protocol": "zero_shot", "p": "0.03", "p_gain": "n/a"},  # a family of its own
        {"protocol": "within", "p": "0.001", "p_gain": "n/a", "decoder": "rate_only"},  # no claim of ours
    ]
    rows = correct_claims(pd.DataFrame([known | row for row in told]))
    assert rows["p_holm"].tolist() == ["0.02", "0.02", "n/a", "0.03", "n/a"]


def test_an_excluded_recording_stands_in_quality_with_its_reason_and_what_is_missing_is_na(tmp_path):
    make_results(tmp_path)
    tables(results=tmp_path, index=tmp_path / "index.tsv", settings=SETTINGS, out=tmp_path / "tables")
    quality = read(tmp_path / "tables" / "quality.tsv").set_index("subject")
    assert quality.loc["01", ["quantity", "value", "excluded", "session"]].tolist() == ["tsnr", "80.0", "no", "n/a"]
    assert quality.loc["02", ["value", "excluded", "reason"]].tolist() == ["n/a", "yes", "moved"]
    assert read(tmp_path / "tables" / "decoding.tsv")["ci_low"].tolist() == ["n/a"]
    assert list(read(tmp_path / "tables" / "rsa.tsv").columns)[:3] == ["dataset", "subject", "modality"]


def test_protocols_with_a_dash_below_stay_whole(tmp_path):
    make_results(tmp_path)
    asked = SETTINGS | {"evaluation": {"protocols": {"zero_shot": ["01"]}, "seeds": [0]}}
    tables(results=tmp_path, index=tmp_path / "index.tsv", settings=asked, out=tmp_path / "tables")
    assert read(tmp_path / "tables" / "selector.tsv")["protocol"].tolist() == ["zero_shot"]
