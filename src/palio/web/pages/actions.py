"""A button was pressed: do it, say what became of it, go back to where it was."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from palio.core.errors import PalioError
from palio.web.http.refusals import RefusedError


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
    except RefusedError as error:
        return "", f"{error.message} {error.next_step}"
    except PalioError as error:
        return "", f"{error.failure.message} {error.failure.next_step}"
