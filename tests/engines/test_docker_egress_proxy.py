"""The egress proxy of builds on a real engine: what steps can and cannot reach, and what remains afterwards."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import docker
import pytest

from palio.core.engine import Build, BuildLimits, JobResult
from palio.core.errors import Cause, PalioError
from palio.core.quantities import GIB
from palio.engines.docker import DockerEngine, egress_proxy
from palio.engines.docker.egress_proxy import (
    IMAGE_VARIABLE,
    PORTS_VARIABLE,
    REACH_VARIABLE,
    open_egress_proxy,
    ports_of,
    reach_of,
)

pytestmark = pytest.mark.docker

BASE = "python:3.11-slim"
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"
HOLD = """\
import sys, time
from pathlib import Path
from palio.core.engine import Build, BuildLimits
from palio.engines.docker.connection import connect
from palio.engines.docker.egress_proxy import open_egress_proxy

build = Build(sys.argv[1], "", Path(), BuildLimits(60, 2**30, 2**31, network=True), Path("log"))
with open_egress_proxy(connect(), build):
    print("open", flush=True)
    time.sleep(60)
"""


def build_of(home: Path, dockerfile: str) -> Build:
    context = home / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {BASE}\nLABEL palio.test={home.name}\n{dockerfile}\n")
    (context / "fetch.py").write_text(FETCH)
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=2 * GIB, network=True)
    return Build(f"palio-test-{uuid4().hex[:12]}", uuid4().hex, context, limits, home / "build.log")


def finish(build: Build) -> JobResult:
    engine = DockerEngine()
    engine.start(build)
    try:
        while (result := engine.poll(build)) is None:
            time.sleep(0.02)
        return result
    finally:
        engine.remove(build)


def left_of(name: str) -> list[str]:
    kinds = (["ps", "--all"], ["network", "ls"])
    listed = (["docker", *kind, "--quiet", "--filter", f"name={name}"] for kind in kinds)
    return [line for each in listed for line in subprocess.check_output(each, text=True).splitlines()]


@pytest.fixture(autouse=True)
def images() -> Iterator[None]:
    yield
    made = subprocess.check_output(["docker", "image", "ls", "-q", "--filter", "label=palio.test"], text=True).split()
    subprocess.run(["docker", "image", "rm", "--force", *made], capture_output=True, check=False)


@pytest.fixture
def mirror() -> Iterator[str]:
    """A server in the engine's private network, as a mirror of packages may be; its address."""
    serve = ["python", "-c", "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"]
    name = f"palio-test-mirror-{uuid4().hex[:8]}"
    subprocess.run(["docker", "run", "-d", "--name", name, "--workdir", "/media", BASE, *serve], check=True)
    try:
        shown = docker.from_env()
        try:
            networks = shown.api.inspect_container(name)["NetworkSettings"]["Networks"]
        finally:
            shown.close()
        yield networks["bridge"]["IPAddress"]
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True)


def test_private_address_closed_by_default(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_of(tmp_path, f"COPY fetch.py /\nRUN python /fetch.py http://{mirror}:8000/")
    assert finish(build).exit_code == 1
    log = build.log.read_text()
    assert "HTTP Error 403: Refused by the egress proxy: " in log
    assert f"[palio] The egress proxy refused {mirror}, port 8000: it is a private network.\n" in log
    monkeypatch.setenv(REACH_VARIABLE, f"{mirror}/32")
    assert finish(build).exit_code == 1
    closed = f"[palio] The egress proxy refused {mirror}, port 8000: only the ports 80, 443 are open.\n"
    assert closed in build.log.read_text()
    monkeypatch.setenv(PORTS_VARIABLE, "8000")
    assert finish(build).succeeded
    assert "Directory listing for /" in build.log.read_text()
    assert left_of(build.name) == []


def test_proxy_not_in_image(tmp_path: Path) -> None:
    build = build_of(tmp_path, "RUN env | grep -i ^http_proxy=")
    result = finish(build)
    assert result.succeeded
    shown = subprocess.check_output(["docker", "image", "inspect", str(result.image)], text=True)
    history = subprocess.check_output(["docker", "history", "--no-trunc", str(result.image)], text=True)
    assert ":3128" not in shown + history


def test_build_without_steps_has_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IMAGE_VARIABLE, "palio-test-no-such-image:1")
    assert finish(build_of(tmp_path, "COPY fetch.py /")).succeeded


