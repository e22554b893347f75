"""competition.yaml in Codabench's dialect with the `palio:` block: whole bundles, whole lists of problems."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.core.bundle.minimal_bundle import MINIMAL, WriteBundle, problems, warnings

from palio.core.bundle.defaults import NATIVE
from palio.core.bundle.leaderboards import ranking_of
from palio.core.bundle.model import (
    BlindPolicy,
    Column,
    FeedbackPolicy,
    FeedbackRule,
    LogPolicy,
    RankingPolicy,
    Restore,
    SamplePolicy,
    ScorePolicy,
    StatisticsPolicy,
    SubmissionKind,
)
from palio.core.bundle.read import read_bundle
from palio.core.engine import BuildLimits, Limits
from palio.core.quantities import GIB, MIB

WHOLE = """\
version: 2
title: MedNIST
description: Which part of the body?
image: logo.png
terms: pages/terms.md
docker_image: local/score_image:latest
registration_auto_approve: true
pages:
  - {title: Overview, file: pages/overview.md}
tasks:
  - index: 0
    name: Classify
    scoring_program: scoring_program
    input_data: input_data/testing-data/
    reference_data: reference_data
phases:
  - index: 1
    name: Final
    start: 2025-03-01 12:30:00+01:00
    tasks: [0]
    max_submissions: 3
    max_submissions_per_day: 0
    auto_migrate_to_this_phase: true
    palio:
      limits: {predict: {time: 2 h}}
      logs: {predict: none}
  - name: Development
    start: 2025-01-01
    end: "2025-03-01 11:30"
    tasks: [0]
leaderboards:
  - title: Results
    key: results
    primary_index: 2
    columns:
      - {index: 0, key: precision, title: Precision, sorting: desc, precision: 4}
      - {index: 1, key: recall, title: Recall, sorting: desc, precision: 4, hidden: true}
      - {index: 2, key: f1, title: F1, sorting: desc, precision: 4}
      - {index: 3, key: rank, title: Rank, sorting: asc, computation: avg_rank, computation_indexes: [0, 1]}
palio:
  data: public
  submissions: [context, image, results, monai]
  limits:
    build: {time: 10 min, memory: 2 GiB, network: no, size: 500 MB}
    predict: {time: 60, memory: 1 GiB, cpus: 0.5, pids: 64, shm: 16 MiB, output: 1048576, files: 10, gpus: 1}
    score: {time: 30 s, memory: 512 MiB, cpus: 1}
  logs: {sample: tail, predict: tail, score: none}
  sample: {input: sample_data/, expect: sample_expected/}
  blind: {inputs: "*.jpg", restore: [{csv: classification_results.csv, column: file}]}
  statistics: {cases: cases.csv, kind: classification, metric: f1_weighted}
  ranking: {choose: last, ties: min}
  engine: gpu-large
  scores: hidden
