"""Reads paths in a bundle. Each must stay inside the bundle, whatever is written and wherever links point."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.bundle.readers import scalar
from palio.core.bundle.values import Refused, Value
from palio.core.bundle.wording import quoted, suggestion

_ADVICE = "write the path of a file or folder in the bundle"
_MOST_NAMES = 20_000  # that are looked through for a file that is elsewhere
_DATASET_KEY = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Paths:
    """Readers of paths below `root`, which is absolute and free of links."""

    root: Path

    def file(self, value: Value) -> Path:
        """An existing file. One that is elsewhere in the bundle, as in repositories from whose files a script makes the
        zip, is used if no other has its name.
        """
        written = self.data(value)
        path = written if written.exists() else self._elsewhere(written.name) or self._existing(value)
        if path != written:
            found = path.relative_to(self.root).as_posix()
            value.warn(
                f"is {quoted(scalar(value, _ADVICE))}, which is not there, so {quoted(found)} is used; write that path"
            )
        if not path.is_file():
            raise Refused(f"names the folder {quoted(scalar(value, _ADVICE))}; name a file")
        return path

    def program(self, value: Value) -> Path:
        """An existing folder, or a zip of one."""
        path = self._existing(value)
        if not path.is_dir() and path.suffix.lower() != ".zip":
            raise Refused(f"names the file {quoted(scalar(value, _ADVICE))}; name a folder or a .zip")
        return path

    def data(self, value: Value) -> Path:
        """A folder or file that may not exist yet, because hidden data is often stored elsewhere until it is needed."""
        written = scalar(value, _ADVICE)
        if _DATASET_KEY.fullmatch(written):
            raise Refused(
                f"is {quoted(written)}, the key of a dataset on another platform; download that dataset, put it into "
                "the bundle and write its path here"
            )
        if "://" in written:
            raise Refused(f"is the address {quoted(written)}; put the file into the bundle and write its path here")
        if "\\" in written:
            raise Refused(f"is {quoted(written)}; write / between folders, not \\")
        parts = PurePosixPath(written).parts
        if not parts or written.startswith("/") or ".." in parts:
            raise Refused(f"is {quoted(written)}; write a path inside the bundle, without a leading / and without ..")
        path = self.root.joinpath(*parts)
        try:
            if not path.exists() and (other := _packed_or_not(path)).exists():
                value.warn(
                    f"is {quoted(written)}, which is not there, so {quoted(other.name)} is used; write that name"
                )
                path = other
            leaves = not path.resolve().is_relative_to(self.root)
        except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself
            raise Refused(f"is {quoted(written)}, which cannot be followed ({error})") from None
        if leaves:
            raise Refused(f"is {quoted(written)}, a link out of the bundle; copy the content there instead")
        return path

    def _existing(self, value: Value) -> Path:
        path = self.data(value)
        try:
            if path.exists():
                return path
            near = self._near(path)
        except OSError as error:  # a name too long for the file system, or a folder without permission
            raise Refused(f"is {quoted(scalar(value, _ADVICE))}, which cannot be read ({error.strerror})") from None
        raise Refused(f"is {quoted(scalar(value, _ADVICE))}, which is not in the bundle{near}")

    def _elsewhere(self, name: str) -> Path | None:
        """The only file of this name in the bundle, links aside."""
        found, seen = None, 0
        for folder, folders, files in os.walk(self.root):
            seen += len(folders) + len(files)
            if name in files and not (path := Path(folder, name)).is_symlink():
                if found is not None:
                    return None
                found = path
            if seen > _MOST_NAMES:
                return None
        return found

    def _near(self, path: Path) -> str:
        """The most similar name in the deepest folder that exists."""
        while not path.parent.is_dir():
            path = path.parent
        names = [entry.relative_to(self.root).as_posix() for entry in path.parent.iterdir()]
        return suggestion(path.relative_to(self.root).as_posix(), names)


def _packed_or_not(path: Path) -> Path:
    """The folder from which a zip would be made, or the zip of a folder: repositories often hold only one of them."""
    return path.with_suffix("") if path.suffix.lower() == ".zip" else path.with_name(f"{path.name}.zip")
