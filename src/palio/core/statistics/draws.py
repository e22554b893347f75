"""Random numbers for all statistics. The seed is fixed, so that the same scores give the same numbers."""

from collections.abc import Iterator

from numpy.random import PCG64, Generator

SEED = 20_150_706
_NUMBERS_AT_ONCE = 4_000_000  # 32 MB of float64


def generator(seed: int = SEED) -> Generator:
    return Generator(PCG64(seed))


def batches(draws: int, numbers_per_draw: int) -> Iterator[int]:
    """Yields batch sizes that sum to `draws`, each small enough for memory."""
    size = max(1, _NUMBERS_AT_ONCE // max(1, numbers_per_draw))
    for start in range(0, draws, size):
        yield min(size, draws - start)
