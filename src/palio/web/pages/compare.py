"""Two submissions of a phase on the same cases, chosen from its leaderboard."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext

from palio.core.errors import PalioError
from palio.core.leaderboard.axis import Axis
from palio.core.leaderboard.comparison_texts import p_text, percent
from palio.web.http.request import Request
from palio.web.language.numbers import figure, number
from palio.web.language.sentences import said
from palio.web.leaderboard.request import leaderboard_request
from palio.web.models import Challenge
from palio.web.queries.compare import Choice, choices, chosen, comparison

_OK = 200


def compare(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Without `a` and `b`, a form that proposes the first two rows. A refusal is shown above the form."""
    wanted = leaderboard_request(request, request.GET.get("phase"))
    rows, failure, found, status = list[Choice](), None, None, _OK
    given = [request.GET.get(side, "") for side in ("a", "b")]
    try:
        rows = choices(wanted)
        if all(given):
            found = comparison(wanted, chosen(wanted, given[0]), chosen(wanted, given[1]))
    except PalioError as error:
        failure, status = error.failure, error.status
    proposed = [each.key for each in rows[:2]]
    selected = [side or (proposed[place] if place < len(proposed) else "") for place, side in enumerate(given)]
    named = {each.key for each in rows}
    context = {
        "challenge": wanted.challenge,
        "bundle": wanted.bundle,
        "phase": wanted.phase,
        "board": wanted.board,
        "boards": wanted.boards,
        "rows": rows,
        "sides": [
            {"name": side, "selected": key, "other": key if key and key not in named else ""}
            for side, key in zip(("a", "b"), selected, strict=True)
        ],
        "failure": failure,
        "found": found,
        "columns": [_shown(column) for column in found["columns"]] if found else [],
    }
    return render(request, "leaderboard/compare.html", context, status=status)


def _shown(column: dict[str, object]) -> dict[str, object]:
    """With its numbers as texts, and the difference and its interval drawn around zero."""
    difference, interval = column["difference"], column["interval"]
    digits = f".{column['precision']}f"
    more = f"+.{int(str(column['precision'])) + 1}f"
    texts: dict[str, object] = {
        side: number(value, digits) if isinstance(value := column[side], float) else "–" for side in ("a", "b")
    }
    if not isinstance(difference, float):
        return column | {"texts": texts}
    texts["difference"] = number(difference, more).replace("-", "−")
    p_value, chance = column["p_value"], column["chance_reversed"]
    texts["p"] = figure(p_text(p_value)) if isinstance(p_value, float) else ""
    texts["reversed"] = said(percent(chance)) if isinstance(chance, float) else ""
    drawn = None
    if isinstance(interval, list):
        low, high = interval
        ends = {"low": number(low, more), "high": number(high, more)}
        texts["interval"] = (gettext("%(low)s to %(high)s") % ends).replace("-", "−")
        axis = Axis.around([0.0, low, high])
        drawn = {
            "ticks": [(axis.at(float(tick)), figure(tick).replace("-", "−")) for tick in axis.ticks],
            "zero": axis.at(0.0),
            "low": axis.at(low),
            "high": axis.at(high),
            "at": axis.at(difference),
        }
    return column | {"texts": texts, "drawn": drawn}


urls = [path("c/<slug:challenge>/compare/", compare, name="compare")]
