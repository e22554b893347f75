"""The charts of the organizer dashboard: bars as SVG that palio.css styles, and their numbers as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import path
from django.utils.translation import gettext, ngettext

from palio.web.http.csv_cells import csv_blocks
from palio.web.http.request import Request
from palio.web.language.numbers import figure, number
from palio.web.language.times import day
from palio.web.language.words import word
from palio.web.models import Challenge
from palio.web.queries.activity import COLUMNS, OUTCOMES, Activity, Period, ScoreBin, activity, rows

_HEIGHT = 40.0  # of a drawing that is 100 wide
_GAP = 0.12  # of a bar's width


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Bar:
    """A bar of one or several parts, and the sentence that says its numbers."""

    parts: tuple[Rect, ...]
    label: str


@dataclass(frozen=True)
class Bars:
    """Bars that stand side by side. `most` is the number that the highest stands for; `summary` replaces the picture
    for those who do not see it.
    """

    bars: tuple[Bar, ...]
    most: int
    first: str
    last: str
    summary: str


def submissions_drawn(found: Activity) -> Bars | None:
    """None without submissions."""
    if not found.periods:
        return None
    columns = [[(period.counts[outcome], outcome) for outcome in OUTCOMES] for period in found.periods]
    labels = [_period_label(period) for period in found.periods]
    busiest = max(found.periods, key=lambda period: period.total)
    total = sum(period.total for period in found.periods)
    facts = {"first": day(busiest.first), "last": day(busiest.last), "most": busiest.total}
    facts |= {"count": number(total, ","), "since": day(found.periods[0].first)}
    if busiest.first == busiest.last:
        summary = ngettext(
            "%(count)s submission since %(since)s; most, %(most)s, on %(first)s",
            "%(count)s submissions since %(since)s; most, %(most)s, on %(first)s",
            total,
        )
    else:
        summary = ngettext(
            "%(count)s submission since %(since)s; most, %(most)s, from %(first)s to %(last)s",
            "%(count)s submissions since %(since)s; most, %(most)s, from %(first)s to %(last)s",
            total,
        )
    first, last = day(found.periods[0].first), day(found.periods[-1].last)
    return _bars(columns, labels, first, last, summary % facts)


def scores_drawn(found: Activity) -> Bars | None:
    """None without scores."""
    bins = found.scores.bins
    if not bins:
        return None
    labels = [_bin_label(each) for each in bins]
    columns = [[(each.count, "score")] for each in bins]
    likeliest = max(bins, key=lambda each: each.count)
    summary = ngettext(
        "%(count)s score between %(least)s and %(greatest)s; most, %(most)s, from %(low)s to %(high)s",
        "%(count)s scores between %(least)s and %(greatest)s; most, %(most)s, from %(low)s to %(high)s",
        found.scores.count,
    ) % {
        "count": number(found.scores.count, ","),
        "least": figure(bins[0].low_text),
        "greatest": figure(bins[-1].high_text),
        "most": likeliest.count,
        "low": figure(likeliest.low_text),
        "high": figure(likeliest.high_text),
    }
    return _bars(columns, labels, figure(bins[0].low_text), figure(bins[-1].high_text), summary)


def _bin_label(of: ScoreBin) -> str:
    return ngettext(
        "%(low)s to %(high)s: %(count)s submission", "%(low)s to %(high)s: %(count)s submissions", of.count
    ) % {"low": figure(of.low_text), "high": figure(of.high_text), "count": number(of.count, ",")}


def _period_label(period: Period) -> str:
    parts = ", ".join(f"{count} {word(outcome)}" for outcome, count in period.counts.items() if count) or gettext(
        "none"
    )
    if period.first == period.last:
        return f"{day(period.first)}: {parts}"
    facts = {"first": day(period.first), "last": day(period.last), "counts": parts}
    return gettext("%(first)s to %(last)s: %(counts)s") % facts


def _bars(
    columns: Sequence[Sequence[tuple[int, str]]], labels: Sequence[str], first: str, last: str, summary: str
) -> Bars:
    most = max(sum(count for count, _ in parts) for parts in columns)
    width = 100 / len(columns)
    bars = []
    for place, (parts, label) in enumerate(zip(columns, labels, strict=True)):
        rects, top = [], _HEIGHT
        for count, kind in parts:
            if not count:
                continue
            height = _HEIGHT * count / most
            top -= height
            x, drawn = width * (place + _GAP / 2), width * (1 - _GAP)
            rects.append(Rect(round(x, 2), round(top, 2), round(drawn, 2), round(height, 2), kind.replace(" ", "-")))
        bars.append(Bar(tuple(rects), label))
    return Bars(tuple(bars), most, first, last, summary)


def download(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The numbers behind all charts. `phase` as on the overview."""
    found = activity(request.subject, request.GET.get("phase", "").replace("\0", ""))
    headers = {"Content-Disposition": f'attachment; filename="{request.subject.slug}-activity.csv"'}
    return HttpResponse(b"".join(csv_blocks(COLUMNS, rows(found))), "text/csv; charset=utf-8", headers=headers)


urls = [path("c/<slug:challenge>/manage/activity.csv", download, name="dashboard-activity-csv")]
