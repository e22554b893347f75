"""Who helps with a challenge."""

import pytest
from tests.errors import code_of
from tests.web.world import World

from palio.web.models import Event, Role
from palio.web.verbs import roles


def test_grant_replaces_role(world: World) -> None:
    roles.grant(world.challenge, "Dave", "viewer", actor=world.alice)
    role = roles.grant(world.challenge, "dave", "scorer", actor=world.alice)
    assert [given.kind for given in Role.objects.filter(user=world.dave)] == ["scorer"]
    assert (role.granted_by, Event.objects.count()) == (world.alice, 2)


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("nobody", "viewer", "account-unknown"),
        ("dave", "king", "value-unknown"),
        ("alice", "viewer", "last-organizer"),
    ],
)
def test_grant_refused(world: World, name: str, kind: str, code: str) -> None:
    assert code_of(lambda: roles.grant(world.challenge, name, kind, actor=world.alice)) == code


def test_revoke_last_organizer(world: World) -> None:
    roles.revoke(world.challenge, "sam", actor=world.alice)
    assert not Role.objects.filter(user=world.sam).exists()
    assert code_of(lambda: roles.revoke(world.challenge, "sam", actor=world.alice)) == "role-missing"
    assert code_of(lambda: roles.revoke(world.challenge, "alice", actor=world.alice)) == "last-organizer"
