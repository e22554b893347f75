"""Checks a scoring or ingestion program: that it can be built and has the files that its command needs."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from palio.core.bundle.contents import Contents, contents_of
from palio.core.bundle.model import Problem
from palio.core.bundle.problems import changed, error, warning
from palio.core.bundle.program import DOCKERFILE, program_contents, read_program, with_container_paths
from palio.core.bundle.wording import quoted
from palio.core.dockerfile.read import MOST_BYTES, DockerfileError, decoded
from palio.core.dockerfile.resolve import resolve
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile

_LONGEST_LINK = 1000  # bytes
SEARCHED_BYTES = 1024 * 1024  # read from each file of a scoring program
_INTERPRETERS = re.compile(r"(python[0-9.]*|bash|sh|perl|Rscript|julia|node)")


def program_problems(field: str, path: Path, root: Path) -> Iterator[Problem]:
    """Checks the scoring or ingestion program that `field` names. `root` is the bundle's folder."""
    name = path.relative_to(root).as_posix()
    try:
        contents = program_contents(path, root)
        names, program = contents.names, read_program(path, root)
        if program.has_dockerfile:
            resolve(decoded(contents.head(DOCKERFILE, MOST_BYTES + 1)), {})
    except DockerfileError as fault:
        yield error(field, f"is {quoted(name)}, whose Dockerfile cannot be built: {fault}")
        return
    except (UnfitFile, OSError) as fault:
        yield error(field, f"is {quoted(name)}, but {fault}")
        return
    except PalioError as refusal:
        yield error(field, f"{refusal.failure.message} {refusal.failure.next_step}")
        return
    yield from (changed(field, name, change) for change in contents.changes)
    needed = set(_files_of_command(program.command or ()))
    for file, target in _links_as_text(path, contents):
        yield (error if file in needed else warning)(
            field,
            f"is {quoted(name)}, whose file {quoted(file)} holds only the path {quoted(target)}: a link "
            "that was saved as text, as some zip tools and Git on Windows do; put the file itself there",
        )
    for file in sorted(needed):
        if file not in names:
            yield error(
                field,
                f"is started with `{' '.join(program.command or ())}`, but {name} has no "
                f"{quoted(file)}; correct the command or add the file",
            )


def _links_as_text(program: Path, contents: Contents) -> Iterator[tuple[str, str]]:
    """Yields the files of a program's folder that hold nothing but the path of another file, with that path."""
    for name in contents.names if program.is_dir() else ():
        words = contents.head(name, _LONGEST_LINK)
        if words.startswith(b"../") and len(words.split()) == 1 and len(words) < _LONGEST_LINK:
            target = words.decode(errors="replace").strip()
            with suppress(OSError, ValueError):  # no possible path
                if (program / name).parent.joinpath(target).exists():
                    yield name, target


def _files_of_command(command: tuple[str, ...]) -> Iterator[str]:
    """Yields the files of the program's own folder that a command certainly needs: what it starts and its script."""
    words = with_container_paths(command, ingestion=False, scoring=True)
    for position, word in enumerate(words):
        started = position == 0 and "/" in word and not word.startswith("/")
        script = position == 1 and _INTERPRETERS.fullmatch(words[0]) and re.fullmatch(r"[^-/].*\.\w+", word)
        if word.startswith("/app/program/") and PurePosixPath(word).suffix:
            yield word.removeprefix("/app/program/")
        elif started or script:
            yield PurePosixPath(word).as_posix()


def program_texts(path: Path, within: Path | None = None) -> Sequence[bytes]:
    """The contents of a program's files, or nothing if it cannot be read."""
    try:
        contents = contents_of(path, within)
        return [contents.head(name, SEARCHED_BYTES) for name in contents.names]
    except (UnfitFile, OSError):
        return []
