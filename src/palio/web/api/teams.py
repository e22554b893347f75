"""Teams of a challenge; your own with more details."""

from typing import Any

from django.http import Http404
from ninja import Router, Schema
from pydantic import Field

from palio.web.access import relations
from palio.web.api.joining import TeamNameOut
from palio.web.api.paging import Paged, PageQuery, page_of
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, Team
from palio.web.verbs import teams

router = Router(tags=["teams"])


class TeamOut(TeamNameOut):
    captain: str
    members: list[str]


class NameIn(Schema):
    name: str = Field(max_length=200)


class CaptainIn(Schema):
    username: str = Field(max_length=150)


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


@router.post("/teams/{team}/captain", response=TeamOut, url_name="pass-captain")
def pass_captain(request: Request[Team], team: str, content: CaptainIn) -> dict[str, Any]:
    return _shown(teams.pass_captain(request.subject, content.username, actor=signed_in(request)))


@router.post("/teams/{team}/leave", response=TeamOut, url_name="leave-team")
def leave_team(request: Request[Team], team: str) -> dict[str, Any]:
    """Leave the team; returns your new team of one."""
    return _shown(teams.leave(request.subject, actor=signed_in(request)))


def _shown(team: Team) -> dict[str, Any]:
    members = team.memberships.order_by("joined").values_list("user__username", flat=True)
    return {"id": team.id, "name": team.name, "captain": team.captain.username, "members": list(members)}
