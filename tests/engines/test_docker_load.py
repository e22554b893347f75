"""Saved images on a real Docker engine: what is loaded, and that it takes nobody's name."""

import gzip
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.conftest import lacking
from tests.docker_command import docker, remove_images
from tests.images import Members, classic, config, oci, tar, write

from palio.core.engine import BuildLimits, End, JobResult, Load
from palio.core.errors import PalioError
from palio.core.files.digest import digest_file
from palio.core.files.tar_stream import Budget
from palio.core.quantities import GIB, MIB
from palio.core.submission.image_archive import MAX_MEMBERS, inspect_image
from palio.engines.docker import DockerEngine
from palio.engines.docker.load import platform_of, rewritten

LIMITS = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
BASE = "python:3.11-slim"


def ids(*references: str) -> list[str]:
    listed = (docker("image", "ls", "--no-trunc", "--format", "{{.ID}}", each) for each in references)
    return [image for lines in listed for image in lines]


def names() -> set[str]:
    listing = docker("image", "ls", "--all", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    return {line for line in listing if not line.startswith(("palio-", "<none>"))}


class Loader:
    """Loads archives and removes what came of them."""

    def __init__(self, home: Path) -> None:
        self.engine = DockerEngine()
        self.home = home
        self.loads: list[Load] = []

    @property
    def platform(self) -> str:
        return platform_of(json.loads("".join(docker("info", "--format", "{{json .}}"))))

    def load(self, archive: Path, limits: BuildLimits = LIMITS) -> JobResult:
        work = Load(f"palio-test-{uuid4().hex[:12]}", digest_file(archive), archive, limits, self.home / "load.log")
        self.loads.append(work)
        self.engine.start(work)
        while (result := self.engine.poll(work)) is None:
            time.sleep(0.02)
        return result

    def clean(self) -> None:
        for work in self.loads:
            self.engine.remove(work)
            remove_images(f"palio-build:{work.digest}")


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    loader = Loader(tmp_path)
    yield loader
    loader.clean()


def layers() -> list[bytes]:
    """Nobody else's: so that what is loaded is new, and goes when it is removed."""
    return [tar({"opt/a": uuid4().bytes}), tar({"opt/b": b"2"})]


# -- what the engine is sent


@pytest.mark.parametrize("layout", [classic, oci, lambda layers: oci(layers, manifest_json=False)])
def test_rewritten_archive_content(tmp_path: Path, layout: Callable[[list[bytes]], Members]) -> None:
    given = [tar({"a": b"1"}), tar({"b": b"2"})]
    path = write(tmp_path / "s.tar.gz", layout([*given, given[0]]))
    parts = inspect_image(path, platform="linux/amd64", max_bytes=MIB).parts
    content = b"".join(rewritten(path, parts, "palio-build:abc", Budget(MIB, MAX_MEMBERS)))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    manifest = json.loads(files.pop("manifest.json"))
    (image,) = manifest
    assert (image["Config"], image["RepoTags"], set(image)) == (
        "config.json",
        ["palio-build:abc"],
        {"Config", "RepoTags", "Layers"},
    )
    assert files.pop("config.json") == config([*given, given[0]])
    unpacked = {name: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for name, data in files.items()}
    assert [unpacked[name] for name in image["Layers"]] == [*given, given[0]]
    assert set(unpacked) == set(image["Layers"])


# -- what the engine makes of it


@pytest.mark.docker
@pytest.mark.parametrize(
    "layout",
    [classic, oci, lambda *given, **more: oci(*given, **more, manifest_json=False)],
    ids=["classic", "oci", "oci without manifest.json"],
)
def test_load_keeps_tags(loader: Loader, tmp_path: Path, layout: Callable[..., Members]) -> None:
    """An archive that calls itself as the base image of everybody does."""
    if not ids(BASE):
        lacking(f"{BASE} is not here")
    before, real = names(), ids(BASE)
    given = layers()
    path = write(tmp_path / "s.tar.gz", layout(given, tag=BASE, image=config(given, loader.platform)))
    result = loader.load(path)
    assert result.succeeded
    assert ids(BASE) == real
    assert result.image not in real
    assert ids(f"palio-build:{digest_file(path)}") == [result.image]
    assert names() == before


@pytest.mark.docker
def test_load_once(loader: Loader, tmp_path: Path) -> None:
    given = layers()
    path = write(tmp_path / "s.tar", classic(given, image=config(given, loader.platform)))
    first, second = loader.load(path), loader.load(path)
    assert first.image == second.image
    assert second.wall_s == 0


@pytest.mark.docker
def test_load_refused_before_engine(loader: Loader, tmp_path: Path) -> None:
    given = layers()
    path = write(tmp_path / "s.tar", classic(given, image=config(given, "linux/s390x")))
    with pytest.raises(PalioError, match="it is for linux/s390x"):
        loader.load(path)
    assert ids(f"palio-build:{digest_file(path)}") == []


@pytest.mark.docker
def test_load_refused_by_engine(loader: Loader, tmp_path: Path) -> None:
    """A hard link to a file that is not there, which only unpacking shows."""
    missing = tarfile.TarInfo("l")
    missing.type, missing.linkname = tarfile.LNKTYPE, "nowhere"
    given = [tar({"a": uuid4().bytes, "l": missing})]
    result = loader.load(write(tmp_path / "s.tar", classic(given, image=config(given, loader.platform))))
    assert (result.end, result.exit_code) == (End.EXITED, 1)
    assert "nowhere" in result.detail


@pytest.mark.docker
def test_load_over_time(loader: Loader, tmp_path: Path) -> None:
    given = [tar({f"zeros-{uuid4()}": bytes(300 * MIB)})]
    path = write(tmp_path / "s.tar.gz", classic(given, image=config(given, loader.platform)))
    begin = time.monotonic()
    result = loader.load(path, replace(LIMITS, time_s=0.2))
    assert result.end is End.TIME
    assert time.monotonic() - begin < 5
    time.sleep(0.5)
    assert ids(f"palio-build:{digest_file(path)}") == []


@pytest.mark.docker
def test_load_stopped_while_sending(loader: Loader, tmp_path: Path) -> None:
    given = [tar({f"zeros-{uuid4()}": bytes(300 * MIB)})]
    path = write(tmp_path / "s.tar.gz", classic(given, image=config(given, loader.platform)))
    work = Load(f"palio-test-{uuid4().hex[:12]}", digest_file(path), path, LIMITS, tmp_path / "load.log")
    loader.loads.append(work)
    loader.engine.start(work)
    while not (work.log.exists() and work.log.read_text()):  # looked through; now it is sent
        time.sleep(0.005)
    begin = time.monotonic()
    loader.engine.remove(work)
    assert time.monotonic() - begin < 5
    time.sleep(1)
    assert ids(f"palio-build:{work.digest}") == []
