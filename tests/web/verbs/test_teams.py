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


def test_rename_is_seen_on_the_board(world: World) -> None:
    assert teams.rename(world.team, "  Big   Blobs ", actor=world.bob).name == "Big Blobs"
    world.challenge.refresh_from_db()
    assert world.challenge.leaderboard_revision == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [("carolingians", "team-name-taken"), ("x", "team-name-invalid"), ("a\u202eb", "team-name-invalid")],
)
def test_rename_to_what_cannot_be_is_refused(world: World, name: str, code: str) -> None:
    assert code_of(lambda: teams.rename(world.team, name, actor=world.bob)) == code


def test_join_team_leaves_nothing_of_an_unused_team_of_one(world: World) -> None:
    join(world, world.dave)
    move(world.team, world.dave)
    assert own_team(world.challenge, world.dave) == world.team
    assert not Team.objects.filter(challenge=world.challenge, name="dave").exists()


@pytest.mark.parametrize(
    ("who", "code"), [("dave", "not-a-participant"), ("bea", "already-in-team"), ("bob", "already-in-team")]
)
def test_join_team_by_whom_it_does_not_fit_is_refused(world: World, who: str, code: str) -> None:
    assert code_of(lambda: move(world.team, getattr(world, who))) == code


def test_join_team_after_submitting_is_refused(world: World) -> None:
    add_submission(world, world.rivals, world.carol)
    assert code_of(lambda: move(world.team, world.carol)) == "team-fixed"


def test_join_team_by_the_captain_of_others_is_refused(world: World) -> None:
    assert code_of(lambda: move(world.rivals, world.bob)) == "captain-cannot-leave"


def test_leave_makes_a_team_of_one_and_the_team_stays(world: World) -> None:
    add_submission(world, world.team, world.bob)
    own = teams.leave(world.team, actor=world.bea)
    assert (own.name, own.captain) == ("bea", world.bea)
    assert world.team.submissions.count() == 1
    assert world.team.memberships.count() == 1


def test_leave_after_submitting_is_refused(world: World) -> None:
    add_submission(world, world.team, world.bea)
    assert code_of(lambda: teams.leave(world.team, actor=world.bea)) == "team-fixed"


@pytest.mark.parametrize(
    ("who", "team", "code"), [("bob", "team", "captain-cannot-leave"), ("carol", "rivals", "team-of-one")]
)
def test_leave_by_whom_it_does_not_fit_is_refused(world: World, who: str, team: str, code: str) -> None:
    assert code_of(lambda: teams.leave(getattr(world, team), actor=getattr(world, who))) == code


def test_pass_captain_to_a_member_and_to_nobody_else(world: World) -> None:
    assert teams.pass_captain(world.team, "bea", actor=world.bob).captain == world.bea
    assert code_of(lambda: teams.pass_captain(world.team, "carol", actor=world.bea)) == "team-member-unknown"
