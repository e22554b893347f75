"""What a .dockerignore leaves out of a build's context. The last pattern that fits decides; `!` takes it back."""

import posixpath
from collections.abc import Callable
from pathlib import Path

from palio.core.dockerfile.read import DockerfileError, read_text
from palio.core.files.globs import Globs, PathMatcher, PatternError, TooMuchWorkError, glob

NAME = ".dockerignore"
MOST_PATTERNS = 1000


def ignored_by(text: str) -> Callable[[str], bool]:
    """A function that says of a path relative to the context (`a/b.txt`) whether `text` leaves it out.

    Raises DockerfileError for a pattern that cannot be used; so does the function, if the work would take minutes.
    """
    patterns: list[str] = []
    taken_back: list[bool] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        again = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern:
            raise DockerfileError("a pattern has to follow the !", where=f"{NAME}, line {number}")
        pattern = posixpath.normpath(pattern).lstrip("/")
        if len(patterns) == MOST_PATTERNS:
            raise DockerfileError(f"at most {MOST_PATTERNS:,} patterns are read; combine some with * or **", where=NAME)
        try:
            glob(pattern)
        except PatternError as error:
            where = f"{NAME}, line {number}"
            raise DockerfileError(f"the pattern `{pattern[:40]}` {error}", where=where) from None
        patterns.append(pattern)
        taken_back.append(again)
    try:
        globs = Globs(patterns)
    except PatternError as error:
        raise DockerfileError(f"a pattern {error}", where=NAME) from None
    matcher = PathMatcher(globs)

    def ignored(path: str) -> bool:
        try:
            ends = matcher.ends(path)
        except TooMuchWorkError:
            raise DockerfileError(
                "it has too many patterns for so many files; use fewer patterns", where=NAME
            ) from None
        return bool(ends) and not taken_back[globs.number_of(ends)]

    return ignored


def ignored_in(context: Path) -> Callable[[str], bool]:
    """The same for the .dockerignore of a folder, if there is one."""
    return ignored_by(read_text(context, NAME) or "")
