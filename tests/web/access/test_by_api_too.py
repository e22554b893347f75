"""Everything that the pages can do can be done by the API, by the same people: a table written by hand says by what."""

from collections.abc import Mapping

import pytest
from tests.web.access.everything import ROLES, Call, calls
from tests.web.access.test_matrix import ANSWERED, WRITTEN

# For each page, the operations that together show, or do, the same.
BY_API: Mapping[str, tuple[str, ...]] = {
    "home": ("list-challenges",),
    "health": (),  # JSON itself, and for whoever watches the server
    "challenge": ("get-challenge", "challenge-pages"),
    "challenge-page": ("challenge-pages",),
    "challenge-phases": ("challenge-phases",),
    "challenge-terms": ("get-challenge",),
    "challenge-versions": ("challenge-versions",),
    "challenge-announcements": ("challenge-announcements",),
    "challenge-file": (),  # pictures in the pages of a challenge
    "challenge-data": ("challenge-phases",),
    "challenge-download": ("challenge-download",),
    "join": ("join-challenge",),
    "accept-terms": ("join-challenge", "accept-terms"),
    "withdraw-from-challenge": ("withdraw-from-challenge",),
    "invitation": ("accept-invitation",),
    "publish": ("publish-challenge",),
    "publish-version": ("publish-version",),
    "challenge-settings": ("get-challenge", "challenge-roles", "list-challenge-invitations"),
    "challenge-visibility": ("change-challenge",),
    "challenge-joining": ("change-challenge",),
    "grant-role": ("grant-role",),
    "revoke-role": ("revoke-role",),
    "invite-participant": ("invite-participant",),
    "take-back-invitation": ("take-back-invitation",),
    "own-team": ("own-team", "list-team-invitations"),
    "rename-team": ("rename-team",),
    "invite-member": ("invite-member",),
    "take-back-member": ("take-back-member",),
    "pass-captain": ("pass-captain",),
    "leave-team": ("leave-team",),
    "submit": ("list-tries", "list-files", "create-upload", "append-to-upload", "complete-upload", "submit"),
    "submit-file": ("list-files", "submit"),
    "submissions": ("list-submissions",),
    "delete-file": ("delete-file",),
    "cancel-submission": ("cancel-submission",),
    "withdraw-submission": ("withdraw-submission",),
    "submission": ("get-submission",),
    "submission-live": ("get-submission",),
    "submission-logs": ("submission-log",),
    "submission-log": ("submission-log",),
    "submission-report": ("submission-report",),
    "submission-receipt": ("submission-receipt",),
    "board": ("board", "board-history"),
    "board-phase": ("board",),
    "board-csv": ("board",),
    "board-json": ("board",),
    "desk": ("desk",),
    "desk-queue": ("desk",),
    "desk-disk": ("desk-disk",),
    "desk-submissions": ("desk-submissions",),
    "desk-people": ("desk-registrations", "challenge-roles"),
    "desk-rescores": ("desk-rescores",),
    "desk-announcements": ("challenge-announcements",),
    "desk-events": ("desk-events",),
    "rescore": ("get-rescore",),
    "rescore-progress": ("get-rescore",),
    "desk-rerun": ("rerun-submission", "rescore-submission"),
    "begin-rescore": ("begin-rescore",),
    "discard-rescore": ("discard-rescore",),
    "apply-rescore": ("apply-rescore",),
    "rerun-submission": ("rerun-submission",),
    "rescore-submission": ("rescore-submission",),
    "hide-submission": ("judge-submission",),
    "disqualify-submission": ("judge-submission",),
    "baseline-submission": ("judge-submission",),
    "desk-decide": ("decide-registration",),
    "announce": ("announce",),
    "desk-announcement": ("change-announcement",),
    "delete-announcement": ("delete-announcement",),
    "desk-export": ("export",),
    "desk-export-zip": ("export",),
    "operate-people": ("list-people", "list-invitations"),
    "operate-person": ("change-person", "reset-link", "remove-second-factors"),
    "invite-person": ("invite-person",),
    "take-back-person": ("take-back-person",),
    "account": ("me",),
    "tokens": ("list-tokens", "make-token"),
    "revoke-token": ("revoke-token",),
}
_API = {call.name: call for call in calls() if call.name.startswith("api:")}


def test_every_page_is_in_the_table_and_every_operation_is_there() -> None:
    pages = {call.name.removeprefix("pages:") for call in calls() if call.name.startswith("pages:")}
    assert pages == BY_API.keys()
    assert {f"api:{name}" for names in BY_API.values() for name in names} - _API.keys() == set()


@pytest.mark.parametrize("page", [page for page, names in BY_API.items() if names])
def test_whoever_may_do_it_by_page_may_by_api(page: str) -> None:
    """Once they have signed in: to follow an invitation without an account is for a browser."""
    by_page = [call for call in calls() if call.name == f"pages:{page}"]
    by_api = [_API[f"api:{name}"] for name in BY_API[page]]
    for role in ROLES:
        allowed = [call for call in by_page if WRITTEN[call][role] == ANSWERED]
        if role != "anonymous" and allowed:
            assert any(_is_allowed(call, role) for call in by_api), (page, role)


def _is_allowed(call: Call, role: str) -> bool:
    return WRITTEN[call][role] == ANSWERED
