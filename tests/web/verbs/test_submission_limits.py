"""Dates, numbers and kinds: who may submit what, when, and how often."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from tests.bundles import ANSWERS, YAML, write_bundle
from tests.web.submission_files import context_zip
from tests.web.submitting import end, stored, upload
from tests.web.world import World, make_world

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.web.models import Challenge, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.submission_limits import Quota, quota_of, quotas_of
from palio.web.verbs.submit import submit

PHASE = "Final"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MakeWorld = Callable[..., World]


@pytest.fixture
def make(db: None, tmp_path: Path) -> MakeWorld:
    """A world whose one phase has these keys in addition."""

    def made(*keys: str, kinds: str = "context, results") -> World:
        yaml = YAML.replace("    tasks: [0]\n", "    tasks: [0]\n" + "".join(f"    {key}\n" for key in keys))
        yaml = yaml.replace("submissions: [context, results]", f"submissions: [{kinds}]")
        return make_world(write_bundle(tmp_path / "bundle", yaml=yaml))

    return made


def stands(world: World, now: datetime = NOON) -> Quota:
    return quota_of(world.team, current_bundle(world.challenge).phases[0], now)


def code(found: Quota) -> str | None:
    return found.refusal.code if found.refusal else None


def add_submission(world: World, *, when: datetime = NOON, state: State | None = State.SCORED) -> Submission:
    """One of the team's at that time, which has ended like this."""
    count = Submission.objects.count()
    file = stored(world.team, world.bob, given=ANSWERS | {"other.txt": str(count)})
    submission = submit(file, world.bob).submission
    Submission.objects.filter(pk=submission.pk).update(created=when)
    submission.refresh_from_db()
    if state:
        end(submission, state, charged=state is State.SCORED)
    return submission


def test_phase_not_open(make: MakeWorld) -> None:
    world = make()
    found = stands(world, datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    assert (code(found), found.back) == ("phase-not-open", datetime(2026, 1, 1, tzinfo=UTC))
    assert found.refusal is not None
    assert "2026-01-01 at 00:00 UTC" in found.refusal.failure.message


@pytest.mark.parametrize(("second", "expected"), [(59, None), (60, "phase-closed")])
def test_phase_closes_on_time(make: MakeWorld, second: int, expected: str | None) -> None:
    world = make("end: 2026-06-01T12:01:00Z")
    assert code(stands(world, NOON + timedelta(seconds=second))) == expected


def test_deadline_during_upload(make: MakeWorld) -> None:
    """The file is kept, for a phase that is open."""
    world = make("end: 2026-01-02")
    file = upload(world.team, world.bob, context_zip())
    with pytest.raises(PalioError) as error:
        submit(file, world.bob)
    assert error.value.code == "phase-closed"
    file.refresh_from_db()
    assert (file.deleted, Submission.objects.count()) == (None, 0)


def test_quota_per_utc_day(make: MakeWorld) -> None:
    world = make("max_submissions_per_day: 2", "max_submissions: 3")
    add_submission(world, when=NOON - timedelta(days=1))
    assert (stands(world).left_today, stands(world).left) == (2, 2)
    add_submission(world, when=NOON.replace(hour=0, minute=0))
    add_submission(world)
    last = stands(world)
    assert (code(last), last.left) == ("quota-exhausted", 0)


def test_quota_exhausted(make: MakeWorld) -> None:
    world = make("max_submissions_per_day: 1")
    add_submission(world, when=NOON.replace(hour=0, minute=0))
    found = stands(world)
    assert (code(found), found.back, found.used_today) == ("quota-exhausted-today", datetime(2026, 6, 2, tzinfo=UTC), 1)
    assert code(stands(world, datetime(2026, 6, 2, tzinfo=UTC))) is None
    assert code(quota_of(world.rivals, current_bundle(world.challenge).phases[0], NOON)) is None  # limits are per team


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_quota_ignores_uncounted(make: MakeWorld, state: State) -> None:
    world = make("max_submissions_per_day: 1")
    add_submission(world, state=state)
    assert (code(stands(world)), stands(world).used) == (None, 0)


def test_one_running_at_a_time(make: MakeWorld) -> None:
    world = make()
    submission = add_submission(world, state=None)
    assert (code(stands(world)), stands(world).running, stands(world).used) == ("submission-running", 1, 1)
    end(submission, State.FAILED)
    assert (code(stands(world)), stands(world).used) == (None, 0)


def test_archived_challenge(make: MakeWorld) -> None:
    world = make()
    Challenge.objects.filter(pk=world.challenge.pk).update(visibility=Challenge.Visibility.ARCHIVED)
    world.team.challenge.refresh_from_db()
    assert code(stands(world)) == "challenge-archived"


def test_kind_not_accepted(make: MakeWorld) -> None:
    world = make(kinds="context")
    with pytest.raises(PalioError) as error:
        submit(stored(world.team, world.bob), world.bob)
    assert error.value.failure.code == "submission-kind-refused"
    assert "`context`" in error.value.failure.message


def test_all_phases_listed(make: MakeWorld) -> None:
    world = make()
    assert [each.phase.name for each in quotas_of(world.team, NOON)] == [PHASE]


@pytest.mark.django_db(transaction=True)
def test_last_submission_concurrent(make: MakeWorld) -> None:
    world = make("max_submissions_per_day: 1")
    files = [stored(world.team, world.bob, f"{number}.csv", ANSWERS | {"x": str(number)}) for number in range(6)]
    start, ended = threading.Barrier(len(files)), list[str]()

    def browser(number: int) -> None:
        start.wait()
        try:
            submit(files[number], world.bea if number % 2 else world.bob)
            ended.append("through")
        except PalioError as refused:
            ended.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=browser, args=(number,)) for number in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == sorted(["through", *["quota-exhausted-today"] * 5])
    assert Submission.objects.count() == 1
