"""Links that let in once."""

from datetime import timedelta

import pytest
from django.db.models import Q
from django.utils import timezone
from tests.errors import code_of
from tests.web.verbs.test_joining import TERMS, join
from tests.web.world import World

from palio.web.access.relations import own_team
from palio.web.models import Challenge, Invitation, Registration
from palio.web.verbs import invitations
from palio.web.verbs.joining import decide


def test_accept_team_invitation_once(world: World) -> None:
    join(world, world.dave)
    _, code = invitations.invite(world.bob, team=world.team)
    invitations.accept(code, world.dave)
    assert own_team(world.challenge, world.dave) == world.team
    assert code_of(lambda: invitations.accept(code, world.carol)) == "invitation-invalid"


def test_accept_team_invitation_not_joined(world: World) -> None:
    _, code = invitations.invite(world.bob, team=world.team)
    assert code_of(lambda: invitations.accept(code, world.dave)) == "not-a-participant"
    join(world, world.dave)
    invitations.accept(code, world.dave)
    assert own_team(world.challenge, world.dave) == world.team


def test_accept_challenge_invitation(world: World) -> None:
    Challenge.objects.update(joining="invitation")
    _, code = invitations.invite(world.alice, challenge=Challenge.objects.get(slug="mednist"))
    assert code_of(lambda: invitations.accept(code, world.dave)) == "terms-not-accepted"
    invitations.accept(code, world.dave, terms_digest=TERMS)
    assert Registration.objects.get(user=world.dave).state == "approved"


def test_accept_challenge_invitation_after_refusal(world: World) -> None:
    registration = Registration.objects.get(challenge=world.challenge, user=world.carol)
    decide(registration, approve=False, actor=world.alice)
    _, code = invitations.invite(world.alice, challenge=world.challenge)
    invitations.accept(code, world.carol, terms_digest=TERMS)
    registration.refresh_from_db()
    assert registration.state == "approved"


def test_invitation_code_hashed(world: World) -> None:
    invitation, code = invitations.invite(world.ada)
    row = Invitation.objects.values().get(pk=invitation.pk)
    assert all(code not in str(value) for value in row.values())


@pytest.mark.parametrize("how", ["unknown", "expired", "taken back"])
def test_find_invitation_expired(world: World, how: str) -> None:
    invitation, code = invitations.invite(world.ada)
    match how:
        case "unknown":
            code = "x"
        case "expired":
            Invitation.objects.update(expires=timezone.now() - timedelta(seconds=1))
        case "taken back":
            invitations.take_back(invitation, actor=world.ada)
    assert code_of(lambda: invitations.find_invitation(code, None)) == "invitation-invalid"
    assert how == "unknown" or invitations.open_invitations(Q()) == []


def test_take_for_account_once(world: World) -> None:
    invitation, code = invitations.invite(world.ada)
    assert invitations.take_for_account(invitation.id, world.dave)
    assert not invitations.take_for_account(invitation.id, world.carol)
    assert code_of(lambda: invitations.find_invitation(code, world.carol)) == "invitation-invalid"


def test_take_for_account_keeps_challenge_link(world: World) -> None:
    invitation, code = invitations.invite(world.alice, challenge=world.challenge)
    assert invitations.take_for_account(invitation.id, world.dave)
    assert code_of(lambda: invitations.accept(code, world.olga, terms_digest=TERMS)) == "invitation-invalid"
    invitations.accept(code, world.dave, terms_digest=TERMS)
    assert Registration.objects.get(user=world.dave).state == "approved"
