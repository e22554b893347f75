"""What a participant hands in: found out from its content, known by its SHA-256."""

import gzip
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.archive import look_through
from palio.core.bundle.model import SubmissionKind
from palio.core.digest import digest_file
from palio.core.errors import PalioError

_PROGRAM_SUFFIXES = {".py", ".sh", ".r", ".jl", ".ipynb", ".pth", ".pt", ".onnx"}
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"


@dataclass(frozen=True)
class Submission:
    path: Path
    kind: SubmissionKind
    digest: str  # SHA-256 of the file, in hex
    notes: tuple[str, ...] = ()  # what was accepted although it is not as it should be

    @property
    def name(self) -> str:
        return self.path.name


def read_submission(path: Path, kind: SubmissionKind | None = None) -> Submission:
    """A submission and its kind, found from its content unless given.

    Raises PalioError "archive-invalid", "archive-unsafe", "dockerfile-missing" or "submission-unknown".
    """
    found, notes = _find_kind(path, kind)
    return Submission(path, found, digest_file(path), notes)


def _find_kind(path: Path, wanted: SubmissionKind | None) -> tuple[SubmissionKind, tuple[str, ...]]:
    with path.open("rb") as file:
        start = file.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
    if start.startswith(b"\x1f\x8b") or start[_TAR_MAGIC_AT:] == _TAR_MAGIC:
        if not _is_saved_image(path):
            raise PalioError("submission-unknown", name=path.name, reason="a tar archive, but not from `docker save`")
        return SubmissionKind.IMAGE, ()
    if path.suffix.lower() == ".csv" and not start.startswith(b"PK"):
        return SubmissionKind.RESULTS, ()
    if not start.startswith(b"PK") and path.suffix.lower() != ".zip":
        raise PalioError("submission-unknown", name=path.name, reason="neither a zip, a saved image nor a .csv file")
    content = look_through(path)
    return wanted or _kind_of_zip(path.name, content.files), content.notes


def _kind_of_zip(name: str, files: tuple[str, ...]) -> SubmissionKind:
    if "Dockerfile" in files:
        return SubmissionKind.CONTEXT
    if "configs/metadata.json" in files:
        return SubmissionKind.MONAI
    if "metadata" in files or "metadata.yaml" in files:
        return SubmissionKind.CODE
    suffixes = {PurePosixPath(file).suffix.lower() for file in files}
    if ".csv" in suffixes and _PROGRAM_SUFFIXES.isdisjoint(suffixes):
        return SubmissionKind.RESULTS
    deeper = [file for file in files if PurePosixPath(file).name.lower() == "dockerfile"]
    hint = f"The zip holds {deeper[0]}, which is not at its root." if deeper else ""
    raise PalioError("dockerfile-missing", name=name, hint=hint)


def _is_saved_image(path: Path) -> bool:
    try:
        with tarfile.open(path) as archive:
            return any(member.name in ("manifest.json", "index.json") for member in archive)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, OSError, zlib.error, ValueError):
        return False


def unpack_results(submission: Submission, destination: Path) -> None:
    """Predictions that were handed in as such, as files below `destination`, which is made."""
    from palio.core.archive import unpack

    destination.mkdir(parents=True, exist_ok=True)
    if zipfile.is_zipfile(submission.path):
        unpack(submission.path, destination)
    else:
        (destination / submission.path.name).write_bytes(submission.path.read_bytes())
