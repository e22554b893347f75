"""Actions triggered by a button: run one, show its message, redirect."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from palio.core.errors import Failure, PalioError


def redirect_after(request: HttpRequest, back: str, act: Callable[[], str]) -> HttpResponse:
    """Run `act` and show the sentence it returns, or its error with the next step; then redirect to `back`."""
    said, refused = perform(act)
    if refused:
        messages.error(request, refused)
    elif said:
        messages.success(request, said)
    return redirect(back)


def perform(act: Callable[[], str]) -> tuple[str, str]:
    """The message of an action, and its error; one of them is empty."""
    try:
        return act(), ""
    except PalioError as error:
        return "", one_line(error.failure)


def one_line(failure: Failure) -> str:
    return f"{failure.message} {failure.next_step}"
