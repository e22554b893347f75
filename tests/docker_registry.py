"""A real registry, Debian's `docker-registry`, on a free port of loopback, for tests with a Docker engine."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.conftest import lacking

_START_S = 20.0
_CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "{host}"}}
"""


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Yields its host and port. Skips the test without the program (`apt-get install docker-registry`)."""
    program = shutil.which("docker-registry")
    if program is None:
        lacking("there is no docker-registry (Debian: docker-registry)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host = f"127.0.0.1:{port}"
    configuration = folder / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(folder=folder / "registry", host=host))
    with subprocess.Popen([program, "serve", configuration], stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield host
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), 1)):
                return
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.05)
