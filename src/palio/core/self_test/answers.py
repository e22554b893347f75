"""Predictions as files in a folder, to be changed and packed."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.jobs import METADATA
from palio.core.files.archive import unpack


@dataclass(frozen=True)
class Answers:
    """`changed` are contents that replace those of `folder`, by name; None leaves the file out."""

    folder: Path
    changed: dict[str, bytes | None]

    @classmethod
    def of(cls, predictions: Path) -> "Answers":
        """Collected predictions, without what the platform adds to them."""
        return cls(predictions, {METADATA: None})

    @classmethod
    def read(cls, path: Path, work: Path) -> "Answers":
        """A folder, a zip of one, or a file. Raises PalioError "archive-invalid" or "archive-unsafe"."""
        if path.is_dir():
            return cls(path, {})
        if zipfile.is_zipfile(path):
            work.mkdir()
            unpack(path, work, plain=True, lenient=True)
        else:
            work.mkdir()
            shutil.copyfile(path, work / path.name)
        return cls(work, {})

    @property
    def names(self) -> list[str]:
        there = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        return sorted((there | self.changed.keys()) - {name for name, new in self.changed.items() if new is None})

    @property
    def size_bytes(self) -> int:
        return sum(
            (self.folder / name).stat().st_size if (new := self.changed.get(name)) is None else len(new)
            for name in self.names
        )

    def content(self, name: str) -> bytes:
        return self.changed.get(name) or (self.folder / name).read_bytes()

    def renamed(self, name: str, new: str) -> "Answers":
        return Answers(self.folder, self.changed | {new: self.content(name), name: None})

    def replaced(self, name: str, content: bytes) -> "Answers":
        return Answers(self.folder, self.changed | {name: content})

    def copied(self, target: Path) -> Path:
        """The files in the new folder `target`."""
        for name in self.names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(self.content(name))
        return target

    def pack(self, target: Path) -> Path:
        with zipfile.ZipFile(target, "w") as archive:
            for name in self.names:
                changed = self.changed.get(name)
                if changed is None:
                    archive.write(self.folder / name, name)
                else:
                    archive.writestr(name, changed)
        return target


def zipped(path: Path, target: Path) -> Path:
    """The folder `path` as a zip; a file as it is."""
    return path if path.is_file() else Answers(path, {}).pack(target)
