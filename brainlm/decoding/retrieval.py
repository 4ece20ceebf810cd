"""Retrieval as a baseline: a linear map from all voxels to what a text is about, and the nearest text of training."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.kernel_ridge import KernelRidge

from brainlm.decoding.metrics import similarity

PENALTIES = np.logspace(-3, 4, 15)  # times the mean of the kernel's diagonal
CHUNK = 512  # voxels of all windows that are held at once


def nearest_training_texts(
    brain: dict[str, Float[np.ndarray, "windows reach voxels"]], coordinates: dict[str, Float[np.ndarray, "windows c"]]
) -> Int[np.ndarray, " test"]:
    """For each window of ``brain["test"]``, the training window whose text is nearest to what ridge predicts.

    Ridge from ``brain["training"]`` to ``coordinates["training"]`` in its dual form, the penalty with the least squared
    error on "validation"; nearest by cosine.
    """
    kernels = {role: linear_kernel(windows, brain["training"]) for role, windows in brain.items()}
    scale = float(np.diag(kernels["training"]).mean())
    kernels = {role: kernel / scale for role, kernel in kernels.items()}
    centre = coordinates["training"].mean(axis=0)

    def predict(penalty: float, role: str) -> Float[np.ndarray, "windows c"]:
        model = KernelRidge(alpha=penalty, kernel="precomputed")
        model.fit(kernels["training"], coordinates["training"] - centre)
        return model.predict(kernels[role])

    wanted = coordinates["validation"] - centre
    errors = [np.square(predict(penalty, "validation") - wanted).mean() for penalty in PENALTIES]
    said = predict(float(PENALTIES[int(np.argmin(errors))]), "test") + centre
    return np.argmax(similarity(said, coordinates["training"]), axis=1)


def linear_kernel(
    rows: Float[np.ndarray, "rows reach voxels"], columns: Float[np.ndarray, "columns reach voxels"]
) -> Float[np.ndarray, "rows columns"]:
    """Inner products of windows less the mean of ``columns``, summed over some voxels at a time."""
    total = np.zeros((len(rows), len(columns)))
    for start in range(0, columns.shape[2], CHUNK):
        few = columns[..., start : start + CHUNK].reshape(len(columns), -1).astype(float)
        own = rows[..., start : start + CHUNK].reshape(len(rows), -1)
        total += (own - few.mean(axis=0)) @ (few - few.mean(axis=0)).T
    return total
