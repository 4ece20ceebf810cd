"""Transforms between spaces, in ITK's formats (ANTs, SimpleITK and nitransforms read them)."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from jaxtyping import Float

from brainlm.io.store import atomic

TO_ITK = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI is right-anterior-superior, ITK left-posterior-superior


def save_transform(
    path: Path,
    matrix: Float[np.ndarray, "4 4"],
    displacement: Float[np.ndarray, "3 x y z"] | None = None,
    affine: Float[np.ndarray, "4 4"] | None = None,
) -> None:
    """Write what carries places of the target (mm) to places of the source, as ITK resamples: the displacement first.

    ``affine`` is that of the displacement's grid. A matrix alone is text (.txt), with a displacement HDF5 (.h5).
    """
    in_itk = TO_ITK @ matrix @ TO_ITK
    whole = sitk.AffineTransform(3)
    whole.SetMatrix(in_itk[:3, :3].ravel().tolist())
    whole.SetTranslation(in_itk[:3, 3].tolist())
    with atomic(path) as tmp:
        if displacement is None or affine is None:
            _write(whole, tmp)
            return
        composite = sitk.CompositeTransform([whole, _field(displacement, affine)])  # the last is used first
        _write(composite, tmp)


def _write(transform: sitk.Transform, path: Path) -> None:
    try:
        sitk.WriteTransform(transform, str(path))
    except RuntimeError as error:
        raise OSError(str(error).splitlines()[-1]) from error


def _field(displacement: np.ndarray, affine: np.ndarray) -> sitk.DisplacementFieldTransform:
    vectors = displacement * np.diag(TO_ITK)[:3].reshape(3, 1, 1, 1)
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors.T, dtype=np.float64), isVector=True)
    in_itk, zooms = TO_ITK @ affine, np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(zooms.tolist())
    image.SetOrigin(in_itk[:3, 3].tolist())
    image.SetDirection((in_itk[:3, :3] / zooms).ravel().tolist())
    return sitk.DisplacementFieldTransform(image)
