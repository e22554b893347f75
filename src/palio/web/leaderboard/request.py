"""What a page, a download or an API call asks for: whose leaderboard, for whom, in which order."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext

from palio import __version__
from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, Column, Leaderboard, Phase
from palio.core.bundle.pick_phase import find_phase, pick_phase
from palio.core.leaderboard.ranking import Entry, Row
from palio.core.leaderboard.standing import standing, suggested_policy, worth_of_case, worth_text
from palio.core.sentences import Figure, Sentence
from palio.web.http.request import Request
from palio.web.leaderboard.entries import read_shown
from palio.web.leaderboard.formats import csv_text
from palio.web.leaderboard.leaderboard import answer_column
from palio.web.leaderboard.snapshot import BY_RANK, Snapshot, snapshot
from palio.web.leaderboard.visibility import Visibility, listed_leaderboards, visibility
from palio.web.models import Challenge, Submission, Team
from palio.web.storage.bundles import current_bundle

MOST_SEARCHED = 200  # characters


@dataclass(frozen=True)
class LeaderboardRequest:
    """`team` is the reader's own; `boards` are the leaderboards to choose from, one of which is `board`."""

    challenge: Challenge
    bundle: Bundle
    phase: Phase
    board: Leaderboard
    boards: tuple[Leaderboard, ...]
    visibility: Visibility
    team: Team | None
    wanted_sort: str
    wanted_metric: str = ""
    wanted_group: str = ""  # column:value
    wanted_columns: tuple[str, ...] = ()  # none: all
    search: str = ""  # in the names of teams

    @cached_property
    def snapshot(self) -> Snapshot:
        """Of the whole leaderboard, in the order of its primary column."""
        return snapshot(self.challenge, self.phase, self.board, self.visibility, self.team)

    @cached_property
    def view(self) -> Snapshot:
        """As it was asked for: within a group of cases, or by another column; chosen columns, and rows found."""
        if not self.chosen and not self.search:
            return self._whole
        return self._whole.narrowed(self.chosen or None, self.search)

    @cached_property
    def _whole(self) -> Snapshot:
        if self.group:
            return self.snapshot.by_group(*self.group)
        column = next((each for each in self.metrics if each.key == self.wanted_metric), None)
        return self.snapshot.by_column(column) if column else self.snapshot

    @cached_property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Keys and titles of the columns to choose from; the one that ranks is always shown."""
        board = self._whole.leaderboard
        scores = [(each.key, each.title) for each in board.columns if each != board.primary]
        return (*scores, *((answer_column(each), each.title) for each in board.questions))

    @cached_property
    def chosen(self) -> frozenset[str]:
        """The chosen columns, with the one that ranks; empty if all are shown."""
        known = {*self.wanted_columns} & {key for key, _ in self.columns}
        is_chosen = bool(self.wanted_columns) and len(known) < len(self.columns)
        return frozenset({*known, self._whole.leaderboard.primary.key}) if is_chosen else frozenset()

    @property
    def metrics(self) -> tuple[Column, ...]:
        """The columns to choose from. Without ranks, there is no order by another column."""
        board = self.snapshot.leaderboard
        return board.columns if self.visibility in {Visibility.ALL, Visibility.PUBLIC} and board.shows_primary else ()

    @cached_property
    def group(self) -> tuple[str, str] | None:
        """The chosen group of cases: a column of the file with the single cases, and its value."""
        column, _, value = self.wanted_group.partition(":")
        return (column, value) if value in self.snapshot.group_values.get(column, {}) else None

    @property
    def metric(self) -> Column:
        return self.view.leaderboard.primary

    @property
    def sort(self) -> str:
        return self.view.sort_key(self.wanted_sort)

    @property
    def notes(self) -> list[str]:
        """What the numbers justify saying. Ranges that cannot be told apart are of the primary column."""
        found, cases = self.view, self.view.statistics.cases
        policy, tasks = self.phase.rules.statistics, len(self.phase.tasks)
        ranked = [row for row in found.leaderboard.rows if row.rank is not None]  # all, whatever was searched for
        if self.group:
            of_group = {"group": ": ".join(self.group), "cases": Figure(f"{cases or 0:,}")}
            return [
                Sentence.of_count(
                    "Within %(group)s, %(cases)s case. Rank ranges are only for all cases.",
                    "Within %(group)s, %(cases)s cases. Rank ranges are only for all cases.",
                    cases or 0,
                    **of_group,
                )
            ]
        said = standing([found.statistics.compared_range(row.entry.attempt, self.metric) for row in ranked], cases)
        primary = self.snapshot.leaderboard.primary
        if self._whole is self.snapshot and (worth := worth_text(policy, primary, cases, tasks)):
            said.append(worth)
        return said

    @cached_property
    def address(self) -> str:
        return reverse("pages:leaderboard-phase", args=[self.challenge.slug, self.phase.name])

    def etag(self, request: Request[Challenge]) -> str:
        """The same for the same reader while the leaderboard is the same. A page also has the name and the form token
        of its reader."""
        shown = [
            __version__,
            get_language(),
            *self.snapshot.revision,
            self.phase.name,
            self.board.key,
            self.visibility,
            self.metric.key,
            self.sort,
            *sorted(self.chosen),
            self.search,
        ]
        reader = [self.team and self.team.pk, request.user.pk, request.META.get("CSRF_COOKIE", "")]
        digest = hashlib.sha256(json.dumps([*shown, *reader, sorted(request.relations)]).encode()).hexdigest()
        return f'"{digest[:32]}"'

    def json(self) -> str:
        """The reader's own team is named apart from the rows, which are the same for all readers."""
        found = self.view
        head = {
            "own_team": self.team.name if self.team else None,
            "challenge": self.challenge.slug,
            "title": self.bundle.title,
            "phase": self.phase.name,
            "leaderboard": self.board.key,
            "leaderboard_title": self.board.title,
            "leaderboards": [{"key": each.key, "title": each.title} for each in self.boards],
            "hidden": self.visibility in {Visibility.OWN, Visibility.NONE},
            "primary": found.leaderboard.primary.key if found.leaderboard.shows_primary else None,
            "columns": [
                {"key": each.key, "title": each.title, "descending": each.descending, "precision": each.precision}
                for each in found.leaderboard.columns
            ],
            "questions": [{"key": each.key, "title": each.title} for each in found.leaderboard.questions],
            "cases": found.statistics.cases,
            "group": ":".join(self.group) if self.group else None,
            "groups": found.group_values,
            "one_case": self._one_case,
            "notes": self.notes,
            "no_intervals": self.no_intervals or None,
            "feedback": sentence(self.phase.rules.feedback) or None,
            "best_over_time": self.best_over_time,
        }
        rows = ",\n".join(found.json[place] for place in found.order(self.sort))
        return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rows": [{rows}]}}'

    @property
    def best_over_time(self) -> list[dict[str, object]]:
        """The submissions that beat all before them in the column that ranks, oldest first."""
        names = {row.entry.team: row.name for row in self.snapshot.leaderboard.rows}
        found = self._whole.leaderboard
        return [
            {
                "submitted": entry.submitted.isoformat(),
                "score": entry.scores[found.primary.key],
                "interval": self._whole.statistics.interval(entry.attempt, found.primary),
                "team": names.get(entry.team),
            }
            for entry in found.records
        ]

    def csv(self, receipt: Callable[[Row], str] | None = None) -> bytes:
        """`receipt` returns the address of the receipt of a row, or nothing."""
        return csv_text(self.view.leaderboard, self.view.statistics, self.view.order(self.sort), receipt)

    @property
    def no_intervals(self) -> str:
        """Why no row has an interval of the primary score, as a sentence; empty if some have or will have soon, or if
        the feedback rule withholds them."""
        found, policy = self.snapshot, self.phase.rules.statistics
        board, primary = found.leaderboard, found.leaderboard.primary
        has_scores = any(primary.key in row.values for row in board.rows)
        if self.visibility not in {Visibility.ALL, Visibility.PUBLIC} or not has_scores or found.axis is not None:
            return ""
        if policy is None:
            return gettext("No intervals and no rank ranges: the challenge names no file with a result for each case.")
        if policy.metric_of(primary, primary) is None:
            form = gettext("No intervals and no rank ranges: the challenge names no metric for %(column)s.")
            return form % {"column": primary.title}
        is_withheld = self.visibility is Visibility.PUBLIC and not self.phase.rules.feedback.is_exact
        if found.statistics.is_pending or is_withheld:
            return ""
        reason = found.statistics.no_intervals
        if self.visibility is Visibility.ALL and reason:
            return gettext("No intervals and no rank ranges: %(reason)s.") % {"reason": reason}
        return gettext(
            "No intervals and no rank ranges: the results of single cases could not be used. The organizers see why."
        )

    @property
    def suggestion(self) -> str:
        """Lines of competition.yaml that would help, for those who see everything."""
        policy, primary = self.phase.rules.statistics, self.snapshot.leaderboard.primary
        is_missing = policy is None or policy.metric_of(primary, primary) is None
        return (
            suggested_policy(primary) if self.no_intervals and is_missing and self.visibility is Visibility.ALL else ""
        )

    @property
    def _one_case(self) -> float | None:
        found = self.snapshot
        tasks, cases = len(self.phase.tasks), found.statistics.cases
        return worth_of_case(self.phase.rules.statistics, found.leaderboard.primary, cases, tasks)


