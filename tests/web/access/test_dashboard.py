"""Who may do what on the organizer dashboard: each address with everybody."""

from collections.abc import Callable, Mapping

from django.db import transaction
from django.test import Client
from tests.web.full_challenge import Full, people

from palio.web.models import Announcement
from palio.web.verbs.rescore import begin

VIEW = {"vera", "sam", "alice", "ada"}
SCORE = {"sam", "alice", "ada"}
ORGANIZE = {"alice", "ada"}

DASHBOARD, API = "/c/mednist/manage", "/api/v1"
ADDRESSES = [
    ("get", f"{DASHBOARD}/", VIEW),
    ("get", f"{DASHBOARD}/queue/", VIEW),
    ("get", f"{DASHBOARD}/disk/", VIEW),
    ("get", f"{DASHBOARD}/activity.csv", VIEW),
    ("get", f"{DASHBOARD}/submissions/", VIEW),
    ("get", f"{DASHBOARD}/participants/", VIEW),
    ("get", f"{DASHBOARD}/rescores/", VIEW),
    ("get", f"{DASHBOARD}/rescores/RESCORE/", VIEW),
    ("get", f"{DASHBOARD}/rescores/RESCORE/progress/", VIEW),
    ("get", f"{DASHBOARD}/announcements/", VIEW),
    ("get", f"{DASHBOARD}/audit-log/", VIEW),
    ("post", f"{DASHBOARD}/submissions/again/", SCORE),
    ("post", f"{DASHBOARD}/rescores/begin/", SCORE),
    ("post", f"{DASHBOARD}/rescores/RESCORE/discard/", SCORE),
    ("post", f"{DASHBOARD}/rescores/RESCORE/apply/", ORGANIZE),
    ("post", "/s/BEST/rerun/", SCORE),
    ("post", "/s/BEST/rescore/", SCORE),
    ("post", "/s/BEST/hide/", ORGANIZE),
    ("post", "/s/BEST/disqualify/", ORGANIZE),
    ("post", "/s/BEST/baseline/", ORGANIZE),
    ("post", f"{DASHBOARD}/participants/decide/", ORGANIZE),
    ("post", f"{DASHBOARD}/announcements/new/", ORGANIZE),
    ("get", f"{DASHBOARD}/announcements/ANNOUNCEMENT/", ORGANIZE),
    ("post", f"{DASHBOARD}/announcements/ANNOUNCEMENT/", ORGANIZE),
    ("post", f"{DASHBOARD}/announcements/ANNOUNCEMENT/delete/", ORGANIZE),
    ("get", f"{DASHBOARD}/edit/", ORGANIZE),
    ("post", f"{DASHBOARD}/edit/", ORGANIZE),
    ("get", f"{DASHBOARD}/export/", ORGANIZE),
    ("get", f"{DASHBOARD}/export.zip", ORGANIZE),
    ("get", f"{API}/challenges/mednist/manage", VIEW),
    ("get", f"{API}/challenges/mednist/manage/activity", VIEW),
    ("get", f"{API}/challenges/mednist/manage/submissions", VIEW),
    ("get", f"{API}/challenges/mednist/manage/registrations", VIEW),
    ("get", f"{API}/challenges/mednist/manage/audit-log", VIEW),
    ("get", f"{API}/challenges/mednist/manage/rescores", VIEW),
    ("get", f"{API}/rescores/RESCORE", VIEW),
    ("post", f"{API}/challenges/mednist/manage/rescores", SCORE),
    ("post", f"{API}/rescores/RESCORE/discard", SCORE),
    ("post", f"{API}/rescores/RESCORE/apply", ORGANIZE),
    ("post", f"{API}/submissions/BEST/rerun", SCORE),
    ("post", f"{API}/submissions/BEST/rescore", SCORE),
    ("post", f"{API}/submissions/BEST/judge", ORGANIZE),
    ("post", f"{API}/registrations/PENDING/decide", ORGANIZE),
    ("post", f"{API}/challenges/mednist/manage/registrations/decide", ORGANIZE),
    ("post", f"{API}/challenges/mednist/manage/announcements", ORGANIZE),
    ("patch", f"{API}/challenges/mednist/manage/announcements/ANNOUNCEMENT", ORGANIZE),
    ("delete", f"{API}/challenges/mednist/manage/announcements/ANNOUNCEMENT", ORGANIZE),
    ("post", f"{API}/challenges/mednist/manage/edit", ORGANIZE),
    ("post", f"{API}/challenges/mednist/manage/edit/review", ORGANIZE),
    ("get", f"{API}/challenges/mednist/export", ORGANIZE),
]


def test_address_access_by_role(full: Full, browser: Callable[..., Client]) -> None:
    """Each is tried on the same state of things, which is brought back after each person."""
    world = full.world
    said = Announcement.objects.create(challenge=world.challenge, title="Hello", text="All", author=world.alice)
    names = {
        "RESCORE": begin(world.challenge, "Final", world.alice).pk,
        "BEST": full.best.pk,
        "PENDING": full.pending.pk,
        "ANNOUNCEMENT": str(said.pk),
    }
    browsers = {name: browser(user) for name, user in people(world).items()}
    let_in = {
        (method, address): {name for name, client in browsers.items() if _is_let_in(client, method, address, names)}
        for method, address, _ in ADDRESSES
    }
    assert let_in == {(method, address): allowed for method, address, allowed in ADDRESSES}


def _is_let_in(client: Client, method: str, address: str, names: Mapping[str, str]) -> bool:
    for name, value in names.items():
        address = address.replace(name, value)
    with transaction.atomic():
        answer = getattr(client, method)(address)
        if answer.streaming:
            answer.getvalue()
        transaction.set_rollback(True)
    assert answer.status_code < 500, (address, answer.content)
    return not (answer.status_code in (401, 403, 404) or answer.get("Location", "").startswith("/accounts/login/"))
