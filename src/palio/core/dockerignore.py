"""What a .dockerignore leaves out of a build's context. The last pattern that fits decides; `!` takes it back."""

import re
from collections.abc import Callable


def ignored_by(text: str) -> Callable[[str], bool]:
    """A function that says of a path relative to the context (`a/b.txt`) whether `text` leaves it out."""
    patterns: list[tuple[bool, re.Pattern[str]]] = []
    for line in text.removeprefix("\ufeff").splitlines():
        pattern = line.strip()
        if pattern and not line.startswith("#"):
            taken_back = pattern.startswith("!")
            pattern = pattern.removeprefix("!").strip().strip("/").removeprefix("./")
            patterns.append((taken_back, re.compile(wildcard(pattern))))

    def ignored(path: str) -> bool:
        parts = path.split("/")
        candidates = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
        decision = False
        for taken_back, expression in patterns:
            if any(expression.fullmatch(candidate) for candidate in candidates):
                decision = not taken_back
        return decision

    return ignored


def wildcard(pattern: str) -> str:
    """The regular expression of a pattern with `*`, `?`, `[a-z]` within a name and `**` across names."""
    expression, place = "", 0
    while place < len(pattern):
        rest = pattern[place:]
        if rest.startswith("**/"):
            expression, place = expression + "(?:.*/)?", place + 3
        elif rest.startswith("**"):
            expression, place = expression + ".*", place + 2
        elif rest.startswith("*"):
            expression, place = expression + "[^/]*", place + 1
        elif rest.startswith("?"):
            expression, place = expression + "[^/]", place + 1
        elif match := re.match(r"\[(\^?)([^\]/]+)\]", rest):
            expression += f"[{match[1]}{match[2]}]".replace("\\", "\\\\")
            place += match.end()
        elif rest.startswith("\\") and len(rest) > 1:
            expression, place = expression + re.escape(rest[1]), place + 2
        else:
            expression, place = expression + re.escape(rest[0]), place + 1
    return expression
