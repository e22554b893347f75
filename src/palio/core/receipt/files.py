"""files.json: size and SHA-256 of every file of a run folder, so that changed files can be named.

The receipt contains only the digest of this list: a receipt may be public, but names of predictions may be names of
hidden inputs. Files with a digest of their own in the receipt and files that start with a dot at the top of the run
folder are not listed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from palio.core.files.digest import UnfitFile, digest_measured, files_below, measure_all

NAME = "files.json"
RECORDS = ("lock.json", "result.json", NAME)  # whose digests are in the receipt
PREDICTIONS, SCORES = "predictions", "scores"
METADATA = f"{PREDICTIONS}/metadata"  # written by the platform, and contains a time


@dataclass(frozen=True)
class File:
    bytes: int
    sha256: str


Files = Mapping[str, File]  # by path relative to the run folder, with slashes


def tops(root: Path) -> dict[str, Path]:
    """The files and folders at the top of a run folder that are listed."""
    return {
        path.name: path
        for path in root.iterdir()
        if not path.name.startswith(".") and path.name not in {"receipt.json", *RECORDS}
    }


def list_files(tops: Mapping[str, Path]) -> Files:
    """Digests these files, and all files below these folders.

    Raises UnfitFile for links to the outside, pipes and devices, and OSError.
    """
    return {name: File(size_bytes, digest) for name, size_bytes, digest in measure_all(_paths(tops))}


def digest_below(folder: str, files: Files) -> str | None:
    """The digest of one folder of a run without the platform's own files, or None if it is empty."""
    prefix = f"{folder}/"
    below = [
        (name.removeprefix(prefix), file.bytes, file.sha256)
        for name, file in files.items()
        if name.startswith(prefix) and name != METADATA
    ]
    return digest_measured(below) if below else None


def files_as_json(files: Files) -> dict[str, object]:
    return {name: asdict(file) for name, file in sorted(files.items())}


def _paths(tops: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, path in tops.items():
        if path.is_dir():
            yield from ((f"{name}/{below}", file) for below, file in files_below(path, ignored=frozenset()))
        elif path.is_file():
            yield name, path
        else:
            raise UnfitFile(f"{name} is neither a file nor a folder")
