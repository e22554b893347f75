"""Choosing the language of the pages, with the buttons in the footer.

A form token in the footer would give each visitor a cookie. Instead, the request has to come from one of our pages,
which the header Origin tells: browsers send it with every form that is posted.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from palio.core.errors import PalioError
from palio.web.models import User
from palio.web.verbs import accounts


@csrf_exempt
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep `language` in a cookie, and for mail to a signed-in user; then return to the page that the request comes
    from."""
    origin = request.headers.get("Origin", "")
    if urlsplit(origin).netloc != request.get_host() and origin not in settings.CSRF_TRUSTED_ORIGINS:
        raise PalioError("form-expired")
    wanted = request.POST.get("language", "")
    if isinstance(request.user, User) and wanted in dict(settings.LANGUAGES):
        accounts.set_language(request.user, wanted)
    return set_language(request)


urls = [path("language/", choose, name="language")]
