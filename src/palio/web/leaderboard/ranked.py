"""The leaderboard of a phase: the one implementation behind page, CSV, JSON and API.

What a reader may see is a `Sight`, and a Board holds no more than that: there is nothing in it that a page, a download
or an endpoint could give away. Hidden columns are in no Board. Withdrawn and hidden submissions are left out, and so
are disqualified ones, which organizers see as such, without a rank. A baseline stands for itself and is marked.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from django.db.models import F, Model, Q, QuerySet
from django.utils.functional import cached_property

from palio.core.bundle.model import Bundle, Column, Phase, ScorePolicy
from palio.core.leaderboard.ranking import OF_RANKS, Entry, Row, rank_entries
from palio.web.access.rules import VIEWER
from palio.web.http.request import Relation
from palio.web.models import Attempt, Challenge, Rescore, Submission, Team
from palio.web.storage.bundles import current_bundle

_MOST_KNOWN = 50_000
_Row: TypeAlias = tuple[str, str | None]  # submission, attempt


class Sight(StrEnum):
    ALL = "all"  # organizers, scorers, viewers and admins
    PUBLIC = "public"  # everybody, where nothing is hidden
    OWN = "own"  # of a hidden board: a team's own scores, without the rank that they would have
    NOTHING = "nothing"


@dataclass(frozen=True)
class HandedIn:
    """A submission with a score. When it was handed in, its team and an attempt's scores never change."""

    submission: str
    attempt: str
    when: datetime
    team: str  # its id
    scores: Mapping[str, float]
    baseline: bool = False
    disqualified: str = ""

    @cached_property
    def entry(self) -> Entry:
        return Entry(self.submission, self.when, self.scores, None if self.baseline else self.team)


# What this process has read, without what an organizer may say of it at any time.
_known: dict[_Row, HandedIn] = {}


@dataclass(frozen=True)
class BoardRow:
    """A line. `values` and `ranks` are by column key; `entries` are the team's, `last` when it handed in the last."""

    rank: int | None
    team: str
    name: str
    submission: str
    attempt: str
    when: datetime
    entries: int
    last: datetime
    values: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    baseline: bool = False
    disqualified: str = ""


@dataclass(frozen=True)
class Board:
    phase: str
    sight: Sight
    columns: tuple[Column, ...]  # that are shown
    primary: Column
    rows: tuple[BoardRow, ...]  # in the order of the board

    @property
    def shows_primary(self) -> bool:
        return self.primary in self.columns

    @property
    def teams(self) -> int:
        return len({row.team for row in self.rows if not row.baseline and not row.disqualified})


def sight(held: Collection[Relation], bundle: Bundle, phase: Phase) -> Sight:
    """What somebody who is `held` to the challenge may see of the board. The one place where this is decided."""
    if VIEWER & frozenset(held):
        return Sight.ALL
    if hides_scores(phase):
        return Sight.NOTHING
    return Sight.OWN if bundle.leaderboard.hidden else Sight.PUBLIC


def hides_scores(phase: Phase) -> bool:
    """Whether a phase is blind: participants see no score of it, not even their own."""
    return phase.rules.scores is ScorePolicy.HIDDEN


def visible_columns(bundle: Bundle) -> tuple[Column, ...]:
    return tuple(column for column in bundle.leaderboard.columns if not column.hidden)


def read_board(challenge: Challenge, phase: Phase, seen: Sight, team: Team | None = None) -> Board:
    """From the database, as it is now. `team` is the reader's own."""
    own, handed = team.pk if team else None, handed_in(challenge, phase.name)
    return make_board(current_bundle(challenge), phase, handed, team_names(challenge), seen, own)


def make_board(
    bundle: Bundle,
    phase: Phase,
    handed: Sequence[HandedIn],
    names: Mapping[str, str],
    seen: Sight,
    own: str | None = None,
) -> Board:
    """`names` are all teams' by their ids, as they are called now."""
    board, columns = bundle.leaderboard, visible_columns(bundle)
    if seen is Sight.NOTHING or (seen is Sight.OWN and own is None):
        return Board(phase.name, seen, columns, board.primary, ())
    if seen is Sight.OWN:
        handed = [each for each in handed if each.team == own]
    standing = [each for each in handed if not each.disqualified]
    ranked = rank_entries([each.entry for each in standing], board.columns, board.primary, phase.rules.ranking)
    shown = {row.entry.label for row in ranked}
    by_id = {each.submission: each for each in standing if each.submission in shown}
    counts = _counts([each for each in standing if not each.baseline])
    rows = [_row(row, by_id[row.entry.label], names, counts, columns) for row in ranked]
    if seen is Sight.OWN:
        rows = [_without_ranks(row, board.columns) for row in rows]
    if seen is Sight.ALL:
        rows += [_struck(each, names, columns) for each in handed if each.disqualified]
    return Board(phase.name, seen, columns, board.primary, tuple(rows))


