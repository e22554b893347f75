"""The data audit while publishing: serious findings are refused without a reason, which is recorded."""

from pathlib import Path

import pytest
from PIL import Image
from tests.bundles import write_bundle

from palio.core.errors import PalioError
from palio.web.models import Challenge, Event, User
from palio.web.verbs.publish import publish_bundle


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """A bundle with a hidden image that is cut off."""
    folder = write_bundle(tmp_path / "vowels")
    picture = next(path for path in (folder / "input_data", folder / "data", folder) if path.is_dir()) / "cut.png"
    Image.effect_noise((64, 64), 50).save(picture)
    picture.write_bytes(picture.read_bytes()[:500])
    return folder


def test_serious_findings_need_a_reason(flawed: Path, alice: User) -> None:
    with pytest.raises(PalioError) as refused:
        publish_bundle(flawed, actor=alice)
    assert refused.value.failure.code == "data-findings"
    (line,) = refused.value.failure.evidence
    assert line.startswith("1 file: Images cannot be read: programs of participants will fail on them. ")
    assert "cut.png cannot be read" in line
    assert not Challenge.objects.exists()
    done = publish_bundle(flawed, actor=alice, accept_findings=" We test\nthis on purpose. ")
    event = Event.objects.get(kind="challenge.findings_accepted")
    assert (event.actor, event.challenge, event.detail["version"]) == (alice, done.version.challenge, 1)
    assert (event.detail["reason"], event.detail["findings"]) == ("We test this on purpose.", [line])
    again = publish_bundle(flawed, actor=alice)  # the same content, which is accepted
    assert not again.is_new


def test_sound_data_needs_no_reason(flawed: Path, alice: User) -> None:
    (cut,) = flawed.rglob("cut.png")
    Image.effect_noise((64, 64), 50).save(cut)
    done = publish_bundle(flawed, actor=alice, accept_findings="Not needed.")
    assert done.warnings == ()
    assert not Event.objects.filter(kind="challenge.findings_accepted").exists()
