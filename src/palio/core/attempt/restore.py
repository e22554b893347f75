"""Maps predictions that were made under opaque names back to the real names: names of files and folders, columns of
CSV files, and JSON files.

A name may be a path as the submission saw it, absolute or relative, only its last part, a case's folder, or any text
with the opaque name of a case in it, such as the name of a mask with another suffix.
"""

import csv
import io
import json
import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from palio.core.attempt.blind import TOKEN_LENGTH, Names, replace_tokens
from palio.core.bundle.model import BlindPolicy, Restore
from palio.core.errors import PalioError, counted

_SHOWN = 5
_LONGEST = 4096  # characters of a path
_LONGEST_PART = 255  # bytes
RUN = re.compile(rf"[0-9a-f]{{{TOKEN_LENGTH}}}")
JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def restore_all(predictions: Path, policy: BlindPolicy, names: Names) -> None:
    """Restores all real names in `predictions`.

    Raises PalioError "predictions-missing" if a file that the policy names is missing, "predictions-unmapped", listing
    all problems, if it is unreadable or names files that are not inputs, and "predictions-collide" if two files would
    get one name.
    """
    lookup = Lookup(names)
    for file in (*(restore.csv for restore in policy.restore), *policy.restore_json):
        if not (predictions / file).is_file():  # before real names show in the listing
            found = sorted(entry.name for entry in predictions.iterdir())[:_SHOWN]
            listing = f"there is {', '.join(found)}" if found else "there is nothing"
            raise PalioError("predictions-missing", stage="predict", file=file, found=listing)
    for restore in policy.restore:
        _restore_column(predictions / restore.csv, restore, lookup)
    for name in policy.restore_json:
        _restore_json(predictions / name, lookup)
    _restore_files(predictions, lookup)


class Lookup:
    def __init__(self, names: Names) -> None:
        self._hidden = names.hidden
        texts = Counter(names.hidden.values())
        self._repeated = frozenset(token for token, text in names.hidden.items() if texts[text] > 1)
        self._places: dict[str, tuple[str, str]] = {}  # of these: the folder, opaque and real
        opaque_bases = Counter(PurePosixPath(opaque).name for opaque in names.real)
        real_bases = Counter(PurePosixPath(real).name for real in names.real.values())
        self._paths: dict[str, str] = {}
        self._bases: dict[str, str] = {}
        for opaque, real in names.real.items():
            base = PurePosixPath(real).name if real_bases[PurePosixPath(real).name] == 1 else real
            self._paths[opaque] = real if opaque.count("/") == real.count("/") else base
            if opaque_bases[PurePosixPath(opaque).name] == 1:
                self._bases[PurePosixPath(opaque).name] = base
            self._add_folders(opaque, real)
        self.example = min(self._paths, default="")

    def _add_folders(self, opaque: str, real: str) -> None:
        """Remembers folders, and where tokens stand whose text is in several folders."""
        if opaque.count("/") != real.count("/"):
            return
        for above, was in zip(PurePosixPath(opaque).parents, PurePosixPath(real).parents, strict=True):
            if above != was:
                self._paths.setdefault(str(above), str(was))
        parts, names = opaque.split("/"), real.split("/")
        for depth, part in enumerate(parts):
            for token in filter(self._repeated.__contains__, RUN.findall(part)):
                self._places[token] = "/".join(parts[:depth]), "/".join(names[:depth])

    def real(self, name: str) -> str | None:
        """The real name for a name in a prediction, or None if it names no input."""
        if len(name) > _LONGEST:
            return None
        parts = _parts(name)
        found = self._located(parts)
        if found is not None:
            return found[1]
        restored = [self._part(parts, depth) for depth in range(len(parts))]
        changed = [depth for depth, part in enumerate(parts) if restored[depth] != part]
        return "/".join(restored[changed[0] :]) if changed else None

    def real_path(self, path: str) -> str:
        """The path of a prediction with all opaque names in it restored."""
        parts = _parts(path)
        found = self._located(parts)
        if found is not None:
            return "/".join([*parts[: found[0]], found[1]])
        restored = "/".join(self._part(parts, depth) for depth in range(len(parts)))
        too_long = any(len(part.encode()) > _LONGEST_PART for part in restored.split("/"))  # of many tokens in one name
        return path if too_long else restored

    def _part(self, parts: Sequence[str], depth: int) -> str:
        """One part of a path with real names. A text that is in several folders gets its folder if that is missing."""
        above = "/".join(parts[:depth])
        alone = (
            {
                token: f"{self._places[token][1]}/{self._hidden[token]}"
                for token in RUN.findall(parts[depth])
                if token in self._places
                and (opaque := self._places[token][0])
                and not f"/{above}".endswith(f"/{opaque}")
            }
            if self._places
            else {}
        )
        return replace_tokens(parts[depth], {**self._hidden, **alone} if alone else self._hidden)

    def _located(self, parts: Sequence[str]) -> tuple[int, str] | None:
        """Where the path of an input begins in the parts of a path, and its real name."""
        for start in range(len(parts)):
            if (real := self._paths.get("/".join(parts[start:]))) is not None:
                return start, real
        base = self._bases.get(parts[-1]) if parts else None
        return None if base is None else (len(parts) - 1, base)


