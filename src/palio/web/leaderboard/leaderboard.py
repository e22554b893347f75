"""From entries to the rows that a reader may see: for page, API, CSV, JSON, export and re-score alike.

A Leaderboard has nothing that its reader may not see, so no page, download or endpoint can leak it. Hidden columns are
in none. Disqualified entries are only in those for organizers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from django.db.models import F

from palio.core.bundle.leaderboards import primary_of, ranking_of
from palio.core.bundle.model import Column, Phase, Question, RankingPolicy
from palio.core.bundle.model import Leaderboard as BundleLeaderboard
from palio.core.leaderboard.ranking import OF_RANKS, Entry, Row, rank_entries
from palio.web.leaderboard.entries import read_again, read_answers, read_entries, read_shown, team_names
from palio.web.leaderboard.visibility import Visibility, shown_columns
from palio.web.models import Challenge, Team
from palio.web.storage.bundles import current_bundle


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

    @property
    def shows_primary(self) -> bool:
        return self.primary in self.columns

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
    entries: list[Entry] = []
    if visibility is not Visibility.NONE and (visibility is not Visibility.OWN or own is not None):
        of = own if visibility is Visibility.OWN else None
        entries = read_again(challenge, phase.name, of, known) if known else read_entries(challenge, phase.name, of)
    bundle, shown = current_bundle(challenge), entries
    if visibility is not Visibility.ALL:
        shown = read_shown(challenge, phase, primary_of(bundle, phase), entries, own)
    names = team_names(challenge)
    built = build_leaderboard(phase, board, shown, names, visibility)
    questions = tuple(question for question in bundle.fact_sheet if question.on_leaderboard)
    answers = read_answers([row.entry.label for row in built.rows], questions)
    return replace(built, questions=questions, answers=answers), entries


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
