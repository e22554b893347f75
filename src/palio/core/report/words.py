"""Sentences about the design and the ranking, for the report and the structured description."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from palio.core.bundle.case_metrics import BETA, DELONG, DIRICHLET
from palio.core.errors import counted
from palio.core.leaderboard.notes import listed
from palio.core.report.exported import Board

ACCESS = {
    "open": "open to everyone who accepts the terms",
    "approval": "an organizer approves each participant",
    "invitation": "by invitation of an organizer",
}
DATA = {
    "public": "public: anyone can get the images and labels used for scoring",
    "held-out": "held out: only the organizers have the labels used for scoring",
    "private": "private: only the organizers have the images used for scoring",
}
KINDS = {
    "context": "a zip with a Dockerfile",
    "image": "a saved container image",
    "results": "predictions",
    "code": "code that the challenge runs",
    "monai": "a MONAI bundle",
}
_CHOICES = {
    "best": "the best submission of each team counts",
    "last": "the last submission of each team counts",
    "all": "every submission has a row",
    "team": "each team chooses the submission that counts",
}
_SPECIAL = {
    BETA: "the Beta distribution of the number of correct cases with Jeffreys' prior (exact for accuracy)",
    DIRICHLET: "draws of the confusion matrix from its Dirichlet posterior with Jeffreys' prior",
    DELONG: "DeLong's variance of the AUC on the logit scale",
}


def dates(phase: Mapping[str, Any]) -> str:
    start, end = (day(phase[name]) if phase[name] else "" for name in ("start", "end"))
    return f"{start} to {end} UTC" if end else f"from {start} UTC, without a closing date"


def day(time: str) -> str:
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M}"


def submission_limit(phase: Mapping[str, Any]) -> str:
    daily, total = phase["max_submissions_per_day"], phase["max_submissions"]
    said = [f"{daily} a day" if daily is not None else "", f"{total} in total" if total is not None else ""]
    return f"each team may submit {' and '.join(filter(None, said))}" if any(said) else "no submission limit"


def ranking_rule(board: Mapping[str, Any]) -> str:
    column = next(each for each in board["columns"] if each["key"] == board["primary"])
    better = "higher" if column["descending"] else "lower"
    return (
        f"by {column['title']}, {better} is better; {_CHOICES[board['ranking']['choose']]}; equal scores share a rank"
    )


def separable(board: Board) -> list[str]:
    """What the rank ranges say, in sentences."""
    ranked = [place for place in board.ranked if place.first and place.last]
    if not ranked:
        return ["No rank ranges are known, so the order may be chance."] if len(board.ranked) > 1 else []
    first = [place.team for place in ranked if place.first == 1]
    if len(first) == 1:
        others = "the other one" if len(ranked) == 2 else "all others"
        return [f"{first[0]} is significantly better than {others}."] if len(ranked) > 1 else []
    if len(first) == len(ranked):
        return [
            f"The cases cannot tell any of the {counted(len(ranked), 'ranked entry', 'ranked entries')} from the first."
        ]
    named = listed(first) if len(first) <= 6 else f"The first {len(first)} teams"
    return [f"The cases cannot tell these apart from the first: {named}."]


def statistics_sentences(facts: Mapping[str, Any]) -> list[str]:
    """How the uncertainty of scores and ranks was found."""
    boards = [board for phase in facts["phases"] if phase["statistics"] for board in phase["leaderboards"]]
    columns = [column for board in boards for column in board["columns"] if column["interval"]]
    if not columns:
        return ["The challenge names no file of single cases (palio.statistics), so there are no intervals or tests."]
    intervals = dict.fromkeys(column["interval"] for column in columns)
    tests = dict.fromkeys(
        column["test"] for board in boards for column in board["columns"]
        if column["key"] == board["primary"] and column["test"]
    )  # fmt: skip
    said = [f"95 % intervals of scores: {'; '.join(_SPECIAL.get(each, each) for each in intervals)}."]
    if tests:
        said.append(f"Submissions were compared pairwise on the same cases: {'; '.join(tests)}; two-sided.")
        said.append(
            "P-values were adjusted over all pairs by Holm's method; differences below 5 % count as significant."
        )
    said.append(
        "The rank range of an entry is from 1 + the number of entries that are significantly better to the number of "
        "entries minus those that it is significantly better than."
    )
    said.append(
        "Rank frequencies come from a bootstrap over the cases, in which all submissions get the same redraws; they "
        "illustrate chance and are no interval."
    )
    if grouped := {phase["statistics"]["group"] for phase in facts["phases"] if phase["statistics"]} - {None}:
        said.append(f"Cases that belong together ({', '.join(sorted(grouped))}) were drawn together.")
    return said
