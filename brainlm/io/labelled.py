"""Data sets with labels that networks learn: idx, CIFAR and npz files, folders of pictures, files of sentences."""

import gzip
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from brainlm.errors import ConfigError, DataError, choose, one_line
from brainlm.io.pictures import load_labels, load_pictures

PARTS = ("train", "validation", "test")
PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp"}


@dataclass(frozen=True)
class Source:
    """Where a data set lies, as the config says it (section ``learning.data``)."""

    path: Path
    format: str = "labelled_pictures"
    test: Path | None = None  # files of their own; else parts of ``path`` are drawn by the seed
    validation: Path | None = None
    encoding: str = "utf-8"
    limit: int | None = None  # training stimuli at most, drawn by the seed
    words: int | None = None  # of a sentence, longer ones are cut; None keeps the longest
    vectors: Path | None = None  # word2vec or GloVe text; None fits PPMI-SVD on the training part
    dimensions: int = 50  # of fitted vectors
    min_count: int = 2  # of a word that gets a fitted vector
    length: int = 32  # characters of a sequence
    rsa: bool = False  # compared with brains: its pictures are like those of RSA, or it reads the study's stories

    @classmethod
    def of(cls, told: dict, root: Path) -> "Source":
        """The config's words, paths under ``root`` where they are not absolute."""
        for key in told:
            choose("key of learning.data", key, list(cls.__dataclass_fields__))
        if "path" not in told:
            raise ConfigError("learning.data: expected a path for each network named there, got none. Name the files.")
        choose("format of learning.data", told.get("format", cls.format), [*PICTURES, *TEXTS])
        places = {key: root / told[key] for key in ("path", "test", "validation", "vectors") if told.get(key)}
        return cls(**told | places)


@dataclass(frozen=True)
class Labelled:
    """Stimuli with a label each: pictures as an array, or sentences."""

    stimuli: UInt8[np.ndarray, "stimuli height width channels"] | list[str]
    labels: list[str]


def check_source(network: str, kind: str, told: dict | None) -> None:
    """Stop where a network that sees ``kind`` is given none, or something else.

    Raises
    ------
    ConfigError
        If the network has no data, or the data's format is not for it.
    """
    formats = FORMATS[kind]
    if told is None and kind != "pictures":
        raise ConfigError(
            f"learning.data: expected {kind} for {network}, got no entry. "
            f"Write learning: {{data: {{{network}: {{format: {formats[0]}, path: ...}}}}}}."
        )
    if told is not None and Source.of(told, Path()).format not in formats:
        raise ConfigError(
            f"learning.data.{network}: expected {kind} (format {', '.join(formats)}), got format "
            f"{Source.of(told, Path()).format}. Choose another format or another network."
        )


def is_reader(told: dict | None) -> bool:
    """Whether an entry of ``learning.data`` makes its network read the study's stories, to be compared with brains."""
    return bool(told) and bool(told.get("rsa")) and told.get("format") in TEXTS


def load_labelled(source: Source) -> dict[str, Labelled]:
    """The parts that the files themselves tell apart: ``train``, and ``validation`` and ``test`` where they exist.

    Raises
    ------
    DataError
        If a file is missing or does not hold what its format says.
    """
    load = (PICTURES | {"labelled_text": _sentences})[source.format]
    parts = load(source.path, source.encoding) if source.format == "labelled_text" else load(source.path)
    for name in ("validation", "test"):
        path = getattr(source, name)
        if path is not None:
            more = load(path, source.encoding) if source.format == "labelled_text" else load(path)
            parts[name] = next(iter(more.values()))
    return parts


def load_text(source: Source) -> str:
    """A plain text.

    Raises
    ------
    DataError
        If there is none, or it is not in the encoding that the config says.
    """
    try:
        return source.path.read_text(encoding=source.encoding)
    except FileNotFoundError as error:
        raise DataError(f"{source.path}: expected a text, found none. Check learning.data in the config.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source.path}: expected text in {source.encoding}, got byte {error.object[error.start]:#04x} at "
            f"{error.start}. Set the encoding (latin-1?)."
        ) from error


