"""Tells in advance that Linux could not start the script that a Dockerfile names, from the files of its context.

It is a guess, and so only a note: what the image contains is known once it is built, and then the engine checks it
before anything runs (core.files.entry_point). Nothing is said where the Dockerfile may repair the file.
"""

import posixpath
from collections.abc import Callable, Iterable

from palio.core.dockerfile.instruction_words import command
from palio.core.dockerfile.read import DockerfileError, Instruction, decoded, parse
from palio.core.files.entry_point import HEAD_BYTES, StartFault, program_path, start_fault

_REPAIRS = ("chmod", "dos2unix", "sed", "install")


def start_notes(dockerfile: bytes, names: Iterable[str], read: Callable[[str, int], tuple[int, bytes]]) -> list[str]:
    """Notes for the author of a context. `read` returns the permissions and the first bytes of one of its files."""
    try:
        instructions = parse(decoded(dockerfile))
        path = _started(instructions)
    except DockerfileError:
        return []  # is reported as such
    if path is None or any(_may_repair(instruction) for instruction in instructions):
        return []
    meant = [name for name in names if posixpath.basename(name) == posixpath.basename(path)]
    faults = [start_fault(path, *read(name, HEAD_BYTES), lambda _: True) for name in meant]
    certain = [fault for fault in faults if fault is not None]
    return [_note(certain[0])] if certain and len(certain) == len(faults) else []


def _started(instructions: list[Instruction]) -> str | None:
    """The program that the last stage starts, if the Dockerfile names a file."""
    starts: dict[str, Instruction] = {}
    for instruction in instructions:
        if instruction.keyword == "FROM":
            starts.clear()
        elif instruction.keyword in ("ENTRYPOINT", "CMD"):
            starts[instruction.keyword] = instruction
    written = starts.get("ENTRYPOINT", starts.get("CMD"))
    if written is None:
        return None
    found = command(written)
    words = found.words if found.is_list else ("/bin/sh", "-c", *found.words)
    return program_path(words) or (words[0] if found.is_list and words and "." in words[0] else None)


def _may_repair(instruction: Instruction) -> bool:
    if instruction.keyword == "RUN":
        return any(word in instruction.rest for word in _REPAIRS)
    return "chmod" in instruction.flags


def _note(fault: StartFault) -> str:
    return f"the container will probably not start: {fault.reason}. {fault.advice}".rstrip(".")
