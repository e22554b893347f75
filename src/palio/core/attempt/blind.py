"""Hides the names of hidden inputs from submissions and maps predictions back to the real names.

A submission sees randomly named files in random order, all with the same times, owner and permissions, so that only
their content tells them apart. Only the platform keeps the mapping.
"""

import csv
import errno
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.bundle.model import BlindPolicy, Restore
from palio.core.errors import PalioError, counted
from palio.core.files.collect import copy_content
from palio.core.files.digest import UnfitFile, files_below
from palio.core.files.parallel import for_each_parallel
from palio.core.files.staging import reading
from palio.core.files.tree import TIME_NS

_SHOWN = 5


@dataclass(frozen=True)
class Names:
    """Maps opaque names to real names, both as paths relative to the input folder."""

    real: Mapping[str, str]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dict(self.real)))

    @classmethod
    def load(cls, path: Path) -> "Names":
        return cls(json.loads(path.read_text()))


def stage_inputs(source: Path, destination: Path, policy: BlindPolicy | None) -> Names:
    """Copies the input folder to the new folder `destination`, with uniform times and permissions.

    With a policy, files that match its glob get opaque names: 32 hex digits and the extension in lower case. Other
    files keep their names. Files are copied in the order of their new names so that inode numbers reveal nothing; links
    to the originals would. Files in digest.IGNORED_NAMES are skipped, as they are in the folder's digest. Raises
    PalioError "source-unreadable" or "folder-unreadable".
    """
    names: dict[str, str] = {}
    hides = policy.hides() if policy else lambda _: False
    try:
        with reading(source):
            found = [name for name, _ in files_below(source)]
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=source, reason=fault) from fault
    for real in found:
        file = real.rpartition("/")[2]
        names[_opaque(file) if hides(file) else real] = real
    _fill(destination, source, names, _copy)
    return Names(names)


def stage_links(staged: Path, names: Names, destination: Path) -> Names:
    """Like `stage_inputs`, but links to the files of a folder that it staged earlier, under new opaque names.

    The links reveal no more than copies would: inode numbers are in that folder's random order. Two runs that compare
    them only learn which files are equal, which the content tells them anyway.
    """
    fresh = {_opaque(name) if name != real else real: name for name, real in names.real.items()}
    _fill(destination, staged, fresh, _link)
    return Names({name: names.real[old] for name, old in fresh.items()})


def _opaque(file: str) -> str:
    return f"{secrets.token_hex(16)}{PurePosixPath(file).suffix.lower()}"


def _fill(
    destination: Path, source: Path, names: Mapping[str, str], place: Callable[[int, str, int, str], None]
) -> None:
    """Creates `destination` and fills it with the files of `names` from `source`, using `place`."""
    destination.mkdir(parents=True)
    ordered = sorted(names)
    folders = sorted({str(above) for name in ordered if "/" in name for above in PurePosixPath(name).parents} - {"."})
    for folder in folders:
        (destination / folder).mkdir()
    with _opened(source) as original, _opened(destination) as copy:
        for_each_parallel(lambda name: place(original, names[name], copy, name), ordered)
    for folder in (".", *folders):
        (destination / folder).chmod(0o755)
        os.utime(destination / folder, ns=(TIME_NS, TIME_NS))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(source: int, real: str, destination: int, name: str) -> None:
    """Uses descriptors for files and folders, because system calls dominate for thousands of small files."""
    original = os.open(real, os.O_RDONLY | os.O_CLOEXEC, dir_fd=source)
    try:
        copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=destination)
        try:
            copy_content(original, copy, os.fstat(original).st_size)
            os.fchmod(copy, 0o644)  # regardless of the umask
            os.utime(copy, ns=(TIME_NS, TIME_NS))
        finally:
            os.close(copy)
    finally:
        os.close(original)


def _link(source: int, real: str, destination: int, name: str) -> None:
    try:
        os.link(real, name, src_dir_fd=source, dst_dir_fd=destination)
    except OSError as error:  # another file system, or one without links or with none left
        if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP}:
            raise
        _copy(source, real, destination, name)


def restore_names(predictions: Path, restore: Restore, names: Names) -> None:
    """Restores the real names in one column of a CSV file in `predictions` and sorts the rows by it.

    Raises PalioError "predictions-missing" if there is no such file, and "predictions-unmapped", listing all problems,
    if the file is unreadable or names files that are not inputs.
    """
    path = predictions / restore.csv
    if not path.is_file():
        found = sorted(entry.name for entry in predictions.iterdir())[:_SHOWN]
        listing = f"there is {', '.join(found)}" if found else "there is nothing"
        raise PalioError("predictions-missing", stage="predict", file=restore.csv, found=listing)
    header, rows = _read(path, restore)
    column = header.index(restore.column)
    by_name = {PurePosixPath(opaque).name: PurePosixPath(real).name for opaque, real in names.real.items()}
    unknown: list[str] = []
    for number, row in enumerate(rows, 2):
        name = row[column].strip().replace("\\", "/").rsplit("/", 1)[-1] if len(row) > column else ""
        if name in by_name:
            row[column] = by_name[name]
        else:
            unknown.append(
                f"{restore.csv}, line {number}: {row[column] if len(row) > column else ''!r} is not an input"
            )
    if unknown:
        count = counted(len(unknown), "row names", "rows name") + " no input file"
        raise _unmapped(restore, count, unknown, example=f"inputs have names such as {min(by_name, default='')!r}")
    rows.sort(key=lambda row: row[column])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.write_text(text.getvalue(), encoding="utf-8")


def _read(path: Path, restore: Restore) -> tuple[list[str], list[list[str]]]:
    try:
        table = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unmapped(restore, "it is not a CSV file in UTF-8", [str(error)]) from error
    header, rows = (table[0], [row for row in table[1:] if row]) if table else ([], [])
    if restore.column not in header:
        found = f"its first line is {','.join(header)!r}" if header else "it is empty"
        raise _unmapped(restore, f"it has no column `{restore.column}`", [found])
    return header, rows


def _unmapped(restore: Restore, count: str, faults: list[str], example: str = "") -> PalioError:
    shown = faults[:_SHOWN] + ([f"and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else [])
    shown += [example] if example else []
    return PalioError(
        "predictions-unmapped", stage="predict", file=restore.csv, column=restore.column, count=count, evidence=shown
    )
