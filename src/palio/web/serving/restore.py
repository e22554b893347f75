"""Restores a data folder from a backup: every file is checked against its digest before any of it counts.

Only files, and links that stay within their bundle or run folder, are taken from a backup; everything else that a tar
archive can hold is refused. Links are resolved in memory first and created after all files, so that nothing is written
through one.
Covered: a backup that is truncated, changed or not a backup; names and links that lead out of the folder in any way;
hard links, devices, sparse files, endless headers; a backup larger than the disk; a folder that is not empty; being
killed (everything is restored, or nothing).
Not covered: who made the backup; it holds keys and programs, so restore only your own.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from tarfile import TarInfo

from palio.core.errors import PalioError, counted
from palio.core.files.staging import settle, staged, writing
from palio.core.files.tar_stream import BrokenTarError, Budget, BudgetError, TarStream
from palio.core.quantities import KIB, MIB, size_text
from palio.web.config.configuration import Configuration
from palio.web.config.data_folder import Folders
from palio.web.serving.backup import ABOUT, DATABASE, FOLDERS, FORMAT, STORE, SUMS, TOP
from palio.web.serving.database_copy import is_whole
from palio.web.serving.terminal import say
from palio.web.storage.files import open_store

_MAY_BE_THERE = {"lost+found"}  # at the root of a file system
_HOLD_LINKS = ("bundles", "runs")
_MOST_STEPS = 40  # of one link through others, as in Linux
_ABOUT_BYTES, _SUMS_BYTES = 64 * KIB, 512 * MIB
_RESERVE_BYTES, _LOOKS_EACH = 256 * MIB, 64  # left free on the disk; blocks between checks of it


@dataclass
class _Found:
    """Contents of a backup: `digests` of its files as unpacked, `noted` as they should be, and its links."""

    about: Mapping[str, object] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    noted: dict[str, str] | None = None
    links: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0


def restore(file: Path, configuration: Configuration) -> int:
    """Restore a backup. Raises PalioError "target-not-empty", "backup-invalid" or what writing raises."""
    target = configuration.data
    _refuse_full_folder(target)
    with staged(*(target / name for name in (DATABASE, *FOLDERS))) as parts:
        building = parts[0].parent
        for name in FOLDERS:
            (building / name).mkdir()
        with _faults_of(file), file.open("rb") as opened:
            found = _unpack(file, TarStream(opened, _budget(building)), building)
        _compare(file, found)
        _make_links(file, building, found)
        _move_to_store(file, building, found, configuration)
        _load_database(file, str(found.about.get("database")), building, configuration)
    target.chmod(0o700)
    links = f" and {counted(len(found.links), 'link')}" if found.links else ""
    say(f"{target}: {counted(len(found.digests), 'file')}{links}, {size_text(found.size_bytes)}, {_when(found.about)}")
    say(f"  Start it with: palio serve --data {target}")
    return 0


def _when(about: Mapping[str, object]) -> str:
    try:
        return f"as backed up on {datetime.fromisoformat(str(about.get('when'))).isoformat(timespec='seconds')}"
    except ValueError:
        return "from a backup without a date"


def _refuse_full_folder(target: Path) -> None:
    if target.is_dir():
        with writing(target):
            settle(target)
            there = {path.name for path in target.iterdir()} - _MAY_BE_THERE
    else:
        there = {target.name} if target.exists() else set()
    if there:
        raise PalioError("target-not-empty", path=target)


def _budget(building: Path) -> Budget:
    """The free space of the disk, checked as it fills; a small archive of zeros ends there."""
    blocks = count()

    def look() -> None:
        if next(blocks) % _LOOKS_EACH == 0 and shutil.disk_usage(building).free < _RESERVE_BYTES:
            raise OSError(errno.ENOSPC, "no room")

    return Budget(1 << 62, 1 << 40, look)


def _unpack(file: Path, stream: TarStream, building: Path) -> _Found:
    found = _Found()
    for member in stream.members():
        name = _name(file, member)
        if member.issym():
            _take_link(file, name, member.linkname, found)
            continue
        if not member.isreg() or member.issparse():
            raise _invalid(file, f"it holds {_shown(name)}, which is neither a plain file nor a link")
        if name in found.digests or name in found.links:
            raise _invalid(file, f"it holds {_shown(name)} twice")
        if not found.about:
            found.about = _about(file, name, _text(file, stream, member, _ABOUT_BYTES))
        elif name == SUMS:
            found.noted = dict(_sums(_text(file, stream, member, _SUMS_BYTES).decode(errors="surrogateescape")))
            found.noted.pop(ABOUT, None)
        else:
            found.digests[name] = _write(stream.data(member), building / name, member)
            found.size_bytes += member.size
    if not found.about or found.noted is None:
        raise _invalid(file, "it is cut off before its end")
    return found


def _about(file: Path, name: str, content: bytes) -> dict[str, object]:
    try:
        about = json.loads(content) if name == ABOUT else {}
    except RecursionError:
        about = {}
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise _invalid(file, f"it is no backup of the form {FORMAT}")
    return about


def _name(file: Path, member: TarInfo) -> str:
    """The path below the data folder: plain parts below a folder that a backup has, or one of its files."""
    top, _, name = member.name.partition("/")
    inside = name.split("/")
    known = (len(inside) > 1 and inside[0] in FOLDERS) or name in (ABOUT, SUMS, DATABASE)
    if top != TOP or not known or "\0" in name or any(part in ("", ".", "..") for part in inside):
        raise _invalid(file, f"it holds {_shown(member.name)}, which is no part of a backup")
    return name


def _take_link(file: Path, name: str, target: str, found: _Found) -> None:
    if name in found.digests or name in found.links:
        raise _invalid(file, f"it holds {_shown(name)} twice")
    if name.split("/")[0] not in _HOLD_LINKS or name.count("/") < 2 or not target or "\0" in target:
        raise _invalid(file, f"it holds the link {_shown(name)}, where no backup has one")
    found.links[name] = target


def _text(file: Path, stream: TarStream, member: TarInfo, most_bytes: int) -> bytes:
    if member.size > most_bytes:
        raise _invalid(file, f"its {_shown(member.name)} has {size_text(member.size)}")
    return b"".join(stream.data(member))


def _sums(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n")[:-1]:
        digest, _, name = line.removeprefix("\\").partition("  ")
        if line.startswith("\\"):
            name = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), name)
        yield name, digest


def _write(blocks: Iterable[bytes], place: Path, member: TarInfo) -> str:
    """Write a file. All folders above it were created here, as links do not exist yet."""
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with place.open("xb") as target:
        for block in blocks:
            digest.update(block)
            target.write(block)
    place.chmod((0o600 if member.name.startswith(f"{TOP}/keys/") else 0o755) & member.mode | 0o400)
    return digest.hexdigest()


def _compare(file: Path, found: _Found) -> None:
    noted = found.noted or {}
    names = sorted(name for name in found.digests.keys() | noted.keys() if found.digests.get(name) != noted.get(name))
    if names:
        evidence = [f"{'changed' if name in found.digests else 'missing'}: {_shown(name)}" for name in names[:10]]
        number = counted(len(names), "file is", "files are")
        raise PalioError("backup-invalid", path=file, reason=f"{number} not as it was written", evidence=evidence)


def _make_links(file: Path, building: Path, found: _Found) -> None:
    """Create the links: each stays within its bundle or run folder and has no file or link below it."""
    for name in (*found.digests, *found.links):
        above = name
        while "/" in (above := above.rpartition("/")[0]):
            if above in found.links:
                raise _invalid(file, f"it holds {_shown(name)} below the link {_shown(above)}")
    for name in found.links:
        if not _stays_inside(name, found.links):
            raise _invalid(file, f"it holds the link {_shown(name)}, which leads outside")
    for name, target in found.links.items():
        place = building / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _stays_inside(name: str, links: Mapping[str, str]) -> bool:
    """Whether following it, and every link on the way, never leaves the folder of the first two parts of its name."""
    first, second, *_ = name.split("/")
    at, waiting, steps = name.split("/")[2:-1], links[name].split("/")[::-1], 1
    if links[name].startswith("/"):
        return False
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return False
            at.pop()
            continue
        at.append(part)
        if (target := links.get("/".join((first, second, *at)))) is not None:
            steps += 1
            if steps > _MOST_STEPS or target.startswith("/"):
                return False
            at.pop()
            waiting += target.split("/")[::-1]
    return True


def _move_to_store(file: Path, building: Path, found: _Found, configuration: Configuration) -> None:
    """Submitted files, if they belong elsewhere. What a failed restore leaves there, the next one finds."""
    if not configuration.store_url:
        return
    store = open_store(configuration.store_url, Folders(building))
    for name, digest in found.digests.items():
        if name.startswith(f"{STORE}/"):
            if name.rpartition("/")[2] != digest:
                raise _invalid(file, f"its {_shown(name)} is not the file of that name")
            store.keep(building / name, digest)
            (building / name).unlink()


def _load_database(file: Path, name: str, building: Path, configuration: Configuration) -> None:
    if name != DATABASE or not (building / DATABASE).is_file():
        raise _invalid(file, "it holds no database")
    if not is_whole(building / DATABASE):
        raise _invalid(file, "SQLite finds faults in its database")
    if configuration.database_url:
        os.environ["PALIO_DATA"] = str(building)  # whose keys the settings read
        from palio.web.serving.database_conversion import move_to_postgresql

        move_to_postgresql(building / DATABASE)
        (building / DATABASE).unlink()


def _shown(name: str) -> str:
    return name if name.isprintable() else name.encode("unicode_escape", errors="backslashreplace").decode()


@contextmanager
def _faults_of(file: Path) -> Iterator[None]:
    try:
        yield
    except (BrokenTarError, BudgetError, ValueError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _invalid(file, f"it cannot be read: {str(error) or type(error).__name__}") from error


def _invalid(file: Path, reason: str) -> PalioError:
    return PalioError("backup-invalid", path=file, reason=f"{reason} ({size_text(file.stat().st_size)})")
