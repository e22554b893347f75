"""Opens a bundle that is a zip: unpacked into a temporary folder, with the limits for untrusted archives."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from palio.core.bundle.data_files import DataFiles, ZippedData
from palio.core.bundle.model import Problem, Severity
from palio.core.errors import PalioError
from palio.core.files.archive import open_archive, write_members
from palio.core.files.staging import writing

_MAGIC = b"PK"


@dataclass(frozen=True)
class OpenBundle:
    """A bundle's folder, what was accepted when it was unpacked, and how to read its data if not from that folder."""

    folder: Path
    notes: tuple[Problem, ...]
    data: DataFiles | None


@contextmanager
def bundle_folder(path: Path, *, whole: bool = True) -> Iterator[OpenBundle]:
    """Opens a bundle. Without `whole`, files of data folders stay in the zip; their bytes are verified.

    Errors name the zip instead of the temporary folder. Raises PalioError "folder-unreadable" for a zip that cannot be
    unpacked, and "disk-full".
    """
    if not path.is_file() or not _is_zip(path):
        yield OpenBundle(path, (), None)
        return
    with tempfile.TemporaryDirectory(prefix="palio-bundle-") as work:
        folder = Path(work).resolve() / path.stem
        try:
            with _unpacked(path, folder, whole=whole) as (notes, data):
                yield OpenBundle(
                    folder, tuple(Problem(path.name, None, "", note, Severity.WARNING) for note in notes), data
                )
        except PalioError as error:
            raise _named(error, folder, path) from error


def _is_zip(path: Path) -> bool:
    if path.suffix.lower() == ".zip":
        return True
    with path.open("rb") as file:
        return file.read(2) == _MAGIC


def unreadable(error: PalioError, name: str, path: Path | str) -> PalioError:
    """The error for an organizer whose archive could not be unpacked: the participant's would not help."""
    if not error.failure.code.startswith("archive-"):
        return error
    reason = error.failure.message.removeprefix(f"{name} ").rstrip(".")
    return PalioError("folder-unreadable", path=path, reason=f"it {reason}", evidence=error.failure.evidence)


@contextmanager
def _unpacked(path: Path, folder: Path, *, whole: bool) -> Iterator[tuple[tuple[str, ...], DataFiles | None]]:
    """Yields the notes, and how to read the data while the archive is open."""
    folder.mkdir()
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(open_archive(path, lenient=True))
            data = None if whole else ZippedData(archive, folder)
            with writing(folder):
                write_members(archive, folder, left=data.left if data else ())
                for place in data.folders if data else ():
                    place.mkdir(parents=True, exist_ok=True)
        except PalioError as error:
            raise unreadable(error, path.name, path) from error
        yield archive.notes, data


def _named(error: PalioError, folder: Path, path: Path) -> PalioError:
    def named(text: str) -> str:
        return text.replace(f"{folder}/", "").replace(str(folder), str(path))

    failure = error.failure
    return PalioError.of(
        replace(
            failure,
            message=named(failure.message),
            next_step=named(failure.next_step),
            evidence=tuple(map(named, failure.evidence)),
        )
    )
