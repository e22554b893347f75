"""Roles in a challenge: organizer, scorer, viewer."""

from django.db import transaction
from django.utils.translation import gettext_noop

from palio.core.errors import PalioError
from palio.web.models import Challenge, Role, RoleKind, User
from palio.web.verbs import events

SAYS = {
    RoleKind.ORGANIZER: gettext_noop("can do everything in this challenge"),
    RoleKind.SCORER: gettext_noop("can see, re-run and re-score submissions"),
    RoleKind.VIEWER: gettext_noop("can see what an organizer sees, but change nothing"),
}


def grant(challenge: Challenge, username: str, kind: str, *, actor: User) -> Role:
    """Give a user a role, replacing the one they have."""
    if kind not in RoleKind.values:
        allowed = ", ".join(f"`{value}`" for value in RoleKind.values)
        raise PalioError("value-unknown", value=kind, allowed=allowed)
    username = username.replace("\0", "").strip()  # PostgreSQL cannot search for NUL
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        user = User.objects.filter(username__iexact=username, is_active=True).first()
        if user is None:
            raise PalioError("account-unknown", user=username)
        role = Role.objects.filter(challenge=challenge, user=user).first() or Role(challenge=challenge, user=user)
        if role.kind == RoleKind.ORGANIZER and kind != RoleKind.ORGANIZER:
            _refuse_last(role)
        role.kind, role.granted_by = kind, actor
        role.save()
        events.record("role.granted", actor=actor, challenge=challenge, user=user.username, role=kind)
    return role


def revoke(challenge: Challenge, username: str, *, actor: User) -> None:
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        role = (
            Role.objects.select_related("user")
            .filter(challenge=challenge, user__username=username.replace("\0", ""))
            .first()
        )
        if role is None:
            raise PalioError("role-missing", user=username)
        if role.kind == RoleKind.ORGANIZER:
            _refuse_last(role)
        role.delete()
        events.record("role.revoked", actor=actor, challenge=challenge, user=username, role=role.kind)


def _refuse_last(role: Role) -> None:
    others = Role.objects.filter(challenge=role.challenge, kind=RoleKind.ORGANIZER).exclude(pk=role.pk)
    if not others.exists():
        raise PalioError("last-organizer", user=role.user.username)
