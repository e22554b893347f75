"""Template variables of every page."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from palio import __version__
from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.queries.notifications import unread_count


def platform(request: HttpRequest) -> dict[str, object]:
    return {
        "palio_version": __version__,
        "language_names": LANGUAGE_NAMES,
        "sends_mail": bool(settings.CONFIGURATION.mail_url),
        "sign_up_is_open": settings.CONFIGURATION.sign_up == "open",
        "unread": SimpleLazyObject(lambda: unread_count(request.user)),
        "relations": getattr(request, "relations", frozenset()),
    }
