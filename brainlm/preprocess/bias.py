"""The slow change of brightness that a receiving coil leaves in an image (SimpleITK's N4, one thread)."""

import numpy as np
import SimpleITK as sitk
from jaxtyping import Bool, Float

from brainlm.preprocess.grids import grid_of

TO_ITK = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI is right-anterior-superior, ITK left-posterior-superior
SOUGHT_AT_MM = 4.0
ITERATIONS = [20, 20, 20]  # at each doubling of the spline's mesh


def correct_bias(
    image: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], mask: Bool[np.ndarray, "x y z"]
) -> Float[np.ndarray, "x y z"]:
    """The image without its bias field, which is sought over ``mask`` (Tustison et al. 2010)."""
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetNumberOfThreads(1)
    n4.SetMaximumNumberOfIterations(ITERATIONS)
    full = _image(np.maximum(image, 1e-3 * np.percentile(image[mask], 50)), affine)
    factors = np.maximum(1, SOUGHT_AT_MM // grid_of(image, affine).zooms()).astype(int).tolist()
    n4.Execute(sitk.Shrink(full, factors), sitk.Shrink(sitk.Cast(_image(mask, affine) > 0, sitk.sitkUInt8), factors))
    return image / np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full)).T)


def _image(volume: np.ndarray, affine: Float[np.ndarray, "4 4"]) -> sitk.Image:
    in_itk, zooms = TO_ITK @ affine, grid_of(volume, affine).zooms()
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    image.SetSpacing(zooms.tolist())
    image.SetOrigin(in_itk[:3, 3].tolist())
    image.SetDirection((in_itk[:3, :3] / zooms).ravel().tolist())
    return image
