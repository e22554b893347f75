"""Participants, for organizers: join requests, teams and members, roles."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from palio.web.http.request import Request, signed_in
from palio.web.language.numbers import number
from palio.web.models import Challenge, Registration, Role
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries.participants import registrations
from palio.web.verbs.joining import decide_several

_ON_A_PAGE = 100


def participants(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    q = request.GET.get("q", "").replace("\0", "").strip()
    state = request.GET.get("state", "")
    rows = registrations(found, q=q, state=state)
    page = Paginator(rows.exclude(state=Registration.State.PENDING) if not state else rows, _ON_A_PAGE)
    context = dashboard_context(
        request,
        "people",
        pending=registrations(found, state=Registration.State.PENDING),
        page=page.get_page(request.GET.get("page")),
        q=q,
        state=state,
        states=Registration.State.values,
        roles=Role.objects.filter(challenge=found).select_related("user", "granted_by").order_by("kind", "granted"),
    )
    return render(request, "dashboard/participants.html", context)


@require_POST
def decide_join_requests(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Approve or refuse several join requests. `do` is `approve` or `refuse`, `registration` lists their IDs.

    `approve-all` and `refuse-all` do so with those that the page has shown, which `shown` lists, and that are pending.
    """
    found, actor = request.subject, signed_in(request)
    do, every = request.POST.get("do", "").removesuffix("-all"), request.POST.get("do", "").endswith("-all")
    approve = do == "approve"
    chosen = found.registrations.filter(pk__in=request.POST.getlist("shown" if every else "registration"))
    if every:
        chosen = chosen.filter(state=Registration.State.PENDING)
    result = decide_several(chosen, approve=approve, actor=actor)
    if result.done:
        approved = ngettext("%(count)s join request approved.", "%(count)s join requests approved.", result.done)
        refused_all = ngettext("%(count)s join request refused.", "%(count)s join requests refused.", result.done)
        messages.success(request, (approved if approve else refused_all) % {"count": number(result.done, ",")})
    for refused in result.refused:
        messages.error(request, refused.message)
    if not result.done and not result.refused:
        messages.warning(request, gettext("No one selected. Select people, then choose an action."))
    return redirect(reverse("pages:participants", args=[found.slug]))


urls = [
    path("c/<slug:challenge>/manage/participants/", participants, name="participants"),
    path("c/<slug:challenge>/manage/participants/decide/", decide_join_requests, name="decide-join-requests"),
]
