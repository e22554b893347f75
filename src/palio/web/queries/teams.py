"""Whose team it is that somebody acts for in a challenge."""

from palio.core.errors import PalioError
from palio.web.leaderboard.ranked import team_of
from palio.web.models import Challenge, Team, User


def own_team(challenge: Challenge, user: User) -> Team:
    """Raises PalioError "team-missing": whoever takes part has one, unless they have just left it."""
    team = team_of(user, challenge)
    if team is None:
        raise PalioError("team-missing")
    return team
