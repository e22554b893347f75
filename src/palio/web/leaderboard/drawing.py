"""The first places of a leaderboard as one SVG, without a script, a link or another file."""

from django.template.loader import render_to_string
from django.utils.translation import gettext, ngettext

from palio.core.leaderboard.ranking import rank_text
from palio.web.language.numbers import number
from palio.web.leaderboard.request import LeaderboardRequest
from palio.web.leaderboard.visibility import Visibility

PLACES = 10
_LEFT, _RIGHT = 440, 660  # of the drawn scores
_TOP, _ROW, _FOOT = 72, 30, 34
_NAME = 26  # characters; a longer one is cut, as SVG does not cut text


def leaderboard_svg(wanted: LeaderboardRequest) -> str:
    """For any reader who may see it: scores that are hidden from the reader are replaced by a sentence."""
    found = wanted.snapshot
    board, primary, axis = found.leaderboard, wanted.board.primary, found.axis
    public = wanted.visibility in {Visibility.PUBLIC, Visibility.ALL} and board.shows_primary
    rows: list[dict[str, object]] = []
    for row in [row for row in board.rows if row.rank and primary.key in row.values][: PLACES if public else 0]:
        value, interval = row.values[primary.key], found.statistics.interval(row.entry.attempt, primary)
        rows.append(
            {
                "y": _TOP + _ROW * len(rows),
                "rank": rank_text(row.rank, found.statistics.ranges.get(row.entry.attempt)),
                "name": row.name if len(row.name) <= _NAME else f"{row.name[: _NAME - 1]}…",
                "baseline": row.entry.baseline,
                "score": number(value, f".{primary.precision}f"),
                "at": _x(axis.at(value)) if axis and interval else None,
                "ends": [_x(axis.at(end)) for end in interval] if axis and interval else None,
            }
        )
    context = {
        "title": wanted.bundle.title,
        "board": f"{wanted.board.title}, {wanted.phase.name}: {primary.title}",
        "rows": rows,
        "note": _note(wanted, len(rows), public=public),
        "height": _TOP + _ROW * max(1, len(rows)) + _FOOT,
        "foot": _TOP + _ROW * max(1, len(rows)) + 20,
    }
    return render_to_string("leaderboard/drawing.svg", context)


def _note(wanted: LeaderboardRequest, shown: int, *, public: bool) -> str:
    if not public:
        return gettext("The organizers have not published these scores.")
    if not shown:
        return gettext("No scores in this phase yet.")
    teams = wanted.snapshot.leaderboard.teams
    if wanted.snapshot.axis:
        form = ngettext(
            "%(count)s team; lines are 95 %% intervals", "%(count)s teams; lines are 95 %% intervals", teams
        )
    else:
        form = ngettext("%(count)s team", "%(count)s teams", teams)
    return form % {"count": teams}


def _x(percentage: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * percentage / 100, 1)
