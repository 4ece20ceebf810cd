"""RDMs that users bring, and every way in which they may be wrong."""

import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import squareform

from brainlm.errors import ConfigError, DataError
from brainlm.io.rdms import load_given, load_rdms

PAIRS = np.array([1.0, 2, 3, 4, 5, 6])
NAMES = ["face", "house", "cat", "tool"]


def write_table(path, matrix, rows=NAMES, columns=NAMES):
    pd.DataFrame(matrix, index=rows, columns=columns).to_csv(path, sep="\t")
    return path


def test_a_table_holds_one_rdm(tmp_path):
    (rdm,) = load_rdms(write_table(tmp_path / "a.tsv", squareform(PAIRS)))
    assert rdm.conditions == tuple(NAMES) and np.array_equal(rdm.dissimilarities, PAIRS) and rdm.measure == "given"


def test_conditions_named_by_numbers_stay_text(tmp_path):
    names = ["01", "02", "10", "2"]
    (rdm,) = load_rdms(write_table(tmp_path / "a.tsv", squareform(PAIRS), names, names))
    assert rdm.conditions == tuple(names)


def test_an_npz_holds_one_or_many(tmp_path):
    one, many = tmp_path / "one.npz", tmp_path / "many.npz"
    np.savez(one, rdms=squareform(PAIRS), conditions=np.array(NAMES))
    stack = np.stack([squareform(PAIRS), -squareform(PAIRS)])
    np.savez(many, rdms=stack, conditions=np.array(NAMES), measure=np.array("crossnobis"))
    assert np.array_equal(load_rdms(one)[0].dissimilarities, PAIRS)
    assert [rdm.measure for rdm in load_rdms(many)] == ["crossnobis"] * 2
    assert np.array_equal(load_rdms(many)[1].dissimilarities, -PAIRS)


def test_a_file_of_rsatoolbox(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["dissimilarities"] = np.stack([PAIRS, 2 * PAIRS])
        file.attrs["dissimilarity_measure"] = "squared euclidean"
        file.create_group("pattern_descriptors")["conditions"] = np.array(NAMES).astype("S")
        file["pattern_descriptors"]["index"] = np.arange(4)
    first, second = load_rdms(path)
    assert first.conditions == tuple(NAMES) and first.measure == "squared euclidean"
    assert np.array_equal(second.dissimilarities, 2 * PAIRS)
    with h5py.File(path, "a") as file:
        group = file["pattern_descriptors"]
        group.move("conditions", "one")
        group["two"] = np.arange(4)
    with pytest.raises(DataError, match="several pattern descriptors"):
        load_rdms(path)


def test_no_file_can_run_code(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"dissimilarities": PAIRS}))
    with pytest.raises(ConfigError, match="a pickle can run code and is not read"):
        load_rdms(path)
    hidden = tmp_path / "a.npz"
    np.savez(hidden, rdms=squareform(PAIRS), conditions=np.array(NAMES, dtype=object))
    with pytest.raises(DataError, match="expected RDMs with their conditions, got"):
        load_rdms(hidden)


def wrong(change):
    matrix = squareform(PAIRS)
    change(matrix)
    return matrix


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.__setitem__((0, 1), 9), "expected a symmetric matrix, got 9 and 1 for 'face' and 'house'"),
        (lambda m: m.__setitem__((2, 2), 1), "expected 0 on the diagonal, got up to 1"),
        (lambda m: m.__setitem__(([0, 1], [1, 0]), np.nan), "expected finite dissimilarities, got 2 others"),
        (lambda m: m.__setitem__(([0, 1], [1, 0]), -1), "at least 0, got -1. Only crossnobis may be negative"),
    ],
)
def test_an_rdm_that_is_none_is_refused_in_one_line(tmp_path, change, message):
    with pytest.raises(DataError, match=message) as caught:
        load_rdms(write_table(tmp_path / "a.tsv", wrong(change)))
    assert "\n" not in str(caught.value) and "a.tsv" in str(caught.value)


def test_other_shapes_and_names_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, rdms=np.zeros((3, 4)), conditions=np.array(NAMES))
    with pytest.raises(DataError, match="square matrix of 4 conditions, got 3 x 4"):
        load_rdms(path)
    np.savez(path, rdms=np.zeros((1, 1)), conditions=np.array(["a"]))
    with pytest.raises(DataError, match="at least 2 conditions, got 1"):
        load_rdms(path)
    np.savez(path, rdms=np.zeros((4, 4)))
    with pytest.raises(DataError, match="no array named conditions"):
        load_rdms(path)
    np.savez(path, rdms=squareform(PAIRS), conditions=np.array(["a", "b", "a", "c"]))
    with pytest.raises(DataError, match="repeated: a"):
        load_rdms(path)
    with pytest.raises(DataError, match="4 columns of other names"):
        load_rdms(write_table(tmp_path / "a.tsv", squareform(PAIRS), rows=NAMES[::-1]))
    with pytest.raises(DataError, match="found no file"):
        load_rdms(tmp_path / "none.tsv")
    with pytest.raises(ConfigError, match="Unknown ending of an RDM file '.csv'"):
        load_rdms(tmp_path / "a.csv")


def test_files_that_a_config_names_are_read_from_the_data_or_from_anywhere(tmp_path):
    (tmp_path / "bids").mkdir()
    write_table(tmp_path / "bids" / "a.tsv", squareform(PAIRS))
    whole = write_table(tmp_path / "b.tsv", squareform(PAIRS[::-1]))
    found = load_given({"first": "a.tsv", "second": str(whole)}, tmp_path / "bids")
    assert list(found) == ["first", "second"] and np.array_equal(found["second"].dissimilarities, PAIRS[::-1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "expected RDMs with their conditions, got No columns"),
        ("a.tsv", "\ta\tb\na\t0\t1\nb\t1\t0\t9\t9\n", "expected RDMs with their conditions, got Error tokenizing"),
        ("a.tsv", "\ta\tb\na\t0\tx\nb\tx\t0\n", "could not convert string to float: 'x'"),
        ("a.tsv", "\ta\tb\na\t0\tn/a\nb\tn/a\t0\n", "expected finite dissimilarities, got 2 others"),
        ("a.npz", "PK no archive", "expected RDMs with their conditions, got"),
        ("a.npz", "", "expected RDMs with their conditions, got"),
        ("a.h5", "nothing", "expected RDMs with their conditions, got"),
        ("a.tsv", "\ta\tb\tc\na\t0\t1\t1\nb\t1\t0\t1\nc\t1\t1\t0\n", "expected dissimilarities that differ, got 1"),
    ],
)
def test_what_is_no_rdm_is_one_line_with_its_name_in_the_config(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as error:
        load_given({"mine": name}, tmp_path)
    assert str(error.value).startswith(f"rsa.models.mine: {tmp_path / name}") and "\n" not in str(error.value)


def test_a_file_of_several_rdms_is_no_single_model(tmp_path):
    np.savez(tmp_path / "a.npz", rdms=np.stack([squareform(PAIRS)] * 3), conditions=np.array(NAMES))
    with pytest.raises(DataError, match="rsa.models.mine: .*expected one RDM, got 3"):
        load_given({"mine": "a.npz"}, tmp_path)
