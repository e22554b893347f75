"""What Palio pushed and nobody needs any more is deleted in a real registry, and nothing else."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from tests.bundles import write_context
from tests.docker_command import docker
from tests.docker_registry import docker_registry

from palio.core.engine import BuildLimits, Load
from palio.core.quantities import GIB
from palio.engines.docker import push_image
from palio.engines.kubernetes.images import Images
from palio.engines.sources.pushed import PushedImages

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def images(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """A registry, and two local images that are in none."""
    tags = [f"palio-build:{uuid4().hex}" for _ in range(2)]
    for number, tag in enumerate(tags):
        context = write_context(tmp_path / str(number), predict=f"print({number}, {tag!r})")
        docker("build", "--quiet", "--tag", tag, context)
    with docker_registry(tmp_path) as host:
        yield host, *tags  # type: ignore[misc]
    docker("image", "rm", *tags)


def has(reference: str) -> bool:
    name, _, digest = reference.partition("@")
    host, _, path = name.partition("/")
    return requests.head(f"http://{host}/v2/{path}/manifests/{digest}", timeout=10).status_code == 200


@pytest.mark.docker
def test_only_images_that_were_not_pushed_for_a_while_are_deleted(images: tuple[str, str, str], tmp_path: Path) -> None:
    host, *tags = images
    old, new = (push_image(tag, host) for tag in tags)
    pushed = PushedImages(tmp_path / "pushed.json")
    pushed.note(old, NOW - timedelta(days=8))
    pushed.note(new, NOW - timedelta(days=8))
    pushed.note(new, NOW)  # a second job needed it
    assert (has(old), has(new)) == (True, True)

    assert pushed.remove_old(NOW) == (old,)

    assert (has(old), has(new)) == (False, True)
    assert json.loads((tmp_path / "pushed.json").read_text()) == {new: NOW.isoformat()}
    assert pushed.remove_old(NOW) == ()
    assert push_image(tags[0], host) == old  # a job that needs it pushes it again


def test_registry_that_is_away_keeps_the_record(tmp_path: Path) -> None:
    reference = f"127.0.0.1:9/palio-build@sha256:{'0' * 64}"
    pushed = PushedImages(tmp_path / "pushed.json")
    pushed.note(reference, NOW - timedelta(days=8))

    assert pushed.remove_old(NOW) == ()
    assert reference in (tmp_path / "pushed.json").read_text()


@pytest.mark.docker
def test_engine_for_clusters_records_what_it_pushes(
    images: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, tag, _ = images
    monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", str(tmp_path / "volume"))
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
    work = Load("palio-test-pushed", tag.rpartition(":")[2], tmp_path / "unread.tar", limits, tmp_path / "build.log")
    engine = Images(host)
    engine.start(work)  # the builder has the image already

    while (result := engine.poll(work)) is None:
        time.sleep(0.02)

    assert result.image is not None
    assert has(result.image)
    assert result.image in json.loads((tmp_path / "volume/pushed-images.json").read_text())
