"""A PostgreSQL server of the tests' own: a cluster that is thrown away, on a free port of this machine."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """Where Debian's package has initdb and pg_ctl, or whatever is on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a server, without the name of a database: `postgresql://postgres:…@127.0.0.1:PORT`."""
    where = programs()
    if where is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    home, password = Path(tempfile.mkdtemp(prefix="palio-postgresql-")), secrets.token_hex(8)
    data, socket_folder, password_file = home / "data", home / "sockets", home / "password"
    password_file.write_text(password)
    socket_folder.mkdir()
    as_user = _hand_over(home)
    port = _free_port()
    try:
        initdb = ["initdb", "-D", data, "-U", "postgres", "--pwfile", password_file, "--auth=scram-sha-256", "-N"]
        _run(where, initdb, as_user)
        options = f"-p {port} -h 127.0.0.1 -k {socket_folder} -c fsync=off -c max_connections=200"
        _run(where, ["pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start"], as_user)
        try:
            yield f"postgresql://postgres:{password}@127.0.0.1:{port}"
        finally:
            _run(where, ["pg_ctl", "-D", data, "-m", "immediate", "stop"], as_user)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database(server: str) -> Iterator[str]:
    """The address of an empty database on it, which is removed afterwards."""
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _hand_over(home: Path) -> str | None:
    """The server refuses to run as root; then Debian's user for it has the folder and runs it."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("postgres")
    for path in (home, *home.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
    return account.pw_name


def _run(where: Path, command: list[object], as_user: str | None) -> None:
    name, *arguments = map(str, command)
    full = [str(where / name), *arguments]
    subprocess.run(full, user=as_user, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True, cwd="/")


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
