"""Compares the files next to a receipt with what it states: records by field, other files by digest.

A missing file is not a difference, because a run folder may be passed on without its predictions; `missing` lists it.
Inside predictions/ and scores/, a missing or added file is a difference.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from palio.core.files.digest import UnfitFile
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.receipt.difference import NOTHING, Difference, differences
from palio.core.receipt.files import (
    METADATA,
    NAME,
    PREDICTIONS,
    RECORDS,
    SCORES,
    File,
    Files,
    digest_below,
    list_files,
    tops,
)
from palio.core.receipt.reading import Receipt, Statement
from palio.core.receipt.statement import stated_result

_LIMIT_BYTES = 64 * 1024**2
_FILES = TypeAdapter(dict[str, File])


@dataclass(frozen=True)
class Comparison:
    """`has_files`: whether anything was there to compare."""

    differences: tuple[Difference, ...]
    missing: tuple[str, ...]
    has_files: bool


def compare_with_files(receipt: Receipt, predictions: Path | None) -> Comparison:
    """Compares the receipt with its run folder. `predictions` replaces the folder next to it. Raises OSError."""
    root, stated = receipt.path.parent, receipt.statement
    listed = _listed(root, stated)
    # Without the list, this may not be a run folder at all, so other files are not the receipt's business.
    there = tops(root) if listed else {name: root / name for name in (PREDICTIONS, SCORES) if (root / name).is_dir()}
    if predictions is not None:
        there[PREDICTIONS] = predictions
    found = [difference for name in RECORDS for difference in _record(root, name, stated)]
    found += [*_attempt(receipt), *_files(there, listed, stated)]
    has_files = bool(there) or any((root / name).exists() for name in RECORDS)
    return Comparison(tuple(found), tuple(_missing(root, there, listed, stated)), has_files)


def _listed(root: Path, stated: Statement) -> Files | None:
    """The files in files.json, or None if it is missing or not as signed."""
    try:
        text = read_untrusted(root / NAME, _LIMIT_BYTES, encoding="utf-8")
        return _FILES.validate_json(text) if _digest(text) == stated.records.get(NAME) else None
    except (FileNotFoundError, UnreadableFileError, ValidationError):
        return None


def _record(root: Path, name: str, stated: Statement) -> Iterator[Difference]:
    """Compares a record by its fields if they show the difference, else by its digest."""
    signed = stated.records.get(name, NOTHING)
    try:
        text = read_untrusted(root / name, _LIMIT_BYTES, encoding="utf-8")
    except FileNotFoundError:
        return
    except UnreadableFileError as error:
        yield Difference(name, signed, f"it {error}")
        return
    changed = _digest(text) != signed
    fields = list(_fields(name, text, stated, changed=changed))
    yield from fields
    if changed and not fields:
        yield Difference(name, signed, _digest(text))


def _fields(name: str, text: str, stated: Statement, *, changed: bool) -> Iterator[Difference]:
    """If the file is as signed but its fields differ from the receipt's, the receipt was changed."""
    try:
        content = json.loads(text)
        match name:
            case "lock.json":
                field, said = "lock", stated.lock
            case "result.json":
                field, said, content = "result", stated.result, stated_result(content)
            case _:
                return
        if changed:
            yield from differences(name, said, content)
        else:
            yield from differences(f"receipt.json: statement.{field}", content, said)
    except (ValueError, RecursionError):  # not JSON, or a trap: the digest decides
        return


def _attempt(receipt: Receipt) -> Iterator[Difference]:
    """Checks the one field that is in no record. In a genuine receipt it is right, and config.json is checked like any
    file.
    """
    if receipt.genuine:
        return
    try:
        identity = json.loads(read_untrusted(receipt.path.parent / "config.json", _LIMIT_BYTES))["identity"]
        yield from differences("receipt.json: statement.attempt", identity, receipt.statement.attempt)
    except (FileNotFoundError, UnreadableFileError, ValueError, RecursionError, TypeError, KeyError):
        return


def _files(there: Mapping[str, Path], listed: Files | None, stated: Statement) -> Iterator[Difference]:
    try:
        found = list_files(there)
    except UnfitFile as fault:
        yield Difference("the run folder", "only its own files and folders", str(fault))
        return
    changed = [] if listed is None else list(_unlike(there, listed, found))
    yield from changed
    for folder, signed in ((PREDICTIONS, stated.predictions), (SCORES, stated.scores)):
        named = any(difference.where.startswith(f"{folder}/") for difference in changed)
        if folder in there and not named and (digest := digest_below(folder, found)) != signed:
            yield Difference(f"{folder}/", signed or NOTHING, digest or NOTHING)


def _unlike(there: Mapping[str, Path], listed: Files, found: Files) -> Iterator[Difference]:
    for name in sorted({*listed, *found}):
        signed, now = listed.get(name), found.get(name)
        if signed != now and _top(name) in there and not (name == METADATA and now is None):
            yield Difference(name, signed.sha256 if signed else NOTHING, now.sha256 if now else NOTHING)


def _missing(root: Path, there: Mapping[str, Path], listed: Files | None, stated: Statement) -> Iterator[str]:
    yield from (name for name in RECORDS if name in stated.records and not (root / name).exists())
    folders = [name for name, digest in ((PREDICTIONS, stated.predictions), (SCORES, stated.scores)) if digest]
    wanted = {_top(name): "/" in name for name in listed or {}} | dict.fromkeys(folders, True)
    yield from (f"{name}/" if is_folder else name for name, is_folder in sorted(wanted.items()) if name not in there)


def _top(name: str) -> str:
    return name.split("/", 1)[0]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
