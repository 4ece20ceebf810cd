import numpy as np
import pandas as pd
import pytest

from brainlm.errors import DataError
from brainlm.io import store
from brainlm.records import Space


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), store.atomic(path) as tmp:
        tmp.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_model_series_come_back_with_their_space(tmp_path):
    random = np.random.default_rng(0)
    space = Space(random.random((4, 3, 2)) > 0.5, np.diag([2.0, 2, 2, 1]))
    series = random.normal(size=(7, len(space))).astype(np.float32)
    stem = tmp_path / "brainlm-fmri" / "sub-01" / "func" / "sub-01_task-x"
    store.save_model_series(stem, series, space, 2.0, 1.0, sources=["a"])
    back, where, facts = store.load_model_series(tmp_path, "sub-01/func/sub-01_task-x")
    np.testing.assert_array_equal(back, series)
    np.testing.assert_array_equal(where.mask, space.mask)
    assert facts["t_r"] == 2 and facts["start_time"] == 1 and facts["sources"] == ["a"]


def test_values_that_are_not_finite_are_refused(tmp_path):
    space = Space(np.ones((1, 1, 1), dtype=bool), np.eye(4))
    with pytest.raises(DataError, match="finite"):
        store.save_model_series(tmp_path / "x", np.array([[np.nan]]), space, 2.0, 0.0)


def test_the_index_keeps_labels_as_they_stand_and_its_date(tmp_path):
    path = tmp_path / "index.tsv"
    store.save_index(path, pd.DataFrame({"recording": ["r"], "subject": ["01"], "run": [""]}))
    before = path.stat().st_mtime_ns
    store.save_index(path, pd.DataFrame({"recording": ["r"], "subject": ["01"], "run": [""]}))
    assert path.stat().st_mtime_ns == before
    assert store.read_index(path).iloc[0].to_dict() == {"recording": "r", "subject": "01", "run": ""}


@pytest.mark.parametrize("text", ["{", ""])
def test_broken_json_is_named(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        store.load_json(tmp_path / "x.json")
