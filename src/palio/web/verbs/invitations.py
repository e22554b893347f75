"""Invitation links that admit one person once: to the platform, a challenge or a team. Only hashes are stored."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.models import Challenge, Invitation, Team, User
from palio.web.verbs import events, joining, teams

LASTS = timedelta(days=14)
MOST_OPEN = 200  # per user at a time


def invite(
    actor: User, *, challenge: Challenge | None = None, team: Team | None = None, note: str = ""
) -> tuple[Invitation, str]:
    """Create an invitation; return it with the code for its link, which is never shown again."""
    now, code = timezone.now(), secrets.token_urlsafe(24)
    with transaction.atomic():
        if Invitation.objects.filter(created_by=actor, used=None, revoked=None, expires__gt=now).count() >= MOST_OPEN:
            raise PalioError("invitations-too-many", limit=MOST_OPEN)
        invitation = Invitation.objects.create(
            code_hash=_hashed(code),
            challenge=team.challenge if team else challenge,
            team=team,
            note=note.replace("\0", "").strip()[:200],  # PostgreSQL cannot store NUL
            created_by=actor,
            expires=now + LASTS,
        )
        events.record(
            "invitation.made",
            actor=actor,
            challenge=invitation.challenge,
            invitation=invitation.id,
            note=invitation.note,
            team=team.id if team else "",
        )
    return invitation, code


def find_invitation(code: str, user: User | None) -> Invitation:
    """The invitation that this code opens for `user`. Raises PalioError if it is invalid."""
    invitation = (
        Invitation.objects.select_related("challenge__current", "team", "created_by", "used_by")
        .filter(code_hash=_hashed(code))
        .first()
    )
    if invitation is None or not is_open(invitation, user):
        raise PalioError("invitation-invalid")
    return invitation


def is_open(invitation: Invitation, user: User | None) -> bool:
    """Whether it is still valid; after somebody created an account with it, only for them."""
    reserved = invitation.used_by is not None and invitation.used_by != user
    return not (invitation.used or invitation.revoked or reserved) and invitation.expires > timezone.now()


def open_invitations(of: Q) -> list[Invitation]:
    now = timezone.now()
    return list(
        Invitation.objects.filter(of, used=None, revoked=None, expires__gt=now)
        .select_related("created_by", "used_by")
        .order_by("-created")
    )


def take_for_account(invitation_id: str, user: User) -> bool:
    """Record the account created with an invitation. False if it is no longer valid."""
    invitation = Invitation.objects.select_for_update().filter(pk=invitation_id).first()
    if invitation is None or not is_open(invitation, user):
        return False
    invitation.used_by = user
    if invitation.challenge is None:  # it has served its purpose
        invitation.used = timezone.now()
    invitation.save(update_fields=["used_by", "used"])
    events.record("invitation.followed", actor=user, challenge=invitation.challenge, invitation=invitation.id)
    return True


def accept(code: str, user: User, *, terms_digest: str = "", whole_team: bool = False) -> Invitation:
    """Join the challenge or the team of the invitation; with `whole_team`, bring along the user's team."""
    with transaction.atomic():
        found = find_invitation(code, user)
        invitation = Invitation.objects.select_for_update().get(pk=found.pk)
        if not is_open(invitation, user):
            return find_invitation(code, user)  # raises, because another browser was faster
        if invitation.team is not None:
            (teams.merge_into if whole_team else teams.join_team)(invitation.team, user)
        elif invitation.challenge is not None:
            joining.join(invitation.challenge, user, terms_digest=terms_digest, invited=True)
        else:
            raise PalioError("invitation-for-account")
        invitation.used_by, invitation.used = user, timezone.now()
        invitation.save(update_fields=["used_by", "used"])
        events.record("invitation.used", actor=user, challenge=invitation.challenge, invitation=invitation.id)
    return invitation


def take_back(invitation: Invitation, *, actor: User) -> None:
    with transaction.atomic():
        changed = Invitation.objects.filter(pk=invitation.pk, used=None, revoked=None).update(revoked=timezone.now())
        if changed:
            events.record(
                "invitation.taken-back", actor=actor, challenge=invitation.challenge, invitation=invitation.id
            )


def _hashed(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
