"""Whose turn it is, which place that is, and how long it may take."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.web.controller.stepped_controller import add_submission
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Attempt
from palio.web.queries.queue import place_of
from palio.web.verbs.queue import Place, Start, Waiting, in_turn, next_due, places, recent_starts, waiting_now

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def waiting(*names: str) -> list[Waiting]:
    """In the order in which they came: `1a` is the team a's in challenge 1."""
    return [
        Waiting(f"{name}#{number}", int(name[0]), name[1:], BEGIN + timedelta(seconds=number))
        for number, name in enumerate(names)
    ]


def starts(*names: str) -> list[Start]:
    """The latest first."""
    return [
        Start(int(name[0]), name[1:], "", BEGIN - timedelta(seconds=number), None) for number, name in enumerate(names)
    ]


def order(queue: list[Waiting], recent: list[Start] | None = None) -> list[str]:
    return [each.identity.partition("#")[0] for each in in_turn(queue, recent or [])]


@pytest.mark.parametrize(
    ("queue", "recent", "expected"),
    [
        (["1a", "1a", "1b"], [], ["1a", "1b", "1a"]),
        (["1a", "1a", "1a", "2c"], [], ["1a", "2c", "1a", "1a"]),
        (["1a", "1b", "2c", "2d"], [], ["1a", "2c", "1b", "2d"]),
        (["1a", "2c"], ["1b"], ["2c", "1a"]),  # challenge 1 was served last
        (["1a", "1b"], ["1a", "1b"], ["1b", "1a"]),  # and in it the team a
        (["1a", "1b", "2c"], ["2c", "1a", "1b"], ["1b", "2c", "1a"]),
        ([], ["1a"], []),
    ],
)
def test_queue_order(queue: list[str], recent: list[str], expected: list[str]) -> None:
    assert order(waiting(*queue), starts(*recent)) == expected


TEAMS = st.sampled_from(["1a", "1b", "1c", "2d", "2e", "3f"])


@given(st.lists(TEAMS, max_size=40), st.lists(TEAMS, max_size=10))
def test_queue_order_fair(queue: list[str], recent: list[str]) -> None:
    found = order(waiting(*queue), starts(*recent))
    assert sorted(found) == sorted(queue)
    for challenge in "123":  # while somebody of a challenge waits, no other is served twice in a row
        mine = [index for index, name in enumerate(found) if name[0] == challenge]
        for before, after in pairwise(mine):
            between = found[before + 1 : after]
            assert len({name[0] for name in between}) == len(between)
    for name in set(queue):  # nobody waits for more than one of each other challenge and team before each own turn
        place = found.index(name)
        others_of_challenge = len({each for each in queue if each[0] == name[0]})
        challenges = len({each[0] for each in queue})
        assert place < others_of_challenge * challenges


@pytest.mark.django_db
def test_queue_positions(world: World) -> None:
    first = add_submission(world.team, world.bob)
    second = add_submission(world.team, world.bob, extra=b"2")
    third = add_submission(world.rivals, world.carol)
    later = add_submission(world.rivals, world.carol, extra=b"4")
    Attempt.objects.filter(pk=later.pk).update(not_before=timezone.now() + timedelta(minutes=5))
    found = places()
    assert [found[each.identity] for each in (first, third, second)] == [
        Place(1, 4, None),
        Place(2, 4, None),
        Place(3, 4, None),
    ]
    postponed = found[later.identity]
    assert (postponed.number, postponed.of) == (None, 4)
    assert postponed.wait is not None
    assert timedelta(minutes=4) < postponed.wait <= timedelta(minutes=5)
    assert place_of(first) == Place(1, 4, None)
    first.state = State.BUILD
    assert place_of(first) is None


@pytest.mark.django_db
def test_queue_estimated_waits(world: World) -> None:
    """One slot, taken by one that has run for 20 of the usual 60 seconds."""
    now = timezone.now()
    for number, seconds in enumerate((50, 60, 900)):
        ended = add_submission(world.team, world.bob, extra=f"e{number}".encode())
        began = now - timedelta(hours=1)
        Attempt.objects.filter(pk=ended.pk).update(
            state="cancelled", started=began, finished=began + timedelta(seconds=seconds)
        )
    runs = add_submission(world.team, world.bob, extra=b"runs")
    Attempt.objects.filter(pk=runs.pk).update(state="predict", started=now - timedelta(seconds=20))
    queue = [add_submission(world.rivals, world.carol, extra=f"q{number}".encode()) for number in range(3)]
    found = places()
    assert [round((found[each.identity].wait or timedelta()).total_seconds()) for each in queue] == [40, 100, 160]


@pytest.mark.django_db
@pytest.mark.parametrize("free", [1, 2, 3, 100])
@pytest.mark.parametrize("seed", range(4))
def test_next_due_head_of_the_order(world: World, free: int, seed: int) -> None:
    """Whatever it leaves out comes after what it gives."""
    chance = random.Random(seed)
    team, rival = (world.team, world.bob), (world.rivals, world.carol)
    for number in range(chance.randrange(1, 30)):
        member = team if chance.random() < seed / 4 else rival
        made = add_submission(*member, extra=b"%d" % number)
        postponed = timedelta(minutes=chance.choice([0, 0, 0, 4, 60]))  # an hour: the clock was set back
        Attempt.objects.filter(pk=made.pk).update(not_before=timezone.now() + postponed)
    now = timezone.now()
    whole = [each.identity for each in in_turn((each for each in waiting_now() if each.is_due(now)), recent_starts())]
    found = [each.identity for each in next_due(free)]
    assert found == whole[: len(found)]
    assert len(found) >= min(free, len(whole), 8)
