"""The layout of a challenge's images: three folders, three lists of labels, one manifest.

    manifest.csv                            split,file,class,sha256[,source]: for organizers; has every label
    input_data/{training,validation,testing}-data/<file>
    input_data/{training,validation}_solution.csv   file,class, with file as `training-data/<file>`
    input_data/sample-data/<file>                   a few validation images: the public cases that run first,
    input_data/sample-solution/sample_solution.csv  and their labels
    reference_data/testing_solution.csv             the only list of the testing images' labels

Participants may see input_data/, so no label of a testing image is ever written there.
"""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading

SPLITS = ("training", "validation", "testing")
INPUTS, REFERENCE, MANIFEST = "input_data", "reference_data", "manifest.csv"
SAMPLE, SAMPLE_SOLUTION = "sample-data", "sample-solution/sample_solution.csv"  # in INPUTS
SAMPLE_PER_CLASS = 2
# One time for all files, because the creation times of images, or their order, may reveal classes.
FILE_TIME_S = 315_532_800  # 1980-01-01, the earliest in a zip
_COLUMNS = ("split", "file", "class", "sha256")


@dataclass(frozen=True)
class Image:
    """A row of a manifest. `file` is a bare name, `sha256` lower-case hex, `source` the original path."""

    split: str
    file: str
    label: str
    sha256: str
    source: str | None = None

    @property
    def name(self) -> str:
        """The name in the lists of labels: `training-data/000001.jpg`."""
        return f"{self.split}-data/{self.file}"


def read_manifest(path: Path) -> tuple[Image, ...]:
    """Reads a manifest.csv. Raises `source-unreadable`, or `bundle-invalid` with all problems by line."""
    with reading(path):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unsound(path, [f"byte {error.start}: not UTF-8"]) from error
    rows = csv.reader(io.StringIO(text, newline=""))
    header = next(rows, [])
    if tuple(header[:4]) != _COLUMNS or header[4:] not in ([], ["source"]):
        found = ",".join(header) or "nothing"
        raise _unsound(path, [f"line 1: the columns are {found}; use {','.join(_COLUMNS)}[,source]"])
    images: list[Image] = []
    problems: list[str] = []
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if not row:
            continue
        if problem := _problem(row, len(header), seen):
            problems.append(f"line {rows.line_num}: {problem}")
        else:
            images.append(Image(*row))
    if problems or not images:
        raise _unsound(path, problems or ["line 2: there are no images"])
    return tuple(images)


def manifest_csv(images: Iterable[Image]) -> str:
    """The text of a manifest, sorted by split and file, with the column `source` if the images have one."""
    order = sorted(images, key=lambda image: (SPLITS.index(image.split), image.file))
    rows = [(image.split, image.file, image.label, image.sha256, image.source) for image in order]
    if all(image.source is None for image in order):
        return _csv(_COLUMNS, (row[:4] for row in rows))
    return _csv((*_COLUMNS, "source"), rows)


def solutions(images: Sequence[Image]) -> dict[str, str]:
    """The lists of labels: path in the challenge -> text."""
    lists = {
        f"{REFERENCE if split == 'testing' else INPUTS}/{split}_solution.csv": _csv(
            ("file", "class"),
            sorted((image.name, image.label) for image in images if image.split == split),
        )
        for split in SPLITS
    }
    rows = [(f"{SAMPLE}/{image.file}", image.label) for image in sample_of(images)]
    return lists | {f"{INPUTS}/{SAMPLE_SOLUTION}": _csv(("file", "class"), rows)}


def sample_of(images: Iterable[Image]) -> list[Image]:
    """The public cases: the first SAMPLE_PER_CLASS validation images of each class by name, sorted by name."""
    taken: Counter[str] = Counter()
    sample = []
    for image in sorted(images, key=lambda image: image.file):
        if image.split == "validation" and taken[image.label] < SAMPLE_PER_CLASS:
            taken[image.label] += 1
            sample.append(image)
    return sample


def expected_files(images: Sequence[Image]) -> dict[str, str]:
    """All files of input_data/ and reference_data/: path in the challenge -> SHA-256."""
    lists = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in solutions(images).items()}
    sample = {f"{INPUTS}/{SAMPLE}/{image.file}": image.sha256 for image in sample_of(images)}
    return lists | sample | {f"{INPUTS}/{image.name}": image.sha256 for image in images}


def found_files(challenge: Path) -> dict[str, str]:
    """The current files of input_data/ and reference_data/ except hidden ones: path in the challenge -> SHA-256."""
    found = {}
    for top in (challenge / INPUTS, challenge / REFERENCE):
        paths = [top] if top.is_file() else sorted(Path(at, name) for at, _, names in os.walk(top) for name in names)
        for path in paths:
            if not path.name.startswith("."):
                with reading(path), path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                found[path.relative_to(challenge).as_posix()] = digest
    return found


def lay_out(images: Sequence[Image], put: Callable[[Image, Path], object], inputs: Path, reference: Path) -> None:
    """Creates `inputs` (an input_data/) and `reference` (a reference_data/). `put(image, path)` writes one image.

    Files are world-readable regardless of the umask, because containers run as another user.
    """
    below = [*(f"{split}-data" for split in SPLITS), SAMPLE, SAMPLE_SOLUTION.partition("/")[0]]
    for folder in (inputs, *(inputs / name for name in below), reference):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    pictures = [(image, image.name) for image in images] + [
        (image, f"{SAMPLE}/{image.file}") for image in sample_of(images)
    ]
    for image, name in pictures:
        path = inputs / name
        put(image, path)
        seal(path)
    for place, text in solutions(images).items():
        top, _, name = place.partition("/")
        path = (inputs if top == INPUTS else reference) / name
        path.write_text(text, newline="")
        seal(path)


def seal(path: Path) -> None:
    """Makes a file world-readable and sets the uniform time."""
    path.chmod(0o644)
    os.utime(path, (FILE_TIME_S, FILE_TIME_S))


def sizes(images: Iterable[Image]) -> dict[str, int]:
    """The number of images per split, in the order of SPLITS."""
    count = Counter(image.split for image in images)
    return {split: count[split] for split in SPLITS}


def _problem(row: Sequence[str], columns: int, seen: set[tuple[str, str]]) -> str | None:
    if len(row) != columns:
        return f"{counted(len(row), 'value')}, but {counted(columns, 'column')}"
    split, file, label, sha256 = row[:4]
    if split not in SPLITS:
        return f"split is {split!r}; use one of {', '.join(SPLITS)}"
    if not file or file.startswith(".") or not {"/", "\\", "\0"}.isdisjoint(file):
        return f"file is {file!r}; use a bare file name"
    if not label:
        return "class is empty"
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        return f"sha256 is {sha256!r}; use 64 lower-case hex digits"
    if (split, file) in seen:
        return f"{split} has {file} twice"
    seen.add((split, file))
    return None


def _unsound(path: Path, problems: Sequence[str]) -> PalioError:
    return PalioError(
        "bundle-invalid",
        path=path,
        count=counted(len(problems), "problem"),
        folder=path.parent,
        evidence=problems,
    )


def _csv(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
