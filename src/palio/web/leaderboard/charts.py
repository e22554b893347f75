"""Line charts, drawn on the server as SVG; palio.css styles them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from palio.core.leaderboard.axis import Axis

WIDTH, HEIGHT = 720, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 28


@dataclass(frozen=True)
class Point:
    """`url` is what it links to; empty for nothing."""

    when: datetime
    value: float
    label: str
    url: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    label: str
    url: str
    bar: tuple[float, float] | None = None  # heights of the ends of the interval


@dataclass(frozen=True)
class Line:
    """A value over time, and the best value so far as steps. `ticks` are heights with their labels.

    `band` is an SVG path around the intervals of the steps; empty if one of them has none.
    """

    dots: tuple[Dot, ...]
    best: str  # an SVG path
    ticks: tuple[tuple[float, str], ...]
    first: datetime
    last: datetime
    band: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def line_over_time(points: Sequence[Point], *, descending: bool, until: datetime | None = None) -> Line | None:
    """None for fewer than two points. The line of the best value extends to `until`."""
    if len(points) < 2:
        return None
    axis = Axis.around([each for point in points for each in (point.value, *(point.interval or ()))])
    first, last = points[0].when, max(points[-1].when, until or points[-1].when)
    span = (last - first).total_seconds() or 1.0

    def x(when: datetime) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (when - first).total_seconds() / span, 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * axis.at(value) / 100, 1)

    def bar(point: Point) -> tuple[float, float] | None:
        return (y(point.interval[0]), y(point.interval[1])) if point.interval else None

    dots = tuple(Dot(x(point.when), y(point.value), point.label, point.url, bar(point)) for point in points)
    better = max if descending else min
    best, path = points[0].value, f"M{dots[0].x} {dots[0].y}"
    for point, dot in zip(points[1:], dots[1:], strict=True):
        best = better(best, point.value)
        path += f"H{dot.x}V{y(best)}"
    if until is not None:
        path += f"H{x(last)}"
    ticks = tuple((y(float(tick)), tick) for tick in axis.ticks)
    return Line(dots, path, ticks, first, last, _band(dots, x(last)))


def _band(dots: Sequence[Dot], end: float) -> str:
    """Of the intervals of dots that are all records, each from its dot to the next one."""
    bars = [(dot.x, *dot.bar) for dot in dots if dot.bar]
    if len(bars) < len(dots):
        return ""
    ends = [*(place for place, _, _ in bars[1:]), end]
    there = "".join(f"V{high}H{until}" for (_, _, high), until in zip(bars, ends, strict=True))
    back = "".join(f"V{low}H{place}" for place, low, _ in reversed(bars))
    return f"M{bars[0][0]} {bars[0][1]}{there}{back}Z"


def dots_html(line: Line) -> SafeString:
    """Each dot has a label, and is a link if it has an address. A template would be slow for many dots."""
    drawn = []
    for dot in line.dots:
        label = escape(dot.label)
        circle = f'<circle class="dot" cx="{dot.x}" cy="{dot.y}" r="5"/>'
        titled = f"<title>{label}</title>{circle}"
        link = f'<a href="{escape(dot.url)}" aria-label="{label}">{titled}</a>'
        drawn.append(link if dot.url else f"<g>{titled}</g>")
    return mark_safe("".join(drawn))  # noqa: S308 - escaped above
