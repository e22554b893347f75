"""Posting, editing and deleting announcements."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.core.errors import PalioError
from palio.web.http.request import Request, signed_in
from palio.web.models import Announcement, Challenge
from palio.web.pages.actions import perform, redirect_after
from palio.web.pages.dashboard import dashboard_context
from palio.web.reading.typed_markdown import shown_texts
from palio.web.verbs import announcements as announcing


def announcements(request: Request[Challenge], challenge: str) -> HttpResponse:
    return _listed(request)


@require_POST
def announce(request: Request[Challenge], challenge: str) -> HttpResponse:
    """If it is refused, the form is shown again with its content."""
    title, text = request.POST.get("title", ""), request.POST.get("text", "")
    _, refused = perform(lambda: str(announcing.announce(request.subject, title, text, actor=signed_in(request)).pk))
    return _listed(request, title, text, refused) if refused else redirect("pages:dashboard-announcements", challenge)


def _listed(
    request: Request[Challenge], title: str = "", text: str = "", refused: PalioError | None = None
) -> HttpResponse:
    said = [*request.subject.announcements.select_related("author")]
    listed = [*zip(said, shown_texts([each.text for each in said]), strict=True)]
    context = dashboard_context(request, "announcements", listed=listed, title=title, text=text, refused=refused)
    return render(request, "dashboard/announcements.html", context, status=refused.status if refused else 200)


def announcement(request: Request[Challenge], challenge: str, number: int) -> HttpResponse:
    said, refused = _announcement(request, number), None
    title, text = request.POST.get("title", said.title), request.POST.get("text", said.text)
    if request.method == "POST":
        _, refused = perform(lambda: str(announcing.rewrite(said, title, text, actor=signed_in(request)).pk))
        if not refused:
            return redirect("pages:dashboard-announcements", challenge)
    context = dashboard_context(request, "announcements", said=said, title=title, text=text, refused=refused)
    return render(request, "dashboard/announcement.html", context, status=refused.status if refused else 200)


@require_POST
def delete(request: Request[Challenge], challenge: str, number: int) -> HttpResponse:
    said = _announcement(request, number)

    def act() -> str:
        announcing.delete(said, actor=signed_in(request))
        return gettext("Announcement “%(title)s” deleted.") % {"title": said.title}

    return redirect_after(request, reverse("pages:dashboard-announcements", args=[challenge]), act)


def _announcement(request: Request[Challenge], number: int) -> Announcement:
    found = request.subject.announcements.filter(pk=number).first()
    if found is None:
        raise Http404
    return found


urls = [
    path("c/<slug:challenge>/manage/announcements/", announcements, name="dashboard-announcements"),
    path("c/<slug:challenge>/manage/announcements/new/", announce, name="announce"),
    path("c/<slug:challenge>/manage/announcements/<int:number>/", announcement, name="dashboard-announcement"),
    path("c/<slug:challenge>/manage/announcements/<int:number>/delete/", delete, name="delete-announcement"),
]