def load_word_vectors(path: Path, words: set[str], encoding: str = "utf-8") -> dict[str, np.ndarray]:
    """Vectors of ``words`` from a text file: word2vec's (with a first line of two numbers) or GloVe's (without).

    Raises
    ------
    DataError
        If a line has another number of values than the first, or none of the words is there.
    """
    if not path.exists():
        raise DataError(f"{path}: expected word vectors, found no file. Check learning.data in the config.")
    found: dict[str, np.ndarray] = {}
    width = None
    with path.open(encoding=encoding) as lines:
        for number, line in enumerate(lines, start=1):
            word, *values = line.rstrip().split(" ")
            if number == 1 and len(values) == 1:
                continue
            width = width or len(values)
            if len(values) != width:
                raise DataError(f"{path}: expected {width} numbers a word, line {number} has {len(values)}. Mend it.")
            if word in words:
                found[word] = np.array(values, dtype=np.float32)
    if not found:
        raise DataError(f"{path}: expected vectors of the {len(words)} words of the data, got none. Take another file.")
    return found


def _labelled_pictures(folder: Path) -> dict[str, Labelled]:
    pictures, names = load_pictures(folder)
    return {"train": Labelled(pictures, load_labels(folder, names))}


def _image_folder(folder: Path) -> dict[str, Labelled]:
    """A folder a class, or such folders in ``train``, ``validation`` (or ``val``) and ``test``."""
    named = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
    apart = {part: folder / name for name, part in named.items() if (folder / name).is_dir()}
    if "train" in apart:
        return {part: _classes(path) for part, path in apart.items()}
    return {"train": _classes(folder)}


def _classes(folder: Path) -> Labelled:
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in PICTURE_ENDINGS)
    if not paths:
        raise DataError(f"{folder}: expected a folder of pictures a class, found none. Check learning.data.")
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            size = f"{images[0].shape[1]} x {images[0].shape[0]}"
            raise DataError(
                f"{path}: expected {size} pixels as in {paths[0].name}, got {image.shape[1]} x {image.shape[0]}. "
                "Bring all pictures to one size."
            )
    return Labelled(np.stack(images), [path.parent.name for path in paths])


def _idx(folder: Path) -> dict[str, Labelled]:
    """MNIST's format: images-idx3-ubyte and labels-idx1-ubyte, gzipped or not; ``t10k`` is the test."""
    found = {}
    for name, part in (("train", "train"), ("t10k", "test")):
        images, labels = (sorted(folder.glob(f"{name}-{kind}*-ubyte*")) for kind in ("images", "labels"))
        if images and labels:
            pixels, numbers = _read_idx(images[0], 3), _read_idx(labels[0], 1)
            if len(pixels) != len(numbers):
                raise DataError(f"{labels[0]}: expected {len(pixels)} labels, got {len(numbers)}. Take matching files.")
            found[part] = Labelled(pixels[..., None], [str(number) for number in numbers])
    if not found:
        raise DataError(f"{folder}: expected train- or t10k-images-idx3-ubyte and its labels, found neither.")
    return found if "train" in found else {"train": found["test"]}


