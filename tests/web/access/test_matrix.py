"""Every role asks every address, and is answered as the table in docs/access.md says, which enforces nothing."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from django.core.cache import caches
from django.db import transaction
from django.test import Client
from tests.web.access.everything import (
    ROLES,
    Call,
    Everything,
    address,
    arguments,
    body,
    calls,
    drafted,
    make_everything,
    send,
)
from tests.web.access.tables import changed_tables, tables
from tests.web.world import World

from palio.web.access.tokens import SCOPES
from palio.web.models import User
from palio.web.verbs.tokens import make_token

TABLE = Path(__file__).parents[3] / "docs" / "access.md"
ANSWERED, SIGN_IN, FORBIDDEN, MISSING = "✓", "→", "✗", "–"
# They hand out everything, people's addresses, or whom an operator invites, so that reading is not enough.
EXPORTS = {Call(f"api:{name}", "GET") for name in ("export", "accounts", "list-invitations")}
_ROW = re.compile(r"\| `(?P<name>[^`]+)` \| (?P<method>[A-Z]+) \|(?P<cells>.+)\|")


def written() -> dict[Call, dict[str, str]]:
    """For each call, for each role, its sign."""
    found: dict[Call, dict[str, str]] = {}
    for line in TABLE.read_text().splitlines():
        if row := _ROW.fullmatch(line.strip()):
            cells = [cell.strip() for cell in row["cells"].split("|")]
            call = Call(row["name"], row["method"])
            assert call not in found, f"{call} has two rows"
            found[call] = dict(zip(ROLES, cells, strict=True))
    return found


WRITTEN = written()


@pytest.fixture
def everything(world: World, tmp_path: Path) -> Everything:
    return make_everything(world, tmp_path)


def test_matrix_covers_all_addresses() -> None:
    assert {str(call) for call in WRITTEN} == {str(call) for call in calls()}


def test_matrix_columns_are_roles() -> None:
    heads = [line for line in TABLE.read_text().splitlines() if line.startswith("| Page or operation")]
    assert {tuple(cell.strip() for cell in line.strip("|").split("|")[2:]) for line in heads} == {tuple(ROLES)}


def test_matrix_status_of_each_role(everything: Everything, browser: Callable[..., Client]) -> None:
    differ = []
    for role in ROLES:
        client = browser(everything.people[role])
        for call in WRITTEN:
            found = asked(client, call, address(call, everything), body(call, everything))
            if found != WRITTEN[call][role]:
                differ.append(f"{call}, {role}: written {WRITTEN[call][role]}, found {found}")
    assert not differ, "\n".join(differ)


def test_draft_parts_not_found(everything: Everything, browser: Callable[..., Client]) -> None:
    """But for its organizer and admins, who see at least that it is."""
    subjects = drafted(everything)
    about = [call for call in WRITTEN if set(arguments(call)) & set(subjects) and "escore" not in call.name]
    assert len(about) > 90
    seen = {}
    for role in ROLES:
        if role in ("organizer", "admin"):
            continue
        client = browser(everything.people[role])
        for call in about:
            found = asked(client, call, address(call, everything, **subjects), body(call, everything))
            if found != MISSING:
                seen[f"{call}, {role}"] = found
    assert seen == {}
    organizer = browser(everything.people["organizer"])
    assert asked(organizer, Call("pages:challenge", "GET"), "/c/draft/", {}) == ANSWERED


def test_unlisted_method_changes_nothing(everything: Everything, browser: Callable[..., Client]) -> None:
    client = browser(everything.people["admin"])
    before = tables()
    for name in {call.name for call in WRITTEN if call.name.startswith(("pages:", "api:"))}:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            call = Call(name, method)
            if call not in WRITTEN:
                where = address(Call(name, method), everything)
                if not any(other.method == method and address(other, everything) == where for other in WRITTEN):
                    answer = send(client, call, where)
                    assert answer.status_code < 500, call
    assert changed_tables(before) == []


def test_token_scopes(everything: Everything) -> None:
    """Each call with tokens of each scope alone, by somebody who may; those for less are refused."""
    for role in ("captain", "admin"):
        user = everything.people[role]
        assert user is not None
        allowed = [call for call in WRITTEN if WRITTEN[call][role] == ANSWERED and call.name.startswith("api:")]
        for scope in SCOPES:
            client = program(user, scope)
            let_in = {call for call in allowed if asked(client, call, address(call, everything), body(call, everything))
                      == ANSWERED}  # fmt: skip
            if scope == "read":
                assert let_in == {call for call in allowed if call.method in ("GET", "HEAD", "OPTIONS")} - EXPORTS
            for name in ("make-token", "reset-link", "remove-second-factors"):  # none lets in as somebody else
                assert Call(f"api:{name}", "POST") not in let_in
    reader = program(everything.world.ada, "read")
    before = tables()
    for call in WRITTEN:
        if call.method != "GET" and not call.name.startswith("api:"):
            assert send(reader, call, address(call, everything)).status_code in (302, 403, 404, 405), call
    assert changed_tables(before) == []


def program(user: User, *scopes: str) -> Client:
    _, secret = make_token(user, "program", scopes, days=1)
    return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {secret}"}, enforce_csrf_checks=True)


def asked(client: Client, call: Call, where: str, content: Mapping[str, object]) -> str:
    """The sign for what comes back; what was changed by asking is taken back."""
    session = client.cookies.get("sessionid")
    kept = session.value if session else None
    with transaction.atomic():
        answer = send(client, call, where, content)
        transaction.set_rollback(True)
    if kept is not None:
        client.cookies["sessionid"] = kept
    else:
        client.cookies.clear()
    caches["here"].clear()
    assert answer.status_code < 500, (call, answer.status_code)
    if answer.status_code == 401 or answer.get("Location", "").startswith("/accounts/login/"):
        return SIGN_IN
    if answer.status_code == 404 and not call.name.startswith(("pages:", "api:")):
        return ANSWERED  # by a page of allauth, about a key that is none
    return {403: FORBIDDEN, 404: MISSING}.get(answer.status_code, ANSWERED)
