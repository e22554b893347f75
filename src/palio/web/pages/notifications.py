"""The notifications of a user: list, marking as read, settings."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from palio.web.http.request import signed_in
from palio.web.language.numbers import number
from palio.web.models import NotificationSettings, Role
from palio.web.pages.actions import redirect_after
from palio.web.queries import notifications as queries
from palio.web.verbs import accounts
from palio.web.verbs import notifications as verbs

_ON_A_PAGE = 50


def notifications(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    only_unread = request.GET.get("show") == "unread"
    pages = Paginator(queries.listed(user, unread=only_unread), _ON_A_PAGE)
    context = {
        "page": pages.get_page(request.GET.get("page")),
        "only_unread": only_unread,
        "query": "show=unread" if only_unread else "",
    }
    return render(request, "notifications/page.html", context)


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark the notifications named by `notification` as read, or all if none is named."""
    count = verbs.mark_read(signed_in(request), request.POST.getlist("notification") or None)
    if count > 1:
        said = ngettext("%(count)s notification marked as read.", "%(count)s notifications marked as read.", count)
        messages.success(request, said % {"count": number(count, ",")})
    return redirect("pages:notifications")


def show_settings(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    found = verbs.settings_of(user)
    chosen = queries.choices(found)
    context = {
        "rows": [(kind, gettext(says), chosen[kind]) for kind, says in verbs.SAYS.items()],
        "mail_address": queries.mail_address(user),
        "mail_language": verbs.languages_of([user.pk])[user.pk],
        "digest": found.digest,
        "digests": NotificationSettings.Digest.values,
        "is_organizer": Role.objects.filter(user=user).exists() or found.digest != NotificationSettings.Digest.OFF,
    }
    return render(request, "notifications/settings.html", context)


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    on, before = set(request.POST.getlist("on")), verbs.settings_of(user)
    shown = _shown(with_mail=bool(queries.mail_address(user)))

    def act() -> str:
        off = {each for each in shown if each not in on} | {each for each in before.off if each not in shown}
        verbs.change_settings(user, off=off, digest=request.POST.get("digest", before.digest))
        if "language" in request.POST:
            accounts.set_language(user, request.POST["language"])
        return gettext("Notification settings saved.")

    return redirect_after(request, "pages:notification-settings", act)


def _shown(*, with_mail: bool) -> list[str]:
    """What the form has a checkbox for."""
    channels = [verbs.Channel.PAGE, *([verbs.Channel.MAIL] if with_mail else [])]
    return [f"{kind}/{channel}" for kind in verbs.Kind for channel in channels]


urls = [
    path("notifications/", notifications, name="notifications"),
    path("notifications/read/", read, name="read-notifications"),
    path("notifications/settings/", show_settings, name="notification-settings"),
    path("notifications/settings/save/", change, name="set-notifications"),
]