"""

BLIND: dict[str, Any] = {"scores": ScorePolicy.HIDDEN, "feedback": FeedbackPolicy(FeedbackRule.NONE)}


def test_whole_and_minimal_bundle(write_bundle: WriteBundle) -> None:
    minimal = read_bundle(write_bundle(MINIMAL))
    root = write_bundle(WHOLE)
    bundle = read_bundle(root)
    (task,), (plain,) = minimal.tasks, minimal.phases
    task = replace(
        task, name="Classify", input_data=root / "input_data/testing-data", reference_data=root / "reference_data"
    )
    rules = replace(
        plain.rules,
        data="public",
        submissions=(
            SubmissionKind.CONTEXT,
            SubmissionKind.IMAGE,
            SubmissionKind.RESULTS,
            SubmissionKind.MONAI,
        ),
        build=BuildLimits(time_s=600, memory_bytes=2 * GIB, size_bytes=500_000_000, network=False),
        predict=Limits(
            time_s=60,
            memory_bytes=GIB,
            cpus=0.5,
            pids=64,
            shm_bytes=16 * MIB,
            output_bytes=MIB,
            output_files=10,
            gpus=1,
        ),
        score=Limits(time_s=30, memory_bytes=512 * MIB, cpus=1),
        logs_sample=LogPolicy.TAIL,
        logs_predict=LogPolicy.TAIL,
        logs_score=LogPolicy.NONE,
        **BLIND,
        sample=SamplePolicy(root / "sample_data", root / "sample_expected"),
        blind=BlindPolicy("*.jpg", (Restore("classification_results.csv", "file"),)),
        statistics=StatisticsPolicy("cases.csv", "classification", "f1_weighted"),
        ranking=RankingPolicy("last", "min"),
        engine="gpu-large",
    )
    handover = datetime(2025, 3, 1, 11, 30, tzinfo=UTC)
    development = replace(plain, name="Development", end=handover, tasks=(task,), rules=rules)
    final = replace(
        plain,
        index=1,
        name="Final",
        start=handover,
        tasks=(task,),
        max_submissions_per_day=None,
        max_submissions=3,
        auto_migrate=True,
        rules=replace(rules, predict=replace(rules.predict, time_s=7200), logs_predict=LogPolicy.NONE),
    )
    assert bundle.phases == (development, final)
    f1 = Column("f1", "F1", descending=True, precision=4, hidden=False)
    assert bundle.leaderboard == replace(
        minimal.leaderboard,
        title="Results",
        key="results",
        columns=(
            Column("precision", "Precision", descending=True, precision=4, hidden=False),
            Column("recall", "Recall", descending=True, precision=4, hidden=True),
            f1,
            Column("rank", "Rank", False, 2, False, "avg_rank", ("precision", "recall")),
        ),
        primary=f1,
    )
    assert bundle == replace(
        minimal,
        digest=bundle.digest,
        title="MedNIST",
        description="Which part of the body?",
        logo=root / "logo.png",
        terms=root / "pages/terms.md",
        docker_image="local/score_image:latest",
        auto_approve=True,
        tasks=(task,),
        phases=bundle.phases,
        leaderboard=bundle.leaderboard,
    )


def test_empty_text_absent(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace(
        "scoring_program: scoring", 'ingestion_program: "", input_data: " ", scoring_program: scoring'
    )
    bundle = read_bundle(write_bundle(text + 'docker_image: ""\n'))
    assert (bundle.tasks[0].ingestion_program, bundle.tasks[0].input_data) == (None, None)
    assert bundle.docker_image == "codalab/codalab-legacy:py37"
    assert [warning.field for warning in bundle.warnings] == [
        "tasks[0].ingestion_program",
        "tasks[0].input_data",
        "docker_image",
    ]


def test_required_text_empty(write_bundle: WriteBundle) -> None:
    assert [line.split(": ")[1] for line in problems(write_bundle(MINIMAL.replace("Small", '""')))] == ["title"]


@pytest.mark.parametrize(
    ("dates", "end", "warned"),
    [
        ("start: 2027-01-18, end: 2027-01-18", datetime(2027, 1, 19, tzinfo=UTC), ["phases[0].end"]),
        ("start: 2027-01-18, end: 2027-01-18 00:00", datetime(2027, 1, 18, tzinfo=UTC), ["phases[0]"]),
        ("start: 2027-01-18, end: 2027-01-18 AoE", datetime(2027, 1, 19, 12, tzinfo=UTC), ["phases[0].end"]),
    ],
)
def test_short_phase_warning(write_bundle: WriteBundle, dates: str, end: datetime, warned: list[str]) -> None:
    bundle = read_bundle(write_bundle(MINIMAL.replace("start: 2025-01-01", dates)))
    assert bundle.phases[0].end == end
    assert [warning.field for warning in bundle.warnings] == warned


def test_phase_end_day_of_next_start(write_bundle: WriteBundle) -> None:
    phases = (
        "[{name: A, start: 2025-01-01, end: 2025-02-01, tasks: [0]}, "
        "{name: B, start: 2025-02-01 09:00, index: 1, tasks: [0]}]"
    )
    text = MINIMAL.replace("[{name: Only, start: 2025-01-01, tasks: [0]}]", phases)
    first, second = read_bundle(write_bundle(text)).phases
    assert first.end == second.start == datetime(2025, 2, 1, 9, tzinfo=UTC)


def test_keys_without_effect_are_grouped_by_reason(write_bundle: WriteBundle) -> None:
    text = (
        MINIMAL.replace("tasks: [0]", "tasks: [0], solutions: []")
        + "forum_enabled: true\nreward: x\ncontact_email: y\n"
    )
    bundle = read_bundle(write_bundle(text))
    assert [warning.line for warning in bundle.warnings] == [5, 7, None]
    assert "`reward` (line 8), `contact_email` (line 9)" in bundle.warnings[-1].message


def test_absent_keys_defaults(write_bundle: WriteBundle) -> None:
    bundle = read_bundle(write_bundle(MINIMAL + "palio: {data: private}\n"))
    assert bundle.warnings == ()
    assert bundle.phases[0].rules == replace(NATIVE, data="private")
    assert bundle.leaderboard.primary == Column("f1", "f1", descending=True, precision=2, hidden=False)
    assert (bundle.docker_image, bundle.auto_approve) == ("codalab/codalab-legacy:py37", False)


def test_bundle_without_palio_block(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace("tasks: [0]", "tasks: [0], execution_time_limit: 1200, hide_output: true").replace(
        "[{columns", "[{submission_rule: Force_Last, columns"
    )
    bundle = read_bundle(write_bundle(text))
    assert bundle.phases[0].rules == replace(
        NATIVE,
        submissions=(SubmissionKind.RESULTS,),
        predict=replace(NATIVE.predict, time_s=1200),
        score=replace(NATIVE.score, time_s=1200),
        logs_predict=LogPolicy.NONE,
    )
    assert ranking_of(bundle.phases[0], bundle.leaderboard) == RankingPolicy("last", "min")


def test_hide_output(write_bundle: WriteBundle) -> None:
    block = "palio: {logs: {sample: tail, predict: full, score: full}, scores: visible}\n"
    text = MINIMAL.replace("tasks: [0]", "tasks: [0], hide_output: true") + block
    bundle = read_bundle(write_bundle(text))
    assert bundle.warnings == ()
    assert bundle.phases[0].rules == replace(NATIVE, logs_sample=LogPolicy.TAIL)


def test_hide_output_conflict_warning(write_bundle: WriteBundle) -> None:
    block = "palio: {logs: {predict: full, score: organizer}}"
    text = MINIMAL.replace("tasks: [0]", f"tasks: [0], hide_output: true, {block}")
    bundle = read_bundle(write_bundle(text))
    assert bundle.phases[0].rules == NATIVE
    assert [str(warning) for warning in bundle.warnings] == [
        "competition.yaml:5: phases[0].palio.logs.predict: says `full`, but the phase's `hide_output` hides that log; "
        "remove one of the two"
    ]


@pytest.mark.parametrize("key", ["hide_output", "hide_prediction_output", "hide_score_output"])
def test_blind_phase_own_key_only(write_bundle: WriteBundle, key: str) -> None:
    text = MINIMAL.replace("tasks: [0]", f"tasks: [0], {key}: true")
    assert read_bundle(write_bundle(text)).phases[0].rules.scores is ScorePolicy.VISIBLE
    blind = MINIMAL.replace("tasks: [0]", "tasks: [0], palio: {scores: hidden}")
    assert read_bundle(write_bundle(blind)).phases[0].rules == replace(NATIVE, **BLIND)


def test_ingestion_program_kinds(write_bundle: WriteBundle) -> None:
    text = MINIMAL.replace("index: 0,", "index: 0, ingestion_program: scoring_program,")
    rules = read_bundle(write_bundle(text)).phases[0].rules
    assert rules.submissions == (SubmissionKind.CODE, SubmissionKind.RESULTS)
    assert (rules.predict.time_s, rules.score.time_s) == (600, 600)


def test_repository_bundles_without_warnings() -> None:
    folder = Path(__file__).parents[3] / "challenges" / "mednist"
    assert warnings(folder) == []
