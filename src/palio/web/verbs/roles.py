"""Roles in a challenge: organizer, scorer, viewer."""

from django.db import transaction

from palio.web.http.refusals import RefusedError
from palio.web.models import Challenge, Role, RoleKind, User
from palio.web.verbs import events

SAYS = {
    RoleKind.ORGANIZER: "can do everything in this challenge",
    RoleKind.SCORER: "can see, re-run and re-score submissions",
    RoleKind.VIEWER: "can see what an organizer sees, but change nothing",
}


def grant(challenge: Challenge, username: str, kind: str, *, actor: User) -> Role:
    """Give a user a role, replacing the one they have."""
    if kind not in RoleKind.values:
        allowed = ", ".join(f"`{value}`" for value in RoleKind.values)
        raise RefusedError("value-unknown", f"`{kind}` is not one of {allowed}.", "Choose one of these.", status=422)
    username = username.replace("\0", "").strip()  # PostgreSQL cannot search for NUL
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        user = User.objects.filter(username__iexact=username, is_active=True).first()
        if user is None:
            raise RefusedError(
                "person-unknown",
                f"Nobody here is called “{username}”.",
                "Check the name; whoever has no account yet makes one first.",
                status=422,
            )
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
            raise RefusedError("role-missing", f"“{username}” has no role here.", "There is nothing to do.", status=404)
        if role.kind == RoleKind.ORGANIZER:
            _refuse_last(role)
        role.delete()
        events.record("role.revoked", actor=actor, challenge=challenge, user=username, role=role.kind)


def _refuse_last(role: Role) -> None:
    others = Role.objects.filter(challenge=role.challenge, kind=RoleKind.ORGANIZER).exclude(pk=role.pk)
    if not others.exists():
        raise RefusedError(
            "last-organizer",
            f"{role.user.username} is the only organizer, and a challenge without one could not be looked after.",
            "Make somebody else an organizer first.",
        )
