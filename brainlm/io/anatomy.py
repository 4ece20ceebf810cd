"""A subject's T1w image in a BIDS folder."""

from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float

from brainlm.errors import DataError
from brainlm.io.fmri import check_affine
from brainlm.io.headers import check_pointer


def find_t1w(root: Path, path: str) -> Path | None:
    """The T1w image that belongs to the recording at ``path`` (relative): its session's, else the subject's first."""
    parts = Path(path).parts
    subject = root / next((part for part in parts if part.startswith("sub-")), "")
    sessions = [root / Path(*parts[:2])] if len(parts) > 2 and parts[1].startswith("ses-") else []
    folders = [*sessions, subject, *sorted(subject.glob("ses-*"))]
    found = [file for folder in folders for file in sorted((folder / "anat").glob("*_T1w.nii*"))]
    return found[0] if found else None


def load_t1w(path: Path) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """A T1w image (float32) and its affine (mm).

    Raises
    ------
    DataError
        If the file cannot be read, is no volume, or holds values that are not finite or all the same.
    """
    check_pointer(path)
    advice = "Replace it, or set fmri.anatomy: none."
    try:
        image = nib.load(path)
        volume = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: expected a T1w volume, got {error}. {advice}") from error
    if volume.ndim == 4 and volume.shape[3] == 1:
        volume = volume[..., 0]
    if volume.ndim != 3:
        raise DataError(f"{path}: expected a T1w volume (3 axes), got the shape {volume.shape}. {advice}")
    if not np.isfinite(volume).all() or volume.min() == volume.max():
        raise DataError(f"{path}: expected a T1w volume of finite values that are not all the same. {advice}")
    check_affine(path, image.affine)
    return volume, image.affine
