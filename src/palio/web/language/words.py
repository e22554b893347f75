"""Words that stand for values: states, roles, kinds. The values stay English, the words are for pages."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# A word that is the same in English for different things has one translation: it stands in a badge, by itself.
_WORDS: Mapping[str, str | Promise] = {
    # of submissions and attempts
    "queued": _("queued"),
    "build": _("build"),
    "sample": _("sample"),
    "predict": _("predict"),
    "score": _("score"),
    "scored": _("scored"),
    "failed": _("failed"),
    "cancelled": _("cancelled"),
    "in progress": _("in progress"),
    "on the leaderboard": _("on the leaderboard"),
    "hidden": _("hidden"),
    "withdrawn": _("withdrawn"),
    "disqualified": _("disqualified"),
    "baseline": _("baseline"),
    # of phases and challenges
    "soon": _("soon"),
    "open": pgettext_lazy("phase", "open"),
    "closed": pgettext_lazy("phase", "closed"),
    "draft": _("draft"),
    "published": _("published"),
    "archived": _("archived"),
    "public": pgettext_lazy("data", "public"),
    "held-out": pgettext_lazy("data", "held-out"),
    "private": pgettext_lazy("data", "private"),
    # of logs
    "none": pgettext_lazy("log", "none"),
    "tail": pgettext_lazy("log", "tail"),
    "full": pgettext_lazy("log", "full"),
    "organizer": _("organizer"),
    # of people
    "scorer": _("scorer"),
    "viewer": _("viewer"),
    "approval": _("approval"),
    "invitation": _("invitation"),
    "pending": _("pending"),
    "approved": _("approved"),
    "refused": _("refused"),
    "the platform": _("the platform"),
    # who has to act: core.errors.party
    "you": _("you"),
    "the participant": _("the participant"),
    "the organizer": _("the organizer"),
    "the operator": _("the operator"),
    # of re-scores, deliveries and digests
    "running": pgettext_lazy("re-score", "running"),
    "ready": pgettext_lazy("re-score", "ready"),
    "applied": pgettext_lazy("re-score", "applied"),
    "discarded": pgettext_lazy("re-score", "discarded"),
    "waiting": _("waiting"),
    "sent": _("sent"),
    "off": _("off"),
    "daily": _("daily"),
    "weekly": _("weekly"),
    "on": pgettext_lazy("switch", "on"),
    "contents": _("contents"),
    "base image": _("base image"),
    "runs": pgettext_lazy("program", "runs"),
    # causes in a digest
    "participant": _("participant"),
    "platform": _("platform"),
    # steps of the funnel
    "joined": pgettext_lazy("participants", "joined"),
    "submitted": pgettext_lazy("participants", "submitted"),
    # units: see numbers.size
    "B": _("B"),
    "KiB": _("KiB"),
    "MiB": _("MiB"),
    "GiB": _("GiB"),
}


def word(value: str) -> str:
    """What pages say for a value; the value itself if it has no word."""
    return str(_WORDS.get(value, value))
