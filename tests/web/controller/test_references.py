"""Submissions by reference in the queue: what the engine is asked to pull, and whose failures they are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from tests.bundles import YAML, write_bundle
from tests.images import tar
from tests.registry import FakeRegistry, fake_registry
from tests.web.controller.stepped_controller import SteppedController, states
from tests.web.scored_submissions import publish
from tests.web.world import World

from palio.core.attempt.run_folder import RunFolder
from palio.core.engine import Load, Work
from palio.core.errors import PalioError
from palio.web.models import Submission
from palio.web.verbs.fetch_source import fetch_source
from palio.web.verbs.submit import submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def registry(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    yaml = YAML.replace("[context, results]", "[context, reference]")
    publish(world.challenge, write_bundle(tmp_path / "with-references", yaml=yaml))
    with fake_registry() as found:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{found.host}")
        monkeypatch.setenv("PALIO_IMAGE_PLATFORM", "linux/amd64")
        monkeypatch.setattr(settings, "CONFIGURATION", replace(settings.CONFIGURATION, engine="docker"))
        found.image([tar({"a": b"1"})], "v1")
        yield found


def submitted(world: World, registry: FakeRegistry) -> Submission:
    file = fetch_source(world.team, world.bob, f"{registry.host}/lab/model:v1")
    return submit(file, world.bob).submission


def test_pinned_image_is_pulled_and_recorded(
    stepped: SteppedController, world: World, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submitted(world, registry)
    pinned = submission.file.origin["digest"]
    registry.image([tar({"b": b"2"})], "v1")  # the tag moves while it waits

    loads, start = [], stepped.engine.start

    def start_noted(work: Work) -> None:
        loads.extend([work] if isinstance(work, Load) else [])
        start(work)

    monkeypatch.setattr(stepped.engine, "start", start_noted)
    stepped.finish()

    (load,) = loads
    assert load.pull is not None
    assert (load.pull.repository, load.pull.manifest) == (f"{registry.host}/lab/model", pinned)
    attempt = submission.attempts.get()
    assert (attempt.state, attempt.scores) == ("scored", {"accuracy": 1.0})
    lock = RunFolder.open(settings.FOLDERS.runs / attempt.identity).read_json("lock.json")
    assert lock["submission"]["reference"]["manifest"] == pinned


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PalioError("source-failing", host="ghcr.io", reason="it does not answer"), ["failed", "queued"]),
        (PalioError("registry-limit", host="ghcr.io", reason="status 429"), ["failed", "queued"]),
        (PalioError("reference-not-found", image="ghcr.io/lab/model"), ["failed"]),
    ],
)
def test_failure_of_registry_is_retried_and_deleted_image_is_not_and_neither_counts(
    stepped: SteppedController, world: World, registry: FakeRegistry, error: PalioError, expected: list[str]
) -> None:
    stepped.engine.faults = {"build": error}
    submission = submitted(world, registry)

    stepped.run_until(lambda: submission.attempts.filter(state="failed").exists())

    assert states(submission) == expected
    submission.refresh_from_db()
    assert not submission.charged
    failed = submission.attempts.get(number=1)
    assert failed.failure_code == error.code
    assert "ghcr.io" not in str(failed.failure_shown) or error.code == "reference-not-found"
    assert failed.created < timezone.now()
