"""Several leaderboards, the phases that name them, and whose submissions each ranks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from palio.core.bundle.leaderboards import BEST, leaderboards_of, ranking_of, score_columns, shown_leaderboards
from palio.core.bundle.model import RankingPolicy
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

WriteBundle = Callable[..., Path]

TOP = """\
version: 2
title: Two tables
pages: [{title: Overview, file: pages/overview.md}]
tasks: [{index: 0, scoring_program: scoring_program}, {index: 1, scoring_program: scoring_program}]
"""
BOARDS = """\
leaderboards:
  - title: Scores
    key: scores
    columns:
      - {index: 0, key: f1, title: F1, sorting: desc}
      - {index: 1, key: recall, title: Recall, sorting: desc, hidden: true}
  - title: Speed
    key: speed
    submission_rule: Force_Last
    primary_index: 1
    columns:
      - {index: 0, key: recall, title: Recall, sorting: desc, required: true}
      - {index: 1, key: precision, title: Precision, sorting: asc}
  - title: Jury
    hidden: true
    columns: [{index: 0, key: f1, title: F1, sorting: desc}]
"""
PHASES = """\
phases:
  - {index: 0, name: First, start: 2025-01-01 00:00, end: 2025-02-01 00:00, tasks: [0], leaderboard: speed}
  - {index: 1, name: Second, start: 2025-02-01 00:00, end: 2025-03-01 00:00, tasks: [0, 1], leaderboards: [1, scores]}
  - {index: 2, name: Third, start: 2025-03-01 00:00, tasks: [0]}
"""

CODALAB = """\
title: Two tables
html: {overview: pages/overview.md, terms: pages/terms.md}
phases: {1: {phasenumber: 1, label: One, start_date: 2024-01-01, scoring_program: scoring_program}}
leaderboard:
  leaderboards:
    SPEED: &SPEED {label: Speed, rank: 2}
    RESULTS: &RESULTS {label: Results, rank: 1}
    EMPTY: {label: Empty, rank: 3}
  columns:
    f1: {leaderboard: *RESULTS, label: F1, rank: 1, sort: desc}
    recall: {leaderboard: *RESULTS, label: Recall, rank: 2, sort: desc}
    precision: {leaderboard: Speed, label: Precision, rank: 2, sort: asc}
    both:
      leaderboard: *SPEED
      rank: 1
      sort: asc
      computed: {operation: Avg, fields: "f1, precision", weights: "2, 1"}
"""


def test_leaderboards_per_phase(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(TOP + PHASES + BOARDS))
    assert [board.key for board in bundle.leaderboards] == ["scores", "speed", "leaderboard-3"]
    assert bundle.leaderboards[1].primary.key == "precision"
    assert [[board.key for board in leaderboards_of(bundle, phase)] for phase in bundle.phases] == [
        ["speed"],
        ["speed", "scores"],
        ["scores", "speed", "leaderboard-3"],
    ]
    assert [board.key for board in shown_leaderboards(bundle, bundle.phases[2])] == ["scores", "speed"]
    # Only the phase of both tasks has columns of single tasks, and not in the leaderboard that it does not have.
    assert [column.key for column in bundle.leaderboards[2].columns] == ["f1"]
    assert "precision@1" in [column.key for column in bundle.leaderboards[1].columns]


def test_columns_of_several_leaderboards_are_scored_once(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(TOP + PHASES + BOARDS))
    columns = {column.key: column for column in score_columns(bundle, bundle.phases[2])}
    assert [*columns] == ["f1", "recall", "precision"]
    assert (columns["recall"].hidden, columns["recall"].required) == (False, True)
    assert [column.key for column in score_columns(bundle, bundle.phases[0])] == ["recall", "precision"]
    hidden = BOARDS.replace("key: scores\n", "key: scores\n    hidden: true\n")
    beside = read_bundle(write_bundle(TOP + PHASES + hidden))
    assert {column.key: column.hidden for column in score_columns(beside, beside.phases[2])} == {
        "f1": True,
        "recall": False,
        "precision": False,
    }


@pytest.mark.parametrize("named", ["leaderboard: 7", "leaderboards: [speed, fast]", "leaderboard: {a: b}"])
def test_leaderboard_not_found(write_bundle: WriteBundle, named: str) -> None:
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(TOP + PHASES.replace("leaderboard: speed", named) + BOARDS))
    (problem,) = raised.value.failure.evidence
    assert problem.startswith("competition.yaml:6: phases[0].leaderboard")


def test_leaderboards_duplicate_key(write_bundle: WriteBundle) -> None:
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(TOP + PHASES + BOARDS.replace("key: speed", "key: scores")))
    assert any("has the key `scores`" in problem for problem in raised.value.failure.evidence)


@pytest.mark.parametrize(
    ("rule", "policy"),
    [
        ("", BEST),
        ("submission_rule: Force_Best,", BEST),
        ("submission_rule: Force_Last,", RankingPolicy("last")),
        ("submission_rule: Force_Latest_Multiple,", RankingPolicy("all")),
        ("submission_rule: Add,", RankingPolicy("team", removable=False)),
        ("submission_rule: Add_And_Delete,", RankingPolicy("team")),
        ("submission_rule: Add_And_Delete_Multiple,", RankingPolicy("team", several=True)),
    ],
)
def test_leaderboard_submission_rule(write_bundle: WriteBundle, rule: str, policy: RankingPolicy) -> None:
    phases = "phases: [{name: One, start: 2025-01-01, tasks: [0]}]\n"
    board = f"leaderboards: [{{{rule} columns: [{{key: f1, sorting: desc}}]}}]\n"
    bundle = read_bundle(write_bundle(TOP + phases + board))
    assert ranking_of(bundle.phases[0], bundle.leaderboard) == policy
    own = read_bundle(write_bundle(TOP + phases + board + "palio: {ranking: {choose: last}}\n"))
    assert ranking_of(own.phases[0], own.leaderboard) == RankingPolicy("last")


def test_codalab_leaderboards_by_rank(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(CODALAB))
    assert [(board.key, board.title, board.primary.key) for board in bundle.leaderboards] == [
        ("RESULTS", "Results", "f1"),
        ("SPEED", "Speed", "both"),
    ]
    speed = bundle.leaderboards[1]
    assert [(column.key, column.hidden) for column in speed.columns] == [
        ("both", False),
        ("precision", False),
        ("f1", True),  # of the other leaderboard, which `both` is computed from
    ]
    assert speed.columns[0].computation_weights == (2.0, 1.0)
    assert [warning.field for warning in bundle.warnings] == ["leaderboard.leaderboards.EMPTY"]


def test_codalab_rules(write_bundle: WriteBundle) -> None:
    forced = read_bundle(write_bundle(f"force_submission_to_leaderboard: true\n{CODALAB}"))
    assert ranking_of(forced.phases[0], forced.leaderboard) == RankingPolicy("last")
    best = CODALAB.replace("label: One,", "label: One, force_best_submission_to_leaderboard: true,")
    bundle = read_bundle(write_bundle(f"force_submission_to_leaderboard: true\n{best}"))
    assert ranking_of(bundle.phases[0], bundle.leaderboard) == BEST
