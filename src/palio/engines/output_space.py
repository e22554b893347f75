"""The file system that is a job's output folder: how large it is made, and what its use says of the limits.

Each job has a tmpfs of its own for its output, so the kernel enforces size and number of files, whatever the job does:
bytes that no directory names (deleted files that are mapped, open, or sent through a socket), preallocation, and a
burst of any speed. What is in it counts as the job's memory.

The file system is larger than the limits by one block and one inode, so that a job that uses a limit up can be told
from one that goes beyond it. A file takes whole blocks, and a folder or a link counts as a file.
"""

import os

from palio.core.engine import End, Limits
from palio.core.quantities import size_text

_BLOCK_BYTES = 64 * 1024  # the largest page that Linux knows; tmpfs allocates pages


def output_size_bytes(limits: Limits) -> int:
    """The size that the file system is given."""
    return -(-limits.output_bytes // _BLOCK_BYTES) * _BLOCK_BYTES + _BLOCK_BYTES


def output_inodes(limits: Limits) -> int:
    """The number of inodes that the file system is given: its root, what the job may make, and one beyond."""
    return limits.output_files + 2


def output_excess(space: os.statvfs_result, limits: Limits) -> tuple[End, str] | None:
    """Which limit is passed, and by what, given what `os.statvfs` says of the file system."""
    used = (space.f_blocks - space.f_bfree) * space.f_frsize
    if used > -(-limits.output_bytes // space.f_frsize) * space.f_frsize:
        return End.OUTPUT_SIZE, f"{size_text(used)} of {size_text(limits.output_bytes)}"
    if space.f_files - space.f_ffree - 1 > limits.output_files:
        return End.OUTPUT_FILES, f"more than {limits.output_files:,} files and folders"
    return None
