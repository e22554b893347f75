"""Who is in which team."""

import pytest
from django.db import transaction
from tests.errors import code_of
from tests.web.verbs.test_joining import add_submission, join
from tests.web.world import World

from palio.web.access.relations import own_team
from palio.web.models import Event, StoredFile, Team, User
from palio.web.verbs import invitations, teams


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


def merge(team: Team, captain: User) -> None:
    with transaction.atomic():
        teams.merge_into(team, captain)


def test_merge_moves_members_and_files(world: World) -> None:
    for team, name in ((world.team, "a"), (world.team, "both"), (world.rivals, "both")):
        StoredFile.objects.create(
            team=team, name=name, kind="results", size_bytes=1, sha256=name, created_by=team.captain
        )
    merge(world.rivals, world.bob)
    assert {each.user for each in world.rivals.memberships.all()} == {world.carol, world.bob, world.bea}
    assert world.rivals.captain == world.carol
    assert sorted(world.rivals.files.values_list("name", flat=True)) == ["a", "both"]
    event = Event.objects.get(kind="team.merged")
    assert (event.actor, event.detail["before"]) == (world.bob, world.team.pk)
    assert event.detail["members"] == ["bob", "bea"]


def test_merge_removes_unused_team(world: World) -> None:
    merge(world.rivals, world.bob)
    assert not Team.objects.filter(pk=world.team.pk).exists()


@pytest.mark.parametrize(("submitted", "name"), [("team", "Blobs"), ("rivals", "Carolingians")])
def test_merge_after_submission(world: World, submitted: str, name: str) -> None:
    team = getattr(world, submitted)
    add_submission(world, team, team.captain)
    assert teams.can_merge(world.rivals, world.bob) is None
    assert code_of(lambda: merge(world.rivals, world.bob)) == "teams-not-mergeable"
    assert world.team.memberships.count() == 2


@pytest.mark.parametrize(
    ("who", "code"),
    [("bea", "merge-not-captain"), ("carol", "already-in-team"), ("dave", "not-a-participant")],
)
def test_merge_not_allowed(world: World, who: str, code: str) -> None:
    assert teams.can_merge(world.rivals, getattr(world, who)) is None
    assert code_of(lambda: merge(world.rivals, getattr(world, who))) == code


def test_merge_by_invitation(world: World) -> None:
    _, code = invitations.invite(world.carol, team=world.rivals)
    assert teams.can_merge(world.rivals, world.bob) == world.team
    invitations.accept(code, world.bob, whole_team=True)
    assert own_team(world.challenge, world.bea) == world.rivals
    assert code_of(lambda: invitations.accept(code, world.dave)) == "invitation-invalid"


def test_pass_captain(world: World) -> None:
    assert teams.pass_captain(world.team, "bea", actor=world.bob).captain == world.bea
    assert code_of(lambda: teams.pass_captain(world.team, "carol", actor=world.bea)) == "team-member-unknown"
