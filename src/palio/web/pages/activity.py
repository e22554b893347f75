"""The charts of the organizer dashboard: bars as SVG that palio.css styles, and their numbers as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import path

from palio.core.errors import counted
from palio.web.http.csv_cells import csv_blocks
from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.queries.activity import COLUMNS, OUTCOMES, Activity, Period, activity, rows

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
    summary = f"{counted(total, 'submission')} since {found.periods[0].first}; most, {busiest.total}, {when(busiest)}"
    return _bars(columns, labels, str(found.periods[0].first), str(found.periods[-1].last), summary)


def scores_drawn(found: Activity) -> Bars | None:
    """None without scores."""
    bins = found.scores.bins
    if not bins:
        return None
    labels = [f"{each.low:g} to {each.high:g}: {counted(each.count, 'submission')}" for each in bins]
    columns = [[(each.count, "score")] for each in bins]
    likeliest = max(bins, key=lambda each: each.count)
    summary = (
        f"{counted(found.scores.count, 'score')} between {bins[0].low:g} and {bins[-1].high:g}; most, "
        f"{likeliest.count}, from {likeliest.low:g} to {likeliest.high:g}"
    )
    return _bars(columns, labels, f"{bins[0].low:g}", f"{bins[-1].high:g}", summary)


def when(period: Period) -> str:
    return f"on {period.first}" if period.first == period.last else f"from {period.first} to {period.last}"


def _period_label(period: Period) -> str:
    parts = ", ".join(f"{count} {outcome}" for outcome, count in period.counts.items() if count) or "none"
    days = str(period.first) if period.first == period.last else f"{period.first} to {period.last}"
    return f"{days}: {parts}"


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
