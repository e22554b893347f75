"""Where a submission stands, and what its single cases say, as a reader may see it: for page and API.

Teams see single cases only as counts and distributions, and only where they may read the report; see
`leaderboard.case_summaries.shows_cases`. The worst cases are for those who see everything.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext

from palio.core.bundle.leaderboards import leaderboards_of
from palio.core.bundle.model import Leaderboard, Phase
from palio.core.bundle.pick_phase import find_phase
from palio.core.leaderboard.ranking import rank_text
from palio.web.language.numbers import number
from palio.web.leaderboard.case_summaries import read_summary, shows_cases
from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility, hides_scores
from palio.web.models import Submission
from palio.web.queries.submission import shown_scores
from palio.web.storage.bundles import current_bundle


def standing_of(submission: Submission, *, full: bool) -> dict[str, Any] | None:
    """Rank, rank range and interval of the primary score; None without a score, or none that the reader may see.

    `rank` is None for a submission that has no row, and on a hidden leaderboard for its team.
    """
    found = _phase_and_board(submission)
    if found is None or submission.counted is None:
        return None
    phase, board = found
    primary = board.primary
    scores = shown_scores(submission, submission.counted, full=full) or {}
    if primary.key not in scores or (not full and (hides_scores(phase) or primary.hidden)):
        return None
    summary = read_summary(submission.counted.pk, phase, primary)
    rank, of, is_listed = None, None, False
    if full or not board.hidden:
        visible = Visibility.ALL if full else Visibility.PUBLIC
        shown = snapshot(submission.challenge, phase, board, visible)
        ranked = [row for row in shown.leaderboard.rows if row.rank is not None]
        row = next((row for row in shown.leaderboard.rows if row.entry.label == submission.pk), None)
        is_listed = row is not None
        if row is not None and row.rank is not None:
            rank, of = rank_text(row.rank, shown.statistics.ranges.get(row.entry.attempt)), len(ranked)
    is_exact = full or phase.rules.feedback.is_exact
    interval = summary["interval"] if summary and is_exact and not primary.hidden else None
    digits = f".{primary.precision}f"
    return {
        "title": primary.title,
        "score": number(scores[primary.key], digits),
        "rank": rank,
        "of": of,
        "is_listed": is_listed,
        "interval": interval,
        "interval_text": " – ".join(number(end, digits) for end in interval or ()),
        "cases": summary["cases"] if summary else None,
    }


def shown_summary(submission: Submission, *, full: bool) -> dict[str, Any] | None:
    """The stored summary for this reader; None if there is none, or none to show."""
    found = _phase_and_board(submission)
    if found is None or submission.counted is None:
        return None
    phase, board = found
    if not full and (not shows_cases(phase) or board.primary.hidden):
        return None
    summary = read_summary(submission.counted.pk, phase, board.primary)
    if summary is None:
        return None
    return summary if full else {key: value for key, value in summary.items() if key not in {"worst", "worst_of"}}


def drawn_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary as the page shows it: cells of the matrix, bars of the distribution."""
    if "classes" in summary:
        return {"rows": _matrix_rows(summary), "names": [each["name"] for each in summary["classes"]]}
    most = max(summary["counts"], default=0) or 1
    width, height = 100 / len(summary["counts"]), 40
    bars = [
        {
            "x": round(place * width, 3),
            "width": round(width, 3),
            "height": round(height * count / most, 2),
            "y": round(height - height * count / most, 2),
            "label": gettext("%(low)s to %(high)s: %(count)s")
            % {"low": number(low, ".3g"), "high": number(high, ".3g"), "count": count},
            "count": count,
        }
        for place, (count, (low, high)) in enumerate(zip(summary["counts"], pairwise(summary["edges"]), strict=True))
    ]
    names = (gettext("least"), gettext("first quarter"), gettext("median"), gettext("third quarter"), gettext("most"))
    return {
        "bars": bars,
        "quantiles": [*zip(names, (number(each, ".4g") for each in summary["quantiles"]), strict=True)],
    }


def _matrix_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    matrix = summary.get("matrix")
    for place, each in enumerate(summary["classes"]):
        counts = matrix[place] if matrix else []
        shown = counts if summary.get("has_other") else counts[:-1]
        cells = [
            {"count": count, "is_right": at == place, "shade": 1 if count else 0} for at, count in enumerate(shown)
        ]
        recall = each["right"] / each["cases"]
        precision = each["right"] / each["predicted"] if each["predicted"] else None
        rows.append(
            {
                **each,
                "cells": cells,
                "recall": number(recall, ".3f"),
                "within": f"{number(each['low'], '.3f')} – {number(each['high'], '.3f')}",
                "precision": "–" if precision is None else number(precision, ".3f"),
            }
        )
    return rows


def _phase_and_board(submission: Submission) -> tuple[Phase, Leaderboard] | None:
    bundle = current_bundle(submission.challenge)
    phase = find_phase(bundle, submission.phase)
    return (phase, leaderboards_of(bundle, phase)[0]) if phase else None
