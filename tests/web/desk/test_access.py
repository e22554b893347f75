"""Who may do what at the desk: each address with everybody."""

from collections.abc import Callable

import pytest
from django.test import Client
from tests.web.desk.conftest import Full, people

from palio.web.models import Announcement
from palio.web.verbs.rescore import begin

VIEW = {"vera", "sam", "alice", "ada"}
SCORE = {"sam", "alice", "ada"}
ORGANIZE = {"alice", "ada"}

DESK, API = "/c/mednist/desk", "/api/v1"
ADDRESSES = [
    ("get", f"{DESK}/", VIEW),
    ("get", f"{DESK}/queue/", VIEW),
    ("get", f"{DESK}/disk/", VIEW),
    ("get", f"{DESK}/submissions/", VIEW),
    ("get", f"{DESK}/people/", VIEW),
    ("get", f"{DESK}/rescores/", VIEW),
    ("get", f"{DESK}/rescores/RESCORE/", VIEW),
    ("get", f"{DESK}/rescores/RESCORE/progress/", VIEW),
    ("get", f"{DESK}/announcements/", VIEW),
    ("get", f"{DESK}/events/", VIEW),
    ("post", f"{DESK}/submissions/again/", SCORE),
    ("post", f"{DESK}/rescores/begin/", SCORE),
    ("post", f"{DESK}/rescores/RESCORE/discard/", SCORE),
    ("post", f"{DESK}/rescores/RESCORE/apply/", ORGANIZE),
    ("post", "/s/BEST/rerun/", SCORE),
    ("post", "/s/BEST/rescore/", SCORE),
    ("post", "/s/BEST/hide/", ORGANIZE),
    ("post", "/s/BEST/disqualify/", ORGANIZE),
    ("post", "/s/BEST/baseline/", ORGANIZE),
    ("post", f"{DESK}/people/decide/", ORGANIZE),
    ("post", f"{DESK}/announcements/new/", ORGANIZE),
    ("get", f"{DESK}/announcements/ANNOUNCEMENT/", ORGANIZE),
    ("post", f"{DESK}/announcements/ANNOUNCEMENT/", ORGANIZE),
    ("post", f"{DESK}/announcements/ANNOUNCEMENT/delete/", ORGANIZE),
    ("get", f"{DESK}/export/", ORGANIZE),
    ("get", f"{DESK}/export.zip", ORGANIZE),
    ("get", f"{API}/challenges/mednist/desk", VIEW),
    ("get", f"{API}/challenges/mednist/desk/submissions", VIEW),
    ("get", f"{API}/challenges/mednist/desk/registrations", VIEW),
    ("get", f"{API}/challenges/mednist/desk/events", VIEW),
    ("get", f"{API}/challenges/mednist/desk/rescores", VIEW),
    ("get", f"{API}/rescores/RESCORE", VIEW),
    ("post", f"{API}/challenges/mednist/desk/rescores", SCORE),
    ("post", f"{API}/rescores/RESCORE/discard", SCORE),
    ("post", f"{API}/rescores/RESCORE/apply", ORGANIZE),
    ("post", f"{API}/submissions/BEST/rerun", SCORE),
    ("post", f"{API}/submissions/BEST/rescore", SCORE),
    ("post", f"{API}/submissions/BEST/judge", ORGANIZE),
    ("post", f"{API}/registrations/PENDING/decide", ORGANIZE),
    ("post", f"{API}/challenges/mednist/desk/announcements", ORGANIZE),
    ("patch", f"{API}/challenges/mednist/desk/announcements/ANNOUNCEMENT", ORGANIZE),
    ("delete", f"{API}/challenges/mednist/desk/announcements/ANNOUNCEMENT", ORGANIZE),
    ("get", f"{API}/challenges/mednist/export", ORGANIZE),
]


@pytest.mark.parametrize(("method", "address", "allowed"), ADDRESSES, ids=[f"{m} {a}" for m, a, _ in ADDRESSES])
def test_an_address_is_for_those_it_is_for(
    full: Full, browser: Callable[..., Client], method: str, address: str, allowed: set[str]
) -> None:
    world = full.world
    said = Announcement.objects.create(challenge=world.challenge, title="Hello", text="All", author=world.alice)
    names = {
        "RESCORE": begin(world.challenge, "Final", world.alice).pk,
        "BEST": full.best.pk,
        "PENDING": full.pending.pk,
        "ANNOUNCEMENT": str(said.pk),
    }
    for name, value in names.items():
        address = address.replace(name, value)
    let_in = set()
    for name, user in sorted(people(world).items(), key=lambda each: each[0] in allowed):
        answer = getattr(browser(user), method)(address)
        refused = answer.status_code in (401, 403, 404) or answer.get("Location", "").startswith("/accounts/login/")
        if not refused:
            let_in.add(name)
            assert answer.status_code < 500, (name, answer.content)
        elif name in allowed and said.pk and "announcements" in address and method in ("post", "delete"):
            let_in.add(name)  # whoever came before has deleted it
        if answer.streaming:
            b"".join(answer.streaming_content)
    assert let_in == allowed
