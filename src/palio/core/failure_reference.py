"""The table of errors as a page: `python -m palio.core.failure_reference > docs/failures.md`."""

import string
from collections.abc import Callable

from palio.core.errors import EXIT_CODES, FAILURES, FailureKind, party
from palio.core.errors.table import PARTS
from palio.core.redaction.failure import texts

_MARKS: dict[str, Callable[[FailureKind], bool]] = {
    "counts": lambda kind: kind.charged,
    "retried": lambda kind: kind.retried and not kind.retried_once,
    "retried once": lambda kind: kind.retried_once,
    "engine's output": lambda kind: kind.engines_words,
}


def catalog() -> str:
    """All errors in Markdown, by what they are about; `…` stands for what is filled in."""
    lines = [
        "# Errors",
        "Every error that Palio reports, in the same words on the terminal, on pages, in `--json`, in `result.json`",
        "and in the API. Each has a code, a responsible party, a message, evidence and a next step; a failed attempt",
        "also has a stage and the last lines of its log.",
        "",
        "- **Action needed** names the responsible party: `cause` in `result.json`, `responsible` in the API.",
        "- **Exit** is the exit code of the command. It follows from the responsible party.",
        "- **HTTP** is the status with which the API and the pages answer if a request fails with this error. A failed",
        "  attempt is part of its submission, which is answered with 200.",
        "- *Counts*: a failed attempt counts toward the team's limit, because hidden data was touched. In the stage",
        "  `sample`, on public data, nothing counts.",
        "- *Retried*: the platform retries the attempt automatically, three times at most. *Retried once*: a second",
        "  such end of a submission needs the operator, as the submission may be its cause.",
        "- *Engine's output*: the evidence is what the engine printed, which participants do not read.",
        "",
        "Organizers and operators read what is listed here. Participants read the same of their own failures, or what",
        "follows *To participants*. Of a failed attempt that somebody else has to fix, they read no details, no",
        "evidence and no log, but the text *To participants* or a general one by responsible party and stage:",
        "",
        f"- the organizer: {_told('score-exit', 'score')}",
        f"- the operator: {_told('engine-fault', 'predict')}",
    ]
    for part in PARTS:
        lines += [
            "",
            f"## {(part.__doc__ or '').rstrip('.')}",
            "| code | action needed | exit | HTTP | message and *next step* | |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(code, kind) for code, kind in part.KINDS.items()]
    return "\n".join(lines) + "\n"


def _row(code: str, kind: FailureKind) -> str:
    marks = [mark for mark, of in _MARKS.items() if of(kind)]
    said = f"{_dotted(kind.message)} *{_dotted(kind.next_step)}*"
    if kind.participant or kind.participant_next:
        said += "<br>*To participants*: " + " ".join(_to_participants(kind))
    said = said.replace("|", "\\|")
    cells = [f"`{code}`", party(kind.cause), str(EXIT_CODES[kind.cause]), str(kind.status), said, ", ".join(marks)]
    return f"| {' | '.join(cells)} |"


def _to_participants(kind: FailureKind) -> list[str]:
    """The parts that differ from what others read."""
    next_step = f"*{kind.participant_next}*" if kind.participant_next else ""
    return [text for text in (kind.participant, next_step) if text]


def _told(code: str, stage: str) -> str:
    message, next_step = texts(FAILURES[code], stage)
    return f"{message} *{next_step}*"


def _dotted(template: str) -> str:
    return "".join(text + ("…" if name is not None else "") for text, name, _, _ in string.Formatter().parse(template))


if __name__ == "__main__":
    print(catalog(), end="")
