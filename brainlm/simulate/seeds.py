"""Independent random streams, one for each named part of the data set."""

from zlib import crc32

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random numbers of one part: they do not change when other parts draw more or fewer."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])
