"""What a team says about itself: affiliation, country, a link, and whether everyone sees its page."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from palio.core.errors import PalioError
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Team, User
from palio.web.verbs import events

AFFILIATION_CHARACTERS, LINK_CHARACTERS = 120, 300


@cache
def countries() -> Mapping[str, str]:
    """The names of countries by their codes (ISO 3166-1 alpha-2), as the IANA time zone database lists them."""
    text = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return dict(sorted(((code, name) for code, name in lines), key=lambda each: each[1].casefold()))


def set_profile(team: Team, *, affiliation: str, country: str, link: str, is_public: bool = False, actor: User) -> Team:
    """Raises PalioError "team-profile-invalid"."""
    affiliation, country, link = " ".join(affiliation.split()), country.strip().upper(), link.strip()
    if len(affiliation) > AFFILIATION_CHARACTERS or not affiliation.isprintable():
        raise _invalid("affiliation", f"must have at most {AFFILIATION_CHARACTERS} visible characters")
    if country and country not in countries():
        raise _invalid("country", "must be a two-letter code of ISO 3166, such as DE or KR")
    if link and not _is_address(link):
        raise _invalid("link", f"must be a web address (https://…) of at most {LINK_CHARACTERS} characters")
    with transaction.atomic():
        locked = Team.objects.select_for_update().get(pk=team.pk)
        after: dict[str, Any] = {
            "affiliation": affiliation,
            "country": country,
            "link": link,
            "is_public": is_public,
        }
        before = {field: getattr(locked, field) for field in after}
        if before != after:
            for field, value in after.items():
                setattr(locked, field, value)
            locked.save(update_fields=[*after])
            mark_changed(locked.challenge)
            events.record(
                "team.profile-changed", actor=actor, challenge=locked.challenge, team=locked.pk, before=before, **after
            )
    return locked


def _is_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    plain = link.isprintable() and not any(sign.isspace() for sign in link) and len(link) <= LINK_CHARACTERS
    return plain and parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.username is None


def _invalid(field: str, reason: str) -> PalioError:
    return PalioError("team-profile-invalid", field=field, reason=reason)
