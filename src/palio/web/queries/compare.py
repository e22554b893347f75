"""Two submissions of a phase on the same cases, as a reader may see them, for page and API.

Who may compare what follows from `leaderboard.visibility`:

    ALL      organizers, scorers, viewers, admins: any two scored submissions of the phase
    PUBLIC   rows of the leaderboard, and the scored submissions of the reader's own team
    OWN      of a hidden leaderboard: those of the reader's own team
    NONE     nothing

A phase that does not show exact scores lets participants compare nothing. Columns are those that the reader sees on
the leaderboard. Nobody learns which cases differ, only how many. A comparison
is computed once, in a child process with limits, and stored. Not covered: what somebody learns from the counts of many
submissions of their own, which exact scores tell as well.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

from django.conf import settings as django_settings

from palio.core.attempt.run_folder import RunFolder
from palio.core.bounded_call import Bounds, BoundsError, call_bounded
from palio.core.bundle.case_metrics import measured_columns
from palio.core.bundle.model import Column
from palio.core.errors import Failure, PalioError
from palio.core.leaderboard.comparison_texts import with_sentences
from palio.core.leaderboard.ranking import Row, rank_text
from palio.core.quantities import GIB
from palio.web.language.times import minute
from palio.web.leaderboard.compare_runs import compare_attempts
from palio.web.leaderboard.leaderboard import Leaderboard
from palio.web.leaderboard.request import LeaderboardRequest
from palio.web.leaderboard.statistics import settings_digest, task_indexes
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, PairComparison, Submission

BOUNDS = Bounds(time_s=60, memory_bytes=2 * GIB)
_WAIT_S = 20.0
_KEY_LENGTH = 12
_VERSION = 1  # of what is stored and how it is computed

_computing = Lock()  # one at a time: a comparison uses a whole core


@dataclass(frozen=True)
class Choice:
    """A submission that a reader may compare. `key` names a row without naming its submission."""

    key: str
    name: str
    rank: str
    submission: str
    attempt: str
    scores: Mapping[str, float]
    is_baseline: bool = False


def row_key(submission: str) -> str:
    """For an address that everyone may see: it does not tell the submission's id."""
    return hashlib.sha256(f"row of {submission}".encode()).hexdigest()[:_KEY_LENGTH]


def choices(wanted: LeaderboardRequest) -> list[Choice]:
    """The rows of the leaderboard that this reader may compare, best first. Raises PalioError "compare-hidden"."""
    is_exact = wanted.visibility is Visibility.ALL or wanted.phase.rules.feedback.is_exact
    if wanted.visibility is Visibility.NONE or not is_exact:
        raise PalioError("compare-hidden")
    board, ranges = wanted.snapshot.leaderboard, wanted.snapshot.statistics.ranges
    several = _names_in_several_rows(board)
    found = []
    for row in board.rows:
        rank = rank_text(row.rank, ranges.get(row.entry.attempt))
        name = f"{row.name} ({minute(row.last)})" if row.name in several else row.name
        key, own = row_key(row.entry.label), row.entry
        found.append(Choice(key, name, rank, own.label, own.attempt, row.values, own.baseline))
    return found


def chosen(wanted: LeaderboardRequest, given: str) -> Choice:
    """By the key of a row, the name of a team or the id of a submission.

    Raises PalioError "compare-hidden", "compare-unknown" or "compare-ambiguous".
    """
    rows = choices(wanted)
    named = [each for each in rows if given in {each.key, each.submission}]
    if not named:
        folded = given.casefold()
        board = wanted.snapshot.leaderboard.rows
        named = [each for each, row in zip(rows, board, strict=True) if row.name.casefold() == folded]
    if len(named) > 1:
        keys = ", ".join(each.key for each in named)
        raise PalioError("compare-ambiguous", name=given, count=len(named), keys=keys)
    if named:
        return named[0]
    if (found := _off_leaderboard(wanted, given)) is not None:
        return found
    raise PalioError("compare-unknown", name=given[:80])


def comparison(wanted: LeaderboardRequest, a: Choice, b: Choice) -> dict[str, Any]:
    """What page and API show: `a`, `b` and `columns`, with sentences.

    Raises PalioError "compare-same", "compare-no-cases", "compare-different-cases", "compare-different-scorer",
    "compare-limits" or "compare-busy".
    """
    if a.attempt == b.attempt:
        raise PalioError("compare-same", name=a.name)
    if a.name == b.name:
        a, b = (replace(each, name=f"{each.name} {each.submission}") for each in (a, b))
    try:
        columns = _numbers(wanted, a, b)
    except PalioError as error:
        raise _shown_to(wanted, error) from None
    phase, board = wanted.phase, wanted.board
    return {
        "challenge": wanted.challenge.slug,
        "phase": phase.name,
        "leaderboard": board.key,
        "primary": board.primary.key if board.primary in wanted.snapshot.leaderboard.columns else None,
        "a": {"name": a.name, "row": a.key, "rank": a.rank},
        "b": {"name": b.name, "row": b.key, "rank": b.rank},
        "columns": with_sentences(columns, a.name, b.name),
    }


