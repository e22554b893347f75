# ruff: noqa: E501 - sentences stand here as they are shown
"""competition.yaml in CodaLab's dialect, with the anchors that its files always have."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palio.core.bundle.defaults import NATIVE
from palio.core.bundle.model import Column, Leaderboard, LogPolicy, Page, SubmissionKind, Task
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

WriteBundle = Callable[..., Path]

IRIS = """\
title: Iris
description: Three flowers
image: logo.png
has_registration: True
competition_docker_image: codalab/codalab-legacy:py3
end_date: 2024-12-31 23:00:00
html:
  overview: pages/overview.md
  learn_the_details: pages/overview.md
  terms: pages/terms.md
phases:
  2:
    phasenumber: 2
    label: Final
    start_date: 2024-06-01
    scoring_program: scoring_program
    reference_data: reference.zip
    auto_migration: True
  1:
    phasenumber: 1
    label: "Development"
    start_date: 2024-01-01 06:30:00
    is_scoring_only: False
    max_submissions: 50
    max_submissions_per_day: 5
    scoring_program: scoring_program
    ingestion_program: scoring_program
    ingestion_program_only_during_scoring: True
    reference_data: reference.zip
    datasets: {1: {name: Public data}}
leaderboard:
  leaderboards:
    OTHER: &OTHER {label: Other, rank: 2}
    RESULTS: &RESULTS
      label: Results
      rank: 1
  columns:
    set2: {leaderboard: *RESULTS, label: Set 2, rank: 3, column_group: x}
    set1: {leaderboard: *RESULTS, label: Set 1, rank: 2, sort: asc, numeric_format: 4, hidden: True}
    mean: {leaderboard: *RESULTS, rank: 1, sort: asc, computed: {operation: Avg, fields: "set1, set2"}}
    time: {leaderboard: *OTHER, rank: 1}
"""

PARALLEL = IRIS.replace("    label: Final", "    is_parallel_parent: true\n    label: Final").replace(
    "leaderboard:\n  lead",
    """\
  4: {phasenumber: 4, label: B, start_date: 2024-06-01, parent_phasenumber: 2, scoring_program: scoring_program}
  3: {phasenumber: 3, label: A, start_date: 2024-06-01, parent_phasenumber: 2, scoring_program: scoring_program}
