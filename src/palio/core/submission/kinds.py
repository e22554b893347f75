"""What a participant hands in: found out from its content, known by its SHA-256."""

import re
import shutil
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.files.archive import look_through, unpack
from palio.core.files.digest import digest_file
from palio.core.files.tar_stream import (
    GZIP_MAGIC,
    TAR_MAGIC,
    TAR_MAGIC_AT,
    BrokenTarError,
    Budget,
    BudgetError,
    TarStream,
)
from palio.core.quantities import MIB, size_text
from palio.core.submission.image_manifest import plain_name

_PROGRAM_SUFFIXES = {".py", ".sh", ".r", ".jl", ".ipynb", ".pth", ".pt", ".onnx"}
# What those who save images (docker, podman, skopeo, crane, buildx) write first into an archive.
_SAVED_IMAGE = re.compile(
    r"(?:sha256:)?[0-9a-f]{64}\b.*|blobs(?:/.*)?|manifest\.json|index\.json|oci-layout|repositories"
)


@dataclass(frozen=True)
class SubmissionFile:
    path: Path
    kind: SubmissionKind
    digest: str  # SHA-256 of the file, in hex
    notes: tuple[str, ...] = ()  # what was accepted although it is not as it should be
    called: str = ""  # where the file was kept under another name: its own, without folders

    @property
    def name(self) -> str:
        return self.called or self.path.name


def read_submission(path: Path, kind: SubmissionKind | None = None, digest: str | None = None) -> SubmissionFile:
    """A submission and its kind, found from its content unless given. `digest` is its own, if that is known already.

    Raises PalioError "archive-invalid", "archive-unsafe", "dockerfile-missing" or "submission-unknown".
    """
    found, notes = _find_kind(path, kind)
    return SubmissionFile(path, found, digest or digest_file(path), notes)


def _find_kind(path: Path, wanted: SubmissionKind | None) -> tuple[SubmissionKind, tuple[str, ...]]:
    with path.open("rb") as file:
        start = file.read(TAR_MAGIC_AT + len(TAR_MAGIC))
    if start.startswith(GZIP_MAGIC) or start[TAR_MAGIC_AT:] == TAR_MAGIC:
        if wanted is not SubmissionKind.IMAGE and not _is_saved_image(path):
            reason = "a tar or gzip file, but no image that `docker save` made"
            raise PalioError("submission-unknown", name=path.name, reason=reason)
        if wanted not in (None, SubmissionKind.IMAGE):
            raise PalioError("submission-unknown", name=path.name, reason=f"a saved image where `{wanted}` was meant")
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
    if not deeper and _PROGRAM_SUFFIXES.isdisjoint(suffixes):
        hint = "Predictions need none, but one file of them has to be a .csv; else say that its kind is `results`."
    raise PalioError("dockerfile-missing", name=name, hint=hint)


def _is_saved_image(path: Path) -> bool:
    """By the first names in it; whether it holds an image that can be loaded is for core.image_archive to judge."""
    try:
        with path.open("rb") as file:
            first = islice(TarStream(file, Budget(MIB, 2)).members(), 2)
            return any(_SAVED_IMAGE.fullmatch(plain_name(member.name)) for member in first)
    except (BrokenTarError, BudgetError):
        return False


def unpack_results(submission: SubmissionFile, destination: Path, max_bytes: int) -> None:
    """Predictions that were handed in as such, as files below `destination`, which is made.

    Raises PalioError "predictions-too-large", and what core.archive raises of a zip.
    """
    destination.mkdir(parents=True, exist_ok=True)
    is_zip = zipfile.is_zipfile(submission.path)
    size = _claimed_bytes(submission.path) if is_zip else submission.path.stat().st_size
    if size > max_bytes:
        sizes = {"size": size_text(size), "limit": size_text(max_bytes)}
        raise PalioError("predictions-too-large", name=submission.name, **sizes)
    if is_zip:
        unpack(submission.path, destination, plain=True)  # which believes no claim that is too low
    else:
        shutil.copyfile(submission.path, destination / submission.name)


def _claimed_bytes(path: Path) -> int:
    look_through(path)  # so that a broken zip is refused in its words
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
