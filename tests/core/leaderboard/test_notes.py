from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.run_folders import write_run

from palio.core.leaderboard.comparison_texts import percent
from palio.core.leaderboard.from_runs import rank_runs
from palio.core.leaderboard.notes import listed, notes
from palio.core.leaderboard.run_results import read_run

RANGE = "A rank range lists the ranks that 600 cases cannot tell apart."
WEIGHTED_F1 = {"statistics": {"cases": "cases.csv", "kind": "classification", "metric": "recall_macro"}}


def said(folders: Sequence[Path]) -> list[str]:
    return notes(rank_runs([read_run(folder) for folder in folders]))


def test_tie_noted(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, wrong=[number]) for number, name in enumerate("abc")]
    apart, worth, neighbors, ranges, tie = said(runs)  # which one would rank first, nothing says
    assert (apart, worth) == ("600 cases cannot tell all three apart.", "One case is worth 0.0017.")
    assert neighbors == "No two neighboring runs differ significantly (exact McNemar, Holm over 3 pairs, 5 %)."
    assert ranges == RANGE
    assert tie == "a.zip, b.zip and c.zip have equal scores and share rank 1."


def test_different_neighbours_noted(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, wrong=range(wrong)) for name, wrong in (("a", 0), ("b", 50), ("c", 200))]
    first, _, neighbors, order, redrawn = said(runs)
    assert first == "600 cases tell the first from all others."
    assert neighbors == (
        "2 of 2 neighboring pairs differ significantly (exact McNemar, Holm over 3 pairs, 5 %): a.zip and b.zip; "
        "b.zip and c.zip."
    )
    assert order == (
        "a.zip is right on 50 cases where b.zip is wrong, and b.zip on 0 where a.zip is wrong: the chance that these "
        "two are in the wrong order is less than 1 %."
    )
    assert redrawn == (
        "If the cases were drawn again, a.zip would rank first, by itself or tied, in 100 % of 2,000 redraws."
    )


def test_other_metrics_are_compared_by_permutation(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, wrong=range(6 * number), lock=WEIGHTED_F1) for number, name in enumerate("ab")]
    assert said(runs)[1] == (
        "1 of 1 neighboring pair differs significantly (paired permutation, Holm over 1 pair, 5 %): a.zip and b.zip."
    )


def test_some_without_cases(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, wrong=range(wrong)) for name, wrong in (("a", 0), ("c", 200))]
    runs.append(write_run(tmp_path / "b", wrong=None, scores={"f1": 0.9}))
    assert said(runs) == [
        "One case is worth 0.0017.",
        "No two neighboring runs could be compared (exact McNemar, Holm over 1 pair, 5 %).",
        RANGE,
        "No interval for b.zip: scores/cases.csv is missing.",
    ]


def test_none_with_cases(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, lock={"statistics": None}) for name in "ab"]
    assert said(runs) == [
        "The runs could not be compared with each other, so their order may be chance.",
        "a.zip and b.zip have equal scores and share rank 1.",
        "No intervals: the challenge names no file of single cases (palio.statistics in competition.yaml).",
    ]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.004, "less than 1 %"),
        (0.3125, "31 %"),
        (0.5, "50 %"),
        (0.996, "more than 99 %"),
        (1, "100 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_listed() -> None:
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]
