"""Random numbers for all statistics. The seed is fixed, so that the same scores give the same numbers."""

from collections.abc import Iterator

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

SEED = 20_150_706
_FEW_UNITS = 2_000
_NUMBERS_AT_ONCE = 4_000_000  # 32 MB of float64


def generator(seed: int = SEED) -> Generator:
    return Generator(PCG64(seed))


def batches(draws: int, numbers_per_draw: int) -> Iterator[int]:
    """Yields batch sizes that sum to `draws`, each small enough for memory."""
    size = max(1, _NUMBERS_AT_ONCE // max(1, numbers_per_draw))
    for start in range(0, draws, size):
        yield min(size, draws - start)


def redraw_counts(units: int, size: int, random: Generator) -> NDArray[np.float32]:
    """How often each unit is drawn in `size` bootstrap samples, of shape (units, size).

    All submissions share them: a sum over the cases of a redraw is then a matrix product. The counts are whole numbers.
    """
    if units < _FEW_UNITS:  # all at once; of many, the counts of one sample fit into the processor's cache
        drawn = random.integers(0, units, (size, units))
        drawn += np.arange(0, size * units, units)[:, np.newaxis]
        all_counts = np.bincount(drawn.ravel(), minlength=units * size).reshape(size, units)
        return all_counts.T.astype(np.float32, order="C")
    counts = np.empty((size, units), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(random.integers(0, units, units, dtype=np.int32), minlength=units)
    return np.ascontiguousarray(counts.T)
