"""The leaderboard of a phase: as a page, and to download."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.cache import get_conditional_response
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from palio.core.bundle.model import Column, Phase
from palio.web.http.cache import kept
from palio.web.http.request import Request
from palio.web.leaderboard.charts import Point, dots_html, line_over_time
from palio.web.leaderboard.html import primary_first
from palio.web.leaderboard.ranked import Sight
from palio.web.leaderboard.request import Asked, asked, etag_for, own_scores, private
from palio.web.leaderboard.shown import BY_ENTRIES, BY_LAST, BY_RANK, BY_TEAM, Shown, as_csv, kept_key
from palio.web.models import Challenge, Team

_ROWS = "<!-- rows -->"  # where they come; whatever people have written is escaped, so that nobody else can say it


@dataclass(frozen=True)
class Head:
    """What stands above a column; `url` sorts by it, and again the other way round."""

    title: str
    url: str
    order: str  # as aria-sort says it, empty if not sorted by it
    arrow: str = ""
    number: bool = True
    primary: bool = False


def board(request: Request[Challenge], challenge: str, phase: str | None = None) -> HttpResponse:
    what = asked(request, phase)
    told = bool(len(get_messages(request)))
    if not told and (unchanged := get_conditional_response(request, etag=etag_for(request, what.stamp))):
        return private(unchanged)
    if told or request.user.is_authenticated:
        page = _around_rows(request, what)
    else:  # the same for all who have not signed in
        key = f"board-page/{kept_key(*what.whose)}/{what.sort}"
        page = kept(key, what.shown.stamp, lambda: _around_rows(request, what))
    response = HttpResponse(what.shown.html(what.sort, what.team.pk if what.team else None).join(page))
    if not told:
        response["ETag"] = etag_for(request, what.stamp)  # the page may have begun to protect its forms
    return private(response)


def _around_rows(request: Request[Challenge], what: Asked) -> tuple[bytes, ...]:
    """The page without its rows, which are most of it: what is before them and what is after; whole if it has none."""
    context = {
        "challenge": what.challenge,
        "bundle": what.bundle,
        "phase": what.phase,
        "seen": what.seen.value,
        "shown": what.shown,
        "table": _table(what) if what.shown.rows else "",
        "team": what.team,
        "history": _history(what),
        "query": urlencode({"phase": what.phase.name, "sort": what.sort}),
    }
    return tuple(render(request, "leaderboard/page.html", context).content.split(_ROWS.encode()))


def _table(what: Asked) -> SafeString:
    """Its heads and what is said below it, the same for all readers of a kind."""

    def make() -> SafeString:
        context = {
            "bundle": what.bundle,
            "phase": what.phase,
            "seen": what.seen.value,
            "shown": what.shown,
            "heads": _heads(what, what.shown),
            "rows": mark_safe(_ROWS),  # noqa: S308 - written below
        }
        return render_to_string("leaderboard/table.html", context)

    return kept(f"board-table/{kept_key(*what.whose)}/{what.sort}", what.shown.stamp, make)


def download_csv(request: Request[Challenge], challenge: str) -> HttpResponse:
    what = asked(request, request.GET.get("phase"))
    return _file(what, "csv", "text/csv; charset=utf-8", as_csv(what.shown, what.sort))


def download_json(request: Request[Challenge], challenge: str) -> HttpResponse:
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
    heads += [_of_column(what, column, shown) for column in primary_first(shown.columns, shown.primary)]
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
    page = reverse("pages:leaderboard-phase", kwargs={"challenge": what.challenge.slug, "phase": what.phase.name})
    return Head(title, f"{page}?{urlencode({'sort': f'-{key}' if sorted_by else key})}", order, number=number)


def _history(what: Asked) -> SafeString:
    """The own team's primary scores over time; nothing where its scores or that column are hidden."""
    team, primary = what.team, what.bundle.leaderboard.primary
    if team is None or what.seen is Sight.NOTHING or primary.hidden:
        return SafeString()
    key = f"board-history/{team.pk}/{what.phase.index}"
    return kept(key, what.shown.stamp, lambda: _drawn(team, what.phase, primary))


def _drawn(team: Team, phase: Phase, primary: Column) -> SafeString:
    address = reverse("pages:submission", kwargs={"submission": "SUBMISSION"})  # once, as there may be many
    points = [
        Point(
            when,
            scores[primary.key],
            f"{scores[primary.key]:.{primary.precision}f}, {when:%Y-%m-%d %H:%M} UTC{f', {note}' if note else ''}",
            address.replace("SUBMISSION", submission),
        )
        for submission, when, scores, note in own_scores(team, phase)
        if primary.key in scores
    ]
    line = line_over_time(points, descending=primary.descending)
    if line is None:
        return SafeString()
    context = {"history": line, "dots": dots_html(line), "team": team, "primary": primary}
    return render_to_string("leaderboard/history.html", context)


urls = [
    path("c/<slug:challenge>/leaderboard/", board, name="leaderboard"),
    path("c/<slug:challenge>/leaderboard.csv", download_csv, name="leaderboard-csv"),
    path("c/<slug:challenge>/leaderboard.json", download_json, name="leaderboard-json"),
    path("c/<slug:challenge>/leaderboard/<path:phase>/", board, name="leaderboard-phase"),
]
