"""What scorers and organizers do with one submission. Each is a button with a question before it."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Submission, User
from palio.web.pages.actions import doing
from palio.web.verbs import judge
from palio.web.verbs.baseline import set_baseline
from palio.web.verbs.rerun import rerun, rescore_one


@require_POST
def run_again(request: Request[Submission], submission: str) -> HttpResponse:
    return _doing(request, rerun, "It will be run again, through all stages.")


@require_POST
def score_again(request: Request[Submission], submission: str) -> HttpResponse:
    return _doing(request, rescore_one, "Its predictions will be scored again.")


@require_POST
def hide(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `hide` or `show`."""
    if request.POST.get("do") == "show":
        return _doing(request, judge.unhide, "It stands on the board again.")
    return _doing(request, judge.hide, "It is hidden from the board.")


@require_POST
def disqualify(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `disqualify`, with a `reason`, or `reinstate`."""
    if request.POST.get("do") == "reinstate":
        return _doing(request, judge.reinstate, "It is not disqualified any more.")
    reason = request.POST.get("reason", "")
    return _doing(
        request, lambda found, actor: judge.disqualify(found, actor, reason), "It is disqualified, and has no rank."
    )


@require_POST
def baseline(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `mark` or `unmark`."""
    marks = request.POST.get("do") != "unmark"
    said = "It is a baseline, and stands on the board by itself." if marks else "It counts for its team again."
    return _doing(request, lambda found, actor: set_baseline(found, actor, baseline=marks), said)


def _doing(request: Request[Submission], act: Callable[[Submission, User], object], said: str) -> HttpResponse:
    submission, actor = request.subject, signed_in(request)

    def do() -> str:
        act(submission, actor)
        return said

    return doing(request, reverse("pages:submission", args=[submission.pk]), do)


urls = [
    path("s/<str:submission>/rerun/", run_again, name="rerun-submission"),
    path("s/<str:submission>/rescore/", score_again, name="rescore-submission"),
    path("s/<str:submission>/hide/", hide, name="hide-submission"),
    path("s/<str:submission>/disqualify/", disqualify, name="disqualify-submission"),
    path("s/<str:submission>/baseline/", baseline, name="baseline-submission"),
]
