"""One failure, and the exception that carries it to the people who can fix it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from palio.core.errors.kinds import EXIT_CODES, Cause
from palio.core.errors.table import FAILURES


@dataclass(frozen=True)
class Failure:
    """What went wrong, who is responsible, and the next step: plain data, the same on terminal, page and API."""

    code: str
    cause: Cause
    stage: str | None
    charged: bool
    message: str
    evidence: tuple[str, ...]
    log: tuple[str, ...]  # the last lines of the stage's own log; kept apart, because not everyone may read them
    next_step: str

    def as_json(self) -> dict[str, object]:
        """As in `result.json`."""
        return asdict(self) | {"evidence": list(self.evidence), "log": list(self.log)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        given = {"log": ()} | {field.name: content[field.name] for field in fields(cls) if field.name in content}
        lines = {name: tuple(given[name]) for name in ("evidence", "log")}
        return cls(**given | lines | {"cause": Cause(given["cause"])})

    def as_body(self) -> dict[str, object]:
        """As the API answers a request that it refuses."""
        return {
            "code": self.code,
            "responsible": self.cause.value,
            "message": self.message,
            "next_step": self.next_step,
            "evidence": list(self.evidence),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError where `body` is not what `as_body` gives."""
        return cls(
            code=str(body["code"]),
            cause=Cause(body["responsible"]),
            stage=None,
            charged=False,
            message=str(body["message"]),
            evidence=tuple(map(str, body["evidence"])),
            log=(),
            next_step=str(body["next_step"]),
        )


class PalioError(Exception):
    """A failure on its way to the people who can fix it.

    `code` is a key of FAILURES, `facts` fill its sentences, `evidence` are lines that prove it (a limit and its
    value, each problem in a file), `log` is the end of the stage's own log.
    """

    def __init__(
        self,
        code: str,
        *,
        stage: str | None = None,
        evidence: Sequence[str] = (),
        log: Sequence[str] = (),
        **facts: object,
    ) -> None:
        kind = FAILURES[code]
        self.failure = Failure(
            code=code,
            cause=kind.cause,
            stage=stage,
            charged=kind.charged,
            message=kind.message.format(**facts),
            evidence=tuple(evidence),
            log=tuple(log),
            next_step=kind.next_step.format(**facts).strip(),
        )
        super().__init__(self.failure.message)

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """An error for a failure that was raised elsewhere: by a platform, for its command line."""
        error = cls.__new__(cls)
        Exception.__init__(error, failure.message)
        error.failure = failure
        return error

    def happened_on_sample(self) -> None:
        """Notes that the stage was `sample`: on public cases, so it does not count toward the limit."""
        self.failure = replace(self.failure, stage="sample", charged=False)

    @property
    def code(self) -> str:
        return self.failure.code

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.failure.cause]

    @property
    def status(self) -> int:
        """HTTP's, of a code in the table."""
        return FAILURES[self.failure.code].status
