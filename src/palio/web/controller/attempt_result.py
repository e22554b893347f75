"""How an attempt ended, as the database keeps it: what an organizer reads of it, and what a participant does.

Free of Django, as worker processes tell it.
"""

from collections.abc import Mapping
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
    """`stages` are those that ran, in their order. `shown` is the failure in the participant's words."""

    verdict: Verdict
    scores: Mapping[str, float] | None = None
    failure: Failure | None = None
    shown: Failure | None = None
    stages: tuple[Stage, ...] = ()
    finished: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Outcome":
        """Of one that has ended."""
        result = evaluation.result
        if result.verdict is None:
            raise ValueError("the evaluation has not ended")
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
        """Of what failed where nothing could be written."""
        failure = _with_a_turn(failure)
        return cls(Verdict.FAILED, failure=failure, shown=for_participant(failure))

    @classmethod
    def cancelled(cls) -> "Outcome":
        return cls(Verdict.CANCELLED)

    @classmethod
    def of_row(cls, row: "Attempt") -> "Outcome":
        """What the database has of one that has ended."""
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
        """Whether it ended by a fault of the platform's that may go away by itself."""
        return self.failure is not None and self.failure.cause is Cause.PLATFORM and FAILURES[self.failure.code].retried

    def as_last(self, tries: int) -> "Outcome":
        """The same, of the last try: nothing is tried again by itself."""
        if self.failure is None or self.shown is None:
            return self
        note = f"It was tried {tries} times, each time ended by a fault of the platform, and is not tried again."
        own = replace(self.failure, evidence=(*self.failure.evidence, note))
        shown = self.shown
        if shown.next_step == RETRIED_NEXT:
            shown = replace(shown, next_step=PLATFORM_NEXT)
        return replace(self, failure=own, shown=shown)


def broken(error: BaseException, stage: str | None = None) -> Failure:
    """The failure for what should not have happened; the trace is for the log alone."""
    return PalioError("evaluation-broken", stage=stage, reason=type(error).__name__).failure


def _with_a_turn(failure: Failure) -> Failure:
    """On a server no command line was at fault: what counts as that is the platform's."""
    return replace(failure, cause=Cause.PLATFORM, charged=False) if failure.cause is Cause.USAGE else failure


def _shown(folder: RunFolder, failure: Failure) -> Failure:
    """What the run folder has for the participant, which may say more than can be told without it."""
    try:
        content = RunFolder(folder.root / PARTICIPANT).read_json("result.json")["failure"]
        shown = Failure.from_json(content)
    except (OSError, ValueError, KeyError, TypeError):  # a full disk, a machine without power
        return for_participant(failure)
    return shown if shown.code == failure.code else for_participant(failure)
