"""Downloads everything about a challenge as one zip, or unpacked into a folder."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import requests

from palio.client.connection import Connection
from palio.core.errors import PalioError
from palio.core.files.staging import writing


def export(connection: Connection, challenge: str, target: Path, *, files: bool = False, runs: bool = False) -> Path:
    """Writes `target`: a file if it ends in .zip, else a folder, which appears completely or not at all.

    `files`: include submitted files. `runs`: include the scoring program's output. Raises PalioError
    "target-not-empty", "server-unreachable" if the connection is lost, and errors of the platform.
    """
    target = target.absolute()
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise PalioError("target-not-empty", path=target)
    query = urlencode({"files": str(files).lower(), "runs": str(runs).lower()})
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".palio-export-", dir=target.parent) as scratch:
            part = Path(scratch) / "export.zip"
            with part.open("wb") as file:
                _download(connection, f"/challenges/{challenge}/export?{query}", file.write)
            if target.suffix == ".zip":
                part.replace(target)
                return target
            unpacked = Path(scratch) / "export"
            with zipfile.ZipFile(part) as archive:
                archive.extractall(unpacked)
            if target.exists():
                target.rmdir()
            os.rename(unpacked, target)  # noqa: PTH104 - fails on a folder with files
    return target


def _download(connection: Connection, path: str, write: Callable[[bytes], object]) -> None:
    try:
        connection.download(path, write)
    except requests.RequestException:
        reason = "the connection was lost during the export"
        raise PalioError("server-unreachable", url=connection.url, reason=reason) from None
