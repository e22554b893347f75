"""Evaluates .dockerignore: the last pattern that matches decides, and `!` includes a file again."""

import posixpath
from collections.abc import Callable
from pathlib import Path

from palio.core.dockerfile.read import DockerfileError, read_text
from palio.core.files.globs import Globs, PathMatcher, PatternError, TooMuchWorkError, glob

NAME = ".dockerignore"
MOST_PATTERNS = 1000


def ignored_by(text: str) -> Callable[[str], bool]:
    """Returns a function that tells whether `text` excludes a path relative to the context (`a/b.txt`).

    Raises DockerfileError for an invalid pattern. So does the function, if matching would take minutes.
    """
    patterns: list[str] = []
    negated: list[bool] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        negates = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern:
            raise DockerfileError("no pattern follows the !", where=f"{NAME}, line {number}")
        pattern = posixpath.normpath(pattern).lstrip("/")
        if len(patterns) == MOST_PATTERNS:
            raise DockerfileError(
                f"at most {MOST_PATTERNS:,} patterns are allowed; combine some with * or **", where=NAME
            )
        try:
            glob(pattern)
        except PatternError as error:
            where = f"{NAME}, line {number}"
            raise DockerfileError(f"the pattern `{pattern[:40]}` {error}", where=where) from None
        patterns.append(pattern)
        negated.append(negates)
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
        return bool(ends) and not negated[globs.number_of(ends)]

    return ignored


def ignored_in(context: Path) -> Callable[[str], bool]:
    """Like `ignored_by`, for the .dockerignore of a folder, if there is one."""
    return ignored_by(read_text(context, NAME) or "")