def _read_idx(path: Path, n_axes: int) -> np.ndarray:
    raw = path.read_bytes()
    try:
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: expected a whole gzip file, got {error}. Copy it anew.") from error
    start = 4 + 4 * n_axes
    if raw[:4] != bytes([0, 0, 8, n_axes]):
        raise DataError(f"{path}: expected the idx mark 0 0 8 {n_axes} (bytes, {n_axes} axes), got {list(raw[:4])}.")
    shape = np.frombuffer(raw, ">i4", n_axes, 4)
    if len(raw) - start != shape.prod():
        raise DataError(f"{path}: expected {shape.prod()} bytes after the header, got {len(raw) - start}. Is it cut?")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _cifar(folder: Path) -> dict[str, Labelled]:
    """CIFAR's binary version: records of one label byte (CIFAR-10) or two (CIFAR-100, the fine one counts)."""
    files = {
        "train": sorted(folder.glob("data_batch_*.bin")) or sorted(folder.glob("train.bin")),
        "test": sorted(folder.glob("test_batch.bin")) or sorted(folder.glob("test.bin")),
    }
    if not files["train"]:
        raise DataError(f"{folder}: expected data_batch_*.bin or train.bin (CIFAR's binary version), found neither.")
    texts = [path for path in (folder / "batches.meta.txt", folder / "fine_label_names.txt") if path.exists()]
    names = texts[0].read_text(encoding="utf-8").split() if texts else []
    return {part: _read_cifar(paths, names) for part, paths in files.items() if paths}


def _read_cifar(paths: list[Path], names: list[str]) -> Labelled:
    images, labels = [], []
    for path in paths:
        raw = np.fromfile(path, np.uint8)
        width = next((width for width in (3073, 3074) if len(raw) and len(raw) % width == 0), None)
        if width is None:
            raise DataError(f"{path}: expected records of 3073 or 3074 bytes, got {len(raw)} bytes. Is it cut?")
        records = raw.reshape(-1, width)
        images.append(np.moveaxis(records[:, -3072:].reshape(-1, 3, 32, 32), 1, -1))
        labels += records[:, -3073].tolist()
    known = len(names) > max(labels)
    return Labelled(np.concatenate(images), [names[n] if known else str(n) for n in labels])


def _npz(folder: Path) -> dict[str, Labelled]:
    """``train.npz``, and ``validation.npz`` and ``test.npz`` where they exist: images, labels, and names of labels."""
    if not (folder / "train.npz").exists():
        raise DataError(f"{folder}: expected train.npz, found none. Check learning.data in the config.")
    return {part: _read_npz(folder / f"{part}.npz") for part in PARTS if (folder / f"{part}.npz").exists()}


def _read_npz(path: Path) -> Labelled:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: expected an npz with images and labels, got {one_line(error)}.") from error
    missing = {"images", "labels"} - set(arrays)
    if missing:
        raise DataError(f"{path}: expected arrays images and labels, {', '.join(sorted(missing))} missing.")
    images, labels = arrays["images"], arrays["labels"]
    names = arrays["names"].astype(str).tolist() if "names" in arrays else None
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) != len(labels):
        raise DataError(
            f"{path}: expected bytes, stimuli x height x width (x channels), and as many labels; got "
            f"{images.dtype} {images.shape} and {labels.shape}."
        )
    images = images if images.ndim == 4 else images[..., None]
    return Labelled(images, [names[n] if names else str(n) for n in labels])


def _sentences(path: Path, encoding: str) -> dict[str, Labelled]:
    """A sentence a line: its label, a tab or a space, the text."""
    lines = [line for line in load_text(Source(path, encoding=encoding)).split("\n") if line.strip()]
    pairs = [line.split("\t" if "\t" in line else " ", 1) for line in lines]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) < 2:
            raise DataError(f"{path}: expected a label, a tab or space, and a text a line; line {number} has one part.")
    if not pairs:
        raise DataError(f"{path}: expected sentences with labels, got an empty file.")
    return {"train": Labelled([text for _, text in pairs], [label.strip() for label, _ in pairs])}


PICTURES: dict[str, Callable[[Path], dict[str, Labelled]]] = {
    "labelled_pictures": _labelled_pictures,
    "image_folder": _image_folder,
    "idx": _idx,
    "cifar": _cifar,
    "npz": _npz,
}
TEXTS = ("labelled_text", "plain_text")
READERS = ("textcnn", "rnn")  # networks that read a text of any length
FORMATS = {"pictures": tuple(PICTURES), "sentences": ("labelled_text",), "characters": ("plain_text",)}
