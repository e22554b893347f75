"""Everything that the pages can do can be done by the API, by the same people: a table written by hand says by what."""

from collections.abc import Mapping

import pytest
from tests.web.access.everything import ROLES, Call, calls
from tests.web.access.test_matrix import ANSWERED, WRITTEN

# For each page whose name is no operation's of the API, or that does more, the operations that show or do the same.
BY_API: Mapping[str, tuple[str, ...]] = {
    "home": ("list-challenges",),
    "health": (),  # already JSON, for monitoring
    "robots": (),
    "sitemap": ("list-challenges",),
    "styleguide": (),  # for those who change the pages
    "challenge-page": ("challenge-pages",),
    "challenge-announcements-feed": ("challenge-announcements",),
    "challenge-calendar": ("challenge-phases",),
    "challenge-terms": ("challenge",),
    "challenge-file": (),  # pictures in the pages of a challenge
    "challenge-data": ("challenge-phases",),
    "invitation": ("accept-invitation",),
    "accept-terms": ("join", "accept-terms"),
    "submit": ("list-quotas", "list-files", "create-upload", "append-to-upload", "complete-upload", "submit"),
    "challenge-settings": ("challenge", "list-roles", "list-challenge-invitations"),
    "challenge-visibility": ("change-challenge",),
    "challenge-joining": ("change-challenge",),
    "submit-file": ("list-files", "submit"),
    "submission-live": ("submission",),
    "submission-logs": ("submission-log",),
    "language": ("set-notifications",),  # of e-mails; that of pages is the browser's
    "leaderboard-phase": ("leaderboard",),
    "leaderboard-csv": ("leaderboard",),
    "leaderboard-json": ("leaderboard",),
    "leaderboard-svg": ("leaderboard",),
    "statistics-phase": ("statistics",),
    "statistics-csv": ("statistics",),
    "dashboard-queue": ("dashboard",),
    "dashboard-activity-csv": ("dashboard-activity",),
    "dashboard-announcements": ("challenge-announcements",),
    "dashboard-announcement": ("change-announcement",),
    "unsubscribe": (),  # from the link in a mail
    "dashboard-messages": ("list-messages",),
    "new-message": ("send-message",),
    "dashboard-rerun": ("rerun-submission", "rescore-submission"),
    "rescore-progress": ("rescore",),
    "hide-submission": ("judge-submission",),
    "disqualify-submission": ("judge-submission",),
    "baseline-submission": ("judge-submission",),
    "export-zip": ("export",),
    "report-zip": ("export",),  # `palio report` makes it of the export
    "change-account": ("update-account", "reset-link", "remove-second-factors"),
    "tokens": ("list-tokens", "make-token"),
}
_API = {call.name: call for call in calls() if call.name.startswith("api:")}


PAGES = sorted({call.name.removeprefix("pages:") for call in calls() if call.name.startswith("pages:")})


def test_page_names() -> None:
    operations = {name.removeprefix("api:") for name in _API}
    assert {*PAGES} - operations <= BY_API.keys() <= {*PAGES}
    assert {name for names in BY_API.values() for name in names} <= operations


@pytest.mark.parametrize("page", [page for page in PAGES if BY_API.get(page) != ()])
def test_page_operations_in_api(page: str) -> None:
    """Once they have signed in: to follow an invitation without an account is for a browser."""
    by_page = [call for call in calls() if call.name == f"pages:{page}"]
    by_api = [_API[f"api:{name}"] for name in BY_API.get(page, (page,))]
    for role in ROLES:
        allowed = [call for call in by_page if WRITTEN[call][role] == ANSWERED]
        if role != "anonymous" and allowed:
            assert any(_is_allowed(call, role) for call in by_api), (page, role)


def _is_allowed(call: Call, role: str) -> bool:
    return WRITTEN[call][role] == ANSWERED
