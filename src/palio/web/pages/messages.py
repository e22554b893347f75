"""Private messages to participants: write, preview and send them, list them, read one."""

from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from palio.core.errors import PalioError
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Message
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries.messages import listed
from palio.web.reading.typed_markdown import shown_texts
from palio.web.verbs import messages as verbs

_ON_A_PAGE = 20
_FIELDS = ("to", "team", "title", "text")


def messages(request: Request[Challenge], challenge: str) -> HttpResponse:
    page = Paginator(listed(request.subject).order_by("-created", "id"), _ON_A_PAGE).get_page(request.GET.get("page"))
    shown = [*zip(page, shown_texts([each.text for each in page]), strict=True)]
    return render(request, "messages/list.html", dashboard_context(request, "people", page=page, shown=shown))


def new(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The form; `to` and `team` of the query fill it."""
    return _form(request, {"to": request.GET.get("to", "all"), "team": request.GET.get("team", "")})


@require_POST
def preview(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The message as its receivers will see it, with their number."""
    given = {name: request.POST.get(name, "") for name in _FIELDS}
    if request.POST.get("do") == "edit":
        return _form(request, given)
    try:
        draft = verbs.draft(request.subject, *given.values(), actor=signed_in(request))
        verbs.refuse_too_many(draft)
    except PalioError as refused:
        return _form(request, given, refused)
    context = dashboard_context(request, "people", draft=draft, given=given, html=shown_texts([draft.text])[0])
    return render(request, "messages/preview.html", context)


@require_POST
def send(request: Request[Challenge], challenge: str) -> HttpResponse:
    """If it is refused, the form is shown again with its content."""
    given = {name: request.POST.get(name, "") for name in _FIELDS}
    try:
        made = verbs.send(request.subject, *given.values(), actor=signed_in(request))
    except PalioError as refused:
        return _form(request, given, refused)
    notes.success(request, gettext("Message “%(title)s” sent.") % {"title": made.title})
    return redirect("pages:dashboard-messages", challenge)


def message(request: Request[Message], message: str) -> HttpResponse:
    found = request.subject
    context = {"challenge": found.challenge, "message": found, "html": shown_texts([found.text])[0]}
    return render(request, "messages/page.html", context)


def _form(request: Request[Challenge], given: dict[str, str], refused: PalioError | None = None) -> HttpResponse:
    context = dashboard_context(request, "people", given=given, refused=refused)
    return render(request, "messages/form.html", context, status=refused.status if refused else 200)


urls = [
    path("c/<slug:challenge>/manage/messages/", messages, name="dashboard-messages"),
    path("c/<slug:challenge>/manage/messages/new/", new, name="new-message"),
    path("c/<slug:challenge>/manage/messages/preview/", preview, name="preview-message"),
    path("c/<slug:challenge>/manage/messages/send/", send, name="send-message"),
    path("messages/<str:message>/", message, name="message"),
]
