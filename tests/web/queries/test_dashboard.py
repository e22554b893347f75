"""How a challenge stands: numbers, failures with whose turn they are, queue, controller, disk."""

from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from tests.web.full_challenge import Full
from tests.web.scored_submissions import NOON
from tests.web.world import World

from palio.web.models import ControllerBeat
from palio.web.queries.dashboard import Numbers, failing, numbers
from palio.web.queries.disk import size_below
from palio.web.queries.queue import ControllerStatus, controller, queue
from palio.web.verbs.queue import LATE


def test_challenge_numbers(full: Full) -> None:
    assert numbers(full.world.challenge, NOON + timedelta(minutes=30)) == Numbers(
        participants=3,
        teams=2,
        submissions=7,
        states={"queued": 1, "predict": 1, "scored": 3, "failed": 2},
        scored_today=3,
        pending=1,
        open_rescores=(),
    )
    assert numbers(full.world.challenge, NOON + timedelta(days=1)).scored_today == 0


def test_challenge_numbers_exclude_others(full: Full) -> None:
    assert numbers(full.world.other) == Numbers(0, 0, 0, {}, 0, 0, ())


def test_failing_organizer_faults_first(full: Full) -> None:
    told = [
        (each.cause, each.action_needed, each.code, each.count, each.next_step, each.query)
        for each in failing(full.world.challenge)
    ]
    assert told == [
        (
            "organizer",
            "the organizer",
            "scores-missing",
            1,
            "Make it faster.",
            "state=failed&cause=organizer&code=scores-missing",
        ),
        (
            "participant",
            "the participant",
            "predict-time-limit",
            1,
            "Make it faster.",
            "state=failed&cause=participant&code=predict-time-limit",
        ),
    ]


def test_queue_names_own_counts_others(full: Full) -> None:
    own, other = queue(full.world.challenge), queue(full.world.other)
    assert [attempt.submission for attempt in own.running] == [full.running]
    assert [(each.attempt.submission, each.place.number) for each in own.waiting] == [(full.queued, 1)]
    assert (own.running_others, own.waiting_own, own.waiting_all) == (0, 1, 1)
    assert (other.running, other.running_others, other.waiting, other.waiting_own, other.waiting_all) == (
        (),
        1,
        (),
        0,
        1,
    )


def test_controller_last_seen_long_ago(world: World) -> None:
    assert controller() == ControllerStatus(lives=False, last=None, engine="", trouble="")
    now = timezone.now()
    beat = ControllerBeat.objects.create(time=now, process="host:1", engine="docker 29", trouble="No room.")
    assert controller(now) == ControllerStatus(lives=True, last=now, engine="docker 29", trouble="No room.")
    assert not controller(now + LATE).lives
    beat.process = ""
    beat.save()
    assert not controller(now).lives


def test_size_below_ignores_links(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/one").write_bytes(b"12345")
    (tmp_path / "a/b/two").write_bytes(b"123")
    (tmp_path / "outside").write_bytes(b"1" * 1000)
    (tmp_path / "a/loop").symlink_to("..", target_is_directory=True)
    assert size_below(tmp_path / "a") == 8 + (tmp_path / "a/loop").lstat().st_size
    assert size_below(tmp_path / "nothing") == 0
