"""A phase takes over the submissions of the phase before; the phases of 1.8 run in parallel as tasks of one."""

from pathlib import Path

import pytest
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.web.controller.programmed_engine import predict, score
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.scored_submissions import add_submission as add_ended
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.web.leaderboard.snapshot import snapshot
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Event, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.migrate import migrate
from palio.web.verbs.submission_limits import quota_of

pytestmark = pytest.mark.django_db

PARALLEL = """\
title: Vowels
html: {overview: overview.md, terms: terms.md}
competition_docker_image: python:3.11-slim
phases:
  1:
    phasenumber: 1
    label: Development
    start_date: 2026-01-01
    input_data: input_data
    reference_data: reference_data
    scoring_program: scoring_program
  2: {phasenumber: 2, label: Final, start_date: 2026-02-01, is_parallel_parent: true, auto_migration: true}
  3: &PART
    phasenumber: 3
    label: A
    parent_phasenumber: 2
    start_date: 2026-02-01
    input_data: input_data
    reference_data: reference_data
    scoring_program: scoring_program
  4: {<<: *PART, phasenumber: 4, label: B}
leaderboard:
  leaderboards: {RESULTS: &RESULTS {label: Results, rank: 1}}
  columns:
    accuracy: {leaderboard: *RESULTS, label: Accuracy, rank: 1, sort: desc}
    mean: {leaderboard: *RESULTS, label: Mean, rank: 2, sort: asc, computed: {operation: Avg, fields: accuracy}}
"""
PALIO = YAML[YAML.index("palio:") :]
TWO = """\
phases:
  - {index: 0, name: Development, start: 2026-01-01, end: 2026-02-01 00:00, tasks: [0]}
  - {index: 1, name: Final, start: 2026-02-01 00:00, tasks: [0], auto_migrate_to_this_phase: true}
"""


def of_phase(name: str) -> list[Submission]:
    return list(Submission.objects.filter(phase=name).order_by("created", "id"))


def use_two_phases(world: World, folder: Path, board: str = "") -> None:
    before, after = YAML.split("phases:")[0], YAML[YAML.index("leaderboards:") :]
    yaml = f"{before}{TWO}{after}".replace("    key: main\n", f"    key: main\n{board}")
    publish(world.challenge, write_bundle(folder / "two", yaml=yaml))
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()


def test_parallel_phase_migrates_leaderboard(stepped: SteppedController, world: World, tmp_path: Path) -> None:
    publish(world.challenge, write_bundle(tmp_path / "parallel", yaml=PARALLEL + PALIO))
    stages = {"predict": predict, "score": score}
    parts = {f"{name}-{task}": run for task in (1, 2) for name, run in stages.items()}
    stepped.engine.programs = stages | parts
    for extra in (b"1", b"2"):  # equal scores: the earlier one is on the leaderboard
        attempt = add_submission(world.team, world.bob, extra=extra)
        Submission.objects.filter(pk=attempt.submission_id).update(phase="Development")
        stepped.finish()
    first, _ = of_phase("Development")
    assert migrate(world.challenge, timezone.now()) == 1
    assert migrate(world.challenge, timezone.now()) == 0
    stepped.finish()
    (taken,) = of_phase("Final")
    assert (taken.migrated_from, taken.file, taken.charged) == (first, first.file, False)
    assert taken.counted is not None
    assert taken.counted.scores == {"accuracy": 1.0, "accuracy@1": 1.0, "accuracy@2": 1.0}
    bundle = current_bundle(world.challenge)
    world.challenge.refresh_from_db()
    shown = snapshot(world.challenge, bundle.phases[1], bundle.leaderboard, Visibility.PUBLIC).leaderboard
    assert [(column.key, column.title) for column in shown.columns] == [
        ("accuracy", "Accuracy"),
        ("mean", "Mean"),
        ("accuracy@1", "Accuracy, A Task"),
        ("accuracy@2", "Accuracy, B Task"),
    ]
    assert [row.values["mean"] for row in shown.rows] == [1.0]


def test_scored_submissions_migrate_once(world: World, tmp_path: Path) -> None:
    use_two_phases(world, tmp_path)
    scored = [
        add_ended(world.team, phase="Development", scores={"accuracy": a}, minute=m) for m, a in ((0, 0.5), (1, 1))
    ]
    add_ended(world.team, phase="Development", failure="predict-exit", minute=2)
    add_ended(world.rivals, phase="Development", scores={"accuracy": 0.9}, withdrawn=timezone.now())
    judged = add_ended(world.rivals, phase="Development", scores={"accuracy": 0.9}, disqualified="copied", minute=1)
    add_ended(world.rivals, phase="Development", scores={"accuracy": 0.9}, kind="image", minute=2)
    assert migrate(world.challenge, timezone.now()) == 2
    assert {each.migrated_from_id for each in of_phase("Final")} == {each.pk for each in scored}
    assert {event.detail["source"] for event in Event.objects.filter(kind="submission.migrated")} == {
        each.pk for each in scored
    }
    Submission.objects.filter(pk=judged.pk).update(disqualified="")  # reinstated later
    assert [migrate(world.challenge, timezone.now()) for _ in range(2)] == [1, 0]


def test_migrated_submission_not_counted(world: World, tmp_path: Path) -> None:
    use_two_phases(world, tmp_path)
    add_ended(world.team, phase="Development", scores={"accuracy": 0.5})
    migrate(world.challenge, timezone.now())
    quota = quota_of(world.team, current_bundle(world.challenge).phases[1])
    assert (quota.used, quota.running, quota.refusal) == (0, 0, None)


def test_closed_phase_migrates_nothing(world: World, tmp_path: Path) -> None:
    use_two_phases(world, tmp_path)
    add_ended(world.team, phase="Development", scores={"accuracy": 0.5})
    start = current_bundle(world.challenge).phases[1].start
    assert migrate(world.challenge, start.replace(month=1)) == 0
    assert migrate(world.challenge, start) == 1
