"""Parts of a page that are asked for after their reader was signed out, or has lost the right to see them."""

from collections.abc import Callable

from django.test import Client
from django.utils import timezone
from tests.web.scored_submissions import add_submission
from tests.web.world import World

from palio.core.attempt.states import State
from palio.web.models import Membership, Role

Browser = Callable[..., Client]


def asking(shown: str) -> dict[str, str]:
    """What htmx sends along, from a page at this address."""
    return {"HX-Request": "true", "HX-Current-URL": f"http://127.0.0.1{shown}"}


def test_expired_session_redirects_to_sign_in(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, state=State.PREDICT, when=timezone.now())
    bob, page = browser(world.bob), f"/s/{submission.pk}/"
    assert bob.get(f"{page}live/", headers=asking(page)).status_code == 200
    bob.logout()
    for part in ("live/?seen=x&state=predict", "logs/"):
        answer = bob.get(f"{page}{part}", headers=asking(page))
        assert (answer.status_code, answer.headers["HX-Redirect"], answer.content) == (
            200,
            f"/accounts/login/?next={page}",
            b"",
        )
        assert answer.headers["Cache-Control"] == "no-cache"


def test_sign_in_redirect_foreign_host(browser: Browser, world: World) -> None:
    submission = add_submission(world.team, state=State.PREDICT, when=timezone.now())
    headers = {"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/s/x/"}
    answer = browser().get(f"/s/{submission.pk}/live/", headers=headers)
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=/"


def test_fragment_forbidden_reloads_page(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, state=State.PREDICT, when=timezone.now())
    bea, page = browser(world.bea), f"/s/{submission.pk}/"
    vera, stepped = browser(world.vera), "/c/mednist/manage/"
    Membership.objects.filter(user=world.bea).delete()
    Role.objects.filter(user=world.vera).delete()
    for client, shown, part in ((bea, page, "live/"), (vera, stepped, "queue/")):
        answer = client.get(f"{shown}{part}", headers=asking(shown))
        assert (answer.status_code, answer.headers["HX-Refresh"], answer.content) == (200, "true", b"")
    assert (bea.get(page).status_code, vera.get(stepped).status_code) == (404, 403)


def test_whole_page_unaffected(world: World, browser: Browser) -> None:
    submission = add_submission(world.team, state=State.PREDICT, when=timezone.now())
    page = f"/s/{submission.pk}/"
    assert browser().get(page).headers["Location"] == f"/accounts/login/?next={page}"
    assert browser(world.dave).get(page).status_code == 404
