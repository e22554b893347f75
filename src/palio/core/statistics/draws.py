"""Random numbers for all statistics. The seed is fixed, so that the same scores give the same numbers."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

# Number of redraws -> the metric of each submission in each, of shape (M, redraws).
Redrawer: TypeAlias = Callable[[int, Generator], NDArray[np.float64]]

SEED = 20_150_706
_DRAWN_AT_ONCE = 30_000  # numbers that fit into the processor's cache
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
    counts = np.empty((units, size), dtype=np.float32)
    rows = max(1, _DRAWN_AT_ONCE // max(1, units))
    for start in range(0, size, rows):
        drawn = random.integers(0, units, (min(rows, size - start), units), dtype=np.int32)
        of_samples = np.stack([np.bincount(sample, minlength=units) for sample in drawn])
        counts[:, start : start + len(drawn)] = of_samples.T
    return counts
