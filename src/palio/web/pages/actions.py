"""A button was pressed: do it, say what became of it, go back to where it was."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from palio.core.errors import Failure, PalioError
from palio.web.models import User


def signed_in(request: HttpRequest) -> User:
    """Who asks, on pages that the access table keeps for those who have signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def doing(request: HttpRequest, back: str, act: Callable[[], str]) -> HttpResponse:
    """`act` does it and says so in a sentence; what it refuses is shown with its next step."""
    said, refused = trying(act)
    if refused:
        messages.error(request, refused)
    elif said:
        messages.success(request, said)
    return redirect(back)


def trying(act: Callable[[], str]) -> tuple[str, str]:
    """What was done, or why it was not; one of them is empty."""
    try:
        return act(), ""
    except PalioError as error:
        return "", one_line(error.failure)


def one_line(failure: Failure) -> str:
    return f"{failure.message} {failure.next_step}"
