"""Why Linux cannot start a program that is there: seen before anything runs, and said in words.

Covered: a file without an execute bit; a script whose first line ends in CR LF, follows a byte order mark or is
missing; a script whose interpreter is not in the image. The program is the first word of a command or, of `sh -c`, of
its text, where that is a plain command. Not covered: words without a slash, which are looked for in PATH; of these the
engine says what it finds.
"""

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palio.core.files.collect import printable

HEAD_BYTES = 512  # of a program's file; the kernel reads no more than 256 for the first line
_PLAIN = re.compile(r"[\w./:=@%+, -]+")  # a command that a shell passes on word by word
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class StartFault:
    """`reason` ends a sentence that begins with "could not be started:"; `advice` is what to do."""

    reason: str
    advice: str

    def __str__(self) -> str:
        """As the `detail` of a JobResult: the reason, then the advice on a line of its own."""
        return f"{self.reason}\n{self.advice}"


def program_path(command: Sequence[str]) -> str | None:
    """The file that a command starts, if it is named by its path: `/app/run.sh` of that and of `sh -c /app/run.sh`."""
    if not command:
        return None
    first = command[0]
    if len(command) > 2 and command[1] == "-c" and first.rpartition("/")[2] in _SHELLS:
        words = shlex.split(command[2]) if _PLAIN.fullmatch(command[2].strip()) else []
        first = next((word for word in words if word != "exec"), "")
    return first if "/" in first and "\0" not in first and "=" not in first else None


def start_fault(path: str, permissions: int, head: bytes, is_there: Callable[[str], bool]) -> StartFault | None:
    """Why the kernel cannot start the regular file at `path`, of which `head` is the beginning; None if it seems fit.

    `is_there` says of an interpreter's absolute path whether the job has it.
    """
    path = printable(path)
    if not permissions & 0o111:
        return StartFault(
            f"{path} is not executable",
            f"Set the bit before you pack (`chmod +x`), or add `RUN chmod +x {path}` to the Dockerfile.",
        )
    if head.startswith(_BOM + b"#!"):
        return StartFault(
            f"{path} begins with a byte order mark, so its `#!` line is not seen", "Save it as UTF-8 without BOM."
        )
    line = head.partition(b"\n")[0]
    if head.startswith(b"#!"):
        interpreter = os.fsdecode((line.removeprefix(b"#!").split() or [b""])[0])
        if line.endswith(b"\r"):
            return StartFault(
                f"the first line of {path} ends in CR LF, and there is no interpreter of that name",
                f"Save the file with LF line ends, or add `RUN sed -i 's/\\r$//' {path}` to the Dockerfile.",
            )
        if interpreter.startswith("/") and "\0" not in interpreter and not is_there(interpreter):
            return StartFault(
                f"{path} asks for the interpreter {printable(interpreter)}, which is not there",
                "Name one in its first line that is in the image, such as /bin/sh, or install it in the Dockerfile.",
            )
    elif b"\0" not in head:
        return StartFault(
            f"{path} is a text without a `#!` line" if head else f"{path} is empty",
            "Let a script begin with the line that names its interpreter, such as `#!/bin/sh`.",
        )
    return None
