"""The table of failures as a page: `python -m palio.core.failure_reference > docs/failures.md`."""

import string
from collections.abc import Callable

from palio.core.errors import EXIT_CODES, FAILURES, Cause, FailureKind
from palio.core.redaction.failure import texts

_TITLES = {
    Cause.PARTICIPANT: "The participant's turn",
    Cause.ORGANIZER: "The organizer's turn",
    Cause.PLATFORM: "The operator's turn",
    Cause.USAGE: "The command line",
}
_MARKS: dict[str, Callable[[FailureKind], bool]] = {
    "charged": lambda kind: kind.charged,
    "retried": lambda kind: kind.retried,
    "engine's words": lambda kind: kind.engines_words,
}


def catalogue() -> str:
    """All failures in Markdown, by whose turn it is; `…` stands for what is filled in."""
    lines = [
        "# Failures",
        "Every failure that Palio reports, the same on the terminal, in `result.json` and in `--json`. Each has a",
        "code, a cause, a stage, a message, evidence, the last lines of its stage's log and a next step. *Charged*: it",
        "counts against a participant's tries, because hidden data was touched (in the stage `sample`, on public data,",
        "nothing is charged).",
        "*Retried*: the platform tries again by itself. *Engine's words*: the evidence is what the engine said, which",
        "no participant reads.",
        "",
        "This is what the organizer and the operator read. A participant reads of their own failures the same, or what",
        "stands after *To the participant*. Of others' failures they read nothing that is filled in, no evidence and",
        "no log: what stands there, or else a general text by cause and stage, such as:",
        "",
        f"- the organizer's: {_told('score-exit', 'score')}",
        f"- the operator's: {_told('engine-fault', 'predict')}",
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
    marks = [mark for mark, of in _MARKS.items() if of(kind)]
    said = f"{_dotted(kind.message)} *{_dotted(kind.next_step)}*"
    if kind.participant or kind.participant_next:
        message = kind.participant or ("" if kind.cause is Cause.PARTICIPANT else texts(kind)[0])
        next_step = kind.participant_next or texts(kind)[1]
        said += f"<br>*To the participant*: {f'{message} *{next_step}*'.strip()}"
    said = said.replace("|", "\\|")
    return f"| `{code}` | {said} | {', '.join(marks)} |"


def _told(code: str, stage: str) -> str:
    message, next_step = texts(FAILURES[code], stage)
    return f"{message} *{next_step}*"


def _dotted(template: str) -> str:
    return "".join(text + ("…" if name is not None else "") for text, name, _, _ in string.Formatter().parse(template))


if __name__ == "__main__":
    print(catalogue(), end="")
