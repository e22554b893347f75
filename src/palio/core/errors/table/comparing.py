"""Comparing two submissions."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "compare-same": FailureKind(
        _U,
        "Both are the same submission: {name}.",
        "Choose two different submissions of the phase.",
        status=422,
    ),
    "compare-unknown": FailureKind(
        _U,
        "The name “{name}” is not on this leaderboard, and is not a scored submission of this phase that you can see.",
        "Use the name of a team on the leaderboard, or the id of a scored submission of your own team.",
        status=404,
    ),
    "compare-ambiguous": FailureKind(
        _U,
        "The team “{name}” has {count} rows on this leaderboard.",
        "Use a row's key instead: {keys}.",
        status=422,
    ),
    "compare-hidden": FailureKind(
        _U,
        "The scores of this phase are hidden from you, so its submissions cannot be compared.",
        "Wait until the organizers publish the scores.",
        status=403,
    ),
    "compare-no-cases": FailureKind(
        _O,
        "No values of single cases to compare ({name}): {reason}.",
        "Let the scoring program write one row for each case, name that file in palio.statistics of competition.yaml, "
        "and re-score the phase.",
    ),
    "compare-different-cases": FailureKind(
        _O,
        "{a} and {b} were scored on different cases: {reason}.",
        "Re-score both with the same reference data, then compare them again.",
    ),
    "compare-different-scorer": FailureKind(
        _O,
        "{a} and {b} were scored differently: {what}.",
        "Re-score the phase, so that all submissions are scored by the same program, then compare them again.",
    ),
    "compare-busy": FailureKind(
        _S,
        "Other comparisons are being computed.",
        "Try again in a few seconds.",
        status=503,
    ),
    "compare-limits": FailureKind(
        _O,
        "The comparison exceeds the limits: {reason}.",
        "Let the scoring program write fewer columns or shorter names to its file of single cases.",
    ),
}
