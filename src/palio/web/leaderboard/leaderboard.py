"""From entries to the rows that a reader may see: for page, API, CSV, JSON, export and re-score alike.

A Leaderboard has nothing that its reader may not see, so no page, download or endpoint can leak it. Hidden columns are
in none. Disqualified entries are only in those for organizers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

from django.db.models import F
from django.utils import timezone

from palio.core.bundle.leaderboards import primary_of, ranking_of
from palio.core.bundle.model import Column, Phase, Question, RankingPolicy
from palio.core.bundle.model import Leaderboard as BundleLeaderboard
from palio.core.leaderboard.best_over_time import records
from palio.core.leaderboard.ranking import OF_RANKS, Entry, Row, rank_entries
from palio.web.leaderboard.entries import (
    failed_counts,
    public_teams,
    read_again,
    read_answers,
    read_entries,
    read_shown,
    scoring_versions,
    team_affiliations,
    team_names,
)
from palio.web.leaderboard.visibility import Visibility, shown_columns
from palio.web.models import Challenge, Team
from palio.web.storage.bundles import current_bundle

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Leaderboard:
    """`rows` are best first; their names are those of teams, their labels are submissions. `answers` to `questions` are
    by submission."""

    phase: str
    board: BundleLeaderboard
    ranking: RankingPolicy
    visibility: Visibility
    columns: tuple[Column, ...]  # that are shown
    primary: Column
    rows: tuple[Row, ...]
    questions: tuple[Question, ...] = ()
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)  # submissions of each team that failed by its own fault
    movements: Mapping[str, int | None] = field(default_factory=dict)  # of rows, by submission: see `movements`
    records: tuple[Entry, ...] = ()  # see core.leaderboard.best_over_time
    versions: tuple[int, ...] = ()  # of the challenge, by which the entries were scored
    affiliations: Mapping[str, str] = field(default_factory=dict)  # of teams, by id
    public_teams: frozenset[str] = frozenset()  # ids of those whose page everyone may see

    @property
    def shows_primary(self) -> bool:
        return self.primary in self.columns

    def failed_of(self, row: Row) -> int:
        """Shown beside the number of entries. A baseline's row is not the team's."""
        return 0 if row.entry.baseline or row.entry.team is None else self.failed.get(row.entry.team, 0)

    def affiliation_of(self, row: Row) -> str:
        """Empty if the team states none."""
        return self.affiliations.get(row.entry.team or "", "")

    def has_page(self, row: Row) -> bool:
        """Whether the row links to its team's public page. Rows for organizers link to the submission instead."""
        is_public = row.entry.team in self.public_teams and not row.entry.baseline
        return is_public and self.visibility is Visibility.PUBLIC

    @cached_property
    def teams(self) -> int:
        return len({row.entry.team for row in self.rows if not row.entry.baseline and not row.entry.disqualified})


def read_leaderboard(
    challenge: Challenge,
    phase: Phase,
    board: BundleLeaderboard,
    visibility: Visibility,
    own: Team | None = None,
    known: Sequence[Entry] = (),
) -> tuple[Leaderboard, list[Entry]]:
    """The leaderboard as the database has it now, and all entries that were read for it, with exact scores.

    `own` is the reader's team, for OWN. `known` are entries of an earlier call, which make this one faster.
    """
    entries, failed = list[Entry](), dict[str, int]()
    if visibility is not Visibility.NONE and (visibility is not Visibility.OWN or own is not None):
        of = own if visibility is Visibility.OWN else None
        entries = read_again(challenge, phase.name, of, known) if known else read_entries(challenge, phase.name, of)
        failed = failed_counts(challenge, phase.name, of)
    bundle, shown = current_bundle(challenge), entries
    if visibility is not Visibility.ALL:
        shown = read_shown(challenge, phase, primary_of(bundle, phase), entries, own)
    names, affiliations, public = team_names(challenge), team_affiliations(challenge), public_teams(challenge)
    built = build_leaderboard(phase, board, shown, names, visibility)
    questions = tuple(question for question in bundle.fact_sheet if question.on_leaderboard)
    answers = read_answers([row.entry.label for row in built.rows], questions)
    moved = movements(board, shown, built) if visibility in {Visibility.ALL, Visibility.PUBLIC} else {}
    versions = scoring_versions(challenge, phase.name) if built.rows else ()
    built = replace(built, failed=failed, movements=moved, versions=versions)
    built = replace(built, affiliations=affiliations, public_teams=public)
    built = replace(built, records=_records(built, shown))
    return replace(built, questions=questions, answers=answers), entries


def movements(board: BundleLeaderboard, entries: Sequence[Entry], now: Leaderboard) -> dict[str, int | None]:
    """For each ranked row, by submission, how many places its team has risen in the last day; None: it had no rank.

    Empty if nothing was submitted in that time, or if teams have several rows. What was withdrawn, chosen or judged in
    the meantime counts as if it always had been.
    """
    since, ranking = timezone.now() - DAY, now.ranking
    before = [entry for entry in entries if entry.submitted <= since]
    if len(before) == len(entries) or not before or ranking.several or ranking.choose == "all":
        return {}
    rows = rank_entries(before, board.columns, board.primary, ranking)
    ranks = {(row.entry.team, row.entry.baseline and row.entry.label): row.rank for row in rows}
    found: dict[str, int | None] = {}
    for row in now.rows:
        if row.rank is not None:
            rank = ranks.get((row.entry.team, row.entry.baseline and row.entry.label))
            found[row.entry.label] = None if rank is None else rank - row.rank
    return found


