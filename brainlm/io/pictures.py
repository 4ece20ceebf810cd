"""Pictures as arrays: PNG files of one size, with labels in a table beside them."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from PIL import Image

from brainlm.errors import DataError

LABELS = "labels.tsv"


def load_pictures(folder: Path) -> tuple[UInt8[np.ndarray, "pictures height width 3"], tuple[str, ...]]:
    """All PNG pictures of a folder in the order of their names, and the names without ``.png``.

    Raises
    ------
    DataError
        If there is none, or their sizes differ.
    """
    paths = sorted(folder.glob("*.png"))
    if not paths:
        raise DataError(f"{folder}: expected PNG pictures, found none. Check the pictures' folder in the config.")
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{path}: expected {_size(images[0])} pixels as in {paths[0].name}, got {_size(image)}. "
                "Bring all pictures to one size."
            )
    return np.stack(images), tuple(path.stem for path in paths)


def load_labels(folder: Path, names: tuple[str, ...]) -> list[str]:
    """The label of each named picture, from the columns ``file`` and ``label`` of ``labels.tsv``.

    Raises
    ------
    DataError
        If the table or a column is missing, or a picture has no label or two.
    """
    path = folder / LABELS
    if not path.exists():
        raise DataError(f"{path}: expected a table of the pictures' labels, found none. Write columns file, label.")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if not {"file", "label"} <= set(table.columns):
        raise DataError(f"{path}: expected columns file and label, got {', '.join(table.columns)}. Rename them.")
    stems = [Path(file).stem for file in table["file"]]
    faults = [name for name in names if stems.count(name) != 1]
    if faults:
        raise DataError(
            f"{path}: expected one row a picture; {faults[0]!r} has {stems.count(faults[0])}. Mend the table."
        )
    found = dict(zip(stems, table["label"], strict=True))
    return [found[name] for name in names]


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
