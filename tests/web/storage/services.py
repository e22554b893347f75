"""S3 and Azure Blob Storage on this machine: moto and azurite, as `make setup` and `make azurite` install them."""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from unittest.mock import patch

import obstore
import requests
from obstore.store import from_url
from tests.web.serving.running import free_port

SECRET = "bm90LWEtc2VjcmV0LXRvLWJlLXNob3du"  # noqa: S105 - which nothing may show
_ACCOUNT = "devstoreaccount1"
# The one that azurite documents.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_START_S = 60.0


@dataclass
class Service:
    """A service that runs; `environment` has the variables with which a server uses its bucket `url`."""

    url: str
    environment: dict[str, str]
    secret: str
    _start: Callable[[], "subprocess.Popen[bytes]"]
    _process: "subprocess.Popen[bytes]"
    _port: int

    def stop(self) -> None:
        """Stop it; connections are refused."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(19)

    def resume(self) -> None:
        self._process.send_signal(18)

    def restart(self) -> None:
        """Start it again with an empty bucket, as both keep everything in memory."""
        self._process = self._start()
        _wait(self._port, self._process)
        _make_bucket(self)

    def empty(self) -> None:
        with patch.dict(os.environ, self.environment):
            client = from_url(self.url, client_options={"allow_http": True})
        for batch in obstore.list(client):
            obstore.delete(client, [each["path"] for each in batch])


def program(name: str) -> str | None:
    """A program of `make setup` or `make azurite`, or of this machine."""
    services = Path(sys.prefix) / "services"
    own = [services / "bin" / name, services / "node_modules/.bin" / name]
    return next((str(path) for path in own if path.exists()), shutil.which(name))


@contextmanager
def s3() -> Iterator[Service]:
    port = free_port()
    command = [str(program("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    given = {
        "AWS_ACCESS_KEY_ID": "palio",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    with _running("s3://bucket/files", command, port, given, SECRET) as service:
        yield service


@contextmanager
def azure() -> Iterator[Service]:
    port = free_port()
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    command = [str(program("azurite-blob")), *options, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    given = {
        "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
        "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{_ACCOUNT}",
    }
    with _running("az://bucket/files", command, port, given, _KEY) as service:
        yield service


@contextmanager
def _running(url: str, command: list[str], port: int, given: dict[str, str], secret: str) -> Iterator[Service]:
    def start() -> "subprocess.Popen[bytes]":
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ | {"NO_PROXY": "127.0.0.1"})

    service = Service(url, given, secret, start, start(), port)
    try:
        _wait(port, service._process)
        _make_bucket(service)
        yield service
    finally:
        service.stop()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} does not start") from None
            time.sleep(0.1)
        else:
            return


def _make_bucket(service: Service) -> None:
    if endpoint := service.environment.get("AWS_ENDPOINT_URL"):
        requests.put(f"{endpoint}/bucket", timeout=30).raise_for_status()
        return
    endpoint = service.environment["AZURE_STORAGE_ENDPOINT"]
    headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": "2021-08-06"}
    said = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    signed = "PUT" + "\n" * 12 + said + f"/{_ACCOUNT}/{_ACCOUNT}/bucket\nrestype:container"
    digest = hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"
    requests.put(f"{endpoint}/bucket?restype=container", headers=headers, timeout=30).raise_for_status()
