"""Opens a bundle that is a zip: unpacked into a temporary folder, with the limits for untrusted archives."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from palio.core.bundle.model import Problem, Severity
from palio.core.errors import PalioError
from palio.core.files.archive import unpack
from palio.core.files.staging import writing

_MAGIC = b"PK"


@contextmanager
def bundle_folder(path: Path) -> Iterator[tuple[Path, tuple[Problem, ...]]]:
    """Yields the folder of the bundle and what was accepted when it was unpacked. A folder is yielded as it is.

    Errors name the zip instead of the temporary folder. Raises PalioError "folder-unreadable" for a zip that cannot be
    unpacked, and "disk-full".
    """
    if not path.is_file() or not _is_zip(path):
        yield path, ()
        return
    with tempfile.TemporaryDirectory(prefix="palio-bundle-") as work:
        folder = Path(work).resolve() / path.stem
        try:
            with writing(folder):
                notes = _unpack(path, folder)
            yield folder, tuple(Problem(path.name, None, "", note, Severity.WARNING) for note in notes)
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


def _unpack(path: Path, folder: Path) -> tuple[str, ...]:
    try:
        folder.mkdir()
        return unpack(path, folder).notes
    except PalioError as error:
        raise unreadable(error, path.name, path) from error


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
