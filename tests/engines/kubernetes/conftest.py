"""Engines against a server that keeps objects and runs nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.kubernetes.fake_cluster import LIMITS, Server, running

from palio.core.engine import Job, Mount
from palio.engines.kubernetes.engine import KubernetesEngine


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def engine(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    with running(server, tmp_path, monkeypatch) as (made, _):
        yield made


@pytest.fixture
def job(tmp_path: Path) -> Job:
    source = tmp_path / "in"
    (source / "below").mkdir(parents=True)
    (source / "below/case.txt").write_text("1")
    return Job(
        name="palio-1a2b3c4d-predict",
        image="palio-build:1",
        limits=LIMITS,
        log=tmp_path / "predict.log",
        output="/mnt/out",
        mounts=(Mount(source, "/mnt/in"),),
    )


@pytest.fixture
def keeping(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    """An engine whose jobs have keepers."""
    with running(server, tmp_path, monkeypatch, gate_image="palio:1") as (made, _):
        yield made


@pytest.fixture
def always_looking(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesEngine]:
    """An engine that looks at a job in every poll."""
    with running(server, tmp_path, monkeypatch, look_s=0) as (made, _):
        yield made
