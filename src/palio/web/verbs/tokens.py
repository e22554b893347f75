"""API tokens, with which programs act on behalf of a user."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from palio.web.access.tokens import SCOPES, hashed, new_secret
from palio.web.http.refusals import RefusedError
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
        raise _invalid("A token needs a name.", "Name what it is for, such as the computer that it will be on.")
    if unknown or not wanted:
        said = f"There is no scope `{unknown[0]}`." if unknown else "The token could do nothing."
        raise _invalid(said, f"Choose of {', '.join(f'`{scope}`' for scope in SCOPES)}.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise _invalid(f"A token cannot be valid for {days} days.", f"Choose 1 to {LONGEST_DAYS} days, or no end.")
    with transaction.atomic():
        if valid_tokens(user).count() >= MOST_VALID:
            raise RefusedError("tokens-many", f"You have {MOST_VALID} tokens.", "Revoke one first.", status=429)
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


def _invalid(message: str, next_step: str) -> RefusedError:
    return RefusedError("token-invalid", message, next_step, status=422)
