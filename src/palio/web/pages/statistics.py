"""The statistics page of a phase: how robust the order of its leaderboard is."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.utils.translation import gettext, gettext_noop

from palio.core.leaderboard.comparison_texts import percent
from palio.core.leaderboard.ranking import rank_text
from palio.web.http.csv_cells import csv_blocks
from palio.web.http.request import Request
from palio.web.language.numbers import number
from palio.web.language.sentences import said
from palio.web.leaderboard.request import leaderboard_request, private
from palio.web.leaderboard.robustness import BY_CASE_KEY, DRAWN, FIRST_COLUMNS, Order, Robustness, robustness
from palio.web.models import Challenge

_PICTURES = {
    "blobs": (
        gettext_noop("Rank frequencies"),
        gettext_noop(
            "How often each team has each rank if the cases are drawn again. The larger a disc, the more often. This "
            "shows chance; the rank range is the statement about a rank."
        ),
    ),
    "significance": (
        gettext_noop("Significant differences"),
        gettext_noop(
            "A square in a team's row: it is significantly better than the team at that place, after Holm's correction "
            "for all pairs. A dot marks the team itself. No square: these cases cannot tell the two apart."
        ),
    ),
    "podium": (
        gettext_noop("Podium"),
        gettext_noop("How often each team is first, second or third if the cases are drawn again."),
    ),
    "orders": (
        gettext_noop("Rank by metric"),
        gettext_noop(
            "The rank of each team by every column of the leaderboard. Lines that cross: the order depends on the "
            "metric."
        ),
    ),
}


@dataclass(frozen=True)
class Picture:
    """A drawing with its text alternative, which is a table."""

    name: str
    title: str
    sentence: str
    svg: SafeString
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def statistics(request: Request[Challenge], challenge: str, phase: str | None = None) -> HttpResponse:
    wanted = leaderboard_request(request, phase)
    found = robustness(wanted)
    context = {
        "challenge": wanted.challenge,
        "bundle": wanted.bundle,
        "phase": wanted.phase,
        "board": wanted.board,
        "boards": wanted.boards,
        "visibility": wanted.visibility.value,
        "leaderboard": wanted.snapshot.leaderboard,
        "reason": wanted.snapshot.statistics.no_ranges,
        "has_statistics": wanted.phase.rules.statistics is not None,
        "found": found,
        "teams": len(found.rows) if found else 0,
        "drawn": DRAWN,
        "draws": number(found.details.draws, ",") if found else "",
        "pictures": _pictures(found) if found else [],
        "taus": [(_title(a), _title(b), _tau(tau)) for a, b, tau in found.taus] if found else [],
    }
    return private(render(request, "leaderboard/statistics.html", context))


def download(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The numbers behind all pictures, one line for each team; only the header if nothing is known."""
    wanted = leaderboard_request(request, request.GET.get("phase"))
    found = robustness(wanted)
    content = found.csv() if found else b"".join(csv_blocks(FIRST_COLUMNS, ()))
    name = f"{wanted.challenge.slug}-{slugify(wanted.phase.name) or wanted.phase.index}-statistics.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return private(HttpResponse(content, "text/csv; charset=utf-8", headers=headers))


def _pictures(found: Robustness) -> list[Picture]:
    tables = {"blobs": _blobs, "significance": _significance, "podium": _podium, "orders": _orders}
    made = []
    for name, svg in found.pictures.items():
        header, rows = tables[name](found)
        title, sentence = _PICTURES[name]
        made.append(Picture(name, gettext(title), gettext(sentence), mark_safe(svg), header, rows))  # noqa: S308 - escaped by matplotlib
    return made


def _names(found: Robustness) -> list[tuple[int, str]]:
    return [(place, row.name) for place, row in enumerate(found.rows[:DRAWN])]


def _blobs(found: Robustness) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The ranks of each team with their frequencies, the most frequent first."""
    rows = []
    for place, name in _names(found):
        first, *counts = found.details.counts[place]
        often = sorted(((count, first + offset) for offset, count in enumerate(counts) if count), reverse=True)
        shown = [
            gettext("%(rank)s in %(share)s") % {"rank": rank, "share": said(percent(count / found.details.draws))}
            for count, rank in often[:5]
        ]
        row = found.rows[place]
        rows.append((name, rank_text(row.rank, found.ranges.get(row.entry.attempt)), "; ".join(shown)))
    return (gettext("Team"), gettext("Rank range"), gettext("Most frequent ranks")), tuple(rows)


def _significance(found: Robustness) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = []
    for place, name in _names(found):
        better, chance = found.details.better[place], found.reversal(place)
        places = gettext("%(part)s of %(all)s") % {"part": len(better), "all": len(found.rows) - 1}
        rows.append((name, places, said(percent(chance)) if chance is not None else "–"))
    header = (gettext("Team"), gettext("Significantly better than"), gettext("Chance that the next team is better"))
    return header, tuple(rows)


def _podium(found: Robustness) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = tuple((name, *(said(percent(share)) for share in found.podium(place))) for place, name in _names(found))
    return (gettext("Team"), gettext("First"), gettext("Second"), gettext("Third")), rows


def _orders(found: Robustness) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = tuple((name, *(str(order.ranks[place] or "–") for order in found.orders)) for place, name in _names(found))
    return (gettext("Team"), *map(_title, found.orders)), rows


def _title(order: Order) -> str:
    return gettext(order.title) if order.key == BY_CASE_KEY else order.title


def _tau(tau: float | None) -> str:
    return "–" if tau is None else number(tau, ".2f")


urls = [
    path("c/<slug:challenge>/statistics/", statistics, name="statistics"),
    path("c/<slug:challenge>/statistics.csv", download, name="statistics-csv"),
    path("c/<slug:challenge>/statistics/<path:phase>/", statistics, name="statistics-phase"),
]
