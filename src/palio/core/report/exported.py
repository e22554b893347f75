"""Reads the export of a challenge, a folder or a zip, for the report. Its text is untrusted and never run."""

import csv
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.report.facts import FORMAT, NAME

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what the export marks with an apostrophe
Row = dict[str, str]


@dataclass(frozen=True)
class Place:
    """A row of an exported leaderboard. `values`, `ranks` and `intervals` are by column key; a row without a rank is
    disqualified or has no score."""

    team: str
    submission: str
    rank: int | None
    first: int | None
    last: int | None
    entries: int
    is_baseline: bool
    is_disqualified: bool
    values: Mapping[str, float]
    ranks: Mapping[str, int]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Board:
    """An exported leaderboard of a phase, best first."""

    phase: Mapping[str, Any]
    board: Mapping[str, Any]
    places: tuple[Place, ...]

    @property
    def title(self) -> str:
        several = len(self.phase["leaderboards"]) > 1
        return f"{self.phase['name']}: {self.board['title']}" if several else str(self.phase["name"])

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Without hidden ones."""
        return tuple(
            Column(
                key=each["key"],
                title=each["title"],
                descending=each["descending"],
                precision=each["precision"],
                hidden=each["hidden"],
                computation=each["computation"],
                computation_keys=tuple(each["computation_keys"]),
                task=each["task"],
            )
            for each in self.board["columns"]
            if not each["hidden"]
        )

    @property
    def primary(self) -> Column | None:
        """None if it is hidden."""
        return next((column for column in self.columns if column.key == self.board["primary"]), None)

    @property
    def ranked(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if place.rank is not None)

    @property
    def statistics(self) -> StatisticsPolicy | None:
        given = self.phase["statistics"]
        return None if given is None else StatisticsPolicy(**given | {"metrics": tuple(given["metrics"].items())})

    @property
    def task_indexes(self) -> tuple[int, ...]:
        """Of the tasks if there are several; each then has single cases of its own."""
        tasks = self.phase["tasks"]
        return tuple(tasks) if len(tasks) > 1 else ()


class Exported:
    """The files of an export. Raises PalioError "usage" for what is no export, or one of another version."""

    def __init__(self, root: Path) -> None:
        self.root = root
        path = root / NAME
        if not path.is_file():
            raise _no_export(root, f"has no {NAME}")
        try:
            self.facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            known = self.facts["format"] == FORMAT
        except (ValueError, KeyError, TypeError):
            raise _no_export(root, f"has a {NAME} that cannot be read") from None
        if not known:
            raise _no_export(root, f"is of the format {self.facts['format']}; this version of Palio reads {FORMAT}")

    def table(self, name: str) -> list[Row]:
        """The rows of a CSV file, without the marks that keep spreadsheets from computing texts. Empty if missing."""
        path = self.root / name
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: _unmarked(value or "") for key, value in row.items() if key} for row in csv.DictReader(file)]

    @cached_property
    def boards(self) -> tuple[Board, ...]:
        return tuple(
            Board(phase, board, tuple(_place(row, board) for row in self.table(board["file"])))
            for phase in self.facts["phases"]
            for board in phase["leaderboards"]
        )

    @property
    def has_runs(self) -> bool:
        return (self.root / "runs").is_dir()

    def run_folder(self, submission: str) -> Path:
        return self.root / "runs" / Path(submission).name


@contextmanager
def opened(path: Path) -> Iterator[Exported]:
    """The export at `path`, a folder or a zip, which is unpacked for as long as it is used."""
    if path.is_dir():
        yield Exported(path)
        return
    with TemporaryDirectory(prefix="palio-report-") as scratch:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(scratch)  # which leaves out what points outside
        except (zipfile.BadZipFile, OSError) as error:
            raise _no_export(path, f"cannot be read as a zip ({error})") from None
        yield Exported(Path(scratch))


def _place(row: Row, board: Mapping[str, Any]) -> Place:
    keys = [column["key"] for column in board["columns"]]
    intervals = {
        key: (float(row[f"interval_low_{key}"]), float(row[f"interval_high_{key}"]))
        for key in keys
        if row.get(f"interval_low_{key}") and row.get(f"interval_high_{key}")
    }
    return Place(
        team=row["team"],
        submission=row["submission"],
        rank=_integer(row.get("rank")),
        first=_integer(row.get("rank_first")),
        last=_integer(row.get("rank_last")),
        entries=_integer(row.get("entries")) or 0,
        is_baseline=row.get("baseline") == "True",
        is_disqualified=bool(row.get("disqualified")),
        values={key: float(row[key]) for key in keys if row.get(key)},
        ranks={key: int(row[f"rank_{key}"]) for key in keys if row.get(f"rank_{key}")},
        intervals=intervals,
    )


def _integer(text: str | None) -> int | None:
    return int(text) if text else None


def _unmarked(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _no_export(path: Path, what: str) -> PalioError:
    return PalioError(
        "usage",
        problem=f"{path.name} is no export that a report can be made of: it {what}.",
        next_step="Export the challenge with this version of Palio: palio export CHALLENGE --runs",
    )
