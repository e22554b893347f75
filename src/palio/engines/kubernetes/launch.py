"""The launcher: a static program of two kilobytes that becomes the job's program once it has set the limits that no field of
a pod sets: processes, open files, size of one file, no core dumps.

It is a file in the job's folder on the volume, mounted read-only into the job's container. A job has a user of its own, so
the kernel's limit on a user's processes is one of the job. Where the kernel does not enforce that (as in some sandboxes),
the launcher notices before the program starts.

Covered: x86-64; any image, as it needs no library. Not covered: other processors, for which `launcher` has no program and
these limits are the node's. Its source is launch.c, compiled by

    gcc -Os -static -nostdlib -ffreestanding -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables
        -fcf-protection=none -fno-pie -no-pie -Wl,--build-id=none,-z,norelro,-z,noseparate-code,-z,noexecstack -s launch.c
"""

import base64
import zlib
from collections.abc import Sequence

from palio.core.engine import Limits

PATH = "/.palio-launch"  # in the container
_COMPILED = {
    "amd64": (
        "eNqtVU1sG0UUnnXsNL9dlz8ZCYlVZZUAIsYIQZM04A0JzNKt1KhOEaItcuwtserY1e5s4yhtcZRE6sTyLQdy555KVFWagrP5UUJ6oK0PBXFJ"
        "DzQ4cSBBUEjTkuXNrh1SKIgDI3ln3pvvvfe9H2s+bpPfdnAcKi0HegMx6SIKWHKgqP+kfBsCuv2ACyAnKrOwLrRzBR7ak0W70o7c9tZ+h0TK"
        "0X9fRTOE6fd44Lv1/KcOdt4YrsIN6xo/uECqsWlgc/oCNgsrM2JQopsSXRfpzY6JJlcAiZ8zokeuOpiL/lVkWd/BmUtek2PHtfyYaZoyzTHV"
        "GKja/DlM5/OjoC2hJt4CR0w5aEGn2bGX3dNFTH+UMwFuDlXJ9Lb0fB5uedfkO4Bnbr6R6RLvwkNGcjfYMCy9bSH8OSl8DyKNH7AyuwWg/lnG"
        "7YPj4rEZvzHMZ9pvpDYre9z4lFGF+WwOm/OYu1FYmhGP+nNih0TvslQfdBxhSUGNcPpZiDdcAQVxp+75+JEpKAt/eaHyWmFFpstfHGMppDng"
        "Qp5L7T+sP5NKcqL+VCrpCOruVLIM61WppLNZd+JMlwsPTFUUbg7liMA4NlkcFyEXma7wruwouJKosXwVsWoZeN7YgmJIdCnVhPjBUUu70DIc"
        "rEWDOVKV2mwkLsmcKvxwaGiBxPy51IHHEXFBxwp3pUxwjwP3b5o8Qj3tkHbQhYB2y4Xgy6bUMKWvHcyc3c1h+m3LnLPGxzrDOgLg/ObvrBO/"
        "2ZzmELJIQhUHNrZIBXxXZb7NaEmdrUWIVL2bidVyyyeA5KEhI/sZ0Jf5VkMa2PiZvADfDfKixOzK4buq72NnfmSaCfyIUTnNX84NTJ8veLK3"
        "wLBQk91imyubh23ivDVVs1YD6CJrnnhcPLF8BtiJ74lHxQ4xCB2i9/HAah1O78IZed6NaY0XGDp7nvDnSiMw6dieg3SfW84EvRVZ9ifJ/wSe"
        "/Dk5fapOorOYfj1ez1l5Dhm9j02cA0TWXQ7pwBg7WMxxNuw4E/N6xCsMKVpexMkGpk63et0ybfV6IKofqvcrpisYZEGmX9pTGpfpBqZbmG6C"
        "DAM7ZOh8cURtZaG2t1oyWelEfazwJvSZZdAMCJl+JdNrvAuuOLLvYKbVuWXFlun1YhiPFevvCbxWTEB8AP+odJ9HtCDgN/+LrREwncvn2ZkS"
        "r8dvWv6IV5DoVHaXFcKwHT4J4Drb6fvgNL923zQLr8tUtlLOcjaWyYKd73W/kXVa6ZXolXwlL+H0q9Cm2Tqc6asrNVb8cPkc8FCSSrhR2Iv2"
        "NgrIF1HO+IiidkfjIRJNxF+KJT5CPl1TfbFEOBTzaZ3ReOMOeVv888I62CJ8UDwhaHq4SzgZjSlCQhUiUVUJk4Tai1hcnYQ6QW9dxhNEOJnQ"
        "4xEhGhe8h8UgRqcZE00DIkJEiUeVCIoSIRyKM2inItgeQMsOYKt2h4igqGpCRaRLEWLRboCD7Wk1EVY0TdF22KpKKAKoqAZxI4oQSSiaxcA2"
        "2rb4ZwjjrCFUr3VpRIU0UD1RkgTVq4lIiITQ/7Sq4cc6XXpjSu/ZxaKcdj6M5/5iv6eoe6Uos0fE3m25mXu0/c697BG8Su/g0+jf4/8BxSJt"
        "WA=="
    )
}


def launcher(architecture: str) -> bytes | None:
    """The program for images of this architecture, as image configurations name it; None if there is none."""
    compiled = _COMPILED.get(architecture)
    return zlib.decompress(base64.b64decode(compiled)) if compiled else None


def launched(command: Sequence[str], limits: Limits) -> list[str]:
    """The command that starts `command` with the limits."""
    return [PATH, *map(str, (limits.pids, limits.open_files, limits.memory_bytes)), *command]