def _parts(name: str) -> list[str]:
    return [part for part in name.strip().replace("\\", "/").split("/") if part not in {"", "."}]


def _restore_column(path: Path, restore: Restore, lookup: Lookup) -> None:
    """Restores one column of a CSV file and sorts the rows by it."""
    header, rows = _read(path, restore)
    column = header.index(restore.column)
    unknown: list[str] = []
    for number, row in enumerate(rows, 2):
        written = row[column] if len(row) > column else ""
        if (real := lookup.real(written)) is not None:
            row[column] = real
        else:
            unknown.append(f"{restore.csv}, line {number}: {written!r} is not an input")
    if unknown:
        count = counted(len(unknown), "row names", "rows name") + " no input file"
        raise _unmapped(restore, count, unknown, example=f"inputs have names such as {lookup.example!r}")
    rows.sort(key=lambda row: row[column])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.write_text(text.getvalue(), encoding="utf-8")


def _restore_json(path: Path, lookup: Lookup) -> None:
    """Restores names in the texts and keys of a JSON file. Only these change, so a file of any depth will do."""

    def of_text(match: re.Match[str]) -> str:
        try:
            real = lookup.real(json.loads(match[0]))
        except ValueError:
            return match[0]
        return match[0] if real is None else json.dumps(real)

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return  # the scoring program says what is wrong with it
    path.write_text(JSON_TEXT.sub(of_text, text), encoding="utf-8")


def _restore_files(predictions: Path, lookup: Lookup) -> None:
    paths = sorted(path.relative_to(predictions).as_posix() for path in predictions.rglob("*") if not path.is_dir())
    targets: dict[str, str] = {}
    for path in paths:
        target = lookup.real_path(path)
        if target in targets:
            raise PalioError("predictions-collide", stage="predict", first=targets[target], second=path)
        targets[target] = path
    for target, path in targets.items():  # a file where another needs a folder
        for above in map(str, PurePosixPath(target).parents):
            if above in targets:
                raise PalioError("predictions-collide", stage="predict", first=targets[above], second=path)
    moved = {path: target for target, path in targets.items() if path != target}
    move_files(predictions, moved)


def move_files(folder: Path, moved: Mapping[str, str]) -> None:
    """Moves files within the folder, all at once, to places that nothing else has. Removes empty folders."""
    if not moved:
        return
    aside = folder / f".{secrets.token_hex(8)}"  # first: a new name may be another's old one
    aside.mkdir()
    for number, path in enumerate(moved):
        (folder / path).rename(aside / str(number))
    for empty in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if empty != aside and not any(empty.iterdir()):
            empty.rmdir()
    for number, target in enumerate(moved.values()):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (aside / str(number)).rename(folder / target)
    aside.rmdir()


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
