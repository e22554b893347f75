"""Problems as the checks of a bundle find them, before their lines are known."""

from collections.abc import Iterable

from palio.core.bundle.model import Problem, Severity
from palio.core.bundle.read import NAME
from palio.core.bundle.wording import quoted


def error(field: str, message: str, file: str = NAME) -> Problem:
    return Problem(file, None, field, message)


def warning(field: str, message: str, file: str = NAME) -> Problem:
    return Problem(file, None, field, message, Severity.WARNING)


def changed(field: str, name: str, change: str) -> Problem:
    """A file or folder that reads differently than it was saved, such as one with names that had to change."""
    return warning(field, f"is {quoted(name)}, in which {change}")


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems of competition.yaml by line, then those without a line, then those of other files."""

    def place(problem: Problem) -> tuple[bool, bool, int]:
        return problem.file != NAME, problem.line is None, problem.line or 0

    return tuple(sorted(problems, key=place))
