"""The launcher: a static program of a few kilobytes that becomes the job's program once it has set what no field of a
pod limits: processes, open files, size of one file, no core dumps; and a filter of system calls that is stricter than
the runtime's. Before, it sends the keeper the opened counters of the container's memory, CPU time and processes, which
the program can neither change nor replace.

It is a file in the job's folder on the volume, mounted read-only into the job's container. A job has a user of its own,
so the kernel's limit on a user's processes is one of the job. Where the kernel does not enforce that (as in some
sandboxes), the launcher notices before the program starts.

Covered: x86-64; any image, as it needs no library. Not covered: other processors, for which `launcher` has no program
and these limits are the node's and calls are filtered by the runtime only. Its source is launch.c, compiled by

    gcc -Os -static -nostdlib -ffreestanding -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables \\
        -fcf-protection=none -fno-pie -no-pie -s -Wl,--build-id=none,-z,norelro,-z,noseparate-code,-z,noexecstack \\
        -o launch launch.c && strip -R .comment -R .note.gnu.property launch
"""

import base64
import struct
import zlib
from collections.abc import Sequence

from palio.core.engine import Limits
from palio.engines.seccomp_filter import seccomp_filter

PATH = "/.palio-launch"  # in the container
_MACHINES = {"amd64": "x86_64"}
_COMPILED = {
    "amd64": (
        "eNqtVm9sU9cVv05iCEnb57b8m5SJp/LEQifsuP0SUhh+LOmu0UOiI0C0lYGxH2DVsT2/+4YjaOcoiZQbY1WT8qH90A+bhPaBSaXa1KWMOE5CCK"
        "nQxIy0VaJFW0uLE/OvfwRJgHjn3Pcc/gSqfdiT/M69556/v3PO9ftti/ZqhcNByk8F+QnB3QniE3ufzY/XzosArxHkfKSKVApZJ3nw8T1Et9l6"
        "ZUpcFnntSxZaRP73x1YjlF+hXZdvFmYrcT3dV0PX3zSk7glWS0s5WhrppaXi1Ki6w89n/PymOojxqa0t3vyOwQpYbucXTqaqfYR2XoUUiJ9fpp"
        "m/KCWQ0viVwvFSqaTxj5H1vgPtjxfeAVZZ5GQvagKzS8iNtHhzuDNRhN/Q+FdahjrOkBqNF7au/Q8YkpxDR0HFm6e8oPHrkpP25JLPgA7KIgsk"
        "4DB4B+IDYwMbRIL/BLnO0xjeL3err6u7R725Pinz2vnU7JJDLvpGroZK2TwtjVPH+eJXo+oub04dwtxavBPqTssSWEYI7g39HtyrrTsGCakm2y"
        "m/DnnXy+ikWXFpfFpyqqeq0en46LTIokrR+CxNbwDyb8ovQSSwphmG0mc1/jlkdAJMgioYE/FTPqLBeT29ndc4U2Q6PLUJ0gTxdKTflW5VllI+"
        "SSU6RocnKynXlJU0s7VEO2dKqwg5FKBrL1juZuna0XmnANPPLDY4vUX5FPDWj5kv/+09CHZoDbyyWFisFf/Ekl9BM63KyqHlAsJPND4n2B3PnX"
        "wTpT8VQd8ofHEPsuw8jRhY4Kq/Uvcghnl1p5/fEqABXtuxP6DlaNoDpeurhv5ypWY8Uv8wdJn04cSSj4tTGv9aPVW5BDoi7QBP7Eepxm1mXSrp"
        "UM3lqWRFq+lKJSupWZNKVm00q7TMXiftGq4u/qMnz1bb9X5FBAudA1B+IzmzPrDm58OTp6xq0vHcHFTFz6+kIAmp+11gey+qfUvruvOsJjXbxJ"
        "y0NFq8Tnsuspg3nzqyjBBkjRS/AzCer6CdsyUJQN4OHdK3tApC39zb2lii60fNG/7MkVUOAPZMVZ0HohEtLqHXXOHYXezukhXVGUJEmIBm1/Qc"
        "q4b3VU1qOaumNtQRVrM1E6pzTO6GKLf2TGR/AfFrUvNZf9fMt+xFeE+zH8N7ji2C91VzDa6l/hHcSP25JSPSh/mukbeKK7NvgmLxqewxJM7s20"
        "BOvoXYwBi4BET3izUpQ3jqLnWnukMUit+BWr2DwunFNKONu7DHMEznoRWI8vxgiRmxpit92FX4413s9zGonNSN9x9N/7TBm9egiRpBI7tICP8L"
        "J2LA7RD5Qzc9j01pddRfIchC/x2I5SPRipmQ0qYOoqgqlNWh9SKoZsWnQURtViRegPUWzBEO4F64Aqze/bWYpznKZ3GexoFlSvZlYDGLT3fU+k"
        "vDAJxq/qm4ucV7zU5so5gCKBRMCJw62Jotmean50QEGnaW8NQm3D0+j88wj3OzAEb6cH3hd5CQgOQoyu7KoaMJVVyddADzxJ/0bLNCs3il0PFm"
        "pdFFrAvFp6WPybU+YmcK10EBukxxCJdSbw5B6VuqbObNRyk04lPLICPaNeaiXfcazFEc32UIV6N3AhuSwzQLQ0MOYb9VaduSqerNOtEt7PaKec"
        "fVQVw1YgSNuE2icreSAq2BtQIGDW4lCDRuGTqq9Fr9DKWlt897b7V4L9PhwiYKt1e9OviMKCZeaKDSQNZ5YUrG1KHVwC6+DhnW1+JN8mBmfA20"
        "/+RLOKmdd78FJ4d+jvDaFXoRQSZCacoC/4fltoSqa/y2aEl/6bSv+5qZLa6AOWLP4Y3bNuDGec+jLdGzDQWXVaaVlrr6ERa0cGlGMGXKzxTyuI"
        "Y82hCSNq9Y74X4s4sFEGetAJahMav6pAaq/3e4+4tNlEfKXZq1kIpgi1o6yXPArbIL3WZ3r330AU0zmLjO02IKM4cbHhjWP0DE3/u/rif1YJP8"
        "AnmhSSaekP4bD9MT7eFogIVj0XWR2AHiiSdiQY+hR/Z7QJZ4jA7Ds9/wBA8kYmbc0663xxIdNnFHwu1hticc3bOvg+kGYQfDhhyNhXQ5FNNxxe"
        "T94Qg4kMEI09vlYCASMYjHNBKeSAw2HmNfONr0wH5+e/9ALKwtvEg0Jhtm8CAa1uVYQg6FE3qQQTAiM5MF9gFfHAr3MTMaksNRWdmmtlISx1wN"
        "A1KVQ3o0rIdImEFQURTdp8uWBeDiAnQT7QEm64lELAGp6bLIVgZdREg3DEjxvm5CD4QeB4ClNK/xZBGM2SDtj8XbHdcDbzzhrCzSHkjuMY3AAf"
        "1+PYKPKATjpttgAUaiCw8CwSArU7ewQ+KPSMXDIcOK5HEn1nHQTCT0KHty/0GnxwORcGyd5WPBs6rG+o59xaYRm/bY9LhNx2xK3MZBgyWg7sTN"
        "9CQj7kQsFGAB8n96au07uPztXP5OP2Hv/7x4QX4PPc/avAp7jx/DFrX25yselpcX4gVf/Quf8vf9D8j3+/8vj9EOkQ=="
    )
}


def launcher(architecture: str) -> bytes | None:
    """The program for images of this architecture, as image configurations name it; None if there is none."""
    compiled = _COMPILED.get(architecture)
    if compiled is None:
        return None
    # With cgroup v1, what waits in the sockets of a network is not counted as the job's memory.
    machine = _MACHINES[architecture]
    filters = [seccomp_filter(machine=machine, allows_ip=allows_ip) or b"" for allows_ip in (True, False)]
    program = zlib.decompress(base64.b64decode(compiled))
    return b"".join((program, *filters, struct.pack("<II", *map(len, filters))))


def launched(command: Sequence[str], limits: Limits, *, limits_processes: bool, has_keeper: bool) -> list[str]:
    """The command that starts `command` with the limits. `has_keeper`: one in the pod waits for the counters."""
    processes = limits.pids if limits_processes else 0
    return [PATH, *map(str, (processes, limits.open_files, limits.memory_bytes, int(has_keeper))), *command]
