"""A PostgreSQL server of the tests' own, from Debian's package: a cluster in a temporary folder that is thrown away.

The server refuses to run as root, so that as root it runs as the user that the package has made for it.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def cluster() -> Iterator[str]:
    """Gives the URL of an empty database, that the server was made with."""
    folder = programs()
    if folder is None:
        raise RuntimeError("no PostgreSQL server is installed")
    with tempfile.TemporaryDirectory(prefix="palio-postgresql-") as home:  # short, as sockets' paths have to be
        if os.geteuid() == 0:
            shutil.chown(home, _SERVERS_USER)
        data, port = Path(home) / "data", _free_port()
        _run(folder / "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", f"--username={USER}", data)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {home} {_FASTER} {_ENOUGH}"
        _run(folder / "pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={home}/log", f"--options={options}")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(folder / "pg_ctl", "stop", "--wait", "--mode=immediate", f"--pgdata={data}")


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


def _run(*command: str | Path) -> None:
    rank = ["runuser", "-u", _SERVERS_USER, "--"] if os.geteuid() == 0 else []
    subprocess.run([*rank, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
