"""A data folder from a backup: every file compared with its digest before any of it counts.

Covered: a backup that is cut off, changed or no backup; names and links that lead out of the folder; a folder that
holds something already; being killed (nothing is there afterwards, or all of it). Not covered: who made the backup; it
holds keys and programs, so restore only what is your own.
"""

import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from palio.core.digest import CHUNK_BYTES
from palio.core.errors import PalioError, counted
from palio.core.quantities import size_text
from palio.core.staging import settle, staged, writing
from palio.web.configuration import Configuration
from palio.web.serving.backup import ABOUT, DUMP, FOLDERS, FORMAT, SUMS, TOP
from palio.web.serving.copies import has_tables, is_whole, load_postgresql
from palio.web.serving.terminal import say

DATABASE = "palio.sqlite3"
_MAY_BE_THERE = {"lost+found"}  # of a file system of its own


def restore(file: Path, configuration: Configuration) -> int:
    """Raises PalioError "target-not-empty", "backup-invalid" or what writing meets."""
    target = configuration.data
    _refuse_full_folder(target)
    with staged(*(target / name for name in (DATABASE, DUMP, *FOLDERS))) as parts:
        building = parts[0].parent
        for name in FOLDERS:
            (building / name).mkdir()
        with _faults_of(file), tarfile.open(file, "r:*") as tar:
            about, sums = _unpack(file, tar, building)
        _compare(file, sums)
        _load_database(file, str(about.get("database")), building, configuration)
    target.chmod(0o700)
    say(f"{target}: {counted(len(sums), 'file')}, each as it was backed up on {about.get('when')}")
    say(f"  Start it with: palio serve --data {target}")
    return 0


def _refuse_full_folder(target: Path) -> None:
    if target.is_dir():
        with writing(target):
            settle(target)
            there = {path.name for path in target.iterdir()} - _MAY_BE_THERE
    else:
        there = {target.name} if target.exists() else set()
    if there:
        raise PalioError("target-not-empty", path=target)


def _unpack(
    file: Path, tar: tarfile.TarFile, building: Path
) -> tuple[dict[str, object], dict[str, tuple[str, str | None]]]:
    """What the backup says of itself, and for each file its digest as unpacked and as it should be."""
    about: dict[str, object] | None = None
    found: dict[str, str] = {}
    links: dict[str, str] = {}
    noted: dict[str, str] | None = None
    for member in tar:
        tar.members.clear()  # type: ignore[attr-defined]  # which nobody asks for, and there may be millions
        name = _name(file, member)
        if member.issym():
            links[name] = member.linkname
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise _invalid(file, f"it holds {name}, which is neither a file nor a link")
        if about is None:
            about = _about(file, name, content.read(64 * 1024))
        elif name == SUMS:
            noted = dict(_sums(content.read().decode(errors="surrogateescape")))
            noted.pop(ABOUT, None)
        else:
            found[name] = _write(content, building / name, member)
    if about is None or noted is None:
        raise _invalid(file, "it is cut off before its end")
    _make_links(file, building, links)
    return about, {name: (found.get(name, ""), noted.get(name)) for name in found.keys() | noted.keys()}


def _about(file: Path, name: str, content: bytes) -> dict[str, object]:
    about = json.loads(content) if name == ABOUT else {}
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise _invalid(file, f"it is no backup of the form {FORMAT}")
    return about


def _name(file: Path, member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    inside = path.parts[1:]
    known = inside and (inside[0] in FOLDERS or (len(inside) == 1 and inside[0] in (ABOUT, SUMS, DUMP, DATABASE)))
    if path.parts[0] != TOP or not known or ".." in inside:
        raise _invalid(file, f"it holds {member.name}, which is no part of a backup")
    return "/".join(inside)


def _sums(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n")[:-1]:
        digest, _, name = line.removeprefix("\\").partition("  ")
        if line.startswith("\\"):
            name = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), name)
        yield name, digest


def _write(content: IO[bytes], place: Path, member: tarfile.TarInfo) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with place.open("xb") as target:
        while block := content.read(CHUNK_BYTES):
            digest.update(block)
            target.write(block)
    place.chmod(member.mode & 0o777)
    return digest.hexdigest()


def _make_links(file: Path, building: Path, links: dict[str, str]) -> None:
    """After all files, so that none is written through a link; each leads to within its bundle or run folder."""
    for name, target in links.items():
        (building / name).parent.mkdir(parents=True, exist_ok=True)
        (building / name).symlink_to(target)
    for name in links:
        top = building.joinpath(*PurePosixPath(name).parts[:2]).resolve()
        if not (building / name).resolve().is_relative_to(top):
            raise _invalid(file, f"it holds the link {name}, which leads outside")


def _compare(file: Path, sums: dict[str, tuple[str, str | None]]) -> None:
    if changed := sorted(name for name, (found, noted) in sums.items() if found != noted):
        evidence = [f"{'missing' if not sums[name][0] else 'changed'}: {name}" for name in changed[:10]]
        count = counted(len(changed), "file is", "files are")
        raise PalioError("backup-invalid", path=file, reason=f"{count} not as it was written", evidence=evidence)


def _load_database(file: Path, name: str, building: Path, configuration: Configuration) -> None:
    url = configuration.database_url
    if name == DUMP and not url:
        raise PalioError(
            "usage",
            problem="This backup is of a platform with PostgreSQL, and no database_url is set.",
            next_step="Make an empty database and name it with DATABASE_URL=postgresql://user:password@host/name.",
        )
    if name == DATABASE and url:
        raise PalioError(
            "usage",
            problem="This backup is of a platform with SQLite, and a database_url is set.",
            next_step="Restore it without database_url.",
        )
    if name == DATABASE and not is_whole(building / DATABASE):
        raise _invalid(file, "SQLite finds faults in its database")
    if name == DUMP:
        if has_tables(url):
            raise PalioError("target-not-empty", path="The database that database_url names")
        load_postgresql(url, building / DUMP)
        (building / DUMP).unlink()


@contextmanager
def _faults_of(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, zlib.error, gzip.BadGzipFile, FileExistsError) as error:
        raise _invalid(file, f"it cannot be read: {str(error) or type(error).__name__}") from error


def _invalid(file: Path, reason: str) -> PalioError:
    return PalioError("backup-invalid", path=file, reason=f"{reason} ({size_text(file.stat().st_size)})")