def handed_in(challenge: Challenge, phase: str, rescore: Rescore | None = None) -> list[HandedIn]:
    """What counts in a phase, oldest first. With `rescore`, as if it were applied already."""
    new: Mapping[str, tuple[str, dict[str, float] | None]] = {}
    if rescore is not None:
        attempts = Attempt.objects.filter(rescore=rescore).order_by("number")  # the last is what became of it
        found_new = attempts.values_list("submission_id", "identity", "scores")
        new = {submission: (identity, scores) for submission, identity, scores in found_new}
    shown = Submission.objects.filter(challenge=challenge, phase=phase, withdrawn=None, hidden=None).filter(
        Q(counted__isnull=False) | Q(pk__in=new)
    )
    found = _read(shown.order_by("created", "id"))
    if new:
        found = [_as_rescored(each, *new[each.submission]) if each.submission in new else each for each in found]
    return [each for each in found if each.attempt]


def _as_rescored(each: HandedIn, attempt: str, scores: Mapping[str, float] | None) -> HandedIn:
    return replace(each, attempt=attempt if scores is not None else "", scores=scores or {})


def _read(shown: QuerySet[Submission]) -> list[HandedIn]:
    """What each submission says. Only what this process has not read yet is read, as there may be thousands."""
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    rows = list(shown.values_list("id", "counted_id"))
    found = [*map(_known.get, rows)]
    new = [place for place, each in enumerate(found) if each is None]
    for place, made in zip(new, _make([rows[place] for place in new]), strict=True):
        found[place] = _known[rows[place]] = made
    whole = [each for each in found if each is not None]
    said = shown.exclude(baseline=False, disqualified="").values_list("id", "baseline", "disqualified")
    if marks := {
        submission: (baseline, reason) for submission, baseline, reason in said
    }:  # few, and few boards have some
        whole = [_marked(each, *marks[each.submission]) if each.submission in marks else each for each in whole]
    return whole


def _marked(each: HandedIn, baseline: bool, disqualified: str) -> HandedIn:
    return replace(each, baseline=baseline, disqualified=disqualified)


def _make(rows: Sequence[_Row]) -> list[HandedIn]:
    own = _fields(Submission, ("created", "team_id"), [submission for submission, _ in rows])
    scores = _fields(Attempt, ("scores",), [attempt for _, attempt in rows if attempt])
    made = []
    for submission, attempt in rows:
        when, team = own[submission]
        (given,) = scores.get(attempt or "", (None,))
        counted = attempt if attempt and given is not None else ""
        made.append(HandedIn(submission, counted, when, team, given or {}))
    return made


def _fields(model: type[Model], fields: Sequence[str], keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """By primary key."""
    found: dict[str, tuple[Any, ...]] = {}
    for start in range(0, len(keys), 500):  # SQLite takes so many values and not all more
        rows = model._default_manager.filter(pk__in=keys[start : start + 500])
        found.update((row[0], row[1:]) for row in rows.values_list("pk", *fields))
    return found


def team_names(challenge: Challenge) -> dict[str, str]:
    """By the teams' ids. To be asked for after what was handed in, so that no team is missing."""
    return dict(Team.objects.filter(challenge=challenge).values_list("id", "name"))


def changed(challenge: Challenge) -> None:
    """To be called, in its transaction, by whatever changes what a board of the challenge shows."""
    Challenge.objects.filter(pk=challenge.pk).update(board_revision=F("board_revision") + 1)


def _counts(standing: Sequence[HandedIn]) -> dict[str, tuple[int, datetime]]:
    """Of each team: how many, and when the last was handed in."""
    teams = [each.team for each in standing]
    last = dict(zip(teams, [each.when for each in standing], strict=True))  # oldest first
    return {team: (number, last[team]) for team, number in Counter(teams).items()}


def _row(
    row: Row,
    each: HandedIn,
    names: Mapping[str, str],
    counts: Mapping[str, tuple[int, datetime]],
    columns: Sequence[Column],
) -> BoardRow:
    entries, last = (1, each.when) if each.baseline else counts[each.team]
    keys = [column.key for column in columns]
    return BoardRow(
        rank=row.rank,
        team=each.team,
        name=names[each.team],
        submission=each.submission,
        attempt=each.attempt,
        when=each.when,
        entries=entries,
        last=last,
        values={key: row.values[key] for key in keys if key in row.values},
        ranks={key: row.ranks[key] for key in keys if key in row.ranks},
        baseline=each.baseline,
    )


def _without_ranks(row: BoardRow, columns: Sequence[Column]) -> BoardRow:
    """Neither ranks nor what is computed of them, which would be those among the team's own."""
    of_ranks = {column.key for column in columns if column.computation in OF_RANKS}
    for _ in columns:  # what is computed of those in turn
        of_ranks |= {column.key for column in columns if of_ranks & {*column.computation_keys}}
    values = {key: value for key, value in row.values.items() if key not in of_ranks}
    return replace(row, rank=None, ranks={}, values=values)


def _struck(each: HandedIn, names: Mapping[str, str], columns: Sequence[Column]) -> BoardRow:
    values = {column.key: each.scores[column.key] for column in columns if column.key in each.scores}
    return BoardRow(
        rank=None,
        team=each.team,
        name=names[each.team],
        submission=each.submission,
        attempt=each.attempt,
        when=each.when,
        entries=1,
        last=each.when,
        values=values,
        baseline=each.baseline,
        disqualified=each.disqualified,
    )
