"""API tokens, with which programs act on behalf of a user."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.access.tokens import SCOPES, hashed, new_secret
from palio.web.models import ApiToken, User
from palio.web.verbs import events

NAME_CHARACTERS = 80
MOST_VALID = 50  # per user
LONGEST_DAYS = 366


def make_token(user: User, name: str, scopes: Iterable[str], *, days: int | None) -> tuple[ApiToken, str]:
    """Create a token; return it with its secret, which is never shown again. `days` None: no expiration."""
    name, wanted = " ".join(name.split()), [scope for scope in SCOPES if scope in set(scopes)]
    unknown = sorted(set(scopes) - set(SCOPES))
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise PalioError("token-name-invalid", limit=NAME_CHARACTERS)
    scopes_text = ", ".join(f"`{scope}`" for scope in SCOPES)
    if unknown:
        raise PalioError("token-scope-unknown", scope=unknown[0], scopes=scopes_text)
    if not wanted:
        raise PalioError("token-without-scope", scopes=scopes_text)
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise PalioError("token-days-invalid", days=days, limit=LONGEST_DAYS)
    with transaction.atomic():
        if valid_tokens(user).count() >= MOST_VALID:
            raise PalioError("tokens-too-many", limit=MOST_VALID)
        secret, now = new_secret(), timezone.now()
        token = ApiToken.objects.create(
            user=user,
            name=name,
            scopes=wanted,
            secret_hash=hashed(secret),
            expires=now + timedelta(days=days) if days is not None else None,
        )
        events.record("token.made", actor=user, token=token.id, name=name, scopes=wanted)
    return token, secret


def revoke_token(token: ApiToken, *, actor: User) -> None:
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked=None).update(revoked=timezone.now()):
            events.record("token.revoked", actor=actor, token=token.id, name=token.name)


def valid_tokens(user: User) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(Q(expires=None) | Q(expires__gt=timezone.now()), user=user, revoked=None)
