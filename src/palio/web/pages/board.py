"""The leaderboard of a phase: as a page, and to download."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.cache import get_conditional_response
from django.utils.text import slugify

from palio.core.bundle.model import Column
from palio.web.board import Sight
from palio.web.board_request import Asked, asked, etag_for, own_scores, private
from palio.web.board_shown import BY_ENTRIES, BY_LAST, BY_RANK, BY_TEAM, Shown, as_csv
from palio.web.charts import Line, Point, line_over_time


@dataclass(frozen=True)
class Head:
    """What stands above a column; `url` sorts by it, and again the other way round."""

    title: str
    url: str
    order: str  # as aria-sort says it, empty if not sorted by it
    arrow: str = ""
    number: bool = True
    primary: bool = False


def board(request: HttpRequest, challenge: str, phase: str | None = None) -> HttpResponse:
    what = asked(request, phase)
    etag = etag_for(request, what.stamp)
    told = bool(len(get_messages(request)))
    if not told and (unchanged := get_conditional_response(request, etag=etag)):
        return private(unchanged)
    shown = what.shown()
    context = {
        "challenge": what.challenge,
        "bundle": what.bundle,
        "phase": what.phase,
        "seen": what.seen.value,
        "shown": shown,
        "rows": shown.html(what.sort, what.team.pk if what.team else None),
        "heads": _heads(what, shown),
        "team": what.team,
        "history": _history(what),
        "query": urlencode({"phase": what.phase.name, "sort": what.sort}),
    }
    response = render(request, "board/page.html", context)
    if not told:
        response["ETag"] = etag
    return private(response)


def download_csv(request: HttpRequest, challenge: str) -> HttpResponse:
    what = asked(request, request.GET.get("phase"))
    return _file(what, "csv", "text/csv; charset=utf-8", as_csv(what.shown(), what.sort))


def download_json(request: HttpRequest, challenge: str) -> HttpResponse:
    what = asked(request, request.GET.get("phase"))
    return _file(what, "json", "application/json", what.as_json())


def _file(what: Asked, kind: str, content_type: str, text: str) -> HttpResponse:
    name = f"{what.challenge.slug}-{slugify(what.phase.name) or what.phase.index}.{kind}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return private(HttpResponse(text, content_type, headers=disposition))


def _heads(what: Asked, shown: Shown) -> list[Head]:
    heads = [
        _head(what, "Rank", BY_RANK, rising=True, number=False),
        _head(what, "Team", BY_TEAM, rising=True, number=False),
    ]
    heads += [_of_column(what, column, shown) for column in shown.columns]
    heads += [
        _head(what, "Entries", BY_ENTRIES, rising=False, number=True),
        _head(what, "Last", BY_LAST, rising=False, number=False),
    ]
    return heads


def _of_column(what: Asked, column: Column, shown: Shown) -> Head:
    head = _head(what, column.title, column.key, rising=not column.descending, number=True)
    return Head(head.title, head.url, head.order, "↑" if column.descending else "↓", True, column == shown.primary)


def _head(what: Asked, title: str, key: str, *, rising: bool, number: bool) -> Head:
    """`rising`: values rise from top to bottom when it is sorted by this."""
    sorted_by, reverse_of = what.sort == key, what.sort == f"-{key}"
    order = ""
    if sorted_by or reverse_of:
        order = "ascending" if rising == sorted_by else "descending"
    page = reverse("pages:board-phase", kwargs={"challenge": what.challenge.slug, "phase": what.phase.name})
    return Head(title, f"{page}?{urlencode({'sort': f'-{key}' if sorted_by else key})}", order, number=number)


def _history(what: Asked) -> Line | None:
    """The own team's primary scores over time; nothing where its scores or that column are hidden."""
    primary = what.bundle.leaderboard.primary
    if what.team is None or what.seen is Sight.NOTHING or primary.hidden:
        return None
    rows = own_scores(what.team, what.phase)
    points = [
        Point(
            when,
            scores[primary.key],
            f"{scores[primary.key]:.{primary.precision}f}, {when:%Y-%m-%d %H:%M} UTC{f', {note}' if note else ''}",
            reverse("pages:submission", kwargs={"submission": submission}),
        )
        for submission, when, scores, note in rows
        if primary.key in scores
    ]
    return line_over_time(points, descending=primary.descending)


urls = [
    path("c/<slug:challenge>/board/", board, name="board"),
    path("c/<slug:challenge>/board.csv", download_csv, name="board-csv"),
    path("c/<slug:challenge>/board.json", download_json, name="board-json"),
    path("c/<slug:challenge>/board/<path:phase>/", board, name="board-phase"),
]
