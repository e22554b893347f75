"""Pictures of how robust a leaderboard is, drawn by matplotlib as SVG that stands inside the page.

Colors are variables of palio.css, so that one picture is right in light and dark. There are no style attributes, which
the Content Security Policy refuses, no scripts and no addresses. matplotlib is imported when the first one is drawn.
"""

import io
import os
import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Drawn in these colors, which are then replaced by the variables.
_COLORS = {
    "ink": "#010101",
    "soft": "#010102",
    "line": "#010103",
    "accent": "#010104",
    "good": "#010105",
    "card": "#010106",
}
_NAME = 24  # characters; a longer one is cut
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN, _ROW_IN, _WIDTH_IN = 2.3, 0.25, 0.15, 0.5, 0.24, 8.6
_LEAST = 0.002  # share of redraws that is drawn
_LINES = ("solid", "dashed", "dotted", "dashdot")
_lock = threading.Lock()  # matplotlib is not for several threads


@dataclass(frozen=True)
class Ranked:
    """The teams of the pictures, best first, with what is drawn of them. Ranks are 1 or more."""

    names: Sequence[str]
    frequencies: Sequence[Sequence[float]]  # of each team, of rank 1 and so on
    better: Sequence[Sequence[int]]  # places of the teams that it is significantly better than
    orders: Sequence[tuple[str, Sequence[int | None]]]  # rankings with their titles, and the rank of each team


def draw(ranked: Ranked) -> dict[str, str]:
    """SVG elements by name: blobs, significance, podium, and orders if there are several."""
    with _lock, warnings.catch_warnings(), _matplotlib().rc_context(_SETTINGS):
        warnings.simplefilter("ignore")  # such as a letter that the measuring font does not have
        pictures = {"blobs": _blobs(ranked), "significance": _significance(ranked), "podium": _podium(ranked)}
        if len(ranked.orders) > 1:
            pictures["orders"] = _orders(ranked)
        return {name: _svg(figure, name) for name, figure in pictures.items()}


def _blobs(ranked: Ranked) -> "Figure":
    """A disc for each rank of each team; its area is how often the team has the rank."""
    figure, axes = _rows(ranked.names)
    most = max(max(of_team) for of_team in ranked.frequencies)
    points = [
        (rank, place, 220 * share / most)
        for place, of_team in enumerate(ranked.frequencies)
        for rank, share in enumerate(of_team, start=1)
        if share >= _LEAST
    ]
    x, y, areas = zip(*points, strict=True)
    ranks = max(2, *x)
    axes.scatter(x, y, s=areas, color=_COLORS["accent"], linewidths=0, clip_on=False)
    axes.plot(range(1, len(ranked.names) + 1), range(len(ranked.names)), color=_COLORS["line"], linewidth=1, zorder=0)
    axes.set_xlim(0.3, ranks + 0.7)
    _whole_numbers(axes)
    axes.set_xlabel(gettext("rank, if the cases were drawn again"), color=_COLORS["soft"], fontsize=9)
    return figure


def _significance(ranked: Ranked) -> "Figure":
    """A square where the team of the row is significantly better than that of the column."""
    figure, axes = _rows(ranked.names)
    count = len(ranked.names)
    points = [(other + 1, place) for place, of_team in enumerate(ranked.better) for other in of_team if other < count]
    width = (_WIDTH_IN - _LEFT_IN - _RIGHT_IN) / count
    side = 72 * 0.7 * min(width, _ROW_IN)
    if points:
        x, y = zip(*points, strict=True)
        axes.scatter(x, y, s=side**2, marker="s", color=_COLORS["good"], linewidths=0)
    axes.scatter(range(1, count + 1), range(count), s=(side / 4) ** 2, color=_COLORS["soft"], linewidths=0)
    axes.set_xlim(0.4, count + 0.6)
    _whole_numbers(axes)
    axes.set_xlabel(gettext("place on the leaderboard"), color=_COLORS["soft"], fontsize=9)
    return figure


def _podium(ranked: Ranked) -> "Figure":
    """How often each team is first, second and third: a bar of three parts."""
    figure, axes = _rows(ranked.names)
    left = [0.0] * len(ranked.names)
    for rank, opacity in enumerate((1.0, 0.55, 0.25)):
        shares = [of_team[rank] if rank < len(of_team) else 0.0 for of_team in ranked.frequencies]
        label = (gettext("first"), gettext("second"), gettext("third"))[rank]
        axes.barh(
            range(len(ranked.names)), shares, left=left, height=0.7, color=_COLORS["accent"], alpha=opacity, label=label
        )
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.set_xlim(0, max(1.0, *left))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}".replace("%", " %"))
    legend = axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=_COLORS["ink"])
    legend.set_zorder(3)
    axes.set_xlabel(gettext("share of redraws of the cases"), color=_COLORS["soft"], fontsize=9)
    return figure


