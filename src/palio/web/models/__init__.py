"""What the platform keeps. Slim: fields, constraints and short properties; whatever changes rows is in `web.verbs`."""

from palio.web.models.accounts import ApiToken, Invitation, Membership, Team, User
from palio.web.models.challenges import Announcement, Challenge, ChallengeVersion, Registration, Role, RoleKind
from palio.web.models.platform import ControllerBeat, Event, IdempotentAnswer
from palio.web.models.submissions import Attempt, Purpose, Rescore, StoredFile, Submission, Upload

__all__ = [
    "Announcement",
    "ApiToken",
    "Attempt",
    "Challenge",
    "ChallengeVersion",
    "ControllerBeat",
    "Event",
    "IdempotentAnswer",
    "Invitation",
    "Membership",
    "Purpose",
    "Registration",
    "Rescore",
    "Role",
    "RoleKind",
    "StoredFile",
    "Submission",
    "Team",
    "Upload",
    "User",
]
