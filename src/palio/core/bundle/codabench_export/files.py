"""The files of a bundle under the names that its Codabench form gives them: what competition.yaml names, and the
pictures that its pages show.
"""

import re
from pathlib import Path
from urllib.parse import unquote

from palio.core.bundle.codabench_export.losses import Losses
from palio.core.bundle.contents import is_zip
from palio.core.bundle.model import Bundle
from palio.core.bundle.program import program_contents, read_program
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile
from palio.core.files.tree import Entry, entries_to_copy, file_entry

_PICTURE = re.compile(r"[^\s\"'()<>]+\.(?:png|jpe?g|gif|svg|webp)", re.IGNORECASE)


class NamedFiles:
    """Gathers files while their names are written. Files keep their paths in the bundle."""

    def __init__(self, bundle: Bundle, losses: Losses) -> None:
        self._bundle, self._losses = bundle, losses
        self._found: dict[str, Path] = {}  # paths of the bundle by their names in the zip

    def name(self, path: Path | None) -> str | None:
        """The name of a file or folder; one that does not exist is only named."""
        if path is None:
            return None
        name = path.relative_to(self._bundle.root).as_posix()
        if path.exists():
            self._found[name] = path
        return name

    def program(self, path: Path | None, field: str) -> str | None:
        if path is not None:
            try:
                program = read_program(path, self._bundle.root)
                if program.has_dockerfile:
                    self._losses.add(field, "has a Dockerfile, which Codabench ignores: it runs in docker_image")
                if program.command is None:
                    self._losses.add(field, "has no command in metadata.yaml, which Codabench requires")
                if program_contents(path, self._bundle.root).changes:
                    self._losses.add(field, "is a zip with links or a name twice, which Codabench may unpack otherwise")
            except (PalioError, UnfitFile):
                self._losses.add(field, "cannot be read; run `palio check`")
        return self.name(path)

    def data(self, path: Path | None, field: str) -> str | None:
        """The name of data. A single file is put into a folder, because Codabench takes folders and zips only."""
        if path is not None and not path.exists():
            self._losses.add(field, "does not exist, so it is not in the zip; Codabench requires it")
        if path is None or not path.is_file() or is_zip(path):
            return self.name(path)
        folder = path.with_suffix("").relative_to(self._bundle.root).as_posix()
        while (self._bundle.root / folder).exists():
            folder += "_data"
        self._found[f"{folder}/{path.name}"] = path
        self._losses.add(
            field, "is a single file, which Codabench does not take, so a folder that holds it was written"
        )
        return folder

    def entries(self) -> dict[str, Entry]:
        """Everything to write, by name. Raises UnfitFile and OSError."""
        entries: dict[str, Entry] = {}
        for name, path in (*self._found.items(), *self._pictures()):
            if not path.is_dir():
                entries[name] = file_entry(path)
                continue
            for entry in entries_to_copy(path, executable=True, within=self._bundle.root):
                entries[f"{name}/{entry.name}"] = entry
        return entries

    def _pictures(self) -> list[tuple[str, Path]]:
        pages = [*(page.file for page in self._bundle.pages), *([self._bundle.terms] if self._bundle.terms else [])]
        found = []
        for page in pages:
            for written in _PICTURE.findall(page.read_text(encoding="utf-8", errors="replace")):
                try:
                    path = (page.parent / unquote(written)).resolve()
                    if path.is_relative_to(self._bundle.root) and path.is_file():
                        found.append((path.relative_to(self._bundle.root).as_posix(), path))
                except (OSError, ValueError):
                    continue  # no possible path
        return found
