"""Packs a submission from a folder: the files that its Dockerfile uses, with the platform's checks.

There are three kinds of folders: one with a Dockerfile at its root, packed completely except for what .dockerignore
excludes; a challenge, whose Dockerfile is in docker_code_inference/ and is built from the folder: that Dockerfile is
put at the zip's root, with only the files that it copies; and a MONAI bundle, packed completely except for .git,
__pycache__ and .cache. Nothing that a build with a Dockerfile sees is left out, except for what every zip leaves out
(archive.LEFT_OUT and AppleDouble files): not empty folders, nor .git and __pycache__.

The zip is byte-identical for identical content and execute bits on every machine: sorted entries, uniform times, modes
0755 or 0644, no compression (compressors differ, and weights hardly shrink).
"""

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from palio.core.dockerfile.dockerignore import ignored_in
from palio.core.dockerfile.file_name import DOCKERFILE, find_dockerfile
from palio.core.dockerfile.read import DockerfileError, read_text
from palio.core.dockerfile.sources import copied_files
from palio.core.errors import PalioError, counted
from palio.core.files.archive import APPLE_DOUBLE, LEFT_OUT, inspect_archive
from palio.core.files.digest import UnfitFile, digest_file
from palio.core.files.lfs import pointers_among
from palio.core.files.staging import reading, staged
from palio.core.files.tree import Entry, entries_to_copy, file_entry
from palio.core.quantities import GIB, size_text
from palio.core.submission.monai.bundle import METADATA as MONAI_METADATA
from palio.core.submission.monai.bundle import find_problems
from palio.core.submission.start_notes import start_notes

INFERENCE_CODE = "docker_code_inference"
MAX_BYTES = 20 * GIB
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip
_SHOWN = 20
_NO_PART_OF_A_BUNDLE = frozenset({".git", "__pycache__", ".cache"})  # of a MONAI bundle that was cloned or downloaded
_OFTEN_NOT_MEANT = (".git", "__pycache__", ".venv", "venv", "node_modules")


@dataclass(frozen=True)
class Packed:
    path: Path
    digest: str  # SHA-256, in hex
    size_bytes: int
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was left out, and what was included but may not be meant


def pack(folder: Path, target: Path) -> Packed:
    """Writes the submission zip of `folder` to `target`, replaced only by a complete new one.

    Raises PalioError "folder-unfit" with all problems, "disk-full" or "target-unwritable".
    """
    if (folder / MONAI_METADATA).is_file() and not find_dockerfile([path.name for path in folder.iterdir()]):
        return _pack_monai_bundle(folder, target)
    dockerfile, renamed = _find_dockerfile(folder)
    left_out: set[str] = set()
    problems: list[str] = []
    try:
        here = _entries(folder, target, left_out)
        text = read_text(dockerfile.parent, dockerfile.name) or ""
    except DockerfileError as fault:
        raise _unfit(folder, [str(fault)]) from fault
    copied = copied_files(text, here, problems)
    wanted = here if dockerfile.parent == folder else copied
    entries = {name: here[name] for name in wanted if name != dockerfile.name or dockerfile.parent != folder}
    entries[DOCKERFILE] = replace(file_entry(dockerfile), name=DOCKERFILE)
    files = {name: entry.path for name, entry in entries.items() if not entry.is_folder}
    _refuse_problems(folder, files, problems)
    _pack(entries, target)
    starting = start_notes(
        text.encode(), files, lambda name, most: (entries[name].permissions, _head(files[name], most))
    )
    notes = (*renamed, *starting, *_notes(files, left_out))
    return Packed(target, digest_file(target), target.stat().st_size, tuple(sorted(files)), notes)


def _pack_monai_bundle(folder: Path, target: Path) -> Packed:
    left_out: set[str] = set()
    try:
        entries = _entries(folder, target, left_out, LEFT_OUT | _NO_PART_OF_A_BUNDLE)
    except DockerfileError as fault:
        raise _unfit(folder, [str(fault)]) from fault
    files = {name: entry.path for name, entry in entries.items() if not entry.is_folder}
    bundle, problems = find_problems(files, lambda name, most: _head(files[name], most))
    _refuse_problems(folder, files, problems)
    _pack(entries, target)
    notes = (*(bundle.notes if bundle else ()), *([f"left out: {', '.join(sorted(left_out))}"] if left_out else []))
    return Packed(target, digest_file(target), target.stat().st_size, tuple(sorted(files)), notes)


