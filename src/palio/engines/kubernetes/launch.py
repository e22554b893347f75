"""The launcher: a static program of three kilobytes that becomes the job's program once it has set what no field of a
pod limits: processes, open files, size of one file, no core dumps. Before, it sends the keeper the opened counters of
the container's memory, CPU time and processes, which the program can neither change nor replace.

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
        "eNqtVltsVEUYnl269MLlFKWKCdEjbhQwdLsPJOWme5pi5uAhgbCFGuWy3T3QDe3uZs8c2IaL27RNmNZNfOBB46O++IAQY0gtsGwLtpYYgTVeYj"
        "RgFNh2ETAEacvl+P9zdrlViA9O0p2Z///+f77/Mqfz7krtDafDQYrDSV4juDtEfGLvK8jfL78HAVkt4HykhEwRWBd5cPgemmMFu+JMKu1p7QUW"
        "mkr++yiYEcov0Y4/ruU+ceJ6rLuCLrlmSJ3DbBq1MtQa2Eet/OgJxa/yCZVfU/jZhj5S6iPKUSS67ogTXbRfJsL6Ak194bYcuLyaO2hZlsazKD"
        "oIopXeLOVDuQ9BWkT1lYEjFHYK6AAu21DPz1F+RUv5HIOkQuPn1QU50Equ49MBj25+0vhFyUW7MomZYINYfl4gvFk1OA4n9S4Xkf0AoPaTyO3t"
        "jco7J7yZbim19kxyonxnJd2eqaBSOkutIeo4k794QlnvzSoNKr+Bod5uWIdBQY5ozwtwXncZJKQyOe6R9vdDWqTDw+Wn8qMaHzn2IobQ4wAu7J"
        "Vk7RpzbjLhUMxnkgmn36xMJqZQsyKZKFlhltBUs4t29Jflz3ZlmYwclwmO5yAWjY9KrvQmcKXyzMgRgtnK0KHMXUiGyi8mlxGp80MhHa7r9s8g"
        "nVlWkZxYylyq1Z//c3XXMGvxZpPLnybMBRXL31BT/llO2j5hSYTsXAth+10EaNft89dY6pJ+8+qbqd0zHZT/XDdYMt2DlcGKADg3cQcrcdPmNE"
        "iIIAlZ7Bi7y8rg97ImrczUJXfPIIRVrEq1zHCMbAKSq7sy6QTQ16T6jNoxdp0thN8x9qqKdlPh97L5Mq6l/QO4kfZnygekw9mOgb35OemPwDA/"
        "PX0CJ1f6AEx9e0VXnRQF4OeweMpGZdPIDmCnbFDWKw2KHyrEb0GRPkBoTylNaUOVlGtuZOnaOdubLbbBcee9XujZVZm7eQcb7CsomNT5F2i8Wa"
        "0nWKOl/O7a3mpoyvRUAf9R9FfbU317YJv+HmPjl3I3bgOBXux85UsEK8cQraSXCBL1bp/G692NcLIXsniFgtNGCpItGv/a7teYxq9RfpfyCdhD"
        "63ZlTKnQrLYwP6NtmmphEhXzQF6BimMcKwCh8W81fkpygcrB5q9K1bvuCq4aP41nNN4/TcTxEP9bBf6LgT9kYY4iIOA5l7MlMuWDuV9wzZm70W"
        "sVnDH3FpX3p0vFMRnbZRXAa2y3z5f5SO63W5aVX6FB6jHwtMPG4n6L8GIHfgoiSZfc1zUKgK37DDzOz23C07EqSWS/ISNCzyhHRflEzvFPmlXv"
        "pmlCyggdqnfXVorUQeLVnk995T4MCQrKz9PUHoftfG53A6nj9Z0Uur+kSqS2v1LtGK8xv8k/C1a0HFNz36DtdP7X1UhjHF1DAFVY2FpRB8r97j"
        "ne7HEkknYhBxA0rkqVJHEhwp2Dq2Zc1SKvWtwm0LLTnQSr3gUiBfVuGenHHIL+e+594pZ5/6a8xE1vnoHQMffzaX/u9WNyOX5tFwICPg7KsZno"
        "IIVKcFBDFnkdyvGX8NvQmWGq2j5+HXzu9NGe5e6Vdibw6zhq52I2inurRddT8AG1yVeJm6LxMbj24pbgN+Vz2sPgJrWfFLcrtaumeAWVzSPfTV"
        "jWE/6v6Ak9uFSeR+YtlYknpO/wMD3eGo4EWDgaWdQS3UY8phH3tESDgRaP0RSOLH1gf297XyEW9hZ+SCQqG2awWd4abtHlaFwOheN6kEXjbeJc"
        "kwWaQC6UkSiTt0bNSEgOR2T3GsVPSQyZGAYQkUN6JKyHSJjJwUAEoU26bHsAKS7ANt4aYLIej0fjhDXrcku4FeBgG4tHg7ph6MYDtnE9EAJU2I"
        "BzQ7ociuqGYGAb3bN4PAQ5G6TVY7QZnq2GJ7gtHjVjnla9FWKrjumB7Y/RFSGtgcRm0whs0zeHI5ub2hg4Cz5iEIyZ1QYLMBKZrAgEg6w4Vws/"
        "JPYIKhYOGTaTf9PY6qAZj+sR9qR3B7RnLNASji6yT5k0VpTZ75y3CnN3Yf64MA8X5t8LM6k2mg0Wh8qTaqYnGKmOR0MBFiD/05hW+PAU31bFd9"
        "yhwn7x1EnxPTRmFWTOoqC0wLu08I5zPoyXJ+cLXoWTR/H99xx58vn/AOliUEA="
    )
}


def launcher(architecture: str) -> bytes | None:
    """The program for images of this architecture, as image configurations name it; None if there is none."""
    compiled = _COMPILED.get(architecture)
    return zlib.decompress(base64.b64decode(compiled)) if compiled else None


def launched(command: Sequence[str], limits: Limits, *, limits_processes: bool, has_keeper: bool) -> list[str]:
    """The command that starts `command` with the limits. `has_keeper`: one in the pod waits for the counters."""
    processes = limits.pids if limits_processes else 0
    return [PATH, *map(str, (processes, limits.open_files, limits.memory_bytes, int(has_keeper))), *command]
