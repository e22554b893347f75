"""Authentication with API tokens: `Authorization: Bearer …`."""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from django.db import OperationalError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_noop

from palio.core.errors import PalioError
from palio.web.http.errors import error_json
from palio.web.http.request import Request
from palio.web.models import ApiToken

PREFIX = "palio_"
SCOPES = {
    "read": gettext_noop("read everything that you can see"),
    "submit": gettext_noop("submit, cancel and withdraw"),
    "organize": gettext_noop("manage challenges; for operators, also invite people and manage accounts"),
}
_SEEN_EVERY = timedelta(minutes=1)  # resolution of `last_used`


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """A fast hash is enough: the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


class TokenMiddleware:
    """Authenticates a request by its token. Such a request needs no CSRF check and has no session."""

    def __init__(self, get_response: Callable[[Request[object]], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: Request[object]) -> HttpResponse:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        request.token = None
        if not secret:
            return self._get_response(request)
        token = find_token(secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            return error_json(PalioError("token-refused"))
        request.user, request.token = token.user, token
        return self._get_response(request)


def find_token(secret: str) -> ApiToken | None:
    """The valid token with this secret, or None; updates `last_used`."""
    now = timezone.now()
    token = ApiToken.objects.select_related("user").filter(secret_hash=hashed(secret), revoked=None).first()
    if token is None or not token.user.is_active or (token.expires and token.expires <= now):
        return None
    if token.last_used is None or now - token.last_used > _SEEN_EVERY:
        with suppress(OperationalError):  # a busy or full database must not prevent reading
            ApiToken.objects.filter(pk=token.pk).update(last_used=now)
    return token
