"""`palio publish` against a platform that runs."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.bundles import YAML, write_bundle
from tests.web.world import World, make_world

from palio.cli import main
from palio.web.models import Challenge
from palio.web.verbs.accounts import set_publisher
from palio.web.verbs.tokens import make_token

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None, small_bundle: Path) -> World:
    return make_world(small_bundle)


@pytest.fixture(autouse=True)
def _olga_is_logged_in(world: World, live_server: "LiveServer", monkeypatch: pytest.MonkeyPatch) -> None:
    set_publisher(world.olga, True, actor=world.ada)
    monkeypatch.setenv("PALIO_SERVER", live_server.url)
    monkeypatch.setenv("PALIO_TOKEN", make_token(world.olga, "test", ["read", "organize"], days=1)[1])


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["publish", *arguments])
    out = capsys.readouterr()
    return code, (out.out or out.err).splitlines()


def test_publish_draft_then_visible(
    capsys: pytest.CaptureFixture[str], live_server: "LiveServer", small_bundle: Path
) -> None:
    url = f"{live_server.url}/c/vowels/"
    assert said(capsys, str(small_bundle), "--draft") == (0, ["Vowels, version 1: draft.", url])
    assert said(capsys, str(small_bundle)) == (0, ["Vowels, version 1: published.", url])
    nothing = "Nothing to do: version 1 of Vowels already has this content."
    assert said(capsys, str(small_bundle)) == (0, [nothing, url])


def test_publish_zip(
    capsys: pytest.CaptureFixture[str], live_server: "LiveServer", small_bundle: Path, tmp_path: Path
) -> None:
    url = f"{live_server.url}/c/vowels/"
    archive = shutil.make_archive(str(tmp_path / "vowels"), "zip", small_bundle)
    assert said(capsys, archive) == (0, ["Vowels, version 1: published.", url])
    nothing = "Nothing to do: version 1 of Vowels already has this content."
    assert said(capsys, str(small_bundle)) == (0, [nothing, url])


def test_publish_zip_without_challenge(capsys: pytest.CaptureFixture[str], small_bundle: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "pages"), "zip", small_bundle / "scoring_program")
    code, lines = said(capsys, archive)
    assert code == 11
    assert [line for line in lines if "pages" in line] != []
    assert [line for line in lines if "/tmp" in line] == []


def test_publish_version_differences(
    capsys: pytest.CaptureFixture[str], live_server: "LiveServer", small_bundle: Path, tmp_path: Path
) -> None:
    said(capsys, str(small_bundle), "--slug", "letters")
    changed = write_bundle(tmp_path / "b", yaml=YAML.replace("precision: 3", "precision: 2"))
    (changed / "terms.md").write_text("Be kind.\nBe fair.\n")
    assert said(capsys, str(changed), "--slug", "letters", "--note", "Kinder.") == (
        0,
        [
            "Vowels, version 2: published.",
            "  terms: 0 lines removed, 1 added",
            "  column “accuracy”: precision: 3 → 2",
            f"{live_server.url}/c/letters/",
        ],
    )
    assert Challenge.objects.get(slug="letters").versions.get(number=2).note == "Kinder."


def test_publish_json(capsys: pytest.CaptureFixture[str], small_bundle: Path) -> None:
    code, lines = said(capsys, str(small_bundle), "--json")
    answer = json.loads("\n".join(lines))
    assert (code, answer["is_new"], answer["challenge"]["slug"]) == (0, True, "vowels")


def test_publish_faulty_bundle_sends_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "vowels")
    (folder / "overview.md").unlink()
    code, lines = said(capsys, str(folder))
    assert code == 11
    assert lines[1] == f"{folder} has 1 problem."


@pytest.fixture
def as_alice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """She organizes challenges, and may not create any."""
    monkeypatch.setenv("PALIO_TOKEN", make_token(world.alice, "test", ["read", "organize"], days=1)[1])


def test_organizer_publishes_new_version_by_title(
    capsys: pytest.CaptureFixture[str], small_bundle: Path, tmp_path: Path, as_alice: None
) -> None:
    bundle = shutil.copytree(small_bundle, tmp_path / "vowels")
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("title: Vowels", "title: Vowels of Siena"))
    assert said(capsys, str(bundle), "--slug", "mednist", "--note", "A new title")[0] == 0
    (bundle / "overview.md").write_text("# Another text")
    code, lines = said(capsys, str(bundle), "--note", "A new text")
    assert code == 0, lines
    assert lines[-1].endswith("/c/mednist/")


@pytest.mark.parametrize("slug", [[], ["--slug", "new"]])
def test_who_may_not_create_challenges_is_told_what_to_do(
    capsys: pytest.CaptureFixture[str], small_bundle: Path, as_alice: None, slug: list[str]
) -> None:
    code, lines = said(capsys, str(small_bundle), *slug)
    assert code == 11
    assert any(line.startswith("You may not create challenges on http://") for line in lines)
    assert "--slug NAME" in "\n".join(lines)


def test_publish_slug_taken(capsys: pytest.CaptureFixture[str], small_bundle: Path) -> None:
    code, lines = said(capsys, str(small_bundle), "--slug", "mednist")
    assert code != 0
    assert "You may not do this" in "\n".join(lines)
