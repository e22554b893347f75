"""The organizer dashboard: overview, queue and disk usage."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from palio.web.access.rules import ORGANIZER, SCORER
from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.pages.activity import scores_drawn, submissions_drawn
from palio.web.queries import dashboard, disk, queue, sample_repeats, similarity
from palio.web.queries.activity import activity
from palio.web.storage.bundles import current_bundle


def dashboard_context(request: Request[Any], tab: str, **more: Any) -> dict[str, Any]:
    """The context that every page of the dashboard needs."""
    held = request.relations
    return {
        "challenge": request.subject,
        "dashboard_tab": tab,
        "may_score": bool(SCORER & held),
        "may_organize": bool(ORGANIZER & held),
        **more,
    }


def overview(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    active = activity(found, request.GET.get("phase", "").replace("\0", ""))
    context = dashboard_context(
        request,
        "overview",
        numbers=dashboard.numbers(found),
        activity=active,
        activity_query=urlencode({"phase": active.scores.phase}),
        submissions_drawn=submissions_drawn(active),
        scores_drawn=scores_drawn(active),
        phases=current_bundle(found).phases,
        failing=dashboard.failing(found),
        similar=similarity.similar(found),
        not_deterministic=sample_repeats.not_deterministic(found),
        queue=queue.queue(found),
        latest=found.submissions.order_by("-created").values_list("created", flat=True).first(),
    )
    return render(request, "dashboard/overview.html", context)


def queue_part(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The queue, which the overview reloads."""
    return render(
        request, "dashboard/queue.html", dashboard_context(request, "overview", queue=queue.queue(request.subject))
    )


def disk_part(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Disk usage, loaded after the page because measuring takes a while."""
    return render(
        request, "dashboard/disk.html", dashboard_context(request, "overview", disk=disk.disk(), minutes=disk.MINUTES)
    )


urls = [
    path("c/<slug:challenge>/manage/", overview, name="dashboard"),
    path("c/<slug:challenge>/manage/queue/", queue_part, name="dashboard-queue"),
    path("c/<slug:challenge>/manage/disk/", disk_part, name="dashboard-disk"),
]
