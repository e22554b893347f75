"""The table of failures as a page: `python -m palio.core.catalogue > docs/failures.md`."""

import string

from palio.core.errors import EXIT_CODES, FAILURES, Cause, FailureKind

_TITLES = {
    Cause.PARTICIPANT: "The participant's turn",
    Cause.ORGANIZER: "The organizer's turn",
    Cause.PLATFORM: "The operator's turn",
    Cause.USAGE: "The command line",
}


def catalogue() -> str:
    """All failures in Markdown, by whose turn it is; `…` stands for what is filled in."""
    lines = [
        "# Failures",
        "Every failure that Palio reports, the same on the terminal, in `result.json` and in `--json`. Each has a",
        "code, a cause, a stage, a message, evidence and a next step. *Charged*: it counts against a participant's",
        "tries, because hidden data was touched (in the stage `sample`, on public data, nothing is charged).",
        "*Retried*: the platform tries again by itself.",
    ]
    for cause, title in _TITLES.items():
        lines += [
            "",
            f"## {title}: exit code {EXIT_CODES[cause]}",
            "| code | what it says, and what to do next | |",
            "|---|---|---|",
        ]
        lines += [_row(code, kind) for code, kind in FAILURES.items() if kind.cause is cause]
    return "\n".join(lines) + "\n"


def _row(code: str, kind: FailureKind) -> str:
    marks = [word for word, true in (("charged", kind.charged), ("retried", kind.retried)) if true]
    said = f"{_dotted(kind.message)} *{_dotted(kind.next_step)}*".replace("|", "\\|")
    return f"| `{code}` | {said} | {', '.join(marks)} |"


def _dotted(template: str) -> str:
    return "".join(text + ("…" if name is not None else "") for text, name, _, _ in string.Formatter().parse(template))


if __name__ == "__main__":
    print(catalogue(), end="")