def test_proxy_image_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IMAGE_VARIABLE, "palio-test-no-such-image:1")
    build = build_of(tmp_path, "RUN true")
    with pytest.raises(PalioError) as raised:
        finish(build)
    assert raised.value.failure.code == "limit-unavailable"
    assert raised.value.failure.message.startswith(
        "The challenge asks for build.network = true, which docker cannot provide on this machine: "
    )
    assert "palio-test-no-such-image:1: pull it, or set " in raised.value.failure.next_step
    assert left_of(build.name) == []


def test_proxy_image_without_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = f"palio-test-empty-{uuid4().hex[:8]}"
    subprocess.run(["docker", "build", "-qt", image, "-"], input=b"FROM scratch\nLABEL palio.test=1", check=True)
    monkeypatch.setenv(IMAGE_VARIABLE, image)
    build = build_of(tmp_path, "RUN true")
    with pytest.raises(PalioError, match=r"build\.network = true"):
        finish(build)
    assert left_of(build.name) == []


def test_network_with_host_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an engine that takes the option, tells that it has it, and does nothing about it."""
    options = {key: value for key, value in egress_proxy._BRIDGE_OPTIONS.items() if not key.endswith("inhibit_ipv4")}
    monkeypatch.setattr(egress_proxy, "_BRIDGE_OPTIONS", options)
    build = build_of(tmp_path, "RUN echo a step ran")
    with pytest.raises(PalioError) as raised:
        finish(build)
    failure = raised.value.failure
    assert (failure.code, failure.cause) == ("limit-unavailable", Cause.PLATFORM)
    assert re.search(r": its machine responds at [0-9.]+\.1 on the build's network, ", failure.message)
    assert "com.docker.network.bridge.inhibit_ipv4" in failure.next_step
    assert "a step ran" not in build.log.read_text()
    assert left_of(build.name) == []


def test_proxy_removed_after_kill(tmp_path: Path) -> None:
    build = build_of(tmp_path, "RUN true")
    with subprocess.Popen([sys.executable, "-c", HOLD, build.name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.kill()
    assert len(left_of(build.name)) == 2
    engine = DockerEngine()
    assert build.name in engine.job_names()
    engine.remove(build)
    assert left_of(build.name) == []
    assert build.name not in engine.job_names()


def test_proxy_replaced_after_kill(tmp_path: Path) -> None:
    build = build_of(tmp_path, "RUN true")
    client = docker.from_env()
    try:
        client.api.create_network(f"{build.name}-network", internal=True)
        with open_egress_proxy(client, build) as opened:
            assert opened.refusals() == []
    finally:
        client.close()
    assert left_of(build.name) == []


@pytest.mark.parametrize("text", ["10.1.2.0/33", "mirror.example.org", "10.1.2.3/8", "::1"])
def test_networks_invalid(text: str) -> None:
    with pytest.raises(PalioError, match=REACH_VARIABLE):
        reach_of(text)


def test_networks_to_reach() -> None:
    assert reach_of("") == ()
    assert reach_of("10.1.2.0/24, 10.9.0.7") == ("10.1.2.0/24", "10.9.0.7/32")


def test_ports_to_reach() -> None:
    assert ports_of("") == (80, 443)
    assert ports_of("8080, 3141") == (80, 443, 8080, 3141)


@pytest.mark.parametrize("text", ["0", "65536", "http", "80-90", "-1", "٣"])
def test_ports_invalid(text: str) -> None:
    with pytest.raises(PalioError, match=PORTS_VARIABLE):
        ports_of(text)
