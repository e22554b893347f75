"""The leaderboard of a phase: the page and its downloads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.cache import get_conditional_response
from django.utils.text import slugify
from django.utils.translation import gettext

from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Column, Leaderboard
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.ranking import Entry, Row
from palio.web.http.request import Request
from palio.web.language.numbers import number
from palio.web.language.times import minute
from palio.web.leaderboard.charts import Line, Point, dots_html, line_over_time
from palio.web.leaderboard.formats import receipt_address
from palio.web.leaderboard.html import primary_first
from palio.web.leaderboard.leaderboard import answer_column
from palio.web.leaderboard.request import LeaderboardRequest, leaderboard_request, own_scores, private
from palio.web.leaderboard.snapshot import BY_ENTRIES, BY_LAST, BY_RANK, BY_TEAM
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, Challenge
from palio.web.queries.submission import receipt_path

ROWS = "<!-- rows -->"  # their place in the template, which would copy them once for each block around them


@dataclass(frozen=True)
class Heading:
    """The head of a column. `url` sorts by it, or reverses the order."""

    title: str
    url: str
    order: str  # for aria-sort; empty if the rows are not sorted by it
    arrow: str = ""
    number: bool = True
    primary: bool = False
    note: str = ""  # where there is no `url`


def leaderboard(request: Request[Challenge], challenge: str, phase: str | None = None) -> HttpResponse:
    wanted = leaderboard_request(request, phase)
    has_messages = bool(len(get_messages(request)))  # which are shown once
    if not has_messages and (unchanged := get_conditional_response(request, etag=wanted.etag(request))):
        return private(unchanged)
    found = wanted.view
    history, best = _history(wanted), _best_over_time(wanted)
    context = {
        "challenge": wanted.challenge,
        "bundle": wanted.bundle,
        "phase": wanted.phase,
        "board": wanted.board,
        "boards": [(each, each == wanted.board, _whole_url(wanted, each, {})) for each in wanted.boards],
        "visibility": wanted.visibility.value,
        "leaderboard": found.leaderboard,
        "statistics": found.statistics,
        "feedback": sentence(wanted.phase.rules.feedback),
        "axis": found.axis,
        "headings": _headings(wanted),
        "team": wanted.team,
        "history": history,
        "search": wanted.search,
        "columns": [(key, title, not wanted.chosen or key in wanted.chosen) for key, title in wanted.columns],
        "fields": _fields(wanted),
        "is_found": bool(found.order(BY_RANK)),
        "is_narrowed": bool(wanted.search or wanted.chosen),
        "best": best,
        "best_dots": dots_html(best) if best else "",
        "best_rows": _best_rows(wanted) if best else [],
        "metrics": [
            (each, each == wanted.metric and not wanted.group, _url(wanted, wanted.board, **_metric(wanted, each)))
            for each in wanted.metrics
        ],
        "groups": _groups(wanted),
        "group": wanted.group,
        "all_cases": _url(wanted, wanted.board),
        "everything": _whole_url(wanted, wanted.board, {**_metric(wanted)}),
        "notes": wanted.notes,
        "no_intervals": wanted.no_intervals,
        "suggestion": wanted.suggestion,
        "ticks": _ticks(found.axis) if found.axis else [],
        "has_line": b"group-end" in found.rows_html(BY_RANK, None),
        "is_by_rank": wanted.sort == BY_RANK,
        "is_primary": wanted.metric == wanted.board.primary,
        "updated": _last(wanted),
        "can_compare": len(found.leaderboard.rows) > 1 and bool(found.statistics.intervals),
        "dots": dots_html(history) if history else "",
        "query": urlencode(
            {
                "phase": wanted.phase.name,
                **_named(wanted.board),
                **_metric(wanted),
                **_narrowed(wanted),
                "sort": wanted.sort,
            },
            doseq=True,
        ),
    }
    before, _, after = render_to_string("leaderboard/page.html", context, request).partition(ROWS)
    response = HttpResponse([before, found.rows_html(wanted.sort, wanted.team, _receipt(wanted)), after])
    if not has_messages:
        response["ETag"] = wanted.etag(request)  # again, as rendering may have set the form token
    return private(response)


def download_csv(request: Request[Challenge], challenge: str) -> HttpResponse:
    wanted = leaderboard_request(request, request.GET.get("phase"))
    return _file(wanted, "csv", "text/csv; charset=utf-8", wanted.csv(_receipt_of_csv(wanted)))


def download_json(request: Request[Challenge], challenge: str) -> HttpResponse:
    wanted = leaderboard_request(request, request.GET.get("phase"))
    return _file(wanted, "json", "application/json", wanted.json().encode())


def _file(wanted: LeaderboardRequest, kind: str, content_type: str, content: bytes) -> HttpResponse:
    board = f"-{slugify(wanted.board.key)}" if len(leaderboards_of(wanted.bundle, wanted.phase)) > 1 else ""
    name = f"{wanted.challenge.slug}-{slugify(wanted.phase.name) or wanted.phase.index}{board}.{kind}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return private(HttpResponse(content, content_type, headers=disposition))


def _headings(wanted: LeaderboardRequest) -> list[Heading]:
    found = wanted.view.leaderboard
    moved = (
        [Heading("24 h", "", "", number=False, note=gettext("movement in the last 24 hours"))]
        if found.movements
        else []
    )
    receipts = [
        Heading(gettext("Receipt"), "", "", number=False, note=gettext("signed statement of what was evaluated"))
    ]
    receipts = receipts if wanted.visibility is Visibility.ALL else []
    return [
        _heading(wanted, gettext("Rank"), BY_RANK, rising=True, number=False),
        _heading(wanted, gettext("Team"), BY_TEAM, rising=True, number=False),
        *(_column(wanted, column) for column in primary_first(found.columns, found.primary)),
        _heading(wanted, gettext("Entries"), BY_ENTRIES, rising=False, number=True),
        _heading(wanted, gettext("Last"), BY_LAST, rising=False, number=False),
        *moved,
        *(_heading(wanted, each.title, answer_column(each), rising=True, number=False) for each in found.questions),
        *receipts,
    ]


def _column(wanted: LeaderboardRequest, column: Column) -> Heading:
    heading = _heading(wanted, column.title, column.key, rising=not column.descending, number=True)
    is_primary = column == wanted.metric
    return Heading(heading.title, heading.url, heading.order, "↑" if column.descending else "↓", primary=is_primary)


def _heading(wanted: LeaderboardRequest, title: str, key: str, *, rising: bool, number: bool) -> Heading:
    """`rising`: sorted by this, values rise from top to bottom."""
    sorted_by, reverse_of = wanted.sort == key, wanted.sort == f"-{key}"
    order = ""
    if sorted_by or reverse_of:
        order = "ascending" if rising == sorted_by else "descending"
    url = _url(wanted, wanted.board, **_metric(wanted), sort=f"-{key}" if sorted_by else key)
    return Heading(title, url, order, number=number)


def _url(wanted: LeaderboardRequest, leaderboard: Leaderboard, **query: str) -> str:
    """With what was searched for, and the chosen columns."""
    return _whole_url(wanted, leaderboard, _narrowed(wanted) | query)


def _whole_url(wanted: LeaderboardRequest, leaderboard: Leaderboard, query: Mapping[str, str | list[str]]) -> str:
    whole = {**(_named(leaderboard) if len(wanted.boards) > 1 else {}), **query}
    return f"{wanted.address}?{urlencode(whole, doseq=True)}" if whole else wanted.address


def _narrowed(wanted: LeaderboardRequest) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {"q": wanted.search} if wanted.search else {}
    if wanted.chosen:  # an empty one, as there may be no other
        found["columns"] = [key for key, _ in wanted.columns if key in wanted.chosen] or [""]
    return found


def _fields(wanted: LeaderboardRequest) -> list[tuple[str, str]]:
    """What the form for searching keeps of the address."""
    named = _named(wanted.board) if len(wanted.boards) > 1 else {}
    sort = {} if wanted.sort == BY_RANK else {"sort": wanted.sort}
    return [*(named | _metric(wanted) | sort).items()]


def _receipt(wanted: LeaderboardRequest) -> Callable[[Row], str] | None:
    """The address of the receipt of one of the reader's own rows; empty if it is missing, or states what is hidden."""
    if wanted.visibility is not Visibility.PUBLIC or not wanted.phase.rules.feedback.is_exact:
        return None

    def address(row: Row) -> str:
        attempts = Attempt.objects.select_related("version", "submission__challenge__current")
        if receipt_path(attempts.filter(pk=row.entry.attempt).first(), full=False) is None:
            return ""
        return reverse("pages:submission-receipt", kwargs={"submission": row.entry.label})

    return address


