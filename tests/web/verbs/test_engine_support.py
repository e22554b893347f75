"""Kinds of submissions that the engine which was found cannot evaluate, or not for everybody."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.web.scored_submissions import publish
from tests.web.submission_files import context_zip
from tests.web.submitting import upload
from tests.web.world import World

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.engines import ENGINES, WITHOUT_IMAGES
from palio.engines.bubblewrap import BubblewrapEngine
from palio.engines.docker import DockerEngine
from palio.engines.kubernetes.engine import KubernetesEngine
from palio.web.models import ControllerBeat, StoredFile
from palio.web.verbs.engine_support import left_out, refuse_unenforced
from palio.web.verbs.submit import submit

KINDS = (SubmissionKind.CONTEXT, SubmissionKind.IMAGE, SubmissionKind.RESULTS)
NO_IMAGES = "The engine of this platform cannot load images. Submit the files that the image was built from."
NOT_YET = "This platform does not run participants' programs yet."


@pytest.fixture
def takes_all(world: World, tmp_path: Path) -> World:
    yaml = YAML.replace("submissions: [context, results]", "submissions: [context, image, results]")
    publish(world.challenge, write_bundle(tmp_path / "bundle", yaml=yaml))
    world.team.challenge.refresh_from_db()
    return world


def finds(engine: str) -> None:
    ControllerBeat.objects.create(time=timezone.now(), process="here:1", engine=f"{engine} 0.8.0, rootless")


def for_anyone(settings: pytest.MonkeyPatch, yes: bool = True) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, engine="auto", anyone_on_bubblewrap=yes)  # type: ignore[attr-defined]


def test_engines_without_images_named() -> None:
    says = {"docker": DockerEngine.loads_images, "bubblewrap": BubblewrapEngine.loads_images}
    says["kubernetes"] = KubernetesEngine.loads_images
    assert says.keys() == set(ENGINES)
    assert {name for name, loads in says.items() if not loads} == WITHOUT_IMAGES


def test_unenforced_property_accepted_by_name_only(world: World, settings: pytest.MonkeyPatch) -> None:
    for names, accepted in (((), False), (("network",), False), (("output",), False), (("output", "pids"), True)):
        changed = replace(settings.CONFIGURATION, accept_unenforced=names)  # type: ignore[attr-defined]
        settings.CONFIGURATION = changed  # type: ignore[attr-defined]
        if accepted:
            refuse_unenforced(world.bob, "kubernetes", ["output", "pids"])
        else:
            with pytest.raises(PalioError, match="does not enforce"):
                refuse_unenforced(world.bob, "kubernetes", ["output", "pids"])
        refuse_unenforced(world.ada, "kubernetes", ["output", "pids"])


def test_kinds_by_engine_and_person(world: World, settings: pytest.MonkeyPatch) -> None:
    for_anyone(settings)
    assert left_out(KINDS, world.bob) == {}  # nobody knows yet
    finds("docker")
    assert left_out(KINDS, world.bob) == {}
    ControllerBeat.objects.all().delete()
    finds("bubblewrap")
    assert left_out(KINDS, world.bob) == {SubmissionKind.IMAGE: NO_IMAGES}
    for_anyone(settings, yes=False)
    assert left_out(KINDS, world.bob) == {SubmissionKind.CONTEXT: NOT_YET, SubmissionKind.IMAGE: NOT_YET}
    assert left_out(KINDS, world.ada) == {SubmissionKind.IMAGE: NO_IMAGES}


def test_kinds_offered_by_page_and_api(takes_all: World, settings: pytest.MonkeyPatch) -> None:
    for_anyone(settings)
    bob = Client(SERVER_NAME="127.0.0.1")
    bob.force_login(takes_all.bob, backend="allauth.account.auth_backends.AuthenticationBackend")

    def offered() -> tuple[bool, bool, list[str], dict[str, str]]:
        page, (quota,) = bob.get("/c/mednist/submit/").text, bob.get("/api/v1/challenges/mednist/quota").json()
        return ".tar.gz" in page, f"<code>image</code>: {NO_IMAGES}" in page, quota["kinds"], quota["left_out"]

    finds("docker")
    assert offered() == (True, False, ["context", "image", "results"], {})
    ControllerBeat.objects.update(engine="bubblewrap 0.8.0")
    assert offered() == (False, True, ["context", "results"], {"image": NO_IMAGES})


def test_saved_image_refused_without_loading_engine(takes_all: World, settings: pytest.MonkeyPatch) -> None:
    for_anyone(settings)
    finds("bubblewrap")
    file = upload(takes_all.team, takes_all.bob, context_zip())
    StoredFile.objects.filter(pk=file.pk).update(kind="image")
    file.refresh_from_db()
    with pytest.raises(PalioError) as caught:
        submit(file, takes_all.bob)
    assert caught.value.failure.code == "submission-kind-unsupported"
