"""Teams of a challenge; your own with more details."""

import json
from datetime import datetime
from typing import Any

from django.http import Http404
from ninja import Router, Schema
from pydantic import Field

from palio.web.access import relations
from palio.web.access.rules import TEAM, VIEWER
from palio.web.api.joining import TeamNameOut
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Team
from palio.web.queries.challenges import published
from palio.web.queries.team_page import public_entries, public_receipt
from palio.web.verbs import team_profile, teams

router = Router(tags=["teams"])


class TeamOut(TeamNameOut):
    captain: str
    members: list[str]
    affiliation: str
    country: str
    link: str
    is_public: bool


class PublicEntryOut(Schema):
    """A row of a public leaderboard, with texts as it has them. `receipt`: the path of its receipt."""

    phase: str
    leaderboard: str
    rank: str
    column: str
    score: str
    interval: str
    submitted: datetime
    submission: str
    receipt: str | None


class PublicTeamOut(TeamNameOut):
    affiliation: str
    country: str
    link: str
    entries: list[PublicEntryOut]


class NameIn(Schema):
    name: str = Field(max_length=200)


class CaptainIn(Schema):
    username: str = Field(max_length=150)


class ProfileIn(Schema):
    """`country`: a two-letter code of ISO 3166. Empty: not stated."""

    affiliation: str = Field("", max_length=500)
    country: str = Field("", max_length=50)
    link: str = Field("", max_length=1000)
    is_public: bool = False


@router.get("/challenges/{challenge}/teams", response=Paged[TeamNameOut], url_name="list-teams")
def list_teams(request: Request[Challenge], challenge: str, page: PageQuery) -> dict[str, Any]:
    rows = request.subject.teams.order_by("name", "id")
    return page_of(rows, page, lambda team: {"id": team.id, "name": team.name})


@router.get("/challenges/{challenge}/team", response=TeamOut, url_name="own-team")
def own_team(request: Request[Challenge], challenge: str) -> dict[str, Any]:
    """Your team."""
    team = relations.own_team(request.subject, signed_in(request))
    if team is None:
        raise Http404
    return _shown(team)


@router.patch("/teams/{team}", response=TeamOut, url_name="rename-team")
def rename_team(request: Request[Team], team: str, content: NameIn) -> dict[str, Any]:
    return _shown(teams.rename(request.subject, content.name, actor=signed_in(request)))


@router.get("/teams/{team}", response=PublicTeamOut, url_name="team")
def public_team(request: Request[Team], team: str) -> dict[str, Any]:
    """A team that has published its page: profile, entries and receipts."""
    found = request.subject
    if not found.is_public and not (VIEWER | TEAM) & request.relations:
        raise Http404
    _, _, bundle = published(found.challenge)
    entries = [
        vars(entry) | {"receipt": f"/teams/{found.pk}/receipts/{entry.submission}.json" if entry.receipt else None}
        for entry in public_entries(found, bundle)
    ]
    return _profile(found) | {"id": found.pk, "name": found.name, "entries": entries}


@router.get("/teams/{team}/receipts/{submission}", response=dict[str, Any], url_name="team-receipt")
def team_receipt(request: Request[Team], team: str, submission: str) -> Any:
    """The signed receipt of an entry of a public team."""
    found = request.subject
    if not found.is_public and not (VIEWER | TEAM) & request.relations:
        raise Http404
    _, _, bundle = published(found.challenge)
    path = public_receipt(found, bundle, submission)
    if path is None:
        raise Http404
    return json.loads(path.read_bytes())


@router.put("/teams/{team}/profile", response=TeamOut, url_name="set-team-profile")
def set_team_profile(request: Request[Team], team: str, content: ProfileIn) -> dict[str, Any]:
    return _shown(team_profile.set_profile(request.subject, **content.dict(), actor=signed_in(request)))


@router.post("/teams/{team}/captain", response=TeamOut, url_name="pass-captain")
def pass_captain(request: Request[Team], team: str, content: CaptainIn) -> dict[str, Any]:
    return _shown(teams.pass_captain(request.subject, content.username, actor=signed_in(request)))


@router.post("/teams/{team}/leave", response=TeamOut, url_name="leave-team")
def leave_team(request: Request[Team], team: str) -> dict[str, Any]:
    """Leave the team; returns your new team of one."""
    return _shown(teams.leave(request.subject, actor=signed_in(request)))


def _shown(team: Team) -> dict[str, Any]:
    members = team.memberships.order_by("joined").values_list("user__username", flat=True)
    profile = _profile(team) | {"is_public": team.is_public}
    return {"id": team.id, "name": team.name, "captain": team.captain.username, "members": list(members), **profile}


def _profile(team: Team) -> dict[str, str]:
    return {"affiliation": team.affiliation, "country": team.country, "link": team.link}
