"""Identifies submissions: the kind from the content, the identity by SHA-256."""

import re
import shutil
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.files.archive import inspect_archive, unpack
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
# The first entries that tools write when saving images (docker, podman, skopeo, crane, buildx).
_SAVED_IMAGE = re.compile(
    r"(?:sha256:)?[0-9a-f]{64}\b.*|blobs(?:/.*)?|manifest\.json|index\.json|oci-layout|repositories"
)


@dataclass(frozen=True)
class SubmissionFile:
    path: Path
    kind: SubmissionKind
    digest: str  # SHA-256 of the file, in hex
    notes: tuple[str, ...] = ()  # what was accepted although it is not quite right
    called: str = ""  # the original file name, if the file is stored under another one

    @property
    def name(self) -> str:
        return self.called or self.path.name


def read_submission(path: Path, kind: SubmissionKind | None = None, digest: str | None = None) -> SubmissionFile:
    """Reads a submission and detects its kind unless given. `digest` is its digest, if already known.

    Raises PalioError "archive-invalid", "archive-unsafe", "dockerfile-missing" or "submission-unknown".
    """
    found, notes = _find_kind(path, kind)
    return SubmissionFile(path, found, digest or digest_file(path), notes)


def _find_kind(path: Path, wanted: SubmissionKind | None) -> tuple[SubmissionKind, tuple[str, ...]]:
    with path.open("rb") as file:
        start = file.read(TAR_MAGIC_AT + len(TAR_MAGIC))
    if start.startswith(GZIP_MAGIC) or start[TAR_MAGIC_AT:] == TAR_MAGIC:
        if wanted is not SubmissionKind.IMAGE and not _is_saved_image(path):
            reason = "a tar or gzip file, but not an image from `docker save`"
            raise PalioError("submission-unknown", name=path.name, reason=reason)
        if wanted not in (None, SubmissionKind.IMAGE):
            raise PalioError(
                "submission-unknown", name=path.name, reason=f"a saved image, but its kind was given as `{wanted}`"
            )
        return SubmissionKind.IMAGE, ()
    if path.suffix.lower() == ".csv" and not start.startswith(b"PK"):
        return SubmissionKind.RESULTS, ()
    if not start.startswith(b"PK") and path.suffix.lower() != ".zip":
        raise PalioError("submission-unknown", name=path.name, reason="not a zip, a saved image or a .csv file")
    content = inspect_archive(path)
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
    hint = f"The zip has {deeper[0]}, which is not at its root." if deeper else ""
    if not deeper and _PROGRAM_SUFFIXES.isdisjoint(suffixes):
        hint = "Predictions need no Dockerfile, but must include a .csv file; otherwise set the kind to `results`."
    raise PalioError("dockerfile-missing", name=name, hint=hint)


def _is_saved_image(path: Path) -> bool:
    """Decides by the first names; submission.image_archive judges whether the image can be loaded."""
    try:
        with path.open("rb") as file:
            first = islice(TarStream(file, Budget(MIB, 2)).members(), 2)
            return any(_SAVED_IMAGE.fullmatch(plain_name(member.name)) for member in first)
    except (BrokenTarError, BudgetError):
        return False


def unpack_results(submission: SubmissionFile, destination: Path, max_bytes: int) -> None:
    """Writes submitted predictions as files below the new folder `destination`.

    Raises PalioError "predictions-too-large", and the errors of files.archive for a zip.
    """
    destination.mkdir(parents=True, exist_ok=True)
    is_zip = zipfile.is_zipfile(submission.path)
    size = _claimed_bytes(submission.path) if is_zip else submission.path.stat().st_size
    if size > max_bytes:
        sizes = {"size": size_text(size), "limit": size_text(max_bytes)}
        raise PalioError("predictions-too-large", name=submission.name, **sizes)
    if is_zip:
        unpack(submission.path, destination, plain=True)  # which does not trust a claim that is too low
    else:
        shutil.copyfile(submission.path, destination / submission.name)


def _claimed_bytes(path: Path) -> int:
    inspect_archive(path)  # so that a broken zip gets its usual error
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
