"""Submissions that the platform fetches: what is kept, shown and refused, before anything counts."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.bundles import YAML, write_bundle
from tests.git_server import git_repository
from tests.images import tar
from tests.registry import FakeRegistry, fake_registry
from tests.web.scored_submissions import publish
from tests.web.submission_files import below, context_zip
from tests.web.world import World

from palio.core.errors import Cause, PalioError
from palio.web.models import Event, StoredFile, Submission
from palio.web.storage.files import file_path
from palio.web.verbs.complete_upload import take_whole
from palio.web.verbs.fetch_source import fetch_source
from palio.web.verbs.submit import submit

Browser = Callable[..., Client]
PAGE = "/c/mednist/submit/"
LAYER = tar({"predict.py": b"print(1)\n"})


@pytest.fixture(autouse=True)
def _no_uploads_of_others() -> None:
    shutil.rmtree(settings.FOLDERS.uploads, ignore_errors=True)
    settings.FOLDERS.make()


@pytest.fixture
def registry(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """With a challenge that takes references."""
    yaml = YAML.replace("[context, results]", "[context, results, reference]")
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=yaml))
    with fake_registry() as found:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{found.host}")
        monkeypatch.setenv("PALIO_IMAGE_PLATFORM", "linux/amd64")
        monkeypatch.setattr(settings, "CONFIGURATION", _on_docker())
        yield found


def _on_docker() -> Any:
    from dataclasses import replace

    return replace(settings.CONFIGURATION, engine="docker")


def model(registry: FakeRegistry, version: str = ":v1") -> str:
    return f"{registry.host}/lab/model{version}"


def test_image_is_kept_as_pinned_file_and_can_be_submitted(world: World, registry: FakeRegistry) -> None:
    manifest = registry.image([LAYER], "v1")

    file = fetch_source(world.team, world.bob, model(registry))

    assert (file.kind, file.name) == ("reference", "model-v1.json")
    repository = f"{registry.host}/lab/model"
    assert file.origin == {"source": repository, "tag": "v1", "digest": manifest, "platform": "linux/amd64"}
    assert json.loads(file_path(settings.FOLDERS, file.sha256).read_bytes())["manifest"] == manifest
    assert submit(file, world.bob).submission.file == file
    assert below(settings.FOLDERS.uploads) == []
    assert Event.objects.filter(kind="file.kept").latest("id").detail["origin"]["digest"] == manifest


def test_same_image_again_is_the_same_file(world: World, registry: FakeRegistry) -> None:
    registry.image([LAYER], "v1")

    assert fetch_source(world.team, world.bob, model(registry)) == fetch_source(world.team, world.bea, model(registry))


def test_tag_that_moved_is_another_file_with_a_note(world: World, registry: FakeRegistry) -> None:
    before = registry.image([LAYER], "v1")
    first = fetch_source(world.team, world.bob, model(registry))
    registry.image([tar({"b": b"2"})], "v1")

    second = fetch_source(world.team, world.bob, model(registry))

    assert first.notes == []
    assert second.pk != first.pk
    (note,) = second.notes
    assert note.startswith("the tag `v1` has moved: on ")
    assert note.endswith(f"it was {before[7:19]}")


def test_refused_image_keeps_nothing_and_counts_nothing(world: World, registry: FakeRegistry) -> None:
    arm = registry.image([LAYER], platform="linux/arm64")
    registry.index({"linux/arm64": arm}, "v1")

    with pytest.raises(PalioError) as caught:
        fetch_source(world.team, world.bob, model(registry))

    assert caught.value.code == "reference-platform"
    assert (StoredFile.objects.count(), Submission.objects.count()) == (0, 0)
    assert below(settings.FOLDERS.uploads) == []


def test_challenge_that_takes_no_references_asks_no_registry(world: World) -> None:
    with fake_registry() as registry, pytest.raises(PalioError) as caught:
        fetch_source(world.team, world.bob, model(registry))

    assert caught.value.code == "submission-kind-refused"
    assert registry.asked == []


def test_engine_without_images_asks_no_registry(
    world: World, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(
        settings, "CONFIGURATION", replace(settings.CONFIGURATION, engine="bubblewrap", anyone_on_bubblewrap=True)
    )

    with pytest.raises(PalioError) as caught:
        fetch_source(world.team, world.bob, model(registry))

    assert (caught.value.code, registry.asked) == ("submission-kind-unsupported", [])


def test_document_that_was_uploaded_is_refused(world: World, registry: FakeRegistry) -> None:
    registry.image([LAYER], "v1")
    kept = fetch_source(world.team, world.bob, model(registry))
    content = file_path(settings.FOLDERS, kept.sha256).read_bytes() + b" "

    with pytest.raises(PalioError, match="submit the image's name instead"):
        take_whole(world.team, world.bob, SimpleUploadedFile("model.json", content))


def test_tag_of_repository_becomes_a_context_pinned_to_its_commit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with git_repository(tmp_path, monkeypatch) as repository:
        files = {"Dockerfile": b'FROM python:3.11-slim\nCOPY predict.py /\nCMD ["python", "/predict.py"]\n'}
        first = repository.commit(files | {"predict.py": b"1\n"}, "v1")
        source = f"{repository.url}@v1"
        file = fetch_source(world.team, world.bob, source)
        second = repository.commit({"predict.py": b"2\n"}, "v1")
        moved = fetch_source(world.team, world.bob, source)

    assert (file.kind, file.origin) == ("context", {"source": repository.url, "tag": "v1", "commit": first})
    assert dict(file.facts) == {
        "contents": "2 files, 72 B unpacked",
        "base image": "docker.io/library/python:3.11-slim",
        "runs": 'CMD ["python", "/predict.py"]',
    }
    assert (moved.origin["commit"], len(moved.notes)) == (second, 1)
    assert below(settings.FOLDERS.uploads) == []


def test_pointers_of_git_lfs_are_refused(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"
    with git_repository(tmp_path, monkeypatch) as repository:
        repository.commit({"Dockerfile": b"FROM scratch\nCOPY w.bin /\n", "w.bin": pointer}, "v1")
        with pytest.raises(PalioError) as caught:
            fetch_source(world.team, world.bob, f"{repository.url}@v1")

    assert caught.value.code == "lfs-pointers"


@pytest.mark.parametrize("source", ["file:///etc/passwd@v1", "git@github.com:lab/model@v1", "--output=x@v1", "", "\0"])
def test_odd_source_is_a_sentence_for_the_participant(world: World, registry: FakeRegistry, source: str) -> None:
    with pytest.raises(PalioError) as caught:
        fetch_source(world.team, world.bob, source)

    assert caught.value.failure.cause is Cause.PARTICIPANT
    assert registry.asked == []


# -- pages and API


def test_page_shows_what_was_recognized_before_it_counts(
    world: World, registry: FakeRegistry, browser: Browser
) -> None:
    manifest = registry.image([LAYER], "v1")
    bob = browser(world.bob)
    assert "Submit an image or a Git tag" in bob.get(PAGE).text

    review = bob.post(f"{PAGE}source/", {"source": model(registry), "phase": "Final"}, follow=True)

    assert Submission.objects.count() == 0
    for shown in (manifest, "linux/amd64", "tag <code>v1</code>", "[&quot;python&quot;, &quot;predict.py&quot;]"):
        assert shown in review.text
    file = StoredFile.objects.get()
    answer = bob.post(f"{PAGE}file/", {"file": file.pk, "phase": "Final"}, follow=True)
    submission = Submission.objects.get()
    assert answer.redirect_chain[-1][0] == f"/s/{submission.pk}/"
    assert manifest in answer.text


def test_page_says_what_was_wrong_and_keeps_what_was_typed(
    world: World, registry: FakeRegistry, browser: Browser
) -> None:
    answer = browser(world.bob).post(f"{PAGE}source/", {"source": model(registry, ":gone"), "phase": "Final"})

    assert answer.status_code == 422
    assert "The registry has no image" in answer.text
    assert f'value="{model(registry, ":gone")}"' in answer.text


def test_page_without_references_offers_only_git(world: World, browser: Browser) -> None:
    said = browser(world.bob).get(PAGE).text

    assert "Submit a Git tag" in said
    assert "registry/name:tag" not in said


def test_api_fetches_and_says_what_was_recognized(world: World, registry: FakeRegistry, browser: Browser) -> None:
    registry.image([LAYER], "v1")
    answer = browser(world.bob).post(
        "/api/v1/challenges/mednist/sources",
        json.dumps({"source": model(registry), "phase": "Final"}),
        content_type="application/json",
    )

    assert answer.status_code == 201
    assert answer.json()["facts"]["runs"] == '["python", "predict.py"]'
    assert answer.json()["origin"]["tag"] == "v1"


def test_uploaded_zip_shows_base_image_and_program(world: World, browser: Browser) -> None:
    given = {"file": SimpleUploadedFile("model.zip", context_zip()), "phase": "Final", "check": "yes"}

    said = browser(world.bob).post(PAGE, given, follow=True).text

    assert Submission.objects.count() == 0
    assert "docker.io/library/python:3.11-slim" in said
    assert "CMD [&quot;python&quot;, &quot;predict.py&quot;]" in said
