"""Database models: fields, constraints and short properties. `web.verbs` has everything that changes rows."""

from palio.web.models.accounts import ApiToken, Invitation, Membership, RegistryAccount, Team, User
from palio.web.models.challenges import Announcement, Challenge, ChallengeVersion, Registration, Role, RoleKind
from palio.web.models.leaderboard import (
    CaseSummary,
    LadderComparison,
    LeaderboardStatistics,
    PairComparison,
    SimilarityCheck,
)
from palio.web.models.notifications import Mail, Message, Notification, NotificationSettings
from palio.web.models.outgoing import Outgoing
from palio.web.models.platform import ControllerBeat, Counter, Event, IdempotentAnswer
from palio.web.models.submissions import (
    Attempt,
    Purpose,
    Rescore,
    SampleRepeat,
    StoredFile,
    Submission,
    Upload,
)
from palio.web.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "Announcement",
    "ApiToken",
    "Attempt",
    "CaseSummary",
    "Challenge",
    "ChallengeVersion",
    "ControllerBeat",
    "Counter",
    "Event",
    "IdempotentAnswer",
    "Invitation",
    "LadderComparison",
    "LeaderboardStatistics",
    "Mail",
    "Membership",
    "Message",
    "Notification",
    "NotificationSettings",
    "Outgoing",
    "PairComparison",
    "Purpose",
    "Registration",
    "RegistryAccount",
    "Rescore",
    "Role",
    "RoleKind",
    "SampleRepeat",
    "SimilarityCheck",
    "StoredFile",
    "Submission",
    "Team",
    "Upload",
    "User",
    "Webhook",
    "WebhookDelivery",
]