def _orders(ranked: Ranked) -> "Figure":
    """A line for each team through its ranks. Ranks below the last row share a row of their own."""
    figure, axes = _rows(ranked.names, bottom=_BOTTOM_IN + 0.35 * (len(ranked.orders) > 3))
    places, rows = range(len(ranked.orders)), len(ranked.names)
    for place in range(rows):
        ranks = [of_team[place] for _, of_team in ranked.orders]
        shown = [float("nan") if rank is None else min(rank - 1, rows) for rank in ranks]
        style, strong = _LINES[place % len(_LINES)], place < 3
        color = _COLORS["accent" if strong else "soft"]
        axes.plot(places, shown, color=color, linestyle=style, linewidth=2 if strong else 1, marker="o", markersize=4)
    if any(rank and rank > rows for _, of_team in ranked.orders for rank in of_team):
        axes.set_ylim(rows + 0.5, -0.5)
        axes.set_yticks(
            [*axes.get_yticks(), rows], [*(label.get_text() for label in axes.get_yticklabels()), gettext("lower")]
        )
    axes.set_xlim(-0.1, len(ranked.orders) - 0.7)
    titles = [title if len(title) <= _NAME else f"{title[: _NAME - 1]}…" for title, _ in ranked.orders]
    axes.set_xticks(places, titles, rotation=20 if len(titles) > 3 else 0, ha="right" if len(titles) > 3 else "center")
    return figure


def _rows(names: Sequence[str], bottom: float = _BOTTOM_IN) -> "tuple[Figure, Axes]":
    """An empty figure with a row for each name."""
    from matplotlib.figure import Figure

    height = _TOP_IN + bottom + _ROW_IN * max(2, len(names))
    figure = Figure(figsize=(_WIDTH_IN, height))
    width = 1 - (_LEFT_IN + _RIGHT_IN) / _WIDTH_IN
    axes = figure.add_axes((_LEFT_IN / _WIDTH_IN, bottom / height, width, 1 - (_TOP_IN + bottom) / height))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_COLORS["line"])
    axes.set_ylim(max(2, len(names)) - 0.5, -0.5)
    shown = [
        f"{place}. {name if len(name) <= _NAME else f'{name[: _NAME - 1]}…'}" for place, name in enumerate(names, 1)
    ]
    axes.set_yticks(range(len(names)), shown)
    axes.tick_params(length=0, labelsize=9, labelcolor=_COLORS["ink"])
    axes.grid(axis="y", color=_COLORS["line"], linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    return figure, axes


_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "palio", "text.parse_math": False, "axes.unicode_minus": True}


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _matplotlib() -> ModuleType:
    """Its cache of fonts goes into the data folder; the user that serves may have no home."""
    folder: Path = settings.FOLDERS.statistics / "matplotlib"
    os.environ.setdefault("MPLCONFIGDIR", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    import matplotlib as mpl

    return mpl


# -- from matplotlib's SVG to one that may stand inside a page

_PLAIN = {"fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap"}
_PLAIN |= {"stroke-linejoin", "stroke-dashoffset", "text-anchor", "opacity", "font-size"}


def _svg(figure: "Figure", name: str) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'style="([^"]*)"', lambda found: _attributes(found[1]), text)
    used = {*re.findall(r'(?:href="|url\()#([^")]+)', text)}
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # a hundredth of a point
    text = (
        re.sub(r'id="', f'id="{name}-', text)
        .replace('xlink:href="#', f'href="#{name}-')
        .replace("url(#", f"url(#{name}-")
    )
    for variable, color in _COLORS.items():
        text = text.replace(color, f"var(--{variable})")
    width, height = (float(found) for found in re.findall(r'(?:width|height)="([\d.]+)pt"', text)[:2])
    body = text[text.index(">") + 1 :].strip()
    return f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true" class="picture">{body}'


def _attributes(style: str) -> str:
    pairs = [each.split(":", 1) for each in style.split(";") if ":" in each]
    found = {name.strip(): value.strip() for name, value in pairs}
    if size := re.match(r"([\d.]+)px", found.pop("font", "")):
        found["font-size"] = size[0]
    return " ".join(f'{name}="{value}"' for name, value in found.items() if name in _PLAIN)
