"""The access table: who may perform each operation, through any page or API endpoint.

Keys are operations. A URL of the pages or the API belongs to the operation it is named after (`submit` for
`pages:submit` and `api:submit`), or to the one that lists its name. A name that is missing here is denied to everyone,
also to operators; a test walks all names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model

from palio.web.http.request import Relation
from palio.web.models import (
    ApiToken,
    Attempt,
    Challenge,
    Message,
    Registration,
    Rescore,
    StoredFile,
    Submission,
    Team,
    Upload,
)

ANYONE, SIGNED_IN = frozenset({Relation.ANYONE}), frozenset({Relation.SIGNED_IN})
OWNER = frozenset({Relation.OWNER})
ADMIN = frozenset({Relation.ADMIN})
ORGANIZER = ADMIN | {Relation.ORGANIZER}
SCORER = ORGANIZER | {Relation.SCORER}
VIEWER = SCORER | {Relation.VIEWER}
PUBLISHER = frozenset({Relation.PUBLISHER})
PARTICIPANT = frozenset({Relation.PARTICIPANT})
TEAM = frozenset({Relation.TEAM})
CAPTAIN = frozenset({Relation.CAPTAIN})
RECEIVER = frozenset({Relation.RECEIVER})

BROWSERS_ONLY = "account"  # a scope that no token can have

# URL argument -> the model of the subject and the field that identifies it.
SUBJECTS: Mapping[str, tuple[type[Model], str]] = {
    "challenge": (Challenge, "slug"),
    "registration": (Registration, "id"),
    "team": (Team, "id"),
    "file": (StoredFile, "id"),
    "upload": (Upload, "id"),
    "submission": (Submission, "id"),
    "attempt": (Attempt, "identity"),
    "rescore": (Rescore, "id"),
    "message": (Message, "id"),
    "token": (ApiToken, "id"),
}


@dataclass(frozen=True)
class Rule:
    """`allowed`: one of these relations is enough. `of`: the URL argument that names the subject. `scope`: the scope
    that an API token needs. `browsers`: its pages do not accept a token at all. `names`: further URL names that do the
    same, or show a part of it.
    """

    allowed: frozenset[Relation]
    of: str | None = None
    scope: str = "read"
    browsers: bool = False
    names: tuple[str, ...] = ()


RULES: Mapping[str, Rule] = {
    # -- the site
    "list-challenges": Rule(ANYONE, names=("home", "robots", "sitemap", "styleguide")),
    "health": Rule(ANYONE),
    "language": Rule(ANYONE, scope=BROWSERS_ONLY),
    "openapi-json": Rule(ANYONE),
    "api-root": Rule(ANYONE),
    # -- challenges and joining them
    "challenge": Rule(
        ANYONE,
        of="challenge",
        names=(
            "challenge-page",
            "challenge-pages",
            "challenge-phases",
            "challenge-terms",
            "challenge-versions",
            "challenge-announcements",
            "challenge-announcements-feed",
            "challenge-calendar",
            "challenge-file",
        ),
    ),
    "challenge-download": Rule(PARTICIPANT | VIEWER, of="challenge", names=("challenge-data",)),
    "registration": Rule(SIGNED_IN, of="challenge"),
    "join": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "accept-terms": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "withdraw-from-challenge": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "invitation": Rule(ANYONE, scope="submit"),  # works without an account
    "accept-invitation": Rule(SIGNED_IN, scope="submit"),
    "publish": Rule(PUBLISHER, scope="organize"),
    "publish-version": Rule(ORGANIZER, of="challenge", scope="organize"),
    "edit-challenge": Rule(ORGANIZER, of="challenge", scope="organize", names=("review-edit",)),
    "change-challenge": Rule(
        ORGANIZER,
        of="challenge",
        scope="organize",
        names=("challenge-settings", "challenge-visibility", "challenge-joining"),
    ),
    "list-roles": Rule(VIEWER, of="challenge"),
    "grant-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "revoke-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "list-challenge-invitations": Rule(ORGANIZER, of="challenge"),
    "invite-participant": Rule(ORGANIZER, of="challenge", scope="organize"),
    "revoke-invitation": Rule(ORGANIZER, of="challenge", scope="organize"),
    "list-challenge-webhooks": Rule(ORGANIZER, of="challenge"),
    "make-challenge-webhook": Rule(ORGANIZER, of="challenge", scope="organize"),
    "change-challenge-webhook": Rule(ORGANIZER, of="challenge", scope="organize"),
    "delete-challenge-webhook": Rule(ORGANIZER, of="challenge", scope="organize"),
    "rotate-challenge-webhook": Rule(ORGANIZER, of="challenge", scope="organize"),
    "test-challenge-webhook": Rule(ORGANIZER, of="challenge", scope="organize"),
    # -- teams
    "list-teams": Rule(PARTICIPANT | VIEWER, of="challenge"),
    "own-team": Rule(PARTICIPANT, of="challenge"),
    "rename-team": Rule(CAPTAIN, of="team", scope="submit"),
    "team": Rule(ANYONE, of="team", names=("team-receipt",)),  # if the team has published its page
    "set-team-profile": Rule(CAPTAIN, of="team", scope="submit"),
    "list-team-invitations": Rule(CAPTAIN, of="team"),
    "invite-member": Rule(CAPTAIN, of="team", scope="submit"),
    "revoke-member-invitation": Rule(CAPTAIN, of="team", scope="submit"),
    "pass-captain": Rule(CAPTAIN, of="team", scope="submit"),
    "list-registry-accounts": Rule(CAPTAIN, of="team"),
    "save-registry-account": Rule(CAPTAIN, of="team", scope="submit"),
    "delete-registry-account": Rule(CAPTAIN, of="team", scope="submit"),
    "list-team-webhooks": Rule(CAPTAIN, of="team"),
    "make-team-webhook": Rule(CAPTAIN, of="team", scope="submit"),
    "change-team-webhook": Rule(CAPTAIN, of="team", scope="submit"),
    "delete-team-webhook": Rule(CAPTAIN, of="team", scope="submit"),
    "rotate-team-webhook": Rule(CAPTAIN, of="team", scope="submit"),
    "test-team-webhook": Rule(CAPTAIN, of="team", scope="submit"),
    "leave-team": Rule(TEAM, of="team", scope="submit"),
    # -- uploads, files and submissions
    "upload-options": Rule(PARTICIPANT, of="challenge"),
    "create-upload": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "get-upload": Rule(TEAM, of="upload"),
    "append-to-upload": Rule(TEAM, of="upload", scope="submit"),
    "delete-upload": Rule(TEAM, of="upload", scope="submit"),
    "complete-upload": Rule(TEAM, of="upload", scope="submit"),
    "list-files": Rule(PARTICIPANT, of="challenge"),
    "get-file": Rule(TEAM, of="file"),
    "delete-file": Rule(TEAM, of="file", scope="submit"),
    "list-quotas": Rule(PARTICIPANT, of="challenge"),
    "submit": Rule(PARTICIPANT, of="challenge", scope="submit", names=("submit-file",)),
    "fetch-source": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "submissions": Rule(PARTICIPANT, of="challenge"),
    "submission": Rule(
        TEAM | VIEWER,
        of="submission",
        names=(
            "submission-live",
            "submission-logs",
            "submission-log",
            "submission-report",
            "submission-receipt",
        ),
    ),
    "cancel-submission": Rule(TEAM, of="submission", scope="submit"),
    "put-on-leaderboard": Rule(TEAM, of="submission", scope="submit", names=("take-off-leaderboard",)),
    "withdraw-submission": Rule(TEAM, of="submission", scope="submit"),
    # -- the leaderboard
    "leaderboard": Rule(
        ANYONE, of="challenge", names=("leaderboard-phase", "leaderboard-csv", "leaderboard-json", "leaderboard-svg")
    ),
    "statistics": Rule(ANYONE, of="challenge", names=("statistics-phase", "statistics-csv")),
    "compare": Rule(ANYONE, of="challenge"),  # what it shows depends on leaderboard.visibility
    "leaderboard-history": Rule(PARTICIPANT, of="challenge"),
    # -- the organizer dashboard
    "dashboard": Rule(
        VIEWER,
        of="challenge",
        names=("dashboard-queue", "dashboard-disk", "dashboard-activity", "dashboard-activity-csv"),
    ),
    "dashboard-submissions": Rule(VIEWER, of="challenge"),
    "dashboard-rerun": Rule(SCORER, of="challenge", scope="organize"),
    "rerun-submission": Rule(SCORER, of="submission", scope="organize"),
    "rescore-submission": Rule(SCORER, of="submission", scope="organize"),
    "judge-submission": Rule(
        ORGANIZER,
        of="submission",
        scope="organize",
        names=("hide-submission", "disqualify-submission", "baseline-submission"),
    ),
    "participants": Rule(VIEWER, of="challenge"),
    "decide-join-requests": Rule(ORGANIZER, of="challenge", scope="organize"),
    "decide-join-request": Rule(ORGANIZER, of="registration", scope="organize"),
    "dashboard-rescores": Rule(VIEWER, of="challenge"),
    "begin-rescore": Rule(SCORER, of="challenge", scope="organize"),
    "rescore": Rule(VIEWER, of="rescore", names=("rescore-progress",)),
    "apply-rescore": Rule(ORGANIZER, of="rescore", scope="organize"),
    "discard-rescore": Rule(SCORER, of="rescore", scope="organize"),
    "dashboard-announcements": Rule(VIEWER, of="challenge"),
    "announce": Rule(ORGANIZER, of="challenge", scope="organize"),
    "change-announcement": Rule(ORGANIZER, of="challenge", scope="organize", names=("dashboard-announcement",)),
    "delete-announcement": Rule(ORGANIZER, of="challenge", scope="organize"),
    "list-messages": Rule(VIEWER, of="challenge", names=("dashboard-messages",)),
    "send-message": Rule(ORGANIZER, of="challenge", scope="organize", names=("new-message", "preview-message")),
    "message": Rule(RECEIVER | VIEWER, of="message"),
    "audit-log": Rule(VIEWER, of="challenge"),
    "export": Rule(ORGANIZER, of="challenge", scope="organize", names=("export-zip", "report-zip")),
    # -- operators
    "accounts": Rule(ADMIN, scope="organize", browsers=True),  # contains e-mail addresses
    "update-account": Rule(ADMIN, scope="organize"),
    "invite-account": Rule(ADMIN, scope="organize", browsers=True),
    "list-invitations": Rule(ADMIN, scope="organize"),
    "revoke-account-invitation": Rule(ADMIN, scope="organize", browsers=True),
    # No token is enough: none may give access to another account, as the page of all account actions could.
    "change-account": Rule(ADMIN, scope=BROWSERS_ONLY, names=("reset-link", "remove-second-factors")),
    # -- the user's account
    "account": Rule(SIGNED_IN),
    "notifications": Rule(SIGNED_IN),
    "unsubscribe": Rule(ANYONE, scope="submit"),  # the link is signed
    "read-notifications": Rule(SIGNED_IN, scope="submit"),
    "notification-settings": Rule(SIGNED_IN),
    "set-notifications": Rule(SIGNED_IN, scope="submit"),
    "list-tokens": Rule(SIGNED_IN),
    "make-token": Rule(SIGNED_IN, scope=BROWSERS_ONLY, names=("tokens",)),  # a token cannot create another
    "revoke-token": Rule(OWNER, of="token", scope="submit", browsers=True),
}
# allauth's pages, which check access themselves. Not with a token: it could keep access for good.
ALLAUTH = ("account_", "mfa_", "socialaccount_", "openid_connect_")
_ALLAUTH = Rule(ANYONE, scope=BROWSERS_ONLY)

_BY_NAME: Mapping[str, Rule] = {name: rule for operation, rule in RULES.items() for name in (operation, *rule.names)}


def find_rule(name: str) -> Rule | None:
    """For the full name of an address, as `pages:submit`; None denies it."""
    space, _, plain = name.rpartition(":")
    if space in {"pages", "api"}:
        return _BY_NAME.get(plain)
    return _ALLAUTH if name.startswith(ALLAUTH) else None
