"""Splits an organizer's folder of images into training, validation and testing.

Exact counts, classes in proportion, groups undivided, copies of one image kept together, and opaque names: neither a
name nor the order of names nor a file's time reveals the class or group. Not covered: what image files themselves
reveal by their size, metadata or pixels.
"""

import hashlib
import json
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random

from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading, staged
from palio.core.quantities import MIB
from palio.data.allotment import allot, obstacles
from palio.data.layout import INPUTS, MANIFEST, REFERENCE, SPLITS, Image, lay_out, manifest_csv, seal
from palio.data.sources import files_below

RECORD = "split.json"
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".dcm", ".nii", ".nii.gz")


@dataclass(frozen=True)
class Picture:
    """An image of the source: its relative path (with `/`), class and SHA-256."""

    path: str
    label: str
    sha256: str


@dataclass(frozen=True)
class SplitReport:
    """The result of a split. `classes` counts images by class and split; `copies` are sets of identical files."""

    challenge: Path
    seed: str
    images: dict[str, int]
    classes: dict[str, dict[str, int]]
    groups: int
    copies: tuple[tuple[str, ...], ...]
    ignored: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return vars(self) | {"challenge": str(self.challenge)}


def split_folder(
    folder: Path,
    to: Path,
    counts: Mapping[str, int],
    *,
    seed: str | None = None,
    group_by: re.Pattern[str] | None = None,
) -> SplitReport:
    """Creates `to` (new or empty) from `folder`, which has one subfolder of images per class.

    `counts` gives the images of each of SPLITS. `group_by` is searched in each path below `folder`; its first group, or
    else the whole match, names what stays in one split. The same seed, counts and images give the same result. Seed and
    source together reveal the names, so the seed is as secret as manifest.csv; by default a new one is drawn. Raises
    `target-not-empty`, `split-impossible` with every known reason, and the errors of `staged`.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise PalioError("target-not-empty", path=to)
    if to.resolve().is_relative_to(folder.resolve()):
        raise PalioError("usage", problem=f"{to} is inside {folder}.", next_step="Use --to with a folder elsewhere.")
    pictures, ignored = _pictures(folder)
    if not pictures:
        raise _impossible(folder, ["it has no subfolders with images"], "Put the images of each class in a subfolder.")
    groups = _groups(folder, pictures, group_by)
    tallies = [Counter(picture.label for picture in group) for group in groups]
    if problems := obstacles(tallies, counts):
        raise _impossible(folder, problems, "Use smaller numbers, or add images.")
    seed = secrets.token_hex(16) if seed is None else seed
    allotment = allot(tallies, counts, Random(f"palio split {seed}"))  # noqa: S311 - nothing secret depends on it
    if allotment.sizes != dict(counts):
        nearest = " ".join(f"--{flag} {allotment.sizes[split]}" for split, flag in _FLAGS.items())
        reason = f"no split of {counted(len(groups), 'whole group')} with exactly these numbers was found"
        raise _impossible(folder, [reason], f"The closest split found: {nearest}.")
    if allotment.absent:
        lacks = [f"{split} would have no image of {label}" for split, label in allotment.absent]
        raise _impossible(folder, lacks, "Request more images for these splits.")

    images = sorted(
        (
            Image(split, _opaque_name(seed, picture), picture.label, picture.sha256, picture.path)
            for split, members in allotment.groups.items()
            for index in members
            for picture in groups[index]
        ),
        key=lambda image: (image.split, image.file),
    )
    report = _report(to, seed, images, groups, ignored)
    record = {"seed": seed, "counts": dict(counts), "group_by": group_by.pattern if group_by else None}
    with staged(to) as (new,):
        lay_out(images, lambda image, path: _copy(folder, image, path), new / INPUTS, new / REFERENCE)
        (new / MANIFEST).write_text(manifest_csv(images), newline="")
        (new / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        seal(new / MANIFEST)
        seal(new / RECORD)
        new.chmod(0o755)
    return report


_FLAGS = {"training": "train", "validation": "validation", "testing": "test"}


def _pictures(folder: Path) -> tuple[list[Picture], tuple[str, ...]]:
    """All images below the subfolders, sorted by path, and the ignored files."""
    pictures, ignored = [], []
    for path in files_below(folder):
        if len(path.parts) < 2 or not path.name.lower().endswith(SUFFIXES):
            ignored.append(path.as_posix())
            continue
        with reading(folder / path), (folder / path).open("rb") as file:
            pictures.append(Picture(path.as_posix(), path.parts[0], hashlib.file_digest(file, "sha256").hexdigest()))
    return pictures, tuple(ignored)


def _groups(folder: Path, pictures: Sequence[Picture], group_by: re.Pattern[str] | None) -> list[list[Picture]]:
    """The images that stay together: those of one group and identical ones, merged where these overlap."""
    keys: dict[str, str] = {picture.path: picture.path for picture in pictures}
    if group_by:
        unmatched = []
        for picture in pictures:
            match = group_by.search(picture.path)
            key = match and match.group(1 if group_by.groups else 0)
            if not key:
                unmatched.append(picture.path)
            else:
                keys[picture.path] = key
        if unmatched:
            raise PalioError(
                "split-impossible",
                source=folder,
                reason=f"the group of {counted(len(unmatched), 'image')} of {len(pictures):,} is unknown, because "
                f"--group-by {group_by.pattern} matches nothing in their paths",
                next_step="Fix the expression. It is searched in the path below the folder, as listed.",
                evidence=_first(unmatched),
            )
    leader: dict[str, str] = {}

    def find(item: str) -> str:
        while (above := leader.setdefault(item, item)) != item:
            leader[item] = item = leader[above]
        return item

    for picture in pictures:
        leader[find("group " + keys[picture.path])] = find("bytes " + picture.sha256)
    groups: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[find("bytes " + picture.sha256)].append(picture)
    return list(groups.values())


def _opaque_name(seed: str, picture: Picture) -> str:
    digest = hashlib.sha256(f"palio name\0{seed}\0{picture.path}".encode()).hexdigest()
    name = PurePosixPath(picture.path).name.lower()
    return digest[:24] + next(suffix for suffix in reversed(SUFFIXES) if name.endswith(suffix))


def _copy(folder: Path, image: Image, path: Path) -> None:
    source = folder / str(image.source)
    digest = hashlib.sha256()
    with reading(source):
        reader = source.open("rb")
    with reader, path.open("wb") as writer:
        while True:
            with reading(source):  # errors outside of this are from writing
                chunk = reader.read(MIB)
            if not chunk:
                break
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != image.sha256:
        raise PalioError("source-unreadable", path=source, reason="it changed while being copied")


def _report(
    to: Path, seed: str, images: Sequence[Image], groups: Sequence[Sequence[Picture]], ignored: tuple[str, ...]
) -> SplitReport:
    count = Counter((image.label, image.split) for image in images)
    same: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for picture in group:
            same[picture.sha256].append(picture.path)
    return SplitReport(
        challenge=to,
        seed=seed,
        images={split: sum(image.split == split for image in images) for split in SPLITS},
        classes={
            label: {split: count[label, split] for split in SPLITS} for label in sorted({i.label for i in images})
        },
        groups=len(groups),
        copies=tuple(tuple(paths) for paths in same.values() if len(paths) > 1),
        ignored=ignored,
    )


def _impossible(folder: Path, reasons: Sequence[str], next_step: str) -> PalioError:
    return PalioError(
        "split-impossible",
        source=folder,
        reason=reasons[0] if len(reasons) == 1 else f"{counted(len(reasons), 'reason')} are listed below",
        next_step=next_step,
        evidence=() if len(reasons) == 1 else _first(reasons),
    )


def _first(lines: Iterable[str], number: int = 10) -> list[str]:
    """The first lines, and how many more there are."""
    lines = list(lines)
    return lines[:number] + ([f"and {len(lines) - number:,} more"] if len(lines) > number else [])
