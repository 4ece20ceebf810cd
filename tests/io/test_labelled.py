"""Data sets that networks learn, in every format, whole and broken."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainlm.errors import ConfigError, DataError
from brainlm.io.labelled import Source, check_source, load_labelled, load_text, load_word_vectors

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def write_idx(path, array, zipped=False):
    raw = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(raw) if zipped else raw)


def test_idx_files_gzipped_or_not(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", PIXELS[:4, :5, :7, 0], zipped=True)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([7, 0, 2, 9]), zipped=True)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", PIXELS[4:, :5, :7, 0])
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([1, 1]))
    parts = load_labelled(Source(tmp_path, "idx"))
    assert np.array_equal(parts["train"].stimuli[..., 0], PIXELS[:4, :5, :7, 0])
    assert parts["train"].labels == ["7", "0", "2", "9"] and len(parts["test"].labels) == 2


def test_cifar_s_binary_records(tmp_path):
    planes = np.moveaxis(PIXELS, -1, 1).reshape(6, -1)
    labels = np.array([[0], [1], [2], [0], [1], [2]], np.uint8)
    np.concatenate([labels, planes], 1)[:4].tofile(tmp_path / "data_batch_1.bin")
    np.concatenate([labels, planes], 1)[4:].tofile(tmp_path / "test_batch.bin")
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n")
    parts = load_labelled(Source(tmp_path, "cifar"))
    assert np.array_equal(parts["train"].stimuli, PIXELS[:4]) and np.array_equal(parts["test"].stimuli, PIXELS[4:])
    assert parts["train"].labels == ["airplane", "automobile", "bird", "airplane"]
    np.concatenate([labels + 50, labels, planes], 1).tofile(tmp_path / "data_batch_1.bin")  # CIFAR-100: coarse, fine
    assert load_labelled(Source(tmp_path, "cifar"))["train"].labels[:3] == ["airplane", "automobile", "bird"]


def test_folders_of_pictures_and_npz(tmp_path):
    for i, pixels in enumerate(PIXELS):
        folder = tmp_path / "pictures" / ("train" if i < 4 else "test") / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    parts = load_labelled(Source(tmp_path / "pictures", "image_folder"))
    assert parts["train"].labels == ["a", "a", "b", "b"] and np.array_equal(parts["test"].stimuli, PIXELS[4:])
    np.savez(tmp_path / "train.npz", images=PIXELS, labels=np.arange(6) % 2, names=np.array(["x", "y"]))
    assert load_labelled(Source(tmp_path, "npz"))["train"].labels == ["x", "y"] * 3


def test_sentences_with_tabs_or_spaces_and_files_of_their_own(tmp_path):
    (tmp_path / "train.txt").write_text("good\ta fine\u0085 film\nbad\tno\n")
    (tmp_path / "test.txt").write_bytes("0 caf\u00e9 closed .\n".encode("latin-1"))
    own = Source(tmp_path / "train.txt", "labelled_text")
    assert load_labelled(own)["train"].stimuli == ["a fine\u0085 film", "no"]
    assert load_labelled(own)["train"].labels == ["good", "bad"]
    told = {"path": "train.txt", "format": "labelled_text", "test": "test.txt", "encoding": "latin-1"}
    assert load_labelled(Source.of(told, tmp_path))["test"].stimuli == ["caf\u00e9 closed ."]
    with pytest.raises(DataError, match=r"expected text in utf-8, got byte 0xe9 at 5. Set the encoding"):
        load_text(Source(tmp_path / "test.txt"))


@pytest.mark.parametrize("first", ["", "3 2\n"])
def test_word_vectors_of_glove_and_of_word2vec(tmp_path, first):
    (tmp_path / "v.txt").write_text(f"{first}the 1 2\nfilm 0.5 -1\nother 0 0\n")
    found = load_word_vectors(tmp_path / "v.txt", {"film", "the", "zebra"})
    assert sorted(found) == ["film", "the"] and found["film"].tolist() == [0.5, -1]
    with pytest.raises(DataError, match="expected vectors of the 1 words of the data, got none"):
        load_word_vectors(tmp_path / "v.txt", {"zebra"})
    (tmp_path / "v.txt").write_text("the 1 2\nfilm 0.5\n")
    with pytest.raises(DataError, match="expected 2 numbers a word, line 2 has 1"):
        load_word_vectors(tmp_path / "v.txt", {"film"})


def test_broken_files_are_told_in_one_line(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS[..., 0])
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(5))
    with pytest.raises(DataError, match="expected 6 labels, got 5"):
        load_labelled(Source(tmp_path, "idx"))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + np.array([9, 9, 9], ">i4").tobytes())
    with pytest.raises(DataError, match="expected 729 bytes after the header, got 0. Is it cut"):
        load_labelled(Source(tmp_path, "idx"))
    (tmp_path / "data_batch_1.bin").write_bytes(b"123")
    with pytest.raises(DataError, match="expected records of 3073 or 3074 bytes, got 3"):
        load_labelled(Source(tmp_path, "cifar"))
    (tmp_path / "train.txt").write_text("good\n")
    with pytest.raises(DataError, match="line 1 has one part"):
        load_labelled(Source(tmp_path / "train.txt", "labelled_text"))
    (tmp_path / "train.npz").write_text("no arrays")
    with pytest.raises(DataError, match="expected an npz with images and labels, got pickled objects, or no file"):
        load_labelled(Source(tmp_path, "npz"))
    for kind, message in (("idx", "found neither"), ("cifar", "found neither"), ("npz", "expected train.npz")):
        with pytest.raises(DataError, match=message):
            load_labelled(Source(tmp_path / "none", kind))


def test_a_network_is_given_what_it_can_see():
    with pytest.raises(
        ConfigError, match="learning.data: expected sentences for textcnn, got no entry. Write learning"
    ):
        check_source("textcnn", "sentences", None)
    with pytest.raises(ConfigError, match="learning.data.rnn: expected characters .* got format idx"):
        check_source("rnn", "characters", {"format": "idx", "path": "x"})
    with pytest.raises(ConfigError, match="Unknown format of learning.data 'idxx'; did you mean 'idx'"):
        Source.of({"format": "idxx", "path": "x"}, Path())
    with pytest.raises(ConfigError, match="Unknown key of learning.data 'pathh'; did you mean 'path'"):
        Source.of({"pathh": "x"}, Path())
