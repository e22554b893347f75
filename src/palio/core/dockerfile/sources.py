"""Checks that the files a Dockerfile copies exist, without building anything.

Not covered: sources with variables in their names, which may have other values in a build. They are assumed to exist.
"""

import posixpath
from collections.abc import Iterable

from palio.core.dockerfile.dockerignore import NAME as DOCKERIGNORE
from palio.core.dockerfile.dockerignore import ignored_by
from palio.core.dockerfile.file_name import find_dockerfile
from palio.core.dockerfile.instruction_words import check, sources_and_target
from palio.core.dockerfile.read import MOST_BYTES, DockerfileError, Instruction, decoded, parse
from palio.core.dockerfile.resolve import resolve
from palio.core.errors import PalioError, counted
from palio.core.files.archive import Archive
from palio.core.files.globs import Globs, PathMatcher, PatternError, TooMuchWorkError, literal

_SHOWN = 20
_MOST_SOURCES = 1000  # in all instructions together
_UNKNOWN = "x"  # a variable's value where only the syntax matters


def copied_files(dockerfile: str, here: Iterable[str], problems: list[str]) -> set[str]:
    """Returns the names among `here` that COPY and ADD copy. A source that matches none becomes a problem."""
    sources: list[tuple[Instruction, str]] = []
    try:
        instructions = parse(dockerfile)
        if not any(instruction.keyword == "FROM" for instruction in instructions):
            problems.append("the Dockerfile has no FROM")
        for instruction in instructions:
            check(instruction, lambda _: _UNKNOWN)
            if instruction.keyword in ("COPY", "ADD") and "from" not in instruction.flags:
                if "$" not in instruction.rest:
                    sources += [(instruction, each) for each in sources_and_target(instruction, lambda _: None)[0]]
                if len(sources) > _MOST_SOURCES:
                    most = f"{_MOST_SOURCES:,}"
                    raise DockerfileError(
                        f"more than {most} sources have been copied up to this line; copy folders instead", instruction
                    )
        taken = _matched(sources, here, problems)
        if not problems:
            resolve(dockerfile, {})  # for what is wrong with its images and stages
        return taken
    except DockerfileError as fault:
        where = f"the Dockerfile, {fault.where}" if fault.instruction else fault.where
        problems.append(f"{where}: {fault.reason}")
        return set()


def check_context(archive: Archive, name: str) -> None:
    """Checks that the Dockerfile of a zip finds the files it copies, as `pack` does for a folder. `name` is the zip's.

    Raises PalioError "dockerfile-missing", "dockerfile-unfit" with all problems, or "archive-invalid".
    """
    found = find_dockerfile(archive.files)
    if found is None:
        raise PalioError("dockerfile-missing", name=name, hint="")
    dockerfile, ignore = _read(archive, found.name), _read(archive, DOCKERIGNORE)
    names = [member.name.rstrip("/") for member in archive.members]
    problems: list[str] = []
    try:
        ignored = ignored_by(decoded(ignore, DOCKERIGNORE))
        copied_files(decoded(dockerfile), [each for each in names if not ignored(each)], problems)
    except DockerfileError as fault:
        problems.append(str(fault))
    if problems:
        count = counted(len(problems), "problem was", "problems were")
        raise PalioError("dockerfile-unfit", name=name, count=count, evidence=problems[:_SHOWN])


def _read(archive: Archive, name: str) -> bytes:
    member = next((member for member in archive.members if member.name == name), None)
    return archive.head(member, MOST_BYTES + 1) if member else b""


def _matched(sources: list[tuple[Instruction, str]], here: Iterable[str], problems: list[str]) -> set[str]:
    patterns = [source_pattern(source) for _, source in sources]
    everything = any(pattern == "" for pattern in patterns)
    try:
        globs = Globs(patterns)
    except PatternError as error:
        raise DockerfileError(f"a source of COPY or ADD {error}") from None
    matcher, names, met, taken = PathMatcher(globs), list(here), 0, set[str]()
    try:
        for name in sorted(names):
            if ends := matcher.ends(name):
                met |= ends
                taken.add(name)
    except TooMuchWorkError:
        raise DockerfileError("COPY has too many patterns for so many files; copy folders instead") from None
    fit = set(globs.numbers_of(met))
    for number, (instruction, source) in enumerate(sources):
        if number not in fit and patterns[number]:
            _report_missing(instruction, source, names, problems)
    return set(names) if everything else taken


def source_pattern(source: str) -> str:
    """The pattern for a source of COPY, relative to the context; "" means all of it."""
    relative = posixpath.normpath(source.lstrip("/") or ".")
    if relative == ".":
        return ""
    return relative if any(character in relative for character in "*?[") else literal(relative)


def _report_missing(instruction: Instruction, source: str, names: list[str], problems: list[str]) -> None:
    base = posixpath.basename(source)
    elsewhere = next((name for name in names if posixpath.basename(name) == base), None) if base else None
    hint = f"; do you mean {elsewhere}?" if elsewhere else ""
    hint = "; `palio train` creates it" if source.removeprefix("./").startswith("model_output/") else hint
    outside = " inside the folder" if ".." in source.split("/") or source.startswith("/") else ""
    problems.append(f"the Dockerfile, {instruction}: {source} does not exist{outside}{hint}")
