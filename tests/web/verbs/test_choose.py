"""Teams put submissions on the leaderboard, where the challenge leaves that to them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.test import Client
from tests.errors import code_of
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.world import World

from palio.web.leaderboard.leaderboard import read_leaderboard
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Event, Submission
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.choose import Choice, choice_of, put_on_leaderboard, take_off_leaderboard
from palio.web.verbs.submit import withdraw

Browser = Callable[..., Client]


def use(world: World, folder: Path, rule: str) -> None:
    bundle = write_leaderboard_bundle(folder / rule, board=f"    submission_rule: {rule}\n")
    publish(world.challenge, bundle)
    for team in (world.team, world.rivals):
        team.challenge.refresh_from_db()


def shown(world: World) -> list[tuple[int | None, str]]:
    """Ranks and submissions of the leaderboard."""
    world.challenge.refresh_from_db()
    bundle = current_bundle(world.challenge)
    found, _ = read_leaderboard(world.challenge, bundle.phases[-1], bundle.leaderboard, Visibility.PUBLIC)
    return [(row.rank, row.entry.label) for row in found.rows]


def test_choose_one_cannot_be_removed(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, "Add")
    first = add_submission(world.team, scores=scores(0.6))
    second = add_submission(world.team, scores=scores(0.9), minute=1)
    assert shown(world) == []
    put_on_leaderboard(first, world.bea)  # any member may
    assert shown(world) == [(1, first.pk)]
    choice = choice_of(second)
    assert choice == Choice(is_chosen=False, may_put=True, may_take_off=False, replaces=True)
    put_on_leaderboard(second, world.bob)
    put_on_leaderboard(second, world.bob)
    assert shown(world) == [(1, second.pk)]
    assert code_of(lambda: take_off_leaderboard(second, world.bob)) == "leaderboard-keeps"
    kinds = [event.kind for event in Event.objects.filter(kind__startswith="submission.").order_by("id")]
    assert kinds == ["submission.put-on-leaderboard"] * 2
    assert Event.objects.order_by("id").last().detail == {"replaced": [first.pk]}  # type: ignore[union-attr]


def test_choose_removed(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, "Add_And_Delete")
    first = add_submission(world.team, scores=scores(0.6))
    rival = add_submission(world.rivals, scores=scores(0.7))
    put_on_leaderboard(first, world.bob)
    put_on_leaderboard(rival, world.carol)
    assert shown(world) == [(1, rival.pk), (2, first.pk)]
    take_off_leaderboard(first, world.bob)
    take_off_leaderboard(first, world.bob)
    assert shown(world) == [(1, rival.pk)]
    assert Event.objects.filter(kind="submission.taken-off-leaderboard").count() == 1


def test_choose_several_rows(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, "Add_And_Delete_Multiple")
    own = [add_submission(world.team, scores=scores(0.5 + place / 10), minute=place) for place in range(3)]
    for each in (own[0], own[2]):
        put_on_leaderboard(each, world.bob)
    assert shown(world) == [(1, own[2].pk), (2, own[0].pk)]
    take_off_leaderboard(own[2], world.bob)
    assert shown(world) == [(1, own[0].pk)]


def test_all_submissions_shown(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, "Force_Latest_Multiple")
    own = [add_submission(world.team, scores=scores(0.5 + place / 10), minute=place) for place in range(2)]
    assert shown(world) == [(1, own[1].pk), (2, own[0].pk)]
    assert choice_of(own[0]) is None
    assert code_of(lambda: put_on_leaderboard(own[0], world.bob)) == "leaderboard-automatic"


def test_choose_refused(world: World, tmp_path: Path) -> None:
    use(world, tmp_path, "Add_And_Delete")
    failed = add_submission(world.team, failure="predict-exit")
    judged = add_submission(world.team, scores=scores(0.9), minute=1, disqualified="copied")
    gone = add_submission(world.team, scores=scores(0.8), minute=2)
    put_on_leaderboard(gone, world.bob)
    withdraw(gone, world.bob)
    assert shown(world) == []
    codes = [code_of(partial(put_on_leaderboard, each, world.bob)) for each in (failed, judged, gone)]
    assert codes == ["submission-unscored", "submission-disqualified", "submission-withdrawn"]


def test_choose_buttons(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path, "Add_And_Delete")
    submission = add_submission(world.team, scores=scores(0.6))
    page, address = f"/s/{submission.pk}/", f"/s/{submission.pk}/leaderboard/"
    bob, carol = browser(world.bob), browser(world.carol)
    assert 'value="put"' in bob.get(page).text
    assert carol.post(address, {"do": "put"}).status_code == 404
    assert "put on the leaderboard" in bob.post(address, {"do": "put"}, follow=True).text
    assert 'value="take-off"' in bob.get(page).text
    assert "Blobs" in browser(None).get("/c/mednist/leaderboard/").text
    assert "taken off" in bob.post(address, {"do": "take-off"}, follow=True).text
    assert "No team has put a submission" in browser(None).get("/c/mednist/leaderboard/").text


def test_choose_in_api(world: World, tmp_path: Path, browser: Browser) -> None:
    use(world, tmp_path, "Add_And_Delete")
    submission = add_submission(world.team, scores=scores(0.6))
    address, bob = f"/api/v1/submissions/{submission.pk}", browser(world.bob)
    off = {"is_chosen": False, "may_put": True, "may_take_off": False, "replaces": False}
    assert bob.get(address).json()["choice"] == off
    on = bob.post(f"{address}/leaderboard").json()
    assert (on["choice"], on["chosen"] is None) == (
        off | {"is_chosen": True, "may_put": False, "may_take_off": True},
        False,
    )
    assert bob.delete(f"{address}/leaderboard").json()["choice"] == off


@pytest.mark.parametrize("rule", ["Force_Best", "Force_Last"])
def test_choose_without_rule(world: World, tmp_path: Path, rule: str) -> None:
    use(world, tmp_path, rule)
    submission = add_submission(world.team, scores=scores(0.6))
    assert choice_of(submission) is None
    assert code_of(lambda: take_off_leaderboard(submission, world.bob)) == "leaderboard-automatic"
    assert Submission.objects.get().chosen is None
