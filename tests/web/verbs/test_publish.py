"""Publishing bundles, new ones and new versions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from tests.bundles import YAML, write_bundle
from tests.errors import code_of
from tests.web.scored_submissions import add_submission
from tests.web.world import World

from palio.core.errors import Cause, PalioError
from palio.engines.named import NamedEngine, NamedEngines
from palio.web.models import Challenge, Event, Role, StoredFile, Submission, User
from palio.web.storage.bundles import bundle_of
from palio.web.verbs.publish import publish, publish_bundle

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    count = iter(range(100))
    return lambda yaml: write_bundle(tmp_path / f"vowels-{next(count)}", yaml=yaml)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


def test_publish_new_challenge(small_bundle: Path, alice: User) -> None:
    version = publish(small_bundle, actor=alice, note="The first.")
    challenge = Challenge.objects.get()
    assert (challenge.slug, challenge.visibility, challenge.joining) == ("vowels", "published", "open")
    assert challenge.current == version
    assert (version.number, version.title, version.changes, version.note) == (1, "Vowels", [], "The first.")
    assert version.published_by == alice
    assert bundle_of(version).title == "Vowels"
    assert Role.objects.get().kind == "organizer"
    assert [event.kind for event in Event.objects.all()] == ["role.granted", "challenge.published", "challenge.shown"]


def test_publish_draft(small_bundle: Path, alice: User) -> None:
    first = publish(small_bundle, actor=alice, draft=True)
    assert Challenge.objects.get().visibility == "draft"
    second = publish(small_bundle, actor=alice)
    assert second == first
    assert Challenge.objects.get().visibility == "published"


def test_publish_same_content(small_bundle: Path, alice: User) -> None:
    first = publish_bundle(small_bundle, actor=alice)
    events = Event.objects.count()
    again = publish_bundle(small_bundle, actor=alice)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.version == first.version
    assert Event.objects.count() == events


def test_publish_changed_content(write: Write, alice: User) -> None:
    publish(write(YAML), actor=alice)
    changed = YAML.replace("precision: 3", "precision: 2").replace("auto_approve: true", "auto_approve: false")
    version = publish(write(changed), actor=alice)
    assert version.number == 2
    assert version.changes == [
        {"what": "registration", "old": "approved automatically", "new": "approved by an organizer"},
        {"what": "column “accuracy”: precision", "old": "3", "new": "2"},
    ]
    challenge = Challenge.objects.get()
    assert (challenge.joining, challenge.current, challenge.leaderboard_revision) == ("approval", version, 2)


def test_publish_by_platform(small_bundle: Path, db: None) -> None:
    assert publish(small_bundle, actor=None, slug="letters").challenge.slug == "letters"
    assert not Role.objects.exists()


def test_publish_faulty_bundle(write: Write, alice: User) -> None:
    folder = write(YAML)
    (folder / "overview.md").write_text("")
    (folder / "reference_data" / "answers.csv").unlink()
    with pytest.raises(PalioError) as caught:
        publish(folder, actor=alice)
    assert caught.value.failure.code == "bundle-invalid"
    assert len(caught.value.failure.evidence) == 2
    assert not Challenge.objects.exists()


def test_publish_slug_taken(world: World, write: Write) -> None:
    folder = write(YAML)
    assert code_of(lambda: publish(folder, actor=world.olga, slug="mednist")) == "slug-taken"
    assert code_of(lambda: publish(folder, actor=world.sam, slug="mednist")) == "slug-taken"
    assert publish(folder, actor=world.alice, slug="mednist").number == 1  # the same content
    assert publish(folder, actor=world.ada, slug="mednist").number == 1


@pytest.mark.parametrize("slug", ["", "Two Words", "é", "a" * 61, "../up"])
def test_publish_invalid_slug(small_bundle: Path, alice: User, slug: str) -> None:
    assert code_of(lambda: publish(small_bundle, actor=alice, slug=slug)) == "slug-invalid"


def test_publish_archived_challenge(small_bundle: Path, world: World) -> None:
    Challenge.objects.filter(slug="mednist").update(visibility="archived")
    assert code_of(lambda: publish(small_bundle, actor=world.alice, slug="mednist")) == "publish-archived"


def test_publish_draft_of_published(small_bundle: Path, world: World) -> None:
    assert code_of(lambda: publish(small_bundle, actor=world.alice, slug="mednist", draft=True)) == (
        "publish-not-draft"
    )


def test_publish_for_an_engine_that_the_platform_names(
    write: Write, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has(**engines: NamedEngine) -> None:
        named = NamedEngines(tuple(engines.items()))
        monkeypatch.setattr(settings, "CONFIGURATION", replace(settings.CONFIGURATION, engines=named))

    folder = write(YAML + "  engine: gpu\n")
    with pytest.raises(PalioError) as raised:
        publish(folder, actor=alice)
    failure = raised.value.failure
    assert (failure.code, failure.cause) == ("engine-unnamed", Cause.ORGANIZER)
    assert failure.message == (
        "The phase “Final” asks for the engine `gpu`, which this platform does not have. It has no named engines."
    )
    has(large=NamedEngine(slots=2), fast=NamedEngine())
    with pytest.raises(PalioError, match="It has: large, fast"):
        publish(folder, actor=alice)
    assert not Challenge.objects.exists()
    has(gpu=NamedEngine())
    assert publish(folder, actor=alice).number == 1


def test_publish_without_used_phase(write: Write, world: World) -> None:
    file = StoredFile.objects.create(
        team=world.team, name="a.csv", kind="results", size_bytes=1, sha256="0" * 64, created_by=world.bob
    )
    Submission.objects.create(challenge=world.challenge, phase="Final", team=world.team, user=world.bob, file=file)
    folder = write(YAML.replace("name: Final", "name: Last"))
    assert code_of(lambda: publish(folder, actor=world.alice, slug="mednist")) == "phase-in-use"


def test_publish_reason_once_there_are_submissions(write: Write, world: World) -> None:
    add_submission(world.team, phase="Final", scores={"accuracy": 0.5})
    changed = write(YAML.replace("precision: 3", "precision: 2"))
    for note in ("", "  "):
        refused = partial(publish, changed, actor=world.alice, slug="mednist", note=note)
        assert code_of(refused) == "publish-reason-missing"
    assert publish(changed, actor=world.alice, slug="mednist", note="Two digits are enough.").number == 2
    assert publish(changed, actor=world.alice, slug="mednist").number == 2  # nothing changed
