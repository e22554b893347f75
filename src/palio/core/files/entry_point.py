"""Finds out why Linux could not start a program, before anything runs.

Covered: a program for Windows or macOS; a file without execute permission; a script whose first line ends in CR LF,
follows a byte order mark or is missing; a script whose interpreter is not in the image. The program is the first word
of a command, or of the text of `sh -c` if that is a plain command. Not covered: words without a slash, which are looked
up in PATH; for these `late_advice` explains what the engine reports.
"""

import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palio.core.files.collect import printable

HEAD_BYTES = 512  # of a program's file; the kernel reads at most 256 for the first line
_PLAIN = re.compile(r"[\w./:=@%+, -]+")  # a command that a shell passes on word by word
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_BOM = b"\xef\xbb\xbf"
_OTHER_SYSTEMS = {b"MZ": "Windows", b"\xcf\xfa\xed\xfe": "macOS", b"\xca\xfe\xba\xbe": "macOS"}  # by first bytes


@dataclass(frozen=True)
class StartFault:
    """Why a program cannot be started. `reason` follows "could not be started:"; `advice` says what to do."""

    reason: str
    advice: str

    def __str__(self) -> str:
        """The `detail` of a JobResult: the reason, then the advice on its own line."""
        return f"{self.reason}\n{self.advice}"


def program_path(command: Sequence[str]) -> str | None:
    """The file that a command starts, if named by its path: `/app/run.sh`, also in `sh -c /app/run.sh`."""
    if not command:
        return None
    first = command[0]
    if len(command) > 2 and command[1] == "-c" and first.rpartition("/")[2] in _SHELLS:
        words = shlex.split(command[2]) if _PLAIN.fullmatch(command[2].strip()) else []
        first = next((word for word in words if word != "exec"), "")
    return first if "/" in first and "\0" not in first and "=" not in first else None


def late_advice(reported: str) -> str:
    """What to do about the kernel's words for a program that it could not start, or "" if they are others."""
    reported = reported.lower()
    if "permission denied" in reported:
        return "The file is not executable: set the bit before you pack (`chmod +x`)."
    if "no such file or directory" in reported:
        return (
            "Either the image has no such program, or it is a script whose first line names an interpreter that is not "
            "in the image, or ends in CR LF; save it with LF line endings."
        )
    if "exec format error" in reported:
        return "Begin a script with a line such as `#!/bin/sh`, and build programs for this machine's processor."
    return ""


def start_fault(path: str, permissions: int, head: bytes, is_there: Callable[[str], bool]) -> StartFault | None:
    """Why the kernel cannot start the regular file at `path`, or None. `head` is the beginning of the file.

    `is_there` tells whether the job has the interpreter at an absolute path.
    """
    path = printable(path)
    system = next((name for magic, name in _OTHER_SYSTEMS.items() if head.startswith(magic)), None)
    if system and b"\0" in head:
        return StartFault(f"{path} is a program for {system}", "Build it for Linux.")
    if not permissions & 0o111:
        return StartFault(
            f"{path} is not executable",
            "Set the bit with `chmod +x` before you pack; the zip keeps it.",
        )
    if head.startswith(_BOM + b"#!"):
        return StartFault(
            f"{path} begins with a byte order mark, so its `#!` line is ignored", "Save it as UTF-8 without BOM."
        )
    line = head.partition(b"\n")[0]
    if head.startswith(b"#!"):
        interpreter = os.fsdecode((line.removeprefix(b"#!").split() or [b""])[0])
        if line.endswith(b"\r"):
            return StartFault(
                f"the first line of {path} ends in CR LF, so its interpreter is not found",
                "Save the file with LF line endings.",
            )
        if interpreter.startswith("/") and "\0" not in interpreter and not is_there(interpreter):
            return StartFault(
                f"{path} needs the interpreter {printable(interpreter)}, which does not exist",
                "Name one that is in the image, such as /bin/sh, in its first line, or install it in the Dockerfile.",
            )
    elif b"\0" not in head:
        return StartFault(
            f"{path} is a text file without a `#!` line" if head else f"{path} is empty",
            "Begin the script with a line that names its interpreter, such as `#!/bin/sh`.",
        )
    return None