def _refuse_problems(folder: Path, files: Mapping[str, Path], problems: list[str]) -> None:
    """Raises PalioError "folder-unfit" with `problems` and with what no zip may have."""
    size = sum(path.stat().st_size for path in files.values())
    if size > MAX_BYTES:
        problems.append(f"the files have {size_text(size)}; at most {size_text(MAX_BYTES)} is allowed")
    pointers = pointers_among(sorted(files.items()))
    problems += [f"{name} is a Git LFS pointer, not the file itself; run `git lfs pull`" for name in pointers]
    if problems:
        raise _unfit(folder, problems)


def _pack(entries: Mapping[str, Entry], target: Path) -> None:
    with staged(target.absolute()) as (fresh,):
        _write(fresh, entries)
        inspect_archive(fresh, target.name)


def _find_dockerfile(folder: Path) -> tuple[Path, list[str]]:
    """The Dockerfile, and a note if it has another name."""
    for place in (folder, folder / INFERENCE_CODE):
        names = [path.name for path in place.iterdir() if path.is_file()] if place.is_dir() else []
        if found := find_dockerfile(names):
            return place / found.name, [found.note] if found.note else []
    raise _unfit(
        folder,
        [f"there is no Dockerfile, neither here nor in {INFERENCE_CODE}/; zip predictions or code without it by hand"],
    )


def _entries(folder: Path, target: Path, left_out: set[str], leave_out: frozenset[str] = LEFT_OUT) -> dict[str, Entry]:
    """The files and empty folders that a build from `folder` sees, by relative name.

    Records in `left_out` which of `leave_out` were found. Raises DockerfileError for an invalid .dockerignore.
    """
    ignored = ignored_in(folder)

    def skip(name: str) -> bool:
        if ignored(name):
            return True
        found = leave_out.intersection(name.split("/"))
        if not found and _is_apple_double(folder / name):
            found = frozenset({"._* of macOS"})
        left_out.update(found)
        return bool(found)

    try:
        with reading(folder):
            listed = list(entries_to_copy(folder, executable=True, leave_out=frozenset(), skip=skip))
    except UnfitFile as fault:
        raise _unfit(folder, [str(fault)]) from fault
    here = [entry for entry in listed if entry.path != target.resolve()]
    filled = {str(parent) for entry in here for parent in PurePosixPath(entry.name).parents}
    return {entry.name: entry for entry in here if entry.name not in filled}


def _write(target: Path, entries: Mapping[str, Entry]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, entry in sorted(entries.items()):
            info = zipfile.ZipInfo(f"{name}/" if entry.is_folder else name, _TIME)
            info.create_system, info.external_attr = 3, entry.mode << 16  # as on Unix, on every machine
            if entry.is_folder:
                archive.writestr(info, b"")
                continue
            info.file_size = entry.path.stat().st_size  # so that large files get the large-file format
            with reading(entry.path), entry.path.open("rb") as source, archive.open(info, "w") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def _is_apple_double(path: Path) -> bool:
    return path.name.startswith("._") and path.is_file() and _head(path, len(APPLE_DOUBLE)) == APPLE_DOUBLE


def _head(path: Path, size_bytes: int) -> bytes:
    with reading(path), path.open("rb") as file:
        return file.read(size_bytes)


def _notes(files: Mapping[str, Path], left_out: set[str]) -> Iterator[str]:
    for often in _OFTEN_NOT_MEANT:
        if count := sum(often in PurePosixPath(name).parts for name in files):
            are = counted(count, "file is", "files are")
            yield f"{are} in {often} and part of the build; list it in .dockerignore if the image does not need it"
    if left_out:
        yield f"left out, as in every zip: {', '.join(sorted(left_out))}"


def _unfit(folder: Path, problems: list[str]) -> PalioError:
    count = counted(len(problems), "problem was", "problems were")
    shown = problems[:_SHOWN] + ([f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else [])
    return PalioError("folder-unfit", path=folder, count=count, evidence=shown)