def _numbers(wanted: LeaderboardRequest, a: Choice, b: Choice) -> list[dict[str, Any]]:
    policy, board = wanted.phase.rules.statistics, wanted.snapshot.leaderboard
    if policy is None:
        reason = "the challenge names no file of single cases (palio.statistics in competition.yaml)"
        raise PalioError("compare-no-cases", name="all submissions", reason=reason)
    measured = [each for each in measured_columns(policy, board.columns, board.primary) if each in board.columns]
    if not measured:
        raise PalioError("compare-no-cases", name="all submissions", reason="no column that you see has a metric")
    tasks = task_indexes(wanted.phase)
    _require_same_scorer(a, b)
    settings = settings_digest(policy, measured, board.primary, tasks)
    scores = [{each.key: side.scores[each.key] for each in measured if each.key in side.scores} for side in (a, b)]
    digest = hashlib.sha256(json.dumps([_VERSION, settings, scores]).encode()).hexdigest()
    stored = PairComparison.objects.filter(a=a.attempt, b=b.attempt, settings=digest).first()
    if stored is None:
        stored = _computed(wanted, a, b, scores, measured, tasks, digest)
    if stored.failure:
        raise PalioError.of(Failure.from_body(stored.failure))
    columns: list[dict[str, Any]] = stored.columns
    return columns


def _computed(
    wanted: LeaderboardRequest,
    a: Choice,
    b: Choice,
    scores: Sequence[Mapping[str, float]],
    measured: Sequence[Column],
    tasks: Sequence[int],
    digest: str,
) -> PairComparison:
    policy = wanted.phase.rules.statistics
    assert policy is not None  # noqa: S101 - else refused above
    columns, failure = list[dict[str, Any]](), None
    if not _computing.acquire(timeout=_WAIT_S):
        raise PalioError("compare-busy")
    try:
        columns = call_bounded(
            compare_attempts,
            str(django_settings.FOLDERS.runs),
            [a.attempt, b.attempt],
            [a.name, b.name],
            scores,
            asdict(policy),
            [asdict(column) for column in measured],
            asdict(wanted.snapshot.leaderboard.primary),
            tasks,
            bounds=BOUNDS,
        )
    except BoundsError as limit:
        failure = PalioError("compare-limits", reason=str(limit)).failure.as_body()
    except PalioError as error:
        failure = error.failure.as_body()
    finally:
        _computing.release()
    stored, _ = PairComparison.objects.update_or_create(
        a_id=a.attempt, b_id=b.attempt, settings=digest, defaults={"columns": columns, "failure": failure}
    )
    return stored


def _shown_to(wanted: LeaderboardRequest, error: PalioError) -> PalioError:
    """Reasons may quote rows of a file about hidden data, which only those who see everything may read."""
    is_detailed = error.failure.code in {"compare-no-cases", "compare-different-cases"}
    if wanted.visibility is Visibility.ALL or not is_detailed or wanted.phase.rules.statistics is None:
        return error
    if error.failure.code == "compare-different-cases":
        return PalioError("compare-different-cases", a="One", b="the other", reason="the organizers can see which")
    reason = "the scoring program wrote no usable values for at least one of the two"
    return PalioError("compare-no-cases", name="organizers see the details", reason=reason)


def _require_same_scorer(a: Choice, b: Choice) -> None:
    """Scores of two scoring programs differ for reasons other than the submissions."""
    versions = dict(Attempt.objects.filter(pk__in=[a.attempt, b.attempt]).values_list("pk", "version_id"))
    if versions.get(a.attempt) == versions.get(b.attempt):
        return
    scorers = [_scorer(each.attempt) for each in (a, b)]
    if scorers[0] != scorers[1] or not scorers[0]:
        numbers = dict(Attempt.objects.filter(pk__in=[a.attempt, b.attempt]).values_list("pk", "version__number"))
        what = f"by the scoring programs of versions {numbers[a.attempt]} and {numbers[b.attempt]}"
        raise PalioError("compare-different-scorer", a=a.name, b=b.name, what=what)


def _scorer(attempt: str) -> list[Any]:
    """Digests of the scoring programs and of the reference data of its tasks; empty if they are not recorded."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        lock = RunFolder(django_settings.FOLDERS.runs / attempt).read_json("lock.json")
        tasks = lock.get("tasks") or [lock]
        return [[task.get("scoring_program"), task.get("reference_data")] for task in tasks]
    return []


def _off_leaderboard(wanted: LeaderboardRequest, given: str) -> Choice | None:
    """A scored submission of the phase that has no row: for those who see all, or of the reader's own team."""
    found = Submission.objects.filter(pk=given, challenge=wanted.challenge, phase=wanted.phase.name, withdrawn=None)
    if wanted.visibility is not Visibility.ALL:
        found = found.filter(team=wanted.team) if wanted.team else found.none()
    submission = found.exclude(counted=None).select_related("counted", "team").first()
    if submission is None or submission.counted is None:
        return None
    shown = {column.key for column in wanted.snapshot.leaderboard.columns}
    scores = {key: value for key, value in (submission.counted.scores or {}).items() if key in shown}
    name = f"{submission.team.name} {submission.pk}"
    return Choice(row_key(given), name, "–", given, submission.counted.pk, scores, submission.baseline)


def _names_in_several_rows(board: Leaderboard) -> set[str]:
    seen, several = set[str](), set[str]()
    rows: Sequence[Row] = board.rows
    for row in rows:
        (several if row.name in seen else seen).add(row.name)
    return several
