"""A PostgreSQL server of the tests' own, from Debian's package: a cluster in a temporary folder that is thrown away.

The server refuses to run as root, so that as root it runs as the user that the package has made for it.
"""

import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

USER = "palio"
_SERVERS_USER = "postgres"
_ENOUGH = "-c max_connections=200"
_FASTER = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"  # it is not kept


def programs() -> Path | None:
    """The folder with the newest installed server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Server:
    """In `home`, a folder of the server's user, whose path has to be short for its socket."""

    def __init__(self, home: Path, options: str) -> None:
        folder = programs()
        if folder is None:
            raise RuntimeError("no PostgreSQL server is installed")
        self._folder, self._home, self._data, self._port = folder, home, home / "data", _free_port()
        self._options = f"-c listen_addresses=127.0.0.1 -p {self._port} -k {home} {options} {_ENOUGH}"
        _run(folder / "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", f"--username={USER}", self._data)
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Also after `kill`: it then recovers what was committed."""
        options = f"--options={self._options}"
        _run(self._folder / "pg_ctl", "start", "--wait", f"--pgdata={self._data}", f"--log={self._home}/log", options)

    def processes(self) -> list[int]:
        """Its main process first, then those that it has started."""
        try:
            main = int((self._data / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        except (OSError, ValueError, IndexError):
            return []
        return [main, *map(int, children)]

    def kill(self) -> None:
        """All of it at once, as if the machine's memory had run out."""
        processes = self.processes()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while any(_is_alive(process) for process in processes):
            time.sleep(0.02)
        # Where nobody reaps its process, as in some containers, its number stays taken, and it would not start again.
        for lock in (self._data / "postmaster.pid", *self._home.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)

    def stop(self) -> None:
        if self.processes():
            _run(self._folder / "pg_ctl", "stop", "--wait", "--mode=immediate", f"--pgdata={self._data}")


@contextmanager
def server(options: str = "") -> Iterator[Server]:
    """One that keeps what it has committed, unless `options` say otherwise."""
    with tempfile.TemporaryDirectory(prefix="palio-postgresql-") as home:
        if os.geteuid() == 0:
            shutil.chown(home, _SERVERS_USER)
        started = Server(Path(home), options)
        try:
            yield started
        finally:
            started.stop()


@contextmanager
def cluster() -> Iterator[str]:
    """Gives the URL of an empty database, that the server was made with."""
    with server(_FASTER) as started:
        yield started.url


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of an empty database beside the one of `server`, which is removed afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def database_for(server: str, data: Path) -> str:
    """The URL of the database that belongs to a data folder, beside the one of `server`; empty at first."""
    name = f"data_{hashlib.sha256(str(data.absolute()).encode()).hexdigest()[:20]}"
    with psycopg.connect(server, autocommit=True) as connection, suppress(psycopg.errors.DuplicateDatabase):
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server.rpartition('/')[0]}/{name}"


def _run(*command: str | Path) -> None:
    rank = ["runuser", "-u", _SERVERS_USER, "--"] if os.geteuid() == 0 else []
    subprocess.run([*rank, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
