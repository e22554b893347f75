"""What several people do at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection
from tests.bundles import YAML, write_bundle
from tests.web.verbs.test_joining import join
from tests.web.world import World, make_world

from palio.core.errors import PalioError
from palio.web.models import Challenge, Membership, Role, Team, User
from palio.web.verbs import invitations, roles, teams
from palio.web.verbs.publish import publish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None, small_bundle: Path) -> World:
    return make_world(small_bundle)


def at_once(*calls: Callable[[], object]) -> list[str]:
    """What becomes of each: "done", or the code of its refusal."""
    together = Barrier(len(calls))

    def run(call: Callable[[], object]) -> str:
        try:
            together.wait()
            call()
        except PalioError as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(run, calls))


def test_invitation_used_concurrently(world: World) -> None:
    people = [User.objects.create_user(f"p{number}") for number in range(4)]
    for person in people:
        join(world, person)
    _, code = invitations.invite(world.bob, team=world.team)
    outcome = at_once(*(lambda person=person: invitations.accept(code, person) for person in people))
    assert outcome == ["done", *["invitation-invalid"] * 3]
    assert world.team.memberships.count() == 3


def test_join_concurrent(world: World) -> None:
    outcome = at_once(*(lambda: join(world, world.dave) for _ in range(4)))
    assert outcome == [*["already-joined"] * 3, "done"]
    assert Membership.objects.filter(user=world.dave).count() == 1


def test_team_name_taken_concurrently(world: World) -> None:
    outcome = at_once(
        lambda: teams.rename(world.team, "Dots", actor=world.bob),
        lambda: teams.rename(world.rivals, "dots", actor=world.carol),
    )
    assert outcome == ["done", "team-name-taken"]
    assert Team.objects.filter(name__iexact="dots").count() == 1


def test_last_organizer_removed_concurrently(world: World) -> None:
    roles.grant(world.challenge, "dave", "organizer", actor=world.alice)
    outcome = at_once(
        lambda: roles.revoke(world.challenge, "alice", actor=world.dave),
        lambda: roles.revoke(world.challenge, "dave", actor=world.alice),
    )
    assert outcome == ["done", "last-organizer"]
    assert Role.objects.filter(challenge=world.challenge, kind="organizer").count() == 1


def test_slug_taken_concurrently(world: World, small_bundle: Path) -> None:
    outcome = at_once(lambda: publish(small_bundle, actor=world.olga), lambda: publish(small_bundle, actor=world.alice))
    assert outcome == ["done", "slug-taken"]
    assert Challenge.objects.get(slug="vowels").versions.count() == 1


def test_versions_published_concurrently(world: World, tmp_path: Path) -> None:
    folders = [
        write_bundle(tmp_path / str(precision), yaml=YAML.replace("precision: 3", f"precision: {precision}"))
        for precision in (1, 2, 4)
    ]
    outcome = at_once(*(lambda folder=folder: publish(folder, actor=world.alice, slug="mednist") for folder in folders))
    assert outcome == ["done"] * 3
    assert list(world.challenge.versions.values_list("number", flat=True)) == [1, 2, 3, 4]
