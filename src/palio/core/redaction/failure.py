"""A failure as a participant reads it: their own with everything needed to fix it, others' without a fact.

A failure that the organizer or the operator has to fix becomes a general text by cause and stage, or the row's own one
in FAILURES, with the code. Facts, evidence and log are dropped there, as they may name hidden files, labels and paths.
A participant's own failure keeps its facts, and its evidence unless that is the engine's output; `participant_view`
adds the parts of a log that may be shown.
"""

from dataclasses import replace

from palio.core.attempt.run_folder import Stage
from palio.core.errors import FAILURES, Cause, Failure, FailureKind

_ORGANIZER = {
    Stage.SAMPLE: "Your submission could not be run on the sample cases because of a problem with the challenge.",
    Stage.PREDICT: "Your submission could not be run because of a problem with the challenge.",
    Stage.SCORE: "Your predictions could not be scored because the challenge's scoring program failed.",
}
_PLATFORM = {
    Stage.BUILD: "Your image could not be built because of a platform error.",
    Stage.SAMPLE: "Your submission could not be run on the sample cases because of a platform error.",
    Stage.PREDICT: "Your submission could not be run because of a platform error.",
    Stage.SCORE: "Your predictions could not be scored because of a platform error.",
}
ORGANIZER_MESSAGE = "The challenge has a problem and cannot be evaluated."
PLATFORM_MESSAGE = "Your submission could not be evaluated because of a platform error."

_NOT_YOURS = "You do not need to do anything, and this does not count toward your limit."
ORGANIZER_NEXT = f"The organizer can see the details and has to fix this. {_NOT_YOURS}"
PLATFORM_NEXT = f"The operator can see the details and has to fix this. {_NOT_YOURS}"
RETRIED_NEXT = f"The platform retries this automatically. If it fails again, the operator has to fix it. {_NOT_YOURS}"


def for_participant(failure: Failure) -> Failure:
    """The same failure for the submission's team: without the log, and without others' facts."""
    kind = FAILURES[failure.code]
    if failure.cause is Cause.PARTICIPANT:
        message, next_step = kind.participant or failure.message, kind.participant_next or failure.next_step
        evidence = () if kind.engines_words else failure.evidence
        return replace(failure, message=message, evidence=evidence, next_step=next_step, log=())
    message, next_step = texts(kind, failure.stage)
    return replace(failure, charged=False, message=message, evidence=(), log=(), next_step=next_step)


def texts(kind: FailureKind, stage: str | None = None) -> tuple[str, str]:
    """Message and next step for a participant where somebody else is responsible. Any other cause counts as the
    operator's, because participants run no commands on a platform's machine."""
    if kind.cause is Cause.ORGANIZER:
        by_stage, message, next_step = _ORGANIZER, ORGANIZER_MESSAGE, ORGANIZER_NEXT
    else:
        by_stage, message, next_step = _PLATFORM, PLATFORM_MESSAGE, RETRIED_NEXT if kind.retried else PLATFORM_NEXT
    if stage is not None:
        message = by_stage.get(Stage(stage), message)
    return kind.participant or message, kind.participant_next or next_step