leaderboard:
  lead""",
    1,
)


def test_codalab_bundle(write_bundle: WriteBundle) -> None:
    root = write_bundle(IRIS)
    bundle = read_bundle(root)
    program, reference = root / "scoring_program", root / "reference.zip"
    development = Task(0, "Development Task", "", program, program, None, reference, True)
    final = Task(1, "Final Task", "", program, None, None, reference, False)
    results_only = replace(
        NATIVE,
        submissions=(SubmissionKind.RESULTS,),
        predict=replace(NATIVE.predict, time_s=600),
        score=replace(NATIVE.score, time_s=600),
        logs_predict=LogPolicy.TAIL,
    )
    first, second = bundle.phases
    assert (first.name, first.start, first.end) == (
        "Development",
        datetime(2024, 1, 1, 6, 30, tzinfo=UTC),
        datetime(2024, 6, 1, tzinfo=UTC),
    )
    assert (first.tasks, first.max_submissions_per_day, first.max_submissions) == ((development,), 5, 50)
    assert first.rules == replace(results_only, submissions=(SubmissionKind.CODE, SubmissionKind.RESULTS))
    assert second == replace(
        first,
        index=1,
        name="Final",
        start=datetime(2024, 6, 1, tzinfo=UTC),
        end=datetime(2024, 12, 31, 23, tzinfo=UTC),
        tasks=(final,),
        max_submissions_per_day=999,
        max_submissions=100,
        auto_migrate=True,
        migrates_ranked=True,
        rules=results_only,
    )
    mean = Column("mean", "mean", False, 2, False, "avg_rank", ("set1", "set2"))
    assert (bundle.leaderboard.key, bundle.leaderboard.title, bundle.leaderboard.primary) == (
        "RESULTS",
        "Results",
        mean,
    )
    assert bundle.leaderboard.columns == (
        mean,
        Column("set1", "Set 1", descending=False, precision=4, hidden=True),
        Column("set2", "Set 2", descending=True, precision=2, hidden=False),
    )
    time = Column("time", "time", descending=True, precision=2, hidden=False)
    assert bundle.more_leaderboards == (Leaderboard("Other", "OTHER", False, "", (time,), time),)
    overview = root / "pages/overview.md"
    assert bundle.pages == (Page("Overview", overview), Page("Learn the details", overview))
    assert (bundle.terms, bundle.docker_image) == (root / "pages/terms.md", "codalab/codalab-legacy:py3")
    assert not bundle.auto_approve
    assert [(warning.line, warning.field) for warning in bundle.warnings] == [
        (38, "leaderboard.columns.set2"),
        (41, "leaderboard.columns.time"),
        (23, "phases.1.is_scoring_only"),  # what has no effect comes last
        (30, "phases.1.datasets"),
        (38, "leaderboard.columns.set2.column_group"),
    ]


def test_parallel_phases_become_tasks_of_one_phase(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(PARALLEL))
    assert [(phase.name, [task.name for task in phase.tasks]) for phase in bundle.phases] == [
        ("Development", ["Development Task"]),
        ("Final", ["A Task", "B Task"]),
    ]
    assert [task.index for task in bundle.tasks] == [0, 1, 2]


def test_codalab_problems_listed(write_bundle: WriteBundle) -> None:
    text = (
        IRIS.replace("start_date: 2024-06-01", "start_date: 2023-06-01")
        .replace("scoring_program: scoring_program", "scoring_program: scoring.zip", 1)
        .replace("set1, set2", "set1, set3")
        .replace("terms.md", "term.md")
        .replace("numeric_format: 4", "numeric_format: .4f")
    )
    with pytest.raises(PalioError) as raised:
        read_bundle(write_bundle(text))
    errors = tuple(line for line in raised.value.failure.evidence if not line.startswith("warning: "))
    assert errors == (
        (
            "competition.yaml:10: html.terms: is `pages/term.md`, which is not in the bundle; did you mean "
            "`pages/terms.md`?"
        ),
        (
            "competition.yaml:16: phases.2.scoring_program: is `scoring.zip`, which is not in the bundle; did you "
            "mean `scoring_program`?"
        ),
        "competition.yaml:39: leaderboard.columns.set1.numeric_format: says `.4f`; write a whole number from 0 to 15",
        (
            "competition.yaml:40: leaderboard.columns.mean.computed.fields: names `set3`, but no column has that key; did "
            "you mean `set2`?"
        ),
    )


def test_phases_that_start_together_run_in_parallel(write_bundle: WriteBundle) -> None:
    text = IRIS.replace("start_date: 2024-01-01 06:30:00", "start_date: 2024-06-01")
    bundle = read_bundle(write_bundle(text))
    assert {phase.end for phase in bundle.phases} == {datetime(2024, 12, 31, 23, tzinfo=UTC)}
    assert (19, "phases.1") in {(warning.line, warning.field) for warning in bundle.warnings}


def test_phase_without_end(write_bundle: WriteBundle) -> None:
    text = IRIS.replace("max_submissions: 50", "phase_never_ends: True")
    first, second = read_bundle(write_bundle(text)).phases
    assert first.end == second.end == datetime(2024, 12, 31, 23, tzinfo=UTC)


def test_phase_out_of_order(write_bundle: WriteBundle) -> None:
    text = IRIS.replace("start_date: 2024-06-01", "start_date: 2023-06-01")
    first, second = read_bundle(write_bundle(text)).phases
    assert (first.name, first.end) == ("Development", datetime(2024, 12, 31, 23, tzinfo=UTC))
    assert second.end == first.start


def test_phase_with_zero_submissions(write_bundle: WriteBundle) -> None:
    text = IRIS.replace("max_submissions: 50", "max_submissions: 0").replace("_per_day: 5", "_per_day: 0")
    bundle = read_bundle(write_bundle(text))
    assert (bundle.phases[0].max_submissions, bundle.phases[0].max_submissions_per_day) == (0, 0)
    assert {warning.field for warning in bundle.warnings} >= {
        "phases.1.max_submissions",
        "phases.1.max_submissions_per_day",
    }


def test_challenge_end_day_inclusive(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(IRIS.replace("2024-12-31 23:00:00", "2024-12-31")))
    assert bundle.phases[-1].end == datetime(2025, 1, 1, tzinfo=UTC)
    assert (6, "end_date") in {(warning.line, warning.field) for warning in bundle.warnings}


def test_phase_after_challenge_end(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(IRIS.replace("end_date: 2024-12-31", "end_date: 2024-05-31")))
    assert bundle.phases[-1].end == bundle.phases[-1].start
    assert "phases.2" in {warning.field for warning in bundle.warnings}


def test_time_limit_of_zero_is_the_default(write_bundle: WriteBundle) -> None:
    zero = IRIS.replace("    label: Final\n", "    label: Final\n    execution_time_limit: 0\n")
    plain, bundle = read_bundle(write_bundle(IRIS)), read_bundle(write_bundle(zero))
    assert [phase.rules for phase in bundle.phases] == [phase.rules for phase in plain.phases]
    assert (
        "competition.yaml:15: phases.2.execution_time_limit: says `0`, which CodaLab reads as its default; write the time limit to be sure"
        in map(str, bundle.warnings)
    )
