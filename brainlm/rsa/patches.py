"""Patches of a searchlight: the voxels of a mask within a radius of each centre."""

import numpy as np
from jaxtyping import Int

from brainlm.errors import ConfigError
from brainlm.records import Space


class Patches:
    """All voxels of the mask at most ``radius_mm`` (inclusive, in millimetres of the affine) from each of its voxels.

    Voxels are numbered as the columns of a signal in this space. At the mask's edge a patch is smaller; ``count`` says
    how many voxels it has. Patches are looked up a chunk at a time, so a large radius costs no memory.

    Raises
    ------
    ConfigError
        If the space is no volume, the mask is empty, or the radius reaches no neighbour.
    """

    def __init__(self, space: Space, radius_mm: float) -> None:
        if space.mask is None or not space.mask.any():
            got = "electrodes" if space.mask is None else "a mask without any voxel"
            raise ConfigError(f"A searchlight needs a volume whose mask holds voxels; got {got}.")
        offsets = sphere_offsets(space.affine, radius_mm)
        if len(offsets) == 1:
            size = np.linalg.norm(space.affine[:3, :3], axis=0)
            raise ConfigError(
                f"A searchlight radius must reach the next voxel ({size.min():.3g} mm); got {radius_mm:g} mm. Raise it."
            )
        reach = np.abs(offsets).max(0)
        shape = np.array(space.mask.shape) + 2 * reach
        self.n_voxels, self.full_size = len(space), len(offsets)
        lookup = np.full(shape, self.n_voxels, dtype=np.intp)
        inner = tuple(slice(r, r + n) for r, n in zip(reach, space.mask.shape, strict=True))
        lookup[inner][space.mask] = np.arange(self.n_voxels)
        self._lookup = lookup.ravel()
        self._centres = np.flatnonzero(self._lookup < self.n_voxels)
        steps = np.array([shape[1] * shape[2], shape[2], 1])
        self._steps = offsets @ steps
        self._depth = shape[2]
        # of a voxel and its next along the last axis: what both patches hold, seen from the first, and what only one
        in_both = np.isin(self._steps - 1, self._steps)
        before = np.isin(self._steps + 1, self._steps)
        self._common = self._steps[in_both]
        self._own = np.stack([self._steps[~in_both], self._steps[~before]])

    def members(self, centres: Int[np.ndarray, " centres"]) -> Int[np.ndarray, "centres places"]:
        """The voxels around each centre; ``n_voxels`` stands where the sphere leaves the mask."""
        return self._lookup[self._centres[centres][:, None] + self._steps]

    def shared(
        self, centres: Int[np.ndarray, " centres"]
    ) -> tuple[Int[np.ndarray, "couples common"], Int[np.ndarray, " centres"], Int[np.ndarray, "centres own"]]:
        """The patches in two parts: what a couple of neighbours has in common, and what each has alone.

        Couples are fixed by the place in the volume, so a patch is cut into the same parts whoever is asked for beside
        it. Gives the voxels of each couple, the couple of each centre, and the rest of each centre's voxels.
        """
        places = self._centres[centres]
        second = places % self._depth % 2
        couples, which = np.unique(places - second, return_inverse=True)
        common = self._lookup[couples[:, None] + self._common]
        return common, which, self._lookup[places[:, None] + self._own[second]]

    def count(self, centres: Int[np.ndarray, " centres"]) -> Int[np.ndarray, " centres"]:
        """How many voxels each patch has."""
        return (self.members(centres) < self.n_voxels).sum(1)


def sphere_offsets(affine: np.ndarray, radius_mm: float) -> Int[np.ndarray, "places 3"]:
    """Steps in voxels that lie at most ``radius_mm`` away, ascending; also for oblique or anisotropic grids."""
    axes = np.asarray(affine, dtype=float)[:3, :3]
    # along axis i a voxel within the radius is at most radius * |row i of the inverse| steps away
    reach = np.floor(radius_mm * np.linalg.norm(np.linalg.inv(axes), axis=1) + 1e-9).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    return steps[np.linalg.norm(steps @ axes.T, axis=1) <= radius_mm * (1 + 1e-9)]
