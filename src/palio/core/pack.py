"""A submission from a folder: the files that its Dockerfile takes, checked as the platform will check them.

Two kinds of folder: one with a Dockerfile at its root, all of which is packed but for what .dockerignore leaves out;
and one of a challenge's published shape, whose Dockerfile lies in docker_code_inference/ and is built from the folder
itself: it is put at the zip's root, with just the files that it copies. The zip is byte-identical for identical
content, on every machine: entries sorted, times and permissions uniform, nothing compressed (compressors differ, and
weights hardly shrink).
"""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from palio.core.archive import look_through
from palio.core.digest import UnfitFile, digest_file, files_below
from palio.core.dockerfile import DockerfileError, read_text
from palio.core.dockerfile_sources import copied_files
from palio.core.dockerignore import ignored_in
from palio.core.errors import PalioError, counted
from palio.core.job import GIB
from palio.core.quantities import size_text
from palio.core.staging import reading, staged

INFERENCE_CODE = "docker_code_inference"
MAX_BYTES = 20 * GIB
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold
_MODE = 0o100644 << 16
_SHOWN = 20


@dataclass(frozen=True)
class Packed:
    path: Path
    digest: str  # SHA-256, in hex
    size_bytes: int
    files: tuple[str, ...]


def pack(folder: Path, target: Path) -> Packed:
    """Writes the submission zip of `folder` to `target`, replacing what is there only by a whole new one.

    Raises PalioError "folder-unfit" with all problems, "disk-full" or "target-unwritable".
    """
    dockerfile = _find_dockerfile(folder)
    problems: list[str] = []
    try:
        here = _files(folder, leave_out=target)
        text = read_text(dockerfile.parent, dockerfile.name) or ""
    except DockerfileError as fault:
        raise _unfit(folder, [str(fault)]) from fault
    copied = copied_files(text, here, problems)
    wanted = here if dockerfile.parent == folder else copied
    files = {**{name: here[name] for name in wanted}, "Dockerfile": dockerfile}
    size = sum(path.stat().st_size for path in files.values())
    if size > MAX_BYTES:
        problems.append(f"the files come to {size_text(size)}; at most {size_text(MAX_BYTES)} are taken")
    if problems:
        raise _unfit(folder, problems)
    with staged(target.absolute()) as (fresh,):
        _write(fresh, files)
        look_through(fresh, target.name)
    return Packed(target, digest_file(target), target.stat().st_size, tuple(sorted(files)))


def _find_dockerfile(folder: Path) -> Path:
    for candidate in (folder / "Dockerfile", folder / INFERENCE_CODE / "Dockerfile"):
        if candidate.is_file():
            return candidate
    raise _unfit(folder, [f"there is no Dockerfile, neither here nor in {INFERENCE_CODE}/"])


def _files(folder: Path, leave_out: Path) -> dict[str, Path]:
    """Everything that a build from `folder` could see, by its name relative to it."""
    ignored = ignored_in(folder)
    try:
        with reading(folder):
            found = dict(files_below(folder))
    except UnfitFile as fault:
        raise _unfit(folder, [str(fault)]) from fault
    return {name: path for name, path in found.items() if path != leave_out.resolve() and not ignored(name)}


def _write(target: Path, files: dict[str, Path]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = 3, _MODE  # as if made on Unix, wherever it is made
            entry.file_size = files[name].stat().st_size  # so that large files get the large-file format
            with reading(files[name]), files[name].open("rb") as source, archive.open(entry, "w") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def _unfit(folder: Path, problems: list[str]) -> PalioError:
    count = counted(len(problems), "problem was", "problems were")
    shown = problems[:_SHOWN] + ([f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else [])
    return PalioError("folder-unfit", path=folder, count=count, evidence=shown)
