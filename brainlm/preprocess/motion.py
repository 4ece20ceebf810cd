"""Head motion: each volume rigidly registered to a reference (SimpleITK), deterministic, one thread."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from jaxtyping import Float
from scipy.ndimage import binary_dilation

TO_ITK = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI is right-anterior-superior, ITK left-posterior-superior
HEAD_RADIUS_MM = 50.0


def estimate_motion(
    series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "time 6"]:
    """Translations (mm) and rotations (rad) about the grid's centre that carry the reference onto each volume.

    The reference is the mean of the ten volumes that are most like the median volume. Each search (mean squares,
    regular step gradient descent) starts from the volume before.
    """
    mean = _reference(series)
    reference = _image(mean, affine)
    registration = _registration()
    registration.SetMetricFixedMask(_image(_head(mean), affine) > 0)
    transform = sitk.Euler3DTransform()
    transform.SetCenter(_centre(reference))
    parameters = np.zeros((series.shape[3], 6))
    for t in range(series.shape[3]):
        registration.SetInitialTransform(transform, inPlace=True)
        registration.Execute(reference, _image(series[..., t], affine))
        rotation, translation = transform.GetParameters()[:3], transform.GetParameters()[3:]
        parameters[t] = [*translation, *rotation]
    return parameters * [-1, -1, 1, -1, -1, 1]  # from ITK's axes to NIfTI's


def apply_motion(
    series: Float[np.ndarray, "x y z time"], affine: Float[np.ndarray, "4 4"], parameters: Float[np.ndarray, "time 6"]
) -> Float[np.ndarray, "x y z time"]:
    """Every volume moved back onto the reference, in one B-spline resampling, extrapolated at the edge."""
    aligned = np.empty_like(series, dtype=np.float32)
    for t, row in enumerate(parameters * [-1, -1, 1, -1, -1, 1]):
        image = _image(series[..., t], affine)
        transform = sitk.Euler3DTransform()
        transform.SetCenter(_centre(image))
        transform.SetParameters([*row[3:], *row[:3]])
        resampled = sitk.Resample(image, image, transform, sitk.sitkBSpline3, 0.0, sitk.sitkFloat32, True)
        aligned[..., t] = sitk.GetArrayFromImage(resampled).T
    return aligned


def framewise_displacement(parameters: Float[np.ndarray, "time 6"]) -> Float[np.ndarray, " time"]:
    """Sum of absolute differences, rotations as arcs on a sphere of 50 mm (Power et al. 2012); NaN for the first."""
    steps = np.abs(np.diff(parameters * [1, 1, 1, *[HEAD_RADIUS_MM] * 3], axis=0)).sum(axis=1)
    return np.concatenate([[np.nan], steps])


def _reference(series: Float[np.ndarray, "x y z time"]) -> Float[np.ndarray, "x y z"]:
    flat = series.reshape(-1, series.shape[3]).astype(np.float32)
    distance = np.square(flat - np.median(flat, axis=1, keepdims=True)).sum(axis=0)
    return series[..., np.sort(np.argsort(distance)[:10])].mean(axis=3)


def _head(volume: Float[np.ndarray, "x y z"]) -> Float[np.ndarray, "x y z"]:
    bright = volume > 0.2 * np.percentile(volume, 98)
    return binary_dilation(bright, iterations=2).astype(np.float32)


def _registration() -> sitk.ImageRegistrationMethod:
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMeanSquares()
    registration.SetMetricSamplingStrategy(registration.NONE)
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(
        0.5, 1e-3, 200, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-8
    )
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetNumberOfThreads(1)
    return registration


def _image(volume: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"]) -> sitk.Image:
    in_itk = TO_ITK @ affine
    zooms = nib.affines.voxel_sizes(affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.T, dtype=np.float32))
    image.SetSpacing([float(z) for z in zooms])
    image.SetOrigin([float(o) for o in in_itk[:3, 3]])
    image.SetDirection((in_itk[:3, :3] / zooms).ravel().tolist())
    return image


def _centre(image: sitk.Image) -> tuple[float, ...]:
    return image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
