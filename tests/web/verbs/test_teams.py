"""Who is in which team."""

import pytest
from django.db import transaction
from tests.errors import code_of
from tests.web.verbs.test_joining import add_submission, join
from tests.web.world import World

from palio.web.access.relations import own_team
from palio.web.models import Team, User
from palio.web.verbs import teams


def move(team: Team, user: User) -> None:
    with transaction.atomic():
        teams.join_team(team, user)


def test_rename_on_leaderboard(world: World) -> None:
    assert teams.rename(world.team, "  Big   Blobs ", actor=world.bob).name == "Big Blobs"
    world.challenge.refresh_from_db()
    assert world.challenge.leaderboard_revision == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [("carolingians", "team-name-taken"), ("x", "team-name-invalid"), ("a\u202eb", "team-name-invalid")],
)
def test_rename_invalid(world: World, name: str, code: str) -> None:
    assert code_of(lambda: teams.rename(world.team, name, actor=world.bob)) == code


def test_join_team_removes_unused_team(world: World) -> None:
    join(world, world.dave)
    move(world.team, world.dave)
    assert own_team(world.challenge, world.dave) == world.team
    assert not Team.objects.filter(challenge=world.challenge, name="dave").exists()


@pytest.mark.parametrize(
    ("who", "code"), [("dave", "not-a-participant"), ("bea", "already-in-team"), ("bob", "already-in-team")]
)
def test_join_team_not_allowed(world: World, who: str, code: str) -> None:
    assert code_of(lambda: move(world.team, getattr(world, who))) == code


def test_join_team_after_submitting(world: World) -> None:
    add_submission(world, world.rivals, world.carol)
    assert code_of(lambda: move(world.team, world.carol)) == "team-fixed"


def test_join_team_captain_with_members(world: World) -> None:
    assert code_of(lambda: move(world.rivals, world.bob)) == "captain-cannot-leave"


def test_leave_new_team_of_one(world: World) -> None:
    add_submission(world, world.team, world.bob)
    own = teams.leave(world.team, actor=world.bea)
    assert (own.name, own.captain) == ("bea", world.bea)
    assert world.team.submissions.count() == 1
    assert world.team.memberships.count() == 1


def test_leave_after_submitting(world: World) -> None:
    add_submission(world, world.team, world.bea)
    assert code_of(lambda: teams.leave(world.team, actor=world.bea)) == "team-fixed"


@pytest.mark.parametrize(
    ("who", "team", "code"), [("bob", "team", "captain-cannot-leave"), ("carol", "rivals", "team-of-one")]
)
def test_leave_not_allowed(world: World, who: str, team: str, code: str) -> None:
    assert code_of(lambda: teams.leave(getattr(world, team), actor=getattr(world, who))) == code


def test_pass_captain(world: World) -> None:
    assert teams.pass_captain(world.team, "bea", actor=world.bob).captain == world.bea
    assert code_of(lambda: teams.pass_captain(world.team, "carol", actor=world.bea)) == "team-member-unknown"
