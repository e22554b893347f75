"""The table: for each page and endpoint, whose it is and who may ask for it.

Keys are the names that the URLs have (`pages:…`, `api:…`, allauth's). A name that is not here is denied to everybody,
the admin too, and a test walks all names. `of` is where the subject's key is found among the URL's arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model

from palio.web.access.relations import Relation
from palio.web.models import ApiToken, Attempt, Challenge, Registration, Rescore, StoredFile, Submission, Team, Upload

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

# The URL argument that names a subject, the model it names, and the field it names it by.
SUBJECTS: Mapping[str, tuple[type[Model], str]] = {
    "challenge": (Challenge, "slug"),
    "registration": (Registration, "id"),
    "team": (Team, "id"),
    "file": (StoredFile, "id"),
    "upload": (Upload, "id"),
    "submission": (Submission, "id"),
    "attempt": (Attempt, "identity"),
    "rescore": (Rescore, "id"),
    "token": (ApiToken, "id"),
}


@dataclass(frozen=True)
class Rule:
    """`allowed`: any of these relations suffices. `scope`: what an API token needs to be made for."""

    allowed: frozenset[Relation]
    of: str | None = None
    scope: str = "read"


RULES: Mapping[str, Rule] = {
    # -- the site
    "pages:home": Rule(ANYONE),
    "pages:health": Rule(ANYONE),
    "api:openapi-json": Rule(ANYONE),
    "api:api-root": Rule(ANYONE),
    # -- challenges and joining them
    "pages:challenge": Rule(ANYONE, of="challenge"),
    "pages:challenge-page": Rule(ANYONE, of="challenge"),
    "pages:challenge-phases": Rule(ANYONE, of="challenge"),
    "pages:challenge-terms": Rule(ANYONE, of="challenge"),
    "pages:challenge-versions": Rule(ANYONE, of="challenge"),
    "pages:challenge-announcements": Rule(ANYONE, of="challenge"),
    "pages:challenge-file": Rule(ANYONE, of="challenge"),
    "pages:challenge-data": Rule(PARTICIPANT | VIEWER, of="challenge"),
    "pages:challenge-download": Rule(PARTICIPANT | VIEWER, of="challenge"),
    "pages:join": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "pages:accept-terms": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "pages:withdraw-from-challenge": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "pages:invitation": Rule(ANYONE, scope="submit"),
    "pages:publish": Rule(PUBLISHER, scope="organize"),
    "pages:publish-version": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:challenge-settings": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:challenge-visibility": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:challenge-joining": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:grant-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:revoke-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:invite-participant": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:revoke-invitation": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:list-challenges": Rule(ANYONE),
    "api:publish-challenge": Rule(PUBLISHER, scope="organize"),
    "api:get-challenge": Rule(ANYONE, of="challenge"),
    "api:change-challenge": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:challenge-versions": Rule(ANYONE, of="challenge"),
    "api:publish-version": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:challenge-pages": Rule(ANYONE, of="challenge"),
    "api:challenge-phases": Rule(ANYONE, of="challenge"),
    "api:challenge-announcements": Rule(ANYONE, of="challenge"),
    "api:challenge-download": Rule(PARTICIPANT | VIEWER, of="challenge"),
    "api:get-registration": Rule(SIGNED_IN, of="challenge"),
    "api:join-challenge": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "api:accept-terms": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "api:withdraw-from-challenge": Rule(SIGNED_IN, of="challenge", scope="submit"),
    "api:challenge-roles": Rule(VIEWER, of="challenge"),
    "api:grant-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:revoke-role": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:invite-participant": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:list-challenge-invitations": Rule(ORGANIZER, of="challenge"),
    "api:revoke-invitation": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:accept-invitation": Rule(SIGNED_IN, scope="submit"),
    # -- teams
    "pages:own-team": Rule(PARTICIPANT, of="challenge"),
    "pages:rename-team": Rule(CAPTAIN, of="team", scope="submit"),
    "pages:invite-member": Rule(CAPTAIN, of="team", scope="submit"),
    "pages:revoke-member-invitation": Rule(CAPTAIN, of="team", scope="submit"),
    "pages:pass-captain": Rule(CAPTAIN, of="team", scope="submit"),
    "pages:leave-team": Rule(TEAM, of="team", scope="submit"),
    "api:list-teams": Rule(PARTICIPANT | VIEWER, of="challenge"),
    "api:own-team": Rule(PARTICIPANT, of="challenge"),
    "api:rename-team": Rule(CAPTAIN, of="team", scope="submit"),
    "api:invite-member": Rule(CAPTAIN, of="team", scope="submit"),
    "api:list-team-invitations": Rule(CAPTAIN, of="team"),
    "api:revoke-member-invitation": Rule(CAPTAIN, of="team", scope="submit"),
    "api:pass-captain": Rule(CAPTAIN, of="team", scope="submit"),
    "api:leave-team": Rule(TEAM, of="team", scope="submit"),
    # -- uploads, files and submissions
    "pages:submit": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "pages:submit-file": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "pages:submissions": Rule(PARTICIPANT, of="challenge"),
    "pages:delete-file": Rule(TEAM, of="file", scope="submit"),
    "pages:cancel-submission": Rule(TEAM, of="submission", scope="submit"),
    "pages:withdraw-submission": Rule(TEAM, of="submission", scope="submit"),
    "api:upload-options": Rule(PARTICIPANT, of="challenge"),
    "api:create-upload": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "api:get-upload": Rule(TEAM, of="upload"),
    "api:append-to-upload": Rule(TEAM, of="upload", scope="submit"),
    "api:delete-upload": Rule(TEAM, of="upload", scope="submit"),
    "api:complete-upload": Rule(TEAM, of="upload", scope="submit"),
    "api:list-files": Rule(PARTICIPANT, of="challenge"),
    "api:get-file": Rule(TEAM, of="file"),
    "api:delete-file": Rule(TEAM, of="file", scope="submit"),
    "api:list-tries": Rule(PARTICIPANT, of="challenge"),
    "api:submit": Rule(PARTICIPANT, of="challenge", scope="submit"),
    "api:list-submissions": Rule(PARTICIPANT, of="challenge"),
    "api:get-submission": Rule(TEAM | VIEWER, of="submission"),
    "api:cancel-submission": Rule(TEAM, of="submission", scope="submit"),
    "api:withdraw-submission": Rule(TEAM, of="submission", scope="submit"),
    "api:submission-log": Rule(TEAM | VIEWER, of="submission"),
    "api:submission-report": Rule(TEAM | VIEWER, of="submission"),
    "api:submission-receipt": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission-live": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission-logs": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission-log": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission-report": Rule(TEAM | VIEWER, of="submission"),
    "pages:submission-receipt": Rule(TEAM | VIEWER, of="submission"),
    # -- the board
    "pages:leaderboard": Rule(ANYONE, of="challenge"),
    "pages:leaderboard-phase": Rule(ANYONE, of="challenge"),
    "pages:leaderboard-csv": Rule(ANYONE, of="challenge"),
    "pages:leaderboard-json": Rule(ANYONE, of="challenge"),
    "api:leaderboard": Rule(ANYONE, of="challenge"),
    "api:leaderboard-history": Rule(PARTICIPANT, of="challenge"),
    # -- the organizer's desk
    "pages:dashboard": Rule(VIEWER, of="challenge"),
    "pages:dashboard-queue": Rule(VIEWER, of="challenge"),
    "pages:dashboard-disk": Rule(VIEWER, of="challenge"),
    "pages:dashboard-submissions": Rule(VIEWER, of="challenge"),
    "pages:participants": Rule(VIEWER, of="challenge"),
    "pages:dashboard-rescores": Rule(VIEWER, of="challenge"),
    "pages:dashboard-announcements": Rule(VIEWER, of="challenge"),
    "pages:audit-log": Rule(VIEWER, of="challenge"),
    "pages:rescore": Rule(VIEWER, of="rescore"),
    "pages:rescore-progress": Rule(VIEWER, of="rescore"),
    "pages:dashboard-rerun": Rule(SCORER, of="challenge", scope="organize"),
    "pages:begin-rescore": Rule(SCORER, of="challenge", scope="organize"),
    "pages:discard-rescore": Rule(SCORER, of="rescore", scope="organize"),
    "pages:apply-rescore": Rule(ORGANIZER, of="rescore", scope="organize"),
    "pages:rerun-submission": Rule(SCORER, of="submission", scope="organize"),
    "pages:rescore-submission": Rule(SCORER, of="submission", scope="organize"),
    "pages:hide-submission": Rule(ORGANIZER, of="submission", scope="organize"),
    "pages:disqualify-submission": Rule(ORGANIZER, of="submission", scope="organize"),
    "pages:baseline-submission": Rule(ORGANIZER, of="submission", scope="organize"),
    "pages:decide-join-requests": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:announce": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:dashboard-announcement": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:delete-announcement": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:export": Rule(ORGANIZER, of="challenge", scope="organize"),
    "pages:export-zip": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:dashboard": Rule(VIEWER, of="challenge"),
    "api:dashboard-disk": Rule(VIEWER, of="challenge"),
    "api:dashboard-submissions": Rule(VIEWER, of="challenge"),
    "api:registrations": Rule(VIEWER, of="challenge"),
    "api:dashboard-rescores": Rule(VIEWER, of="challenge"),
    "api:audit-log": Rule(VIEWER, of="challenge"),
    "api:get-rescore": Rule(VIEWER, of="rescore"),
    "api:begin-rescore": Rule(SCORER, of="challenge", scope="organize"),
    "api:discard-rescore": Rule(SCORER, of="rescore", scope="organize"),
    "api:apply-rescore": Rule(ORGANIZER, of="rescore", scope="organize"),
    "api:rerun-submission": Rule(SCORER, of="submission", scope="organize"),
    "api:rescore-submission": Rule(SCORER, of="submission", scope="organize"),
    "api:judge-submission": Rule(ORGANIZER, of="submission", scope="organize"),
    "api:decide-registration": Rule(ORGANIZER, of="registration", scope="organize"),
    "api:announce": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:change-announcement": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:delete-announcement": Rule(ORGANIZER, of="challenge", scope="organize"),
    "api:export": Rule(ORGANIZER, of="challenge", scope="organize"),
    # -- the operator's
    "pages:accounts": Rule(ADMIN, scope="account"),
    "pages:change-account": Rule(ADMIN, scope="account"),
    "pages:invite-account": Rule(ADMIN, scope="account"),
    "pages:revoke-account-invitation": Rule(ADMIN, scope="account"),
    "api:list-people": Rule(ADMIN, scope="organize"),  # addresses for mail are in it
    "api:change-person": Rule(ADMIN, scope="organize"),
    "api:list-invitations": Rule(ADMIN, scope="organize"),
    "api:invite-account": Rule(ADMIN, scope="organize"),
    "api:revoke-account-invitation": Rule(ADMIN, scope="organize"),
    "api:reset-link": Rule(ADMIN, scope="account"),  # no token is made for it: none may let in as somebody else
    "api:remove-second-factors": Rule(ADMIN, scope="account"),
    # -- one's own account
    "pages:account": Rule(SIGNED_IN),
    "pages:tokens": Rule(SIGNED_IN, scope="account"),  # no token is made for it: none may make another
    "pages:revoke-token": Rule(OWNER, of="token", scope="account"),
    "api:me": Rule(SIGNED_IN),
    "api:list-tokens": Rule(SIGNED_IN),
    "api:make-token": Rule(SIGNED_IN, scope="account"),
    "api:revoke-token": Rule(OWNER, of="token", scope="submit"),
    # -- accounts: allauth's own pages, which look after themselves
    "account_*": Rule(ANYONE, scope="account"),  # not with a token: with one, nobody could be kept out for good
    "mfa_*": Rule(ANYONE, scope="account"),
    "socialaccount_*": Rule(ANYONE, scope="account"),
    "openid_connect_*": Rule(ANYONE, scope="account"),
}