def _receipt_of_csv(wanted: LeaderboardRequest) -> Callable[[Row], str] | None:
    """Of all rows for organizers, of its own for a team; None for readers who get none."""
    if wanted.visibility is Visibility.ALL:
        return receipt_address
    own, team = _receipt(wanted), wanted.team
    if own is None or team is None:
        return None
    return lambda row: own(row) if row.entry.team == team.pk else ""


def _ticks(axis: Axis) -> list[str]:
    """Labels at equal distances; some are empty where all of them would not fit."""
    step = 1 + (len(axis.ticks) - 1) // 4
    return [tick if place % step == 0 else "" for place, tick in enumerate(axis.ticks)]


def _metric(wanted: LeaderboardRequest, column: Column | None = None) -> dict[str, str]:
    """The part of an address that chooses a column to rank by; empty for the primary one."""
    if column is None and wanted.group:
        return {"group": ":".join(wanted.group)}
    column = column or wanted.metric
    return {} if column == wanted.snapshot.leaderboard.primary else {"metric": column.key}


def _groups(wanted: LeaderboardRequest) -> list[tuple[str, list[tuple[str, int, bool, str]]]]:
    """Columns of groups, each with its values: name, number of cases, whether it is chosen, address."""
    return [
        (
            column,
            [
                (value, cases, (column, value) == wanted.group, _url(wanted, wanted.board, group=f"{column}:{value}"))
                for value, cases in values.items()
            ],
        )
        for column, values in wanted.snapshot.group_values.items()
    ]


