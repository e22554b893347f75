"""Creates challenges from the templates that ship with Palio: the files that all tasks share, those of the task, and
example data, which the new challenge's own program draws.
"""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from palio.core.errors import PalioError
from palio.core.files.staging import settle, staged, why, writing

TASKS = ("classification", "segmentation", "detection", "regression", "multi-label")
_COMMON = "common"
_FOLDER = Path("challenges/templates")
_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent.parent
_MAKE_DATA = "example/make_data.py"
_MOST_TITLE = 256  # characters, as on Codabench
_MOST_REASON = 2_000  # characters


@dataclass(frozen=True)
class Created:
    path: Path
    task: str
    title: str
    files: int


def create_challenge(target: Path, task: str, title: str | None = None) -> Created:
    """Writes a challenge with example data into the new or empty folder `target`, all of it or nothing.

    `task` is one of TASKS. The title defaults to the folder's name. Raises PalioError "target-not-empty",
    "target-unwritable" or "disk-full".
    """
    target = target.absolute()
    is_new = not os.path.lexists(target)
    with writing(target):
        if is_new:
            _make(target)
        else:
            settle(target)
        if any(target.iterdir()):
            raise PalioError("target-not-empty", path=target)
    name = os.path.realpath(target).rpartition("/")[2].encode(errors="replace").decode()
    words = {
        "title": _title(title or name.replace("-", " ").replace("_", " ")),
        "folder": shlex.quote(name),
        "start": f"{datetime.now(UTC):%Y-%m-%d} 00:00:00",
    }
    try:
        # The first target only says where: everything is built next to it and moved in together.
        with staged(target / "competition.yaml") as (first,):
            for folder in (_COMMON, task):
                _copy(_shipped() / folder, first.parent, words)
            _draw(first.parent)
            files = sum(path.is_file() for path in first.parent.rglob("*"))
    except BaseException:
        if is_new:
            with suppress(OSError):
                target.rmdir()  # `staged` leaves it empty
        raise
    return Created(target, task, words["title"], files)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileNotFoundError as error:  # /proc and the like hold no folders of users
        raise PalioError("target-unwritable", path=folder, reason=why(error)) from error


def _title(text: str) -> str:
    """On one line, and starting with a capital letter."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return (line[:1].upper() + line[1:])[:_MOST_TITLE] or "Challenge"


def _shipped() -> Path:
    """The templates of the checkout or package that this code runs from."""
    return next(folder / _FOLDER for folder in (_CHECKOUT, _PACKAGE) if (folder / _FOLDER / _COMMON).is_dir())


def _copy(source: Path, target: Path, words: Mapping[str, str]) -> None:
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".md", ".yaml"):
            place.write_text(_filled(path.read_text(encoding="utf-8"), words, path.suffix), encoding="utf-8")
        else:
            shutil.copyfile(path, place)


def _filled(text: str, words: Mapping[str, str], suffix: str) -> str:
    def word(match: re.Match[str]) -> str:
        name = match[1]
        # A JSON string is a YAML string, whatever the title is.
        return json.dumps(words[name]) if suffix == ".yaml" and name == "title" else words[name]

    return re.sub(r"{{(\w+)}}", word, text)


def _draw(challenge: Path) -> None:
    """Runs the new challenge's program that draws its data, in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-B", _MAKE_DATA], cwd=challenge, capture_output=True, text=True, errors="replace", check=False
    )
    if result.returncode == 0:
        return
    reason = result.stderr.strip()[-_MOST_REASON:]
    if f"[Errno {errno.ENOSPC}]" in reason:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise RuntimeError(f"{_MAKE_DATA} failed: {reason}")
