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
        "eNqtVl9MU1cYP61U/ihedHNjy7Lducapiy03WTJEnb0EllN2TTQWZdkUSnuVxtI2vedKiX9WAiQcWJM9+DCzx+1lD4s+GENQSwGF4cu0yeayF0"
        "02tVCdZEZFVLrvnHvLQKbbw07CPef7zved7/d93++U83mt8pHVYkH5YUUfIiadQi4uu0z9l8VzJqCrBDsXKkBLuK0NzR+uBXPE9MvPqMyYdt4g"
        "/qXovw/TDWF6C3f+PpX51srW070leNOUJnSNk2U4l8K54R6cy06OyB43nXHTKZleqR9AhS4kn2NAd521siM6biPufQMnTttzFra8mzmZy+UUmm"
        "aqk6CqldKYjmVOgDZvNVAEBzFlFzcdZst2tk+vYfqHknBZRlGJQq+712dgV7ANLgd7dswvCr0p2HB3KrYCfJgtvc4tpLTb9wgi9W/hmf0MRh0X"
        "GLZP98qfjUipXiGx83J8pritDB9MlWAhmca5MWy5nL05Iu+W0nK9m95nqT6p38WSghrhvrcgXm8RFKQs/sgpHB+CsghnxosvZScVOnH+bZZCnw"
        "WwkHfjlTv0N+Ixi6y/Eo9ZPXpZPLYE6yXxWMFWvQAnWmy4c6goe6U7TUSGcTPHeA1yUeikYEvug6PcNDVxFrFqpfBYahaK4aY345uR0HWCa8er"
        "ez2lqCtNSuIzVcTmzg1l72zvHidBKR3f8hIiNuhY9r474VlpxR0zOQGhtp2QtseGAHZ1j6ci5940pN/9OHFkhQXTX6tHC5Y7WWdYR8A4M/OUde"
        "KhgWkUIQ4Sqtg5PUuK4HtbEWpT1fEjpQiRkrpEsNQysQ9Abu9OJWMAXxFqUu7O6XtkA3ynyXtu5rcUvrf1tWwtHB9mgnA8VTwsnEl3Dh/Llie/"
        "Bsfs8uQIm2zJ72EaOMZZdYE3gF5jzZP3yvsmDgE6eY+8W66XPdAh+hia9BUz7SvECWWsDFPFzlDa2l6W0nkaDFrnuNB3uCzz8Ckj2EVomND1J+"
        "xIaaXPV6EkPPbKfgeQMrmUm1/l/GpfNXAUxORPLDd6K3P/CQDoZ8xXEoq9QT7PPGTuIg9u4khq7C6F1tgbILwEpXyg0EsY5CaFZgzKhhQ6jeks"
        "pjMgA3u7U7pg8tVQZkvbl7lzrI6yfjK7rVa6w1LZyoIypgNVYMtC1tYlamyzPLZC75phGngsnsiCBB6bCbwPCUAZ1mWm2ILVoIOZ7kkBtYBz8j"
        "leLJ4h+xNW1thxEqEihMdq7JVlHCVk6O77zlXsYncaykev48RRCw8n9AyBSW89qqY1XRj4VrCaZzJU5u58VKH/gKHMq1mNKlk4uMkee7mUHmSh"
        "kjYWBRQNdYmCOFs0Metytmphq0oWuZKJMebZZY+DV/96nn6NXWQAIxYO8At7j8FaWmDHDy9LD6Q7eCizDVNiX6ck4COf2wAGbjokn1/BPMC1Am"
        "2ULPLgOyBmd0F6uJgVbF5mdC3wfEJiP08dT+9BoLY63LfFXssLkBS5+aRR89c5+aDNcJMM4uUu1naN66PZV+GikFUYMDT0Ozj52BmcmeUy7xo4"
        "ZjyPeZNETEczmK0BeAMrQYPE102APFnIE08ZEaGmhyuMTr9Z5EKZ7TO5XPYDBa4D42HSYtgyuckg4Y9SKllgdrPB5KdxVuw07iNwizou8JuVOF"
        "yRv35y48RVOPdf/q+oMdVXJa5Ba6pE5PSrh5xEjbYGQl4SCIc2BsMHkFPXos5g2OcNOrXmQKhqnjwn/r3BF4YIHxQKi5ruaxH3B4KqGI6K/kBU"
        "9ZFwtJ3H1Ym3GfR8MxQm4v6wHvKLgZBo3yF7MIowJJoGQES/GgqofhQgos8bYqbNqmicAFq2AN9oq5eIajQajiLSoorBQCuYg28kGvapmqZq83"
        "yjqtcPVgEN4vpV0R9WNY7AcJrzeL4Jw6yhVqfWrjn3a07fgWhYjzhb1VbIzRFRvQefs5c3afXGGnXNe0BtDIQam9sJHOZ7xsEX0R0a8RIUWrzh"
        "9flIfnbwc1DkGatIwK8ZSP5px9j26dGoGiIv4gdwMeINBsIbjSiLxtYi453ziTn3mvM35jxuzr+ZM3JoLRqJQueRg6gxghzRsN9LvOh/GsvMn8"
        "L82yr/jjtlytLSRfktGCtNnTWvKDRxF5rvOOtCe3FxveBVuHjk33+voRfH/wsV21E2"
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
