"""The result of an attempt as the database stores it, for organizers and for participants.

Does not import Django, because worker processes report it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from palio.core.attempt.run_folder import RunFolder, Stage, Verdict
from palio.core.errors import FAILURES, Cause, Failure, PalioError
from palio.core.evaluate import Evaluation
from palio.core.redaction.failure import PLATFORM_NEXT, RETRIED_NEXT, for_participant
from palio.core.redaction.participant_view import NAME as PARTICIPANT

if TYPE_CHECKING:
    from palio.web.models import Attempt


@dataclass(frozen=True)
class Outcome:
    """`stages` are those that ran, in order. `shown` is the failure as the participant sees it."""

    verdict: Verdict
    scores: Mapping[str, float] | None = None
    failure: Failure | None = None
    shown: Failure | None = None
    stages: tuple[Stage, ...] = ()
    finished: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Outcome":
        """The outcome of an evaluation that has finished."""
        result = evaluation.result
        if result.verdict is None:
            raise ValueError("the evaluation has not finished")
        if result.failure is not None:
            return replace(
                cls.failed(_with_a_turn(result.failure)),
                shown=_shown(evaluation.folder, result.failure),
                stages=tuple(result.stages),
                finished=result.finished or datetime.now(UTC),
            )
        return cls(
            result.verdict,
            scores=dict(result.scores) if result.scores is not None else None,
            stages=tuple(result.stages),
            finished=result.finished or datetime.now(UTC),
        )

    @classmethod
    def failed(cls, failure: Failure) -> "Outcome":
        """The outcome of a failure that left nothing on disk."""
        failure = _with_a_turn(failure)
        return cls(Verdict.FAILED, failure=failure, shown=for_participant(failure))

    @classmethod
    def cancelled(cls) -> "Outcome":
        return cls(Verdict.CANCELLED)

    @classmethod
    def of_row(cls, row: "Attempt") -> "Outcome":
        """The outcome that the database has of a finished attempt."""
        failure = Failure.from_json(row.failure) if row.failure else None
        return cls(Verdict(row.state), scores=row.scores, failure=failure)

    def as_json(self) -> dict[str, object]:
        return {
            "verdict": self.verdict.value,
            "scores": dict(self.scores) if self.scores is not None else None,
            "failure": self.failure.as_json() if self.failure else None,
            "shown": self.shown.as_json() if self.shown else None,
            "stages": [stage.value for stage in self.stages],
            "finished": self.finished.isoformat(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        failure, shown = (Failure.from_json(content[name]) if content[name] else None for name in ("failure", "shown"))
        return cls(
            Verdict(content["verdict"]),
            scores=content["scores"],
            failure=failure,
            shown=shown,
            stages=tuple(Stage(name) for name in content["stages"]),
            finished=datetime.fromisoformat(content["finished"]),
        )

    @property
    def is_retried(self) -> bool:
        """Whether the attempt failed because of a platform error that may go away."""
        return self.failure is not None and self.failure.cause is Cause.PLATFORM and FAILURES[self.failure.code].retried

    def again_after(self, earlier: "Sequence[Attempt]") -> tuple[str, ...]:
        """What the earlier attempts say that failed as this one did, if such a failure is retried only once."""
        if self.failure is None or not FAILURES[self.failure.code].retried_once:
            return ()
        same = [(each.identity, each.failure) for each in reversed(earlier) if each.failure_code == self.failure.code]
        return tuple(f"Attempt {name}: {Failure.from_json(failure).message}" for name, failure in same if failure)

    def as_last(self, attempts: int, same: tuple[str, ...] = ()) -> "Outcome":
        """The same outcome as that of the last attempt: it is not retried automatically. `same`: see `again_after`."""
        if self.failure is None or self.shown is None:
            return self
        note = f"Failed {attempts} times because of platform errors; Palio does not retry it again."
        if same:
            note = (
                "It ended like an earlier attempt, so the submission may be the cause; Palio does not retry it again."
            )
        own = replace(self.failure, evidence=(*self.failure.evidence, *same, note))
        shown = self.shown
        if shown.next_step == RETRIED_NEXT:
            shown = replace(shown, next_step=PLATFORM_NEXT)
        return replace(self, failure=own, shown=shown)


def broken(error: BaseException, stage: str | None = None) -> Failure:
    """The failure for a bug; the traceback only goes to the log."""
    return PalioError("evaluation-broken", stage=stage, reason=type(error).__name__).failure


def _with_a_turn(failure: Failure) -> Failure:
    """On a server, nobody used a command line wrongly: a usage error is the platform's."""
    return replace(failure, cause=Cause.PLATFORM, charged=False) if failure.cause is Cause.USAGE else failure


def _shown(folder: RunFolder, failure: Failure) -> Failure:
    """The failure in the run folder for the participant, which may say more than this one."""
    try:
        content = RunFolder(folder.root / PARTICIPANT).read_json("result.json")["failure"]
        shown = Failure.from_json(content)
    except (OSError, ValueError, KeyError, TypeError):  # after a full disk or a power failure
        return for_participant(failure)
    return shown if shown.code == failure.code else for_participant(failure)
