"""A failure in a participant's words: theirs with all that is needed to mend it, others' without a fact.

What is the organizer's or the operator's to mend becomes a general text by cause and stage, or the row's own one in
FAILURES, with the code. Facts, evidence and log are dropped there, as they may name hidden files, labels and paths.
What is the participant's keeps its facts, and its evidence unless that is in the engine's words;
`participant_view` adds what of a log may be shown.
"""

from dataclasses import replace

from palio.core.attempt.run_folder import Stage
from palio.core.errors import FAILURES, Cause, Failure, FailureKind

_ORGANIZER = {
    Stage.SAMPLE: "Your submission could not be tried on the public cases, because of the challenge itself.",
    Stage.PREDICT: "Your submission could not be run, because of the challenge itself.",
    Stage.SCORE: "The scoring program of the challenge failed, so that your predictions have no score.",
}
_PLATFORM = {
    Stage.BUILD: "Your image could not be made, because the machine that evaluates had a fault.",
    Stage.SAMPLE: "Your submission could not be tried on the public cases: the machine that evaluates had a fault.",
    Stage.PREDICT: "Your submission could not be run, because the machine that evaluates had a fault.",
    Stage.SCORE: "Your predictions could not be scored, because the machine that evaluates had a fault.",
}
ORGANIZER_MESSAGE = "The challenge cannot be evaluated as it is."
PLATFORM_MESSAGE = "Your submission could not be evaluated, because the machine that evaluates had a fault."

ORGANIZER_NEXT = "It is the organizer's turn, who sees why. Nothing was charged, and there is nothing for you to mend."
PLATFORM_NEXT = "It is the operator's turn, who sees why. Nothing was charged, and there is nothing for you to mend."
RETRIED_NEXT = (
    "It is tried again by itself; if it fails again, it is the operator's turn, who sees why. Nothing was charged, and "
    "there is nothing for you to mend."
)


def for_participant(failure: Failure) -> Failure:
    """The same failure, for whoever handed in; without the log, and with nobody else's facts."""
    kind = FAILURES[failure.code]
    if failure.cause is Cause.PARTICIPANT:
        message, next_step = kind.participant or failure.message, kind.participant_next or failure.next_step
        evidence = () if kind.engines_words else failure.evidence
        return replace(failure, message=message, evidence=evidence, next_step=next_step, log=())
    message, next_step = texts(kind, failure.stage)
    return replace(failure, charged=False, message=message, evidence=(), log=(), next_step=next_step)


def texts(kind: FailureKind, stage: str | None = None) -> tuple[str, str]:
    """Message and next step for a participant where it is somebody else's turn. Any other cause counts as the
    operator's, since no command line is the participant's here."""
    if kind.cause is Cause.ORGANIZER:
        by_stage, message, next_step = _ORGANIZER, ORGANIZER_MESSAGE, ORGANIZER_NEXT
    else:
        by_stage, message, next_step = _PLATFORM, PLATFORM_MESSAGE, RETRIED_NEXT if kind.retried else PLATFORM_NEXT
    if stage is not None:
        message = by_stage.get(Stage(stage), message)
    return kind.participant or message, kind.participant_next or next_step
