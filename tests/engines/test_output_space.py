"""How large a job's output is made, and what its use says of the limits."""

import os

import pytest

from palio.core.engine import End, Limits
from palio.core.quantities import MIB
from palio.engines.output_space import output_excess, output_inodes, output_size_bytes

LIMITS = Limits(time_s=1, memory_bytes=64 * MIB, cpus=1, output_bytes=MIB, output_files=50)
BLOCK = 4096


def space(blocks: int, inodes: int) -> os.statvfs_result:
    """As the kernel tells of a file system in which so many blocks and inodes, the root's among them, are used."""
    size = output_size_bytes(LIMITS) // BLOCK
    total = output_inodes(LIMITS)
    return os.statvfs_result((BLOCK, BLOCK, size, size - blocks, size - blocks, total, total - inodes, 0, 0, 255))


def test_file_system_size() -> None:
    assert (output_size_bytes(LIMITS), output_inodes(LIMITS)) == (MIB + 64 * 1024, 52)


@pytest.mark.parametrize(
    ("blocks", "inodes", "excess"),
    [
        (0, 1, None),
        (256, 51, None),
        (257, 2, (End.OUTPUT_SIZE, "1.00 MiB of 1.00 MiB")),
        (272, 2, (End.OUTPUT_SIZE, "1.06 MiB of 1.00 MiB")),
        (1, 52, (End.OUTPUT_FILES, "more than 50 files and folders")),
    ],
)
def test_output_excess_named(blocks: int, inodes: int, excess: tuple[End, str] | None) -> None:
    assert output_excess(space(blocks, inodes), LIMITS) == excess
