"""Finds the cases of an organizer's folder: their files, masks, labels and strata."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.bundle.suffixes import Suffixes
from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading
from palio.data.case_files import CaseFiles, by_pattern, split_masks
from palio.data.label_table import Row, classes
from palio.data.sources import files_below

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".dcm", ".nii", ".nii.gz"}
    | {".mha", ".mhd", ".raw", ".zraw", ".nrrd", ".hdr", ".img", ".svs", ".npy", ".npz", ".ome.tif", ".ome.tiff"}
)
_SHOWN = 10


@dataclass(frozen=True)
class Case:
    """The files and masks are paths below the source folder (masks: below `Sources.masks`, if that is set)."""

    name: str
    files: tuple[str, ...]
    label: str
    stratum: str
    sha256: str
    masks: tuple[str, ...] = ()
    group: str = ""
    split: str = ""


@dataclass(frozen=True)
class Sources:
    """Where cases come from. Without labels and masks, each image is a case and its folder is its class.

    `case` is a pattern with `{case}` that tells the files of a case. `masks` is a folder of masks, `mask_suffix` what
    the names of masks end with. `by_label` says whether the label is a stratum.
    """

    labels: Sequence[Row] | None = None
    masks: Path | None = None
    mask_suffix: str | None = None
    case: str | None = None
    by_label: bool = True

    @property
    def has_masks(self) -> bool:
        return self.masks is not None or self.mask_suffix is not None

    def is_plain(self, cases: Sequence[tuple[str, Case]]) -> bool:
        """Whether each case (with its split) is one image with a label, as in MedNIST."""
        return not self.has_masks and all(len(case.files) == 1 and case.label for _, case in cases)


def find_cases(folder: Path, sources: Sources) -> tuple[list[Case], tuple[str, ...]]:
    """Returns the cases, sorted by name, and the files that belong to none. Raises "split-impossible"."""
    every = [path.as_posix() for path in files_below(folder)]
    if sources.labels is None and not sources.has_masks:
        return _of_classes(folder, every, sources)
    in_masks = sources.masks is not None and sources.masks.resolve().is_relative_to(folder.resolve())
    if sources.masks is not None and in_masks:
        inside = sources.masks.resolve().relative_to(folder.resolve()).as_posix()
        every = [name for name in every if not name.startswith(f"{inside}/")]
    masks: dict[str, str] = {}  # mask -> name of its case
    if sources.masks is not None:
        of_folder = [path.as_posix() for path in files_below(sources.masks)]
        suffixes = Suffixes(PurePosixPath(name).name for name in of_folder)
        ending = sources.mask_suffix or ""
        masks = {name: suffixes.split(name)[0].removesuffix(ending) for name in of_folder}
    elif sources.mask_suffix is not None:
        every, masks = split_masks(every, sources.mask_suffix)
    images = [name for name in every if is_image(name)]
    names = [row.name for row in sources.labels] if sources.labels is not None else sorted(set(masks.values()))
    if not names:
        end = f"no name of a file ends with {sources.mask_suffix}" if sources.masks is None else "there are no masks"
        raise PalioError(
            "split-impossible",
            source=folder,
            reason=end,
            next_step="Correct --mask-suffix: it is the end of a mask's name before the file type, as in p1_mask.png.",
        )
    files, problems = _files_of(images, names, sources)
    of_case, without = _masks_of(masks, files, sources)
    problems += without
    if problems:
        shown = [*problems[:_SHOWN], *([f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else [])]
        raise PalioError(
            "split-impossible",
            source=folder,
            reason=f"{counted(len(problems), 'case')} of {len(names):,} "
            f"{'has' if len(problems) == 1 else 'have'} no certain files",
            next_step="Correct the names that are listed, or add the files.",
            evidence=shown,
        )
    rows = {row.name: row for row in sources.labels or ()}
    strata = _strata(list(rows.values()), sources)
    cases = [
        Case(
            name,
            files[name],
            rows[name].label if name in rows else "",
            strata.get(name, "all"),
            digest_of(folder, files[name]),
            tuple(of_case.get(name, ())),
            rows[name].group if name in rows else "",
            rows[name].split if name in rows else "",
        )
        for name in sorted(files)
    ]
    used = {file for case in cases for file in case.files}
    return cases, tuple(name for name in every if name not in used)


def _of_classes(folder: Path, every: Sequence[str], sources: Sources) -> tuple[list[Case], tuple[str, ...]]:
    images = [name for name in every if "/" in name and is_image(name)]
    ignored = [name for name in every if name not in set(images)]
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in images}
    if sources.case is not None:
        groups, others = by_pattern(images, sources.case)
        ignored = sorted([*ignored, *others])
    if not groups:
        reason = "it has no subfolders with images" if not images else f"no image matches --case {sources.case}"
        raise PalioError(
            "split-impossible",
            source=folder,
            reason=reason,
            next_step="Put the images of each class in a subfolder, or use --labels or --masks."
            if not images
            else "Correct the pattern. It is compared with paths below the folder, such as " + images[0] + ".",
        )
    cases = [
        Case(name, files, files[0].partition("/")[0], files[0].partition("/")[0], digest_of(folder, files))
        for name, files in sorted(groups.items())
    ]
    return cases, tuple(ignored)


def _files_of(
    images: Sequence[str], names: Sequence[str], sources: Sources
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    if sources.case is None:
        return CaseFiles(images).of(names)
    groups, _ = by_pattern(images, sources.case)
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    short = {PurePosixPath(name).name: name for name in groups}
    for name in names:
        if files := groups.get(name) or groups.get(short.get(name, "")):
            found[name] = files
        else:
            problems.append(f"{name} has no file that matches --case {sources.case}")
    return found, problems


def _masks_of(
    masks: dict[str, str], files: dict[str, tuple[str, ...]], sources: Sources
) -> tuple[dict[str, list[str]], list[str]]:
    """Assigns masks to cases, by the name of the case or by that of its only image."""
    if not sources.has_masks:
        return {}, []
    found: dict[str, list[str]] = {}
    stems = Suffixes(PurePosixPath(file).name for group in files.values() for file in group)
    known: dict[str, str] = {}
    for name, group in files.items():
        stem = stems.split(name)[0]
        for key in (name, stem, PurePosixPath(name).name, PurePosixPath(stem).name):
            known.setdefault(key, name)
        if len(group) == 1:
            known.setdefault(stems.split(group[0])[0], name)
            known.setdefault(stems.split(PurePosixPath(group[0]).name)[0], name)
    problems = []
    for mask, name in masks.items():
        parts = [name, *map(str, PurePosixPath(name).parents), PurePosixPath(name).name]
        case = next((known[part] for part in parts if part in known), None)
        if case is None:
            problems.append(f"the mask {mask} has no image")
        else:
            found.setdefault(case, []).append(mask)
    problems += [f"{name} has no mask" for name in files if name not in found]
    return found, problems


def _strata(rows: Sequence[Row], sources: Sources) -> dict[str, str]:
    labels = classes([row.label for row in rows]) if sources.by_label and any(row.label for row in rows) else []
    columns = [labels] if labels else []
    columns += [classes([row.strata[at] for row in rows]) for at in range(len(rows[0].strata) if rows else 0)]
    return {row.name: ", ".join(column[at] for column in columns) or "all" for at, row in enumerate(rows)}


def digest_of(folder: Path, files: Sequence[str]) -> str:
    """The SHA-256 of a file; of several, that of their digests."""
    digests = []
    for name in files:
        with reading(folder / name), (folder / name).open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def is_image(name: str) -> bool:
    """Whether the name is that of an image. DICOM files often have no suffix."""
    base = name.rpartition("/")[2]
    return base.lower().endswith(tuple(SUFFIXES)) or "." not in base or base.rpartition(".")[2].isdecimal()
