"""The organizer's desk: how the challenge stands, and all of its submissions."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from palio.core.errors import FAILURES, TURNS, Cause, counted
from palio.web.access.rules import ORGANIZER, SCORER
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge
from palio.web.queries import dashboard, disk, queue, submissions
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.bulk import several
from palio.web.verbs.rerun import rerun, rescore_one

_ON_A_PAGE = 50
_REFUSALS_SAID = 3


def at_desk(request: Request[Any], tab: str, **more: Any) -> dict[str, Any]:
    """What every page of the desk is given."""
    held = request.relations
    return {
        "challenge": request.subject,
        "desk_tab": tab,
        "may_score": bool(SCORER & held),
        "may_organize": bool(ORGANIZER & held),
        **more,
    }


def desk(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    context = at_desk(
        request,
        "overview",
        numbers=dashboard.numbers(found),
        failing=dashboard.failing(found),
        queue=queue.queue(found),
        latest=found.submissions.order_by("-created").values_list("created", flat=True).first(),
    )
    return render(request, "dashboard/overview.html", context)


def desk_queue(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The part of the overview that looks again by itself."""
    return render(request, "dashboard/queue.html", at_desk(request, "overview", queue=queue.queue(request.subject)))


def desk_disk(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Asked for once the rest is there, as looking takes a while."""
    return render(request, "dashboard/disk.html", at_desk(request, "overview", disk=disk.disk(), minutes=disk.MINUTES))


def desk_submissions(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    bundle = current_bundle(found)
    primary = bundle.leaderboard.primary
    wanted = submissions.Wanted.of(request.GET.dict())
    page = Paginator(submissions.find(found, wanted, primary.key), _ON_A_PAGE).get_page(request.GET.get("page"))
    codes = submissions.latest_attempts(found).exclude(failure_code="").order_by("failure_code")
    context = at_desk(
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
        causes=[(cause.value, TURNS[cause]) for cause in Cause if cause is not Cause.USAGE],
        codes=[code for code in codes.values_list("failure_code", flat=True).distinct() if code in FAILURES],
        kinds=submissions.KINDS,
        standings=list(submissions.STANDINGS),
    )
    return render(request, "dashboard/submissions.html", context)


@require_POST
def desk_rerun(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Several at once: `do` is `rerun` or `rescore`, `submission` their ids; each that cannot be says why."""
    found, actor = request.subject, signed_in(request)
    chosen = found.submissions.filter(pk__in=request.POST.getlist("submission")).order_by("created")
    act = rescore_one if request.POST.get("do") == "rescore" else rerun
    result = several(
        chosen.select_related("challenge", "file"), lambda each: act(each, actor), lambda each: each.file.name
    )
    if result.done:
        again = "scored again" if act is rescore_one else "run again"
        messages.success(request, f"{counted(result.done, 'submission')} will be {again}.")
    for refused in result.refused[:_REFUSALS_SAID]:
        messages.error(request, f"{refused.name}: {refused.message}")
    if (more := len(result.refused) - _REFUSALS_SAID) > 0:
        messages.error(request, f"{counted(more, 'more was', 'more were')} refused.")
    if not result.done and not result.refused:
        messages.warning(request, "No submission was chosen. Tick some, then press the button.")
    query = submissions.Wanted.of(request.POST.dict()).query()
    return redirect(f"{reverse('pages:dashboard-submissions', args=[found.slug])}?{query}")


def _score(attempt: Any, key: str, precision: int) -> str:
    scores = attempt.submission.counted.scores if attempt.submission.counted else None
    return f"{scores[key]:.{precision}f}" if scores and key in scores else "–"


def _heads(primary: str, *, descending: bool) -> list[tuple[str, str, bool, bool]]:
    """Title, what it sorts by, whether the largest come first, whether it is a number."""
    return [
        ("File", "file", False, False),
        ("Team", "team", False, False),
        ("Phase", "phase", False, False),
        ("State", "state", False, False),
        (f"{primary} {'↑' if descending else '↓'}", submissions.SCORE, descending, True),
        ("Handed in", "created", True, False),
    ]


def _head(wanted: submissions.Wanted, title: str, key: str, falling: bool, number: bool) -> dict[str, object]:
    first, other = (f"-{key}", key) if falling else (key, f"-{key}")
    order = ""
    if wanted.sort.removeprefix("-") == key:
        order = "descending" if wanted.sort.startswith("-") else "ascending"
    query = wanted.query(sort=other if wanted.sort == first else first)
    return {"title": title, "query": query, "order": order, "number": number}


urls = [
    path("c/<slug:challenge>/manage/", desk, name="dashboard"),
    path("c/<slug:challenge>/manage/queue/", desk_queue, name="dashboard-queue"),
    path("c/<slug:challenge>/manage/disk/", desk_disk, name="dashboard-disk"),
    path("c/<slug:challenge>/manage/submissions/", desk_submissions, name="dashboard-submissions"),
    path("c/<slug:challenge>/manage/submissions/again/", desk_rerun, name="dashboard-rerun"),
]
