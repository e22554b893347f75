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


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    label: str
    url: str


@dataclass(frozen=True)
class Line:
    """A value over time, and the best value so far as steps. `ticks` are heights with their labels."""

    dots: tuple[Dot, ...]
    best: str  # an SVG path
    ticks: tuple[tuple[float, str], ...]
    first: datetime
    last: datetime
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def line_over_time(points: Sequence[Point], *, descending: bool, until: datetime | None = None) -> Line | None:
    """None for fewer than two points. The line of the best value extends to `until`."""
    if len(points) < 2:
        return None
    axis = Axis.around([point.value for point in points])
    first, last = points[0].when, max(points[-1].when, until or points[-1].when)
    span = (last - first).total_seconds() or 1.0

    def x(when: datetime) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (when - first).total_seconds() / span, 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * axis.at(value) / 100, 1)

    dots = tuple(Dot(x(point.when), y(point.value), point.label, point.url) for point in points)
    better = max if descending else min
    best, path = points[0].value, f"M{dots[0].x} {dots[0].y}"
    for point, dot in zip(points[1:], dots[1:], strict=True):
        best = better(best, point.value)
        path += f"H{dot.x}V{y(best)}"
    if until is not None:
        path += f"H{x(last)}"
    return Line(dots, path, tuple((y(float(tick)), tick) for tick in axis.ticks), first, last)


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
