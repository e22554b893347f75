"""Who sees a challenge, and how one joins it."""

import pytest
from tests.errors import code_of
from tests.web.verbs.test_joining import add_submission
from tests.web.world import World

from palio.web.models import Challenge, Event
from palio.web.verbs import challenge_settings as settings


def test_set_visibility_and_joining_leave_events(world: World) -> None:
    assert settings.set_visibility(world.challenge, "archived", actor=world.alice).visibility == "archived"
    assert settings.set_joining(world.challenge, "approval", actor=world.alice).joining == "approval"
    settings.set_joining(world.challenge, "approval", actor=world.alice)
    assert [event.kind for event in Event.objects.all()] == ["challenge.shown", "challenge.joining"]


def test_set_visibility_draft_after_submissions(world: World) -> None:
    add_submission(world, world.team, world.bob)
    assert code_of(lambda: settings.set_visibility(world.challenge, "draft", actor=world.alice)) == "challenge-in-use"


def test_set_visibility_without_version(world: World) -> None:
    empty = Challenge.objects.create(slug="empty")
    assert code_of(lambda: settings.set_visibility(empty, "published", actor=world.ada)) == "challenge-empty"


@pytest.mark.parametrize("word", ["", "public", "DRAFT"])
def test_set_unknown_value(world: World, word: str) -> None:
    assert code_of(lambda: settings.set_visibility(world.challenge, word, actor=world.alice)) == "value-unknown"
    assert code_of(lambda: settings.set_joining(world.challenge, word, actor=world.alice)) == "value-unknown"
