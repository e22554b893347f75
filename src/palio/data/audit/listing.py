"""Lists the files to audit: those below a folder, or the data that a bundle names, whether folders or zips.

Covered: links that lead out of the folder (named, never followed), links in circles, devices and pipes, names that are
not UTF-8, and folders with more files than are audited.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from palio.core.bundle.data_files import DataFiles, DataOnDisk
from palio.core.bundle.model import Bundle, Phase
from palio.core.errors import PalioError
from palio.core.files.digest import IGNORED_NAMES, UnfitFile
from palio.core.files.staging import reading
from palio.core.quantities import MIB
from palio.data.audit.findings import Finding, Severity
from palio.data.cases import SUFFIXES, is_image

MOST_FILES = 1_000_000  # that are listed
TABLES = (".csv", ".tsv")
MOST_TABLE_BYTES = 64 * MIB
MOST_DECODED_BYTES = 256 * MIB  # of a file whose pixels are read
HIDDEN, PUBLIC, SAMPLE = "hidden", "public", "sample"
_OUTSIDE = "link-outside"
_SUFFIXES = tuple(SUFFIXES)


@dataclass(frozen=True)
class Source:
    """A file to measure: on disk, or read by a function of this process, from an archive."""

    name: str
    path: Path | None = None
    read: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class Listed:
    """A file and the part of the data that it belongs to. `name` is its path below what is audited.

    `role` is HIDDEN, PUBLIC or SAMPLE in a bundle, else empty. `is_reference` says that it is no input but belongs to
    the answers. `hides_names` says that programs see opaque names instead.
    """

    name: str
    source: Source
    role: str = ""
    part: str = ""
    is_reference: bool = False
    hides_names: bool = False

    @property
    def is_table(self) -> bool:
        return self.name.lower().endswith(TABLES)

    @property
    def is_image(self) -> bool:
        return not self.is_table and is_image(self.name)


@dataclass
class Listing:
    """`findings` are about what was not listed."""

    name: str
    files: list[Listed] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    is_bundle: bool = False


def list_folder(folder: Path) -> Listing:
    """Raises PalioError "source-unreadable"."""
    listing = Listing(folder.name or str(folder))
    outside: list[str] = []
    with reading(folder):
        os.scandir(folder).close()
    for name, path in _walk(folder.resolve(), outside):
        if len(listing.files) == MOST_FILES:
            listing.findings.append(_too_many())
            break
        listing.files.append(Listed(name, Source(name, path)))
    listing.findings += _links(outside)
    listing.files.sort(key=lambda file: file.name)
    return listing


def list_bundle(bundle: Bundle, data: DataFiles | None = None) -> Listing:
    """Lists the data of a bundle: inputs and answers of tasks, samples, and what participants get."""
    listing = Listing(bundle.title, is_bundle=True)
    files = data or DataOnDisk(bundle.root)
    seen: set[Path] = set()
    for part in _parts(bundle):
        if part.path in seen or not part.path.exists():
            continue
        seen.add(part.path)
        name = part.path.relative_to(bundle.root).as_posix()
        try:
            contents = files.contents(part.path)
        except (UnfitFile, OSError, PalioError) as fault:
            reason = fault.failure.message if isinstance(fault, PalioError) else str(fault)
            listing.findings.append(
                Finding(
                    "data-unreadable",
                    Severity.WARNING,
                    f"{name} was not audited: {reason.rstrip('.')}.",
                    "Fix what `palio check` says about it, then run the audit again.",
                    1,
                )
            )
            continue
        on_disk = part.path.is_dir() and (part.path / contents.names[0]).is_file() if contents.names else False
        hides = part.hides
        for inner in contents.names:
            if len(listing.files) == MOST_FILES:
                listing.findings.append(_too_many())
                return listing
            if part.path.is_file() and len(contents.names) == 1 and not _is_packed(part.path):
                source, shown = Source(name, part.path), name
            elif on_disk:
                source, shown = Source(inner, part.path / inner), f"{name}/{inner}"
            else:
                source = Source(inner, read=partial(contents.head, inner, MOST_DECODED_BYTES))
                shown = f"{name}/{inner}"
            hidden = hides is not None and hides(inner)
            listing.files.append(Listed(shown, source, part.role, name, part.is_reference, hidden))
    return listing


def has_images(bundle: Bundle) -> bool:
    """Whether anything in the data has the name of an image, without a look into the files."""
    return any(file.is_image for file in list_bundle(bundle).files)


@dataclass(frozen=True)
class _Part:
    path: Path
    role: str
    is_reference: bool = False
    phase: Phase | None = None

    @property
    def hides(self) -> Callable[[str], bool] | None:
        blind = self.phase.rules.blind if self.phase else None
        return blind.hides() if blind and not self.is_reference else None


def _parts(bundle: Bundle) -> Iterator[_Part]:
    for phase in bundle.phases:
        for task in phase.tasks:
            if task.input_data:
                yield _Part(task.input_data, HIDDEN, phase=phase)
            if task.reference_data:
                yield _Part(task.reference_data, HIDDEN, is_reference=True)
    for phase in bundle.phases:
        if phase.rules.sample:
            yield _Part(phase.rules.sample.input, SAMPLE)
            if phase.rules.sample.expect:
                yield _Part(phase.rules.sample.expect, SAMPLE, is_reference=True)
        for path in (phase.public_data, phase.starting_kit):
            if path:
                yield _Part(path, PUBLIC)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _walk(root: Path, outside: list[str]) -> Iterator[tuple[str, Path]]:
    """Yields regular files, also behind links that stay inside. Hidden ones and what programs leave behind are not."""
    waiting = [("", root)]
    visited = {root}
    while waiting:
        prefix, folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in IGNORED_NAMES:
                continue
            name = prefix + entry.name.encode(errors="replace").decode()
            path = Path(entry.path)
            try:
                if entry.is_symlink():
                    target = path.resolve()
                    if not target.is_relative_to(root):
                        outside.append(name)
                        continue
                    path = target
                mode = path.stat().st_mode
            except (OSError, RuntimeError):  # a link to nothing or in a circle
                outside.append(name)
                continue
            if stat.S_ISDIR(mode):
                if path not in visited:
                    visited.add(path)
                    waiting.append((f"{name}/", path))
            elif stat.S_ISREG(mode):
                yield name, path


def _links(outside: list[str]) -> list[Finding]:
    if not outside:
        return []
    return [
        Finding(
            _OUTSIDE,
            Severity.WARNING,
            "Links lead out of the folder or to nothing, so what they point to was not read.",
            "Replace each link by a copy of the file: `cp --remove-destination $(readlink -f LINK) LINK`.",
            len(outside),
            examples=tuple((name,) for name in sorted(outside)[:5]),
        )
    ]


def _too_many() -> Finding:
    return Finding(
        "too-many-files",
        Severity.WARNING,
        f"There are more than {MOST_FILES:,} files. Only the first {MOST_FILES:,} were listed.",
        "Audit parts of the folder by themselves.",
        MOST_FILES,
    )


def known_suffix(name: str) -> str:
    """The suffix of an image's name, such as .nii.gz, or the last one."""
    low = name.rpartition("/")[2].lower()
    if low.endswith(_SUFFIXES):
        return max((suffix for suffix in _SUFFIXES if low.endswith(suffix)), key=len)
    return PurePosixPath(low).suffix