def _records(leaderboard: Leaderboard, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """For those who see all teams. Where teams choose what is on the leaderboard, the others were never on it."""
    if leaderboard.visibility not in {Visibility.ALL, Visibility.PUBLIC} or not leaderboard.shows_primary:
        return ()
    choose = leaderboard.ranking.choose
    return records([entry for entry in entries if choose != "team" or entry.chosen], leaderboard.primary)


def with_columns(leaderboard: Leaderboard, keys: Collection[str]) -> Leaderboard:
    """Only these columns of scores and questions, and always the one by which it ranks."""
    columns = tuple(each for each in leaderboard.columns if each.key in keys or each == leaderboard.primary)
    questions = tuple(each for each in leaderboard.questions if answer_column(each) in keys)
    known, asked = {column.key for column in columns}, {question.key for question in questions}
    rows = [
        replace(
            row,
            values={key: value for key, value in row.values.items() if key in known},
            ranks={key: rank for key, rank in row.ranks.items() if key in known},
        )
        for row in leaderboard.rows
    ]
    answers = {
        label: {key: text for key, text in given.items() if key in asked}
        for label, given in leaderboard.answers.items()
    }
    return replace(leaderboard, columns=columns, questions=questions, rows=tuple(rows), answers=answers)


def answer_column(question: Question) -> str:
    """The name of a question's column, where names of columns stand beside keys of scores."""
    return f"answer_{question.key}"


def by_column(leaderboard: Leaderboard, column: Column) -> Leaderboard:
    """The same rows in the order of another column, whose ranks they have."""
    rows = [replace(row, rank=row.ranks.get(column.key)) for row in leaderboard.rows]
    rows.sort(key=lambda row: (row.rank is None, row.rank or 0))  # stable: within ties, the order of before
    return replace(leaderboard, primary=column, rows=tuple(rows), movements={}, records=())


def by_scores(leaderboard: Leaderboard, scores: Mapping[str, float]) -> Leaderboard:
    """The ranked rows with these primary scores, by attempt, and only that column; rows without one come last."""
    primary = leaderboard.primary
    ranked = [row for row in leaderboard.rows if row.rank is not None]
    entries = [
        replace(row.entry, scores={primary.key: scores[row.entry.attempt]} if row.entry.attempt in scores else {})
        for row in ranked
    ]
    plain = replace(primary, computation=None)
    known = {row.entry.label: row for row in ranked}
    rows = [
        replace(known[row.entry.label], entry=row.entry, rank=row.rank, values=row.values, ranks=row.ranks)
        for row in rank_entries(entries, [plain], plain)
    ]
    return replace(leaderboard, columns=(primary,), rows=tuple(rows), questions=(), movements={}, records=())


def build_leaderboard(
    phase: Phase,
    board: BundleLeaderboard,
    entries: Sequence[Entry],
    names: Mapping[str, str],
    visibility: Visibility,
) -> Leaderboard:
    """`names` are the teams' current names, by id. For OWN, `entries` are only those of the reader's team. Unless for
    ALL, their scores are those that participants may read (`entries.read_shown`)."""
    columns, primary, ranking = board.columns, board.primary, ranking_of(phase, board)
    shown = shown_columns(board, phase)
    keys = ranked_keys = [column.key for column in shown]
    rows = rank_entries(entries, columns, primary, ranking)
    if visibility is Visibility.OWN:  # ranks among the team's own entries mean nothing
        from_ranks = _computed_from_ranks(columns)
        keys, ranked_keys = [key for key in keys if key not in from_ranks], []
    if visibility is not Visibility.ALL:
        rows = [row for row in rows if not row.entry.disqualified]
    visible = tuple(
        Row(
            entry=row.entry,
            rank=None if visibility is Visibility.OWN else row.rank,
            values={key: row.values[key] for key in keys if key in row.values},
            ranks={key: row.ranks[key] for key in ranked_keys if key in row.ranks},
            name=names[row.entry.team or ""],
            entries=row.entries,
            last=row.last,
        )
        for row in rows
    )
    return Leaderboard(phase.name, board, ranking, visibility, shown, primary, visible)


def mark_changed(challenge: Challenge) -> None:
    """Call this in the transaction of every change that a leaderboard of the challenge shows."""
    Challenge.objects.filter(pk=challenge.pk).update(leaderboard_revision=F("leaderboard_revision") + 1)


def _computed_from_ranks(columns: Sequence[Column]) -> set[str]:
    """Columns that are computed from ranks, directly or through other columns."""
    found = {column.key for column in columns if column.computation in OF_RANKS}
    for _ in columns:  # no chain of computed columns is longer
        found |= {column.key for column in columns if found & {*column.computation_keys}}
    return found
