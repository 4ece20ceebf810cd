"""Smooth displacements made of cosines, and least squares over them (Ashburner and Friston 1999)."""

import numpy as np
from jaxtyping import Float
from scipy.fft import idct
from scipy.linalg import cho_factor, cho_solve

from brainlm.preprocess.grids import Grid


class Waves:
    """Cosines along the axes of a grid, down to ``shortest_mm``; a displacement has three coefficients a wave."""

    def __init__(self, grid: Grid, shortest_mm: float) -> None:
        lengths = np.array(grid.shape) * grid.zooms()
        self.counts = tuple(int(2 * length / shortest_mm) + 1 for length in lengths)
        sizes = list(zip(grid.shape, self.counts, strict=True))
        self.basis = [idct(np.eye(n), axis=0, norm="ortho")[:, :m] for n, m in sizes]
        frequencies = [np.pi * np.arange(m) / length for m, length in zip(self.counts, lengths, strict=True)]
        squares = np.meshgrid(*(frequency**2 for frequency in frequencies), indexing="ij")
        self.bending = (squares[0] + squares[1] + squares[2]) ** 2  # energy of a wave, 1 / mm^4

    def field(self, coefficients: Float[np.ndarray, "3 a b c"]) -> Float[np.ndarray, "3 x y z"]:
        """The displacement (mm) on the grid."""
        return np.einsum("dabc,xa,yb,zc->dxyz", coefficients, *self.basis, optimize=True)

    def step(
        self,
        slope: Float[np.ndarray, "3 x y z"],
        residual: Float[np.ndarray, "x y z"],
        price: float,
        coefficients: Float[np.ndarray, "3 a b c"],
    ) -> Float[np.ndarray, "3 a b c"]:
        """Change of ``coefficients`` that explains ``residual`` by ``slope`` (a mm), bending paid at ``price``."""
        n = self.bending.size
        normal = np.zeros((3, n, 3, n))
        for i in range(3):
            for j in range(i, 3):
                normal[i, :, j] = normal[j, :, i] = self._products(slope[i] * slope[j])
        normal = normal.reshape(3 * n, 3 * n)
        costs = np.tile(price * self.bending.ravel(), 3)
        normal[np.diag_indices(3 * n)] += costs + 1e-6 * np.trace(normal) / (3 * n)
        right = np.einsum("dxyz,xyz,xa,yb,zc->dabc", slope, residual, *self.basis, optimize=True).ravel()
        right -= costs * coefficients.ravel()
        return cho_solve(cho_factor(normal, overwrite_a=True), right).reshape(coefficients.shape)

    def _products(self, weights: np.ndarray) -> np.ndarray:
        """Weighted products of every wave with every other: one axis after another, as waves are products of axes."""
        n = self.bending.size
        pairs = [np.einsum("xa,xb->xab", basis, basis) for basis in self.basis]
        block = np.einsum("xyz,zcf->xycf", weights, pairs[2], optimize=True)
        block = np.einsum("xycf,ybe->xbecf", block, pairs[1], optimize=True)
        return np.einsum("xbecf,xad->abcdef", block, pairs[0], optimize=True).reshape(n, n)
