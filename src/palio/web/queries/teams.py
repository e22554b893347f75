"""Whose team it is that somebody acts for in a challenge."""

from palio.web.http.refusals import RefusedError
from palio.web.leaderboard.ranked import team_of
from palio.web.models import Challenge, Team, User


def own_team(challenge: Challenge, user: User) -> Team:
    """Raises RefusedError "team-missing": whoever takes part has one, unless they have just left it."""
    team = team_of(user, challenge)
    if team is None:
        raise RefusedError(
            "team-missing",
            "You are in no team of this challenge.",
            "Join it again on its page: you get a team of your own, and others can invite you into theirs.",
        )
    return team