def _named(leaderboard: Leaderboard) -> dict[str, str]:
    return {"leaderboard": leaderboard.key}


def _best_over_time(wanted: LeaderboardRequest) -> Line | None:
    """None if it was never beaten, or within a group of cases."""
    found = wanted.view.leaderboard
    points = [
        Point(
            entry.submitted,
            entry.scores[found.primary.key],
            f"{score}{f' [{interval}]' if interval else ''}, {team}, {minute(when)} UTC",
            "",
            wanted.view.statistics.interval(entry.attempt, found.primary),
        )
        for entry, (when, team, score, interval) in zip(found.records, _best_rows(wanted), strict=True)
    ]
    return line_over_time(points, descending=found.primary.descending, until=_last(wanted))


def _best_rows(wanted: LeaderboardRequest) -> list[tuple[datetime, str, str, str]]:
    """When, by whom, the score, and its interval, empty if it has none."""
    found = wanted.view.leaderboard
    names = {row.entry.team: row.name for row in found.rows}
    digits = f".{found.primary.precision}f"

    def ends(entry: Entry) -> str:
        interval = wanted.view.statistics.interval(entry.attempt, found.primary)
        return " – ".join(number(end, digits) for end in interval or ())

    return [
        (entry.submitted, names.get(entry.team, "–"), number(entry.scores[found.primary.key], digits), ends(entry))
        for entry in found.records
    ]


def _last(wanted: LeaderboardRequest) -> datetime | None:
    return max((row.last for row in wanted.view.leaderboard.rows), default=None)


def _history(wanted: LeaderboardRequest) -> Line | None:
    """The own team's primary scores over time; None if its scores or that column are hidden."""
    primary = wanted.board.primary
    if primary.hidden:
        return None
    digits = f".{primary.precision}f"
    address = reverse("pages:submission", kwargs={"submission": "SUBMISSION"})  # once, as there may be many
    points = [
        Point(
            created,
            scores[primary.key],
            f"{number(scores[primary.key], digits)}, {minute(created)} UTC{f', {note}' if note else ''}",
            address.replace("SUBMISSION", submission),
        )
        for submission, created, scores, note in own_scores(wanted)
        if primary.key in scores
    ]
    return line_over_time(points, descending=primary.descending)


urls = [
    path("c/<slug:challenge>/leaderboard/", leaderboard, name="leaderboard"),
    path("c/<slug:challenge>/leaderboard.csv", download_csv, name="leaderboard-csv"),
    path("c/<slug:challenge>/leaderboard.json", download_json, name="leaderboard-json"),
    path("c/<slug:challenge>/leaderboard/<path:phase>/", leaderboard, name="leaderboard-phase"),
]
