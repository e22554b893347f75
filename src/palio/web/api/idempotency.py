"""Idempotent creation: with `Idempotency-Key`, a repeated request gets the first response again.

    @router.post("/things", ...)
    @decorate_view(once)
    def make_thing(request: HttpRequest, ...) -> ...

The key, the created rows and the response are written in one transaction, so an interrupted request leaves neither. A
refusal creates nothing, and its key can be used again. Keys are per user and stored for a day.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from palio.core.errors import PalioError
from palio.web.models import IdempotentAnswer, User

HEADER = "Idempotency-Key"
KEPT = timedelta(days=1)
_CHARACTERS = 100

View = Callable[..., HttpResponse]


def once(view: View) -> View:
    """For ninja's `decorate_view`. Has no effect without the header."""

    @wraps(view)
    def answered_once(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        key = request.headers.get(HEADER, "")
        if not key or not isinstance(request.user, User):
            return view(request, *arguments, **named)
        return _first_or_again(view, request, request.user, key, arguments, named)

    return answered_once


def remove_old_answers(now: datetime | None = None) -> int:
    """Delete responses older than a day; returns how many. Called by the controller."""
    return IdempotentAnswer.objects.filter(created__lt=(now or timezone.now()) - KEPT).delete()[0]


def _first_or_again(
    view: View, request: HttpRequest, user: User, key: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> HttpResponse:
    if len(key) > _CHARACTERS:
        raise PalioError("key-invalid", limit=_CHARACTERS)
    asked = hashlib.sha256(b"\0".join([(request.method or "").encode(), request.path.encode(), request.body]))
    with transaction.atomic():
        try:
            with transaction.atomic():  # a second request with this key waits here for the first
                row = IdempotentAnswer.objects.create(user=user, key=key, request_hash=asked.hexdigest())
        except IntegrityError:
            row = IdempotentAnswer.objects.get(user=user, key=key)
            return _again(row, asked.hexdigest())
        answer = view(request, *arguments, **named)
        if not 200 <= answer.status_code < 300:
            transaction.set_rollback(True)
            return answer
        row.status, row.body = answer.status_code, json.loads(answer.content or b"null")
        row.save(update_fields=["status", "body"])
    return answer


def _again(row: IdempotentAnswer, asked: str) -> HttpResponse:
    if row.request_hash != asked:
        raise PalioError("key-reused")
    if row.status is None:  # not written here, where key and response are written together
        raise PalioError("request-in-progress")
    return _response(row.body, row.status)


def _response(content: object, status: int) -> HttpResponse:
    return HttpResponse(json.dumps(content), content_type="application/json; charset=utf-8", status=status)
