"""Actions triggered by a button: run one, show its message, redirect."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from palio.core.errors import PalioError


def redirect_after(request: HttpRequest, back: str, act: Callable[[], str]) -> HttpResponse:
    """Run `act` and show the sentence it returns, or its error with the next step; then redirect to `back`."""
    said, refused = perform(act)
    if refused:
        show_error(request, refused)
    elif said:
        messages.success(request, said)
    return redirect(back)


def perform(act: Callable[[], str]) -> tuple[str, PalioError | None]:
    """The message of an action, or its error."""
    try:
        return act(), None
    except PalioError as error:
        return "", error


def show_error(request: HttpRequest, error: PalioError) -> None:
    """On the page that follows, in one line."""
    messages.error(request, f"{error.failure.message} {error.failure.next_step}")
