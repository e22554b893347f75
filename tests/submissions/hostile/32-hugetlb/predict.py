import ctypes
import mmap
import os

from honest import answers, must_fail, write

libc = ctypes.CDLL(None, use_errno=True)


def shared():
    if libc.shmget(0, ctypes.c_size_t(2 << 20), 0o1600 | 0o4000) == -1:  # SHM_HUGETLB
        raise OSError(ctypes.get_errno(), "shmget")


must_fail(
    {
        "mmap": lambda: mmap.mmap(-1, 2 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000),
        "memfd": lambda: os.memfd_create("x", 0x4),
        "System V": shared,
    }
)
write(answers())
