"""Re-scoring a phase: start, watch, compare the leaderboards, apply or discard."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Rescore
from palio.web.pages.actions import perform, redirect_after, show_error
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries.rescores import chosen_board, listed, progress, shown
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import rescore as verbs

_UNCHANGED = 204


def rescores(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    context = dashboard_context(
        request,
        "rescores",
        rescores=listed(found),
        phases=[(phase.name, _scored(found, phase.name)) for phase in current_bundle(found).phases],
    )
    return render(request, "dashboard/rescores.html", context)


@require_POST
def begin(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, made = request.subject, ""

    def act() -> str:
        nonlocal made
        made = verbs.begin(found, request.POST.get("phase", ""), signed_in(request)).pk
        return ""

    _, refused = perform(act)
    back = reverse("pages:dashboard-rescores", args=[found.slug])
    if refused:
        show_error(request, refused)
    return redirect(reverse("pages:rescore", args=[found.slug, made]) if made else back)


def rescore(request: Request[Rescore], challenge: str, rescore: str) -> HttpResponse:
    found = _rescore(request, challenge)
    context = {
        **_context(request, found),
        "progress": progress(found),
        **shown(found, chosen_board(found, request.GET.get("leaderboard"))),
    }
    return render(request, "dashboard/rescore.html", context)


def rescore_progress(request: Request[Rescore], challenge: str, rescore: str) -> HttpResponse:
    """Polled while the re-score runs; once it is finished, tells htmx to reload the page."""
    found = _rescore(request, challenge)
    now = progress(found)
    if found.state != Rescore.State.RUNNING:
        response = HttpResponse(status=200)
        response["HX-Refresh"] = "true"
        return response
    if request.GET.get("ended") == str(now.ended):
        return HttpResponse(status=_UNCHANGED)
    return render(request, "dashboard/rescore_progress.html", {**_context(request, found), "progress": now})


@require_POST
def apply(request: Request[Rescore], challenge: str, rescore: str) -> HttpResponse:
    found = _rescore(request, challenge)

    def act() -> str:
        verbs.apply(found, signed_in(request))
        return gettext("New scores applied.")

    return redirect_after(request, reverse("pages:rescore", args=[challenge, found.pk]), act)


@require_POST
def discard(request: Request[Rescore], challenge: str, rescore: str) -> HttpResponse:
    found = _rescore(request, challenge)

    def act() -> str:
        verbs.discard(found, signed_in(request))
        return gettext("New scores discarded. The leaderboard has not changed.")

    return redirect_after(request, reverse("pages:rescore", args=[challenge, found.pk]), act)


def _rescore(request: Request[Rescore], challenge: str) -> Rescore:
    found = request.subject
    if found.challenge.slug != challenge:
        raise Http404
    return found


def _context(request: Request[Rescore], found: Rescore) -> dict[str, object]:
    return {**dashboard_context(request, "rescores"), "challenge": found.challenge, "rescore": found}


def _scored(challenge: Challenge, phase: str) -> int:
    return challenge.submissions.filter(phase=phase, withdrawn=None).exclude(counted=None).count()


urls = [
    path("c/<slug:challenge>/manage/rescores/", rescores, name="dashboard-rescores"),
    path("c/<slug:challenge>/manage/rescores/begin/", begin, name="begin-rescore"),
    path("c/<slug:challenge>/manage/rescores/<str:rescore>/", rescore, name="rescore"),
    path("c/<slug:challenge>/manage/rescores/<str:rescore>/progress/", rescore_progress, name="rescore-progress"),
    path("c/<slug:challenge>/manage/rescores/<str:rescore>/apply/", apply, name="apply-rescore"),
    path("c/<slug:challenge>/manage/rescores/<str:rescore>/discard/", discard, name="discard-rescore"),
]
