"""Where the random draws of all statistics come from: a fixed seed, so that a board shows the same numbers twice."""

from collections.abc import Iterator

from numpy.random import PCG64, Generator

SEED = 20_150_706
_NUMBERS_AT_ONCE = 4_000_000  # 32 MB of float64


def generator(seed: int = SEED) -> Generator:
    return Generator(PCG64(seed))


def batches(draws: int, numbers_per_draw: int) -> Iterator[int]:
    """Sizes that sum to `draws`, each small enough to be held in memory at once."""
    size = max(1, _NUMBERS_AT_ONCE // max(1, numbers_per_draw))
    for start in range(0, draws, size):
        yield min(size, draws - start)
