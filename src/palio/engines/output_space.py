"""The file system for a job's output: its size, and what its usage says about the limits.

Each job has its own tmpfs for its output, so the kernel enforces size and number of files whatever the job does: files
that are deleted but mapped, open or sent through a socket, preallocation, and bursts of any speed. Its content counts
as the job's memory.

The file system is one block and one inode larger than the limits, to tell a job that exhausts a limit from one that
exceeds it. A file takes whole blocks; a folder or link counts as a file.
"""

import os

from palio.core.engine import End, Limits
from palio.core.quantities import size_text

_BLOCK_BYTES = 64 * 1024  # the largest page size in Linux; tmpfs allocates pages


def output_size_bytes(limits: Limits) -> int:
    """The size of the file system."""
    return -(-limits.output_bytes // _BLOCK_BYTES) * _BLOCK_BYTES + _BLOCK_BYTES


def output_inodes(limits: Limits) -> int:
    """The number of inodes of the file system: its root, what the job may create, and one more."""
    return limits.output_files + 2


def output_excess(space: os.statvfs_result, limits: Limits) -> tuple[End, str] | None:
    """Which limit is exceeded and by how much, given the `os.statvfs` of the file system."""
    used = (space.f_blocks - space.f_bfree) * space.f_frsize
    if used > -(-limits.output_bytes // space.f_frsize) * space.f_frsize:
        return End.OUTPUT_SIZE, f"{size_text(used)} of {size_text(limits.output_bytes)}"
    if space.f_files - space.f_ffree - 1 > limits.output_files:
        return End.OUTPUT_FILES, f"more than {limits.output_files:,} files and folders"
    return None
