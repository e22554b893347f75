"""Identifies submissions: the kind from the content and from what the phase takes, the identity by SHA-256."""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.file_name import DOCKERFILE, find_dockerfile
from palio.core.dockerfile.read import MOST_BYTES
from palio.core.dockerfile.sources import check_context
from palio.core.errors import PalioError, counted
from palio.core.files.archive import Archive, open_archive, unpack
from palio.core.files.archive_formats import described_start
from palio.core.files.digest import digest_file
from palio.core.files.lfs import lfs_pointers, pointers_in
from palio.core.files.tar_stream import GZIP_MAGIC, TAR_MAGIC, TAR_MAGIC_AT
from palio.core.quantities import KIB, size_text
from palio.core.submission.candidates import CODE_METADATA, dockerfile_missing, is_program, kind_of_zip
from palio.core.submission.monai.bundle import MonaiBundle, read_monai_bundle, refuse_other_classes
from palio.core.submission.reference import is_reference, read_reference
from palio.core.submission.start_notes import start_notes
from palio.core.submission.tar_kinds import TarKind, kind_of_tar

ALL_KINDS = tuple(SubmissionKind)
_ZIP_MAGIC = b"PK"
_COMMAND = re.compile(rb"^[ \t{]*[\"']?command[\"']?[ \t]*:", re.MULTILINE)
_WRITTEN_BY_PLATFORMS = re.compile(rb"(?m)^\W*(exitCode|elapsedTime|ingestion\w+)\W*:")
_METADATA_BYTES = 64 * KIB
_SHOWN = 5
# Files that are predictions without being zipped. Those that are PACKED are zips or gzip files themselves.
_PLAIN = (
    *(".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".yaml", ".npy", ".mat", ".h5", ".parquet"),
    *(".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff"),
)
_PACKED = (".npz", ".xlsx", ".nii.gz", ".csv.gz", ".tsv.gz", ".json.gz")


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


def read_submission(
    path: Path,
    kind: SubmissionKind | None = None,
    digest: str | None = None,
    *,
    accepted: Collection[SubmissionKind] = ALL_KINDS,
    called: str = "",
) -> SubmissionFile:
    """Reads a submission and detects its kind unless given. `digest` is its digest, if already known.

    `accepted` are the kinds that its phase takes; the result may still be another kind, if the file is plainly that.
    Raises PalioError for what makes it unusable, such as "archive-invalid", "lfs-pointers" or "submission-fits-none".
    """
    found, notes = _find_kind(path, called or path.name, kind, accepted)
    return SubmissionFile(path, found, digest or digest_file(path), notes, called)


def check_submission(submission: SubmissionFile, classes: tuple[str, ...] = ()) -> SubmissionFile:
    """Checks what can be checked without a container; returns the submission with more notes.

    `classes` are those of the phase, for MONAI bundles. Raises PalioError "dockerfile-unfit" or "monai-bundle-unfit"
    with all problems, or "monai-classes-differ".
    """
    if submission.kind is SubmissionKind.CONTEXT:
        with open_archive(submission.path, submission.name, inner=True) as archive:
            check_context(archive, submission.name)
    if submission.kind is SubmissionKind.MONAI:
        return replace(submission, notes=(*submission.notes, *monai_bundle(submission, classes).notes))
    return submission


def monai_bundle(submission: SubmissionFile, classes: tuple[str, ...] = ()) -> MonaiBundle:
    """The submitted MONAI bundle. Raises PalioError "monai-bundle-unfit" or "monai-classes-differ"."""
    with open_archive(submission.path, submission.name, inner=True) as archive:
        members = {member.name: member for member in archive.members if not member.is_folder}
        bundle = read_monai_bundle(submission.name, members, lambda name, most: archive.head(members[name], most))
    refuse_other_classes(submission.name, bundle, classes)
    return bundle


def unpack_context(submission: SubmissionFile, destination: Path, max_bytes: int) -> None:
    """Writes a submitted build context to the new folder `destination`, with its Dockerfile under the usual name too.

    Raises the errors of files.archive.
    """
    content = unpack(submission.path, destination, submission.name, max_bytes, inner=True)
    found = find_dockerfile(content.files)
    if found and found.name != DOCKERFILE:
        shutil.copy(destination / found.name, destination / DOCKERFILE)


def unpack_results(submission: SubmissionFile, destination: Path, max_bytes: int) -> None:
    """Writes submitted predictions as files below the new folder `destination`.

    Raises PalioError "predictions-too-large", and the errors of files.archive for a zip.
    """
    destination.mkdir(parents=True, exist_ok=True)
    is_zip = _is_zip(submission.name, _start_of(submission.path))
    size = _claimed_bytes(submission) if is_zip else submission.path.stat().st_size
    if size > max_bytes:
        sizes = {"size": size_text(size), "limit": size_text(max_bytes)}
        raise PalioError("predictions-too-large", name=submission.name, **sizes)
    if is_zip:  # whose claim is not trusted if it is too low
        unpack(submission.path, destination, submission.name, plain=True, inner=True)
    else:
        shutil.copyfile(submission.path, destination / submission.name)


def _claimed_bytes(submission: SubmissionFile) -> int:
    with open_archive(submission.path, submission.name, inner=True) as archive:
        return sum(member.entry.file_size for member in archive.members)


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(TAR_MAGIC_AT + len(TAR_MAGIC))


def _is_zip(name: str, start: bytes) -> bool:
    name = name.lower()
    return name.endswith(".zip") or (start.startswith(_ZIP_MAGIC) and not name.endswith(_PACKED))


def _find_kind(
    path: Path, name: str, wanted: SubmissionKind | None, accepted: Collection[SubmissionKind]
) -> tuple[SubmissionKind, tuple[str, ...]]:
    start = _start_of(path)
    if wanted in (None, SubmissionKind.REFERENCE) and is_reference(start):
        read_reference(path, name)
        return SubmissionKind.REFERENCE, ()
    if wanted is SubmissionKind.REFERENCE:
        reason = "a file, but a reference is the name of an image in a registry, such as ghcr.io/lab/model:v1"
        raise PalioError("submission-unknown", name=name, reason=reason)
    is_tar = start.startswith(GZIP_MAGIC) or start[TAR_MAGIC_AT:] == TAR_MAGIC
    is_data = name.lower().endswith(_PLAIN + _PACKED) and not find_dockerfile([name])
    if is_tar and not (is_data and name.lower().endswith(_PACKED)):
        return _kind_of_tar(path, name, wanted), ()
    if _is_zip(name, start):
        with open_archive(path, name, inner=True) as archive:
            return _kind_of_archive(archive, name, wanted, accepted)
    if wanted in (None, SubmissionKind.RESULTS) and (is_data or (wanted and not described_start(start))):
        _refuse_pointers(name, lfs_pointers(path))
        return SubmissionKind.RESULTS, ()
    raise PalioError("submission-unknown", name=name, reason=_reason(name, start))


def _kind_of_archive(
    archive: Archive, name: str, wanted: SubmissionKind | None, accepted: Collection[SubmissionKind]
) -> tuple[SubmissionKind, tuple[str, ...]]:
    if not archive.files:
        raise PalioError("archive-empty", name=name)
    _refuse_pointers(name, list(pointers_in(archive)))
    if wanted is None and SubmissionKind.IMAGE in accepted:
        _refuse_zipped_image(archive, name)
    kind = wanted or kind_of_zip(name, archive.files, accepted, has_metadata=_has_metadata_of_code(archive))
    notes = archive.notes
    if kind is SubmissionKind.CONTEXT:
        found = find_dockerfile(archive.files)
        if found is None:
            raise dockerfile_missing(name, archive.files)
        notes += (*([found.note] if found.note else []), *_start_notes(archive, found.name))
    return kind, notes


def _has_metadata_of_code(archive: Archive) -> bool:
    """Whether there is metadata, which says on CodaLab that a zip is code, other than what platforms write."""
    metadata = [member for member in archive.members if member.name in CODE_METADATA]
    heads = [archive.head(member, _METADATA_BYTES) for member in metadata]
    return any(_COMMAND.search(head) or not _WRITTEN_BY_PLATFORMS.search(head) for head in heads)


def _start_notes(archive: Archive, dockerfile: str) -> list[str]:
    files = {member.name: member for member in archive.members if not member.is_folder}

    def read(name: str, size_bytes: int) -> tuple[int, bytes]:
        return 0o755 if files[name].is_executable else 0o644, archive.head(files[name], size_bytes)

    return start_notes(archive.head(files[dockerfile], MOST_BYTES + 1), files, read)


def _kind_of_tar(path: Path, name: str, wanted: SubmissionKind | None) -> SubmissionKind:
    with path.open("rb") as file:
        kind = kind_of_tar(file)
    if wanted in (None, SubmissionKind.IMAGE) and kind is TarKind.EXPORTED:
        raise PalioError("image-exported", name=name)
    if wanted is not SubmissionKind.IMAGE and kind is not TarKind.IMAGE:
        reason = "a tar or gzip file, but not an image from `docker save`; put files into a zip instead"
        raise PalioError("submission-unknown", name=name, reason=reason)
    if wanted not in (None, SubmissionKind.IMAGE):
        reason = f"a saved image, but its kind was given as `{wanted}`"
        raise PalioError("submission-unknown", name=name, reason=reason)
    return SubmissionKind.IMAGE


def _refuse_zipped_image(archive: Archive, name: str) -> None:
    files = [member for member in archive.members if not member.is_folder]
    if len(files) == 1 and files[0].name.lower().endswith((".tar", ".tar.gz", ".tgz")):
        with archive.read(files[0]) as file:
            kind = kind_of_tar(file)
        if kind is TarKind.EXPORTED:
            raise PalioError("image-exported", name=files[0].name)
        if kind is TarKind.IMAGE:
            raise PalioError("image-zipped", name=name, inner=files[0].name)


def _refuse_pointers(name: str, pointers: list[str]) -> None:
    if pointers:
        more = [f"and {len(pointers) - _SHOWN:,} more"] if len(pointers) > _SHOWN else []
        files = {"count": counted(len(pointers), "Git LFS pointer"), "them": "file" if len(pointers) == 1 else "files"}
        raise PalioError("lfs-pointers", name=name, **files, evidence=[*pointers[:_SHOWN], *more])


def _reason(name: str, start: bytes) -> str:
    if not start:
        return "it is empty"
    if find_dockerfile([name]):
        return "a Dockerfile without its zip; `palio pack FOLDER` puts it into one, with the files that it copies"
    if is_program(name):
        return "a program without its zip; put it into one, with a Dockerfile or as the challenge asks"
    what = described_start(start)
    return what or "not a zip, a saved image, or a file of predictions such as a .csv"
