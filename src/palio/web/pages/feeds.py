"""A challenge for other programs: announcements for feed readers, phases for calendars, a leaderboard as a picture."""

import re
import uuid
from datetime import timedelta

from django.http import HttpResponse
from django.urls import path, reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.text import Truncator
from django.utils.translation import override
from icalendar import Calendar, Event

from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.http.request import Request
from palio.web.language.middleware import ENGLISH
from palio.web.leaderboard.drawing import leaderboard_svg
from palio.web.leaderboard.request import leaderboard_request, private
from palio.web.models import Challenge
from palio.web.queries.challenges import published
from palio.web.reading.typed_markdown import shown_texts

# The picture has a style of its own. It shows in an <img> of any site, and in no frame.
_DRAWING_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_ANNOUNCEMENTS = 50  # in a feed
_UIDS = uuid.UUID("6f5e1d0a-6c0b-4d39-9a7c-3f0e9f1b2d77")  # the namespace of those in calendars
_NAME = 60  # characters of a challenge's title in the name of each event


def announcements(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The latest announcements, as Atom."""
    _, version, _ = published(request.subject)
    page = request.build_absolute_uri(reverse("pages:challenge-announcements", args=[challenge]))
    feed = Atom1Feed(
        title=_xml(f"{version.title}: announcements"), link=page, description="", feed_url=request.build_absolute_uri()
    )
    said = [*request.subject.announcements.select_related("author")[:_ANNOUNCEMENTS]]
    for each, html in zip(said, shown_texts([each.text for each in said]), strict=True):
        feed.add_item(
            title=_xml(each.title),
            link=page,
            description=_xml(html),
            unique_id=f"{page}#{each.pk}",
            author_name=each.author.username,
            pubdate=each.created,
            updateddate=each.created,
        )
    return HttpResponse(feed.writeString("utf-8"), "application/atom+xml; charset=utf-8")


def _xml(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)


def calendar(request: Request[Challenge], challenge: str) -> HttpResponse:
    """When each phase opens and closes, as iCalendar (RFC 5545).

    An event keeps its UID as long as its phase keeps its name, whatever the platform's address is and whichever phases
    come before it. SEQUENCE is the challenge's version, so that calendars take over a changed time.
    """
    _, version, bundle = published(request.subject)
    page = request.build_absolute_uri(reverse("pages:challenge-phases", args=[challenge]))
    name = Truncator(version.title).chars(_NAME)
    written = Calendar.new(
        prodid="-//Palio//Phases//EN", name=name, uid=str(_uid(request.subject)), url=page, method="PUBLISH"
    )
    written.add("refresh-interval", timedelta(hours=12), parameters={"VALUE": "DURATION"})
    for phase in bundle.phases:
        for verb, when in (("opens", phase.start), ("closes", phase.end)):
            if when is not None:
                written.add_component(
                    Event.new(
                        uid=str(_uid(request.subject, phase.name, verb)),
                        summary=f"{name}: {phase.name} {verb}",
                        start=when,
                        stamp=version.published,
                        last_modified=version.published,
                        sequence=version.number - 1,
                        url=page,
                    )
                )
    disposition = {"Content-Disposition": f'attachment; filename="{challenge}.ics"'}
    return HttpResponse(written.to_ical(), "text/calendar; charset=utf-8", headers=disposition)


def _uid(challenge: Challenge, *parts: str) -> uuid.UUID:
    """The same each time, and another one for each challenge of any platform."""
    return uuid.uuid5(_UIDS, "\n".join([challenge.slug, challenge.created.isoformat(), *parts]))


def drawn_leaderboard(request: Request[Challenge], challenge: str) -> HttpResponse:
    """The first places of a leaderboard, as an SVG for other sites and READMEs: in English, or as `lang` says."""
    wanted = leaderboard_request(request, request.GET.get("phase"))
    headers = {"Content-Security-Policy": _DRAWING_POLICY}
    language = request.GET.get("lang", "")
    with override(language if language in LANGUAGE_NAMES else ENGLISH):
        drawn = leaderboard_svg(wanted)
    return private(HttpResponse(drawn, "image/svg+xml; charset=utf-8", headers=headers))


urls = [
    path("c/<slug:challenge>/announcements.atom", announcements, name="challenge-announcements-feed"),
    path("c/<slug:challenge>/phases.ics", calendar, name="challenge-calendar"),
    path("c/<slug:challenge>/leaderboard.svg", drawn_leaderboard, name="leaderboard-svg"),
]
