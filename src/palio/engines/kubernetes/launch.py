"""The launcher: a static program of two kilobytes that becomes the job's program once it has set what no field of a pod
limits: processes, open files, size of one file, no core dumps.

It is a file in the job's folder on the volume, mounted read-only into the job's container. A job has a user of its own,
so the kernel's limit on a user's processes is one of the job. Where the kernel does not enforce that (as in some
sandboxes), the launcher notices before the program starts.

Covered: x86-64; any image, as it needs no library. Not covered: other processors, for which `launcher` has no program
and these limits are the node's. Its source is launch.c, compiled by

    gcc -Os -static -nostdlib -ffreestanding -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables \\
        -fcf-protection=none -fno-pie -no-pie -s -Wl,--build-id=none,-z,norelro,-z,noseparate-code,-z,noexecstack \\
        -o launch launch.c && strip -R .comment -R .note.gnu.property launch
"""

import base64
import zlib
from collections.abc import Sequence

from palio.core.engine import Limits

PATH = "/.palio-launch"  # in the container
_COMPILED = {
    "amd64": (
        "eNqtVU1sG0UUnnXs/Kfr8qdUQmJVWSWAiDFCIkkbmo0SNEu3UqI65QAtcuwtserY1e5s46ilOEoidWL5lktvCHFvD1VV0uJsfpSQHmjrAyAu"
        "6YEGJ05pELSkacnyZtYOCSqIAyPtzrw333vvez/SfNqpvusSBFRaLvQOYtIl1MbltqL+s/ItCOiaANeG3KiMYz1o+2rbsQ8V7Uo78jpb910S"
        "KUf/fRXNEKY/4eEf1/JfuNh5fawaN68Z4sgCqcG2he3p89gurMzIQYVuKHRNprd7Jjo8bUi+zogeueZiLoZWEbe+izOXfbbAjvfzF23bVmmO"
        "qS6CqjOQw3Q+fwG0JdSECo6YcoRDp9lxkN3TRUx/VjNtwhyqVukd5ZU83IqeyS7AMzffq3RJ9OBRK7kLbBiW3uGIQE4JP4JIVw/wzL4F0NAs"
        "4/bBMfnDmYA1Jma6b6U2qga8+KRVjcVsDtvzWLhVWJqRjwZyco9CH7BUn/QcYUlBjXD6JYg3VgkF8aYe+cXxKSiLeGWh6kZhRaXLX2kshbQA"
        "XMjLqaYu88VUUpDNF1JJV9D0ppJl2KxOJd2tphtn+jx4eKqycHs0RyTGcT/nuAi5qHRF9GQ/B1cKtZavIVYtC89bm1AMhS6l9iNx5ALXLrSP"
        "BevQSI5UpzZaiEexpwr3Do8ukFgglzrwLCIe6FjhgZIJ7nbhoQ1bRGigG9IOehDQbj8ffMNWmqfM+4cyZ3cJmP7QPueu9bPOsI4AOL/xB+vE"
        "7w6nOYQ4Saji8PomqYT/qip2Wu2ps3UIker3MrE6Yfk4kDw8amWvA31V7LCU4fVfyavwXyevKcyuHP6r5j52FsenmSCOW1XT4pXc8PS5Qn12"
        "EQwLtdmKctg82V9AmjjHp2qWN4AusubJx+Tjy6eBnfy+fFTukYPQIfoYD6824HQFzqjzXkxrfcDQPfBcIFcagUnX1hykz3hxJuarzz8EJ9Au"
        "hc6KI/fgOpBT0ycb1EzQV3m1EaYyW85tvuMDNvjMxCcgZvcAORWG+rcnwOAqG335SwaWOVqebGY26Q6fV6UdvnoIH4AyPsR0BYMsqfRrZ1zj"
        "Kl3HdBPTDZBhckctUyzOqqMs1A3WKDaroWxeLByEhrNUWgGh0m9UekP0wJVA9h3KdLg3eWyV3iyGqeexeA47uB8scm8C7lCGeplDwG++4Ggk"
        "TOfyi+xMia8+YHN/xCcpdCpbwUNYjsPnAdzgOO0Fp/mlx7ZdeFulKk85KzhYJktOvjcDVtbN0yvRK/lKXsbpt6Bfsw04c6ah1GH5o2UCPLSk"
        "Fm6R9qK9LRLyR7TTfqLp/dF4iEQT8ddjiY+R3zR0fywRDsX8Rm803rJN3hL/uuAHR4Qfiickwwz3SSeiMU1K6FIkqmthktAHEYtrklAv6Pll"
        "PEGkEwkzHpGiccnXJQcxOsWYGAYQkSJaPKpFUJRI4VCcQXs1yfEAWnYAW70/RCRN1xM6In2aFIv2AxxsT+mJsGYYmrHNVtdCEUBFDYgb0aRI"
        "QjM4A8doy+KfIYyzgVCj0WcQHdJAjURLEtSoJyIhEkL/z6qBjzW69NaU3rVLRXncvRMv/M1+d1H3ZlFmj4mzO3Kr8HT77XvZU3iV3sM96N/j"
        "/wkd3nDZ"
    )
}


def launcher(architecture: str) -> bytes | None:
    """The program for images of this architecture, as image configurations name it; None if there is none."""
    compiled = _COMPILED.get(architecture)
    return zlib.decompress(base64.b64decode(compiled)) if compiled else None


def launched(command: Sequence[str], limits: Limits, *, limits_processes: bool) -> list[str]:
    """The command that starts `command` with the limits."""
    processes = limits.pids if limits_processes else 0
    return [PATH, *map(str, (processes, limits.open_files, limits.memory_bytes)), *command]
