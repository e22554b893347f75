"""A submission from a folder: the files that its Dockerfile takes, checked as the platform will check them.

Two kinds of folder: one with a Dockerfile at its root, all of which is packed; and one of a challenge's published
shape, whose Dockerfile lies in docker_code_inference/ and is built from the folder itself: it is put at the zip's
root, with just the files that it copies. The zip is byte-identical for identical content, on every machine: entries
sorted, times and permissions uniform, nothing compressed (compressors differ, and weights hardly shrink).
"""

from dataclasses import dataclass
from pathlib import Path

from palio.core.archive import look_through
from palio.core.digest import digest_file
from palio.core.errors import PalioError, counted
from palio.core.staging import staged

INFERENCE_CODE = "docker_code_inference"
MAX_BYTES = 20 * 1024**3
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold
_SHOWN = 20


@dataclass(frozen=True)
class Packed:
    path: Path
    digest: str  # SHA-256, in hex
    size_bytes: int
    files: tuple[str, ...]


def pack(folder: Path, target: Path) -> Packed:
    """Writes the submission zip of `folder` to `target`. Raises PalioError "folder-unfit" with all problems."""
    dockerfile = _dockerfile(folder)
    problems: list[str] = []
    files = {"Dockerfile": dockerfile}
    if dockerfile.parent == folder:
        files |= {name: path for name, path in _walk(folder) if path.resolve() != target.resolve()}
    files |= _copied(folder, dockerfile, problems)
    problems += _outside(folder, files)
    if sum(path.stat().st_size for path in files.values() if path.is_file()) > MAX_BYTES:
        problems.append(f"the files come to more than {MAX_BYTES / 1024**3:.0f} GiB")
    if problems:
        count = counted(len(problems), "problem was", "problems were")
        raise PalioError("folder-unfit", path=folder, count=count, evidence=problems[:_SHOWN])
    with staged(target.absolute()) as (fresh,):
        _write(fresh, files)
        look_through(fresh, target.name)
    return Packed(target, digest_file(target), target.stat().st_size, tuple(sorted(files)))
