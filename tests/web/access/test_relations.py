"""What a user is in a challenge, from the one query that every page of a challenge asks."""

from collections.abc import Callable

import pytest
from tests.web.world import World

from palio.web.access.relations import Affiliation, affiliation_of
from palio.web.models import Registration


@pytest.mark.parametrize(
    ("user", "role", "is_participant", "team"),
    [
        ("alice", "organizer", False, None),
        ("vera", "viewer", False, None),
        ("bob", None, True, "Blobs"),
        ("bea", None, True, "Blobs"),
        ("carol", None, True, "Carolingians"),
        ("dave", None, False, None),
        ("olga", None, False, None),
    ],
)
def test_affiliation_has_role_registration_and_team(
    world: World, user: str, role: str | None, is_participant: bool, team: str | None
) -> None:
    found = affiliation_of(getattr(world, user), world.challenge)
    assert (found.role, found.is_participant, found.team and found.team.name) == (role, is_participant, team)


def test_team_of_an_affiliation_is_the_stored_one(world: World) -> None:
    team = affiliation_of(world.bea, world.challenge).team
    assert team is not None
    stored = (world.team, world.challenge.pk, world.bob.pk, world.team.created)
    assert (team, team.challenge_id, team.captain_id, team.created) == stored


@pytest.mark.parametrize("state", [each for each in Registration.State if each != Registration.State.APPROVED])
def test_registration_that_is_not_approved_makes_no_participant(world: World, state: Registration.State) -> None:
    Registration.objects.filter(challenge=world.challenge, user=world.bob).update(state=state)
    assert affiliation_of(world.bob, world.challenge) == Affiliation(team=world.team)


def test_affiliation_is_one_query(world: World, django_assert_num_queries: Callable[[int], object]) -> None:
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        affiliation_of(world.bob, world.challenge)
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert affiliation_of(world.bob, None) == Affiliation()
