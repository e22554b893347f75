"""All submissions of a challenge, and the actions of scorers and organizers on them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from palio.core.errors import FAILURES, Cause, party
from palio.web.http.request import Request, signed_in
from palio.web.language.numbers import number
from palio.web.models import Challenge, Submission, User
from palio.web.pages.actions import redirect_after
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries import dashboard_submissions as submissions
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import judge
from palio.web.verbs.baseline import set_baseline
from palio.web.verbs.bulk import several
from palio.web.verbs.rerun import rerun, rescore_one

_ON_A_PAGE = 50
_REFUSALS_SAID = 3


def list_submissions(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    bundle = current_bundle(found)
    primary = bundle.leaderboard.primary
    wanted = submissions.SubmissionFilter.of(request.GET.dict())
    page = Paginator(submissions.find(found, wanted, primary.key), _ON_A_PAGE).get_page(request.GET.get("page"))
    codes = submissions.latest_attempts(found).exclude(failure_code="").order_by("failure_code")
    context = dashboard_context(
        request,
        "submissions",
        wanted=wanted,
        page=page,
        query=wanted.query(),
        heads=[_head(wanted, *head) for head in _heads(primary.title, descending=primary.descending)],
        rows=[(attempt, _score(attempt, primary.key, primary.precision)) for attempt in page],
        phases=[phase.name for phase in bundle.phases],
        teams=found.teams.filter(submissions__isnull=False).distinct().order_by("name"),
        states=submissions.STATES,
        causes=[(cause.value, party(cause)) for cause in Cause if cause is not Cause.USAGE],
        codes=[code for code in codes.values_list("failure_code", flat=True).distinct() if code in FAILURES],
        kinds=submissions.KINDS,
        standings=list(submissions.STANDINGS),
    )
    return render(request, "dashboard/submissions.html", context)


@require_POST
def rerun_several(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Re-run or re-score the selected submissions; report the refusals. `do` is `rerun` or `rescore`."""
    found, actor = request.subject, signed_in(request)
    chosen = found.submissions.filter(pk__in=request.POST.getlist("submission")).order_by("created")
    act = rescore_one if request.POST.get("do") == "rescore" else rerun
    result = several(
        chosen.select_related("challenge", "file"), lambda each: act(each, actor), lambda each: each.file.name
    )
    if result.done:
        rescored = ngettext(
            "%(count)s submission will be re-scored.", "%(count)s submissions will be re-scored.", result.done
        )
        rerun_all = ngettext(
            "%(count)s submission will be re-run.", "%(count)s submissions will be re-run.", result.done
        )
        messages.success(request, (rescored if act is rescore_one else rerun_all) % {"count": number(result.done, ",")})
    for refused in result.refused[:_REFUSALS_SAID]:
        messages.error(request, f"{refused.name}: {refused.message}")
    if (more := len(result.refused) - _REFUSALS_SAID) > 0:
        said = ngettext("%(count)s more was refused.", "%(count)s more were refused.", more)
        messages.error(request, said % {"count": number(more, ",")})
    if not result.done and not result.refused:
        messages.warning(request, gettext("No submissions selected. Select some, then choose an action."))
    query = submissions.SubmissionFilter.of(request.POST.dict()).query()
    return redirect(f"{reverse('pages:dashboard-submissions', args=[found.slug])}?{query}")


def _score(attempt: Any, key: str, precision: int) -> str:
    scores = attempt.submission.counted.scores if attempt.submission.counted else None
    return number(scores[key], f".{precision}f") if scores and key in scores else "–"


def _heads(primary: str, *, descending: bool) -> list[tuple[str, str, bool, bool]]:
    """Per column: title, sort key, whether the largest come first, whether it is a number."""
    return [
        (gettext("File"), "file", False, False),
        (gettext("Team"), "team", False, False),
        (gettext("Phase"), "phase", False, False),
        (gettext("State"), "state", False, False),
        (f"{primary} {'↑' if descending else '↓'}", submissions.SCORE, descending, True),
        (gettext("Submitted"), "created", True, False),
    ]


def _head(wanted: submissions.SubmissionFilter, title: str, key: str, falling: bool, number: bool) -> dict[str, object]:
    first, other = (f"-{key}", key) if falling else (key, f"-{key}")
    order = ""
    if wanted.sort.removeprefix("-") == key:
        order = "descending" if wanted.sort.startswith("-") else "ascending"
    query = wanted.query(sort=other if wanted.sort == first else first)
    return {"title": title, "query": query, "order": order, "number": number}


@require_POST
def run_again(request: Request[Submission], submission: str) -> HttpResponse:
    return _perform(request, rerun, gettext("The submission will be re-run."))


@require_POST
def score_again(request: Request[Submission], submission: str) -> HttpResponse:
    return _perform(request, rescore_one, gettext("The submission will be re-scored."))


@require_POST
def hide(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `hide` or `show`."""
    if request.POST.get("do") == "show":
        return _perform(request, judge.unhide, gettext("The submission is shown on the leaderboard again."))
    return _perform(request, judge.hide, gettext("The submission is hidden from the leaderboard."))


@require_POST
def disqualify(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `disqualify`, with a `reason`, or `reinstate`."""
    if request.POST.get("do") == "reinstate":
        return _perform(request, judge.reinstate, gettext("The submission is no longer disqualified."))
    reason = request.POST.get("reason", "")
    return _perform(
        request,
        lambda found, actor: judge.disqualify(found, actor, reason),
        gettext("The submission is disqualified and has no rank."),
    )


@require_POST
def baseline(request: Request[Submission], submission: str) -> HttpResponse:
    """`do` is `mark` or `unmark`."""
    marks = request.POST.get("do") != "unmark"
    said = (
        gettext("The submission is now a baseline.") if marks else gettext("The submission counts for its team again.")
    )
    return _perform(request, lambda found, actor: set_baseline(found, actor, baseline=marks), said)


def _perform(request: Request[Submission], act: Callable[[Submission, User], object], said: str) -> HttpResponse:
    submission, actor = request.subject, signed_in(request)

    def do() -> str:
        act(submission, actor)
        return said

    return redirect_after(request, reverse("pages:submission", args=[submission.pk]), do)


urls = [
    path("c/<slug:challenge>/manage/submissions/", list_submissions, name="dashboard-submissions"),
    path("c/<slug:challenge>/manage/submissions/again/", rerun_several, name="dashboard-rerun"),
    path("s/<str:submission>/rerun/", run_again, name="rerun-submission"),
    path("s/<str:submission>/rescore/", score_again, name="rescore-submission"),
    path("s/<str:submission>/hide/", hide, name="hide-submission"),
    path("s/<str:submission>/disqualify/", disqualify, name="disqualify-submission"),
    path("s/<str:submission>/baseline/", baseline, name="baseline-submission"),
]
