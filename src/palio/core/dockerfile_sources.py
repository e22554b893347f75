"""What a Dockerfile takes from beside it, and whether that is there: looked up without building anything.

Not covered, and taken to be there: sources with variables in their names, as a build may be given other values.
"""

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from palio.core.archive import look_through
from palio.core.dockerfile import DockerfileError, Instruction, parse, words
from palio.core.dockerignore import ignored_by, wildcard
from palio.core.errors import PalioError, counted
from palio.core.job import MIB

_ELSEWHERE = re.compile(r"[a-z]+://|git@")
_READ_BYTES = 1 * MIB
_SHOWN = 20


def copied_files(dockerfile: bytes, here: Iterable[str], problems: list[str]) -> set[str]:
    """The names among `here` that COPY and ADD take; a source that takes none becomes a problem."""
    taken: set[str] = set()
    try:
        instructions = parse(dockerfile.decode())
        if not any(instruction.keyword == "FROM" for instruction in instructions):
            problems.append("the Dockerfile has no FROM, so there is nothing to build on")
        for instruction in instructions:
            if instruction.keyword in ("COPY", "ADD") and "from" not in instruction.flags:
                for source in words(instruction, {})[:-1]:
                    taken |= _matching(source, here) or _complain(instruction, source, problems)
    except DockerfileError as fault:
        where = f", {fault.instruction}" if fault.instruction else ""
        problems.append(f"the Dockerfile{where}: {fault.reason}")
    except UnicodeDecodeError:
        problems.append("the Dockerfile is not a text in UTF-8")
    return taken


def check_context(path: Path) -> None:
    """Whether the Dockerfile of a zip can find what it copies, as `pack` asks of a folder.

    The zip has been looked through. Raises PalioError "dockerfile-unfit" with all problems, or "archive-invalid".
    """
    top = look_through(path).top
    with zipfile.ZipFile(path) as archive:
        names = [entry.filename.removeprefix(top).rstrip("/") for entry in archive.infolist()]
        try:
            dockerfile = _read(archive, f"{top}Dockerfile")
            ignore = _read(archive, f"{top}.dockerignore") if ".dockerignore" in names else b""
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            reason = str(error).strip().rstrip(".") or type(error).__name__
            raise PalioError("archive-invalid", name=path.name, reason=reason) from error
    ignored = ignored_by(ignore.decode(errors="replace"))
    problems: list[str] = []
    copied_files(dockerfile, [name for name in names if name and not ignored(name)], problems)
    if problems:
        count = counted(len(problems), "problem was", "problems were")
        raise PalioError("dockerfile-unfit", name=path.name, count=count, evidence=problems[:_SHOWN])


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(_READ_BYTES)


def _matching(source: str, here: Iterable[str]) -> set[str]:
    pattern = source.removeprefix("./").strip("/")
    if pattern in ("", "."):
        return set(here)
    expression = re.compile(f"{wildcard(pattern)}(/.*)?")
    return {name for name in here if expression.fullmatch(name)}


def _complain(instruction: Instruction, source: str, problems: list[str]) -> set[str]:
    if _ELSEWHERE.match(source) or "$" in instruction.rest:
        return set()
    hint = "; `palio train` makes it" if source.removeprefix("./").startswith("model_output/") else ""
    outside = " inside the folder" if ".." in source.split("/") or source.startswith("/") else ""
    problems.append(f"the Dockerfile, {instruction}: there is no {source}{outside}{hint}")
    return set()
