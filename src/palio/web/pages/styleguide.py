"""All components of the design system on one page, to look at while changing them. 404 unless settings.STYLEGUIDE."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone

from palio.web.templatetags.design import ICONS

COLORS = (
    *("paper", "card", "sunk", "ink", "soft", "line", "edge", "accent", "brand"),
    *("good", "bad", "warn", "busy", "other"),
)
TEXT_SIZES = ("xs", "s", "m", "l", "xl", "2xl", "3xl")
STATES = ("queued", "build", "sample", "predict", "score", "scored", "failed", "cancelled")
MORE_BADGES = (
    *("participant", "organizer", "platform", "draft", "published", "archived", "open", "soon", "closed", "own"),
    *("baseline", "good", "bad", "warn", "busy"),
)


def styleguide(request: HttpRequest) -> HttpResponse:
    if not settings.STYLEGUIDE:
        raise Http404
    context = {
        "colors": COLORS,
        "text_sizes": TEXT_SIZES,
        "badges": (*STATES, *MORE_BADGES),
        "icons": ICONS,
        "names": ("mednist", "lesions", "bone-age", "nodules"),
        "shares": (0.2, 0.85, 1.0),
        "now": timezone.now(),
    }
    return render(request, "styleguide.html", context)


urls = [path("styleguide/", styleguide, name="styleguide")]