def leaderboard_request(request: Request[Challenge], phase_name: str | None) -> LeaderboardRequest:
    """Without a phase's name, the phase is the open one; without a key, the leaderboard is the first to choose from.

    Raises Http404 for an unknown phase or leaderboard, or one that the reader cannot choose.
    """
    challenge = request.subject
    if challenge.current is None:
        raise Http404
    bundle = current_bundle(challenge)
    phase = find_phase(bundle, phase_name) if phase_name else pick_phase(bundle, None)
    if phase is None:
        raise Http404
    boards, key = listed_leaderboards(request.relations, bundle, phase), request.GET.get("leaderboard")
    board = next((board for board in boards if board.key == key), None) if key else boards[0]
    if board is None:
        raise Http404
    return LeaderboardRequest(
        challenge=challenge,
        bundle=bundle,
        phase=phase,
        board=board,
        boards=boards,
        visibility=visibility(request.relations, board, phase),
        team=request.team,
        wanted_sort=request.GET.get("sort", BY_RANK),
        wanted_metric=request.GET.get("metric", ""),
        wanted_group=request.GET.get("group", ""),
        wanted_columns=tuple(request.GET.getlist("columns")),
        search=request.GET.get("q", "").strip()[:MOST_SEARCHED],
    )


def own_scores(wanted: LeaderboardRequest) -> list[tuple[str, datetime, dict[str, float], str]]:
    """The scored submissions of the reader's team, oldest first: id, time, scores that the reader may see, and note."""
    team, phase = wanted.team, wanted.phase
    if team is None or wanted.visibility is Visibility.NONE:
        return []
    rows = Submission.objects.filter(team=team, phase=phase.name, withdrawn=None).exclude(counted=None)
    listed = rows.order_by("created").values_list("id", "created", "counted__scores", "note")
    entries = [Entry(submission, created, scores or {}, team.pk) for submission, created, scores, _ in listed]
    if wanted.visibility is not Visibility.ALL:
        entries = read_shown(wanted.challenge, phase, primary_of(wanted.bundle, phase), entries, team)
    return [
        (entry.label, entry.submitted, {**entry.scores}, note)
        for entry, (*_, note) in zip(entries, listed, strict=True)
    ]


def private(response: HttpResponse) -> HttpResponse:
    """Lets only the reader's browser store the response, which then asks each time whether it has changed."""
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response
