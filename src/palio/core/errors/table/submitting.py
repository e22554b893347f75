"""Submitting for a phase: its dates and its quota, and what can be done with a submission afterwards."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _O = Cause.PARTICIPANT, Cause.ORGANIZER

KINDS: dict[str, FailureKind] = {
    "phase-not-open": FailureKind(
        _P,
        "The phase “{phase}” opens on {time}.",
        "Submit then; the files that you have uploaded are kept.",
        status=409,
    ),
    "phase-closed": FailureKind(
        _P,
        "The phase “{phase}” closed on {time}.",
        "Submit for a phase that is open; the files that you have uploaded are kept.",
        status=409,
    ),
    "quota-exhausted": FailureKind(
        _P,
        "Your team has used its {limit} in the phase “{phase}”.",
        "You cannot submit for this phase again. Its leaderboard stays open.",
        status=429,
    ),
    "quota-exhausted-today": FailureKind(
        _P,
        "Your team has used its {limit} for today in the phase “{phase}”.",
        "Submit again from {time}, when the next day begins.",
        status=429,
    ),
    "submission-running": FailureKind(
        _P,
        "Your team already has {count} being evaluated in this phase.",
        "Wait until it finishes, or cancel it on its page.",
        status=409,
    ),
    "submission-unfinished": FailureKind(
        _P,
        "This submission is still being evaluated.",
        "Wait until it finishes, or cancel it first.",
        status=409,
    ),
    "submission-finished": FailureKind(
        _P,
        "This submission has finished, so it cannot be cancelled.",
        "To remove it from the leaderboard, withdraw it.",
        status=409,
    ),
    "cancel-counts": FailureKind(
        _P,
        "This attempt has started on hidden data and this phase shows its log, so cancelling it counts toward your "
        "team's limit.",
        "Let it run, or confirm that it may count (`palio cancel --counts`).",
        status=409,
    ),
    "leaderboard-automatic": FailureKind(
        _P,
        "Teams do not choose what is on the leaderboard of the phase “{phase}”.",
        "You do not need to do anything: the challenge decides by its rules.",
        status=409,
    ),
    "leaderboard-keeps": FailureKind(
        _P,
        "This challenge does not let you take a submission off the leaderboard.",
        "Put another one on the leaderboard, which replaces it, or withdraw it for good.",
        status=409,
    ),
    "submission-unscored": FailureKind(
        _P,
        "The submission has no score, so it cannot be on the leaderboard.",
        "Wait until it is scored, or choose another one.",
        status=409,
    ),
    "submission-disqualified": FailureKind(
        _P,
        "The submission is disqualified, so it cannot be put on the leaderboard.",
        "Choose another one, or ask the organizers.",
        status=409,
    ),
    "answers-invalid": FailureKind(
        _P,
        "The answers to the challenge's questions have {count}.",
        "Correct the answers, then submit again. On the command line, answer with `--answers KEY=VALUE`.",
    ),
    "note-too-long": FailureKind(
        _P,
        "The note has {count} characters; at most {limit} are allowed.",
        "Shorten the note.",
    ),
    "log-unavailable": FailureKind(
        _P,
        "You may not read the log of the stage `{name}`, or it has none.",
        "The challenge decides which logs participants see; a stage has no log before it starts.",
        status=404,
    ),
    "submission-withdrawn": FailureKind(
        _O,
        "The team has withdrawn this submission.",
        "Ask the team to submit it again.",
        status=409,
    ),
    "rerun-file-deleted": FailureKind(
        _O,
        "The team has deleted {name}, so the submission cannot be run again.",
        "Re-score it instead: its predictions are kept.",
        status=409,
    ),
    "predictions-gone": FailureKind(
        _O,
        "No attempt of this submission has predictions to score.",
        "Run the submission again, through all stages.",
        status=409,
    ),
}
