"""Splits an organizer's folder of cases into training, validation and testing.

A case is an image in the folder of its class, or the files that a row of labels or a mask belongs to. Exact counts,
classes in proportion, groups undivided, copies of one image kept together, and opaque names: neither a name nor the
order of names nor a file's time reveals the class or group. Metadata is removed (data/traces.py). Not covered: what
image files reveal by their size or pixels, of which the report only warns.
"""

import hashlib
import json
import re
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from random import Random
from typing import TYPE_CHECKING

from palio.core.bundle.suffixes import Suffixes
from palio.core.errors import PalioError, counted
from palio.core.files.digest import digest_file
from palio.core.files.staging import reading, staged
from palio.core.quantities import MIB, size_text
from palio.data.allotment import Allotment, allot, obstacles
from palio.data.case_layout import write_cases
from palio.data.cases import Case, Sources, find_cases
from palio.data.layout import INPUTS, MANIFEST, REFERENCE, SPLITS, Image, lay_out, manifest_csv, seal
from palio.data.traces import DICOM_STAYS, without_traces

if TYPE_CHECKING:
    from palio.data.audit.findings import Finding

RECORD = "split.json"
LARGEST_BYTES = 1024 * MIB  # of a file that is searched for metadata, which takes several times its size of memory
_FLAGS = {"training": "train", "validation": "validation", "testing": "test"}


@dataclass(frozen=True)
class Percent:
    """A share of all cases."""

    of_100: float


@dataclass(frozen=True)
class SplitReport:
    """The result of a split. `classes` counts cases by class and split; `copies` are sets of identical files;
    `warnings` are sentences about what the images reveal.
    """

    challenge: Path
    seed: str
    images: dict[str, int]
    classes: dict[str, dict[str, int]]
    groups: int
    copies: tuple[tuple[str, ...], ...]
    ignored: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return vars(self) | {"challenge": str(self.challenge)}


def split_folder(
    folder: Path,
    to: Path,
    counts: Mapping[str, int | Percent] | None,
    *,
    seed: str | None = None,
    group_by: re.Pattern[str] | None = None,
    sources: Sources | None = None,
    keep_metadata: bool = False,
) -> SplitReport:
    """Creates `to` (new or empty) from `folder`, which has one subfolder of images per class unless `sources` says
    otherwise.

    `counts` gives the cases of each of SPLITS; None keeps the split of the labels. With a percentage among them, the
    split is as close as whole groups allow. `group_by` is searched in each path below `folder`; its first group, or
    else the whole match, names what stays in one split. The same seed, counts and images give the same result. Seed and
    source together reveal the names, so the seed is as secret as manifest.csv; by default a new one is drawn. Raises
    `target-not-empty`, `split-impossible` with every known reason, and the errors of `staged`.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise PalioError("target-not-empty", path=to)
    if to.resolve().is_relative_to(folder.resolve()):
        raise PalioError("usage", problem=f"{to} is inside {folder}.", next_step="Use --to with a folder elsewhere.")
    sources = sources or Sources()
    cases, ignored = find_cases(folder, sources)
    groups = _groups(folder, cases, group_by)
    seed = secrets.token_hex(16) if seed is None else seed
    members = _kept(folder, groups) if counts is None else _allotted(folder, groups, counts, seed, sources)
    chosen = [(split, case) for split, indexes in members.items() for index in indexes for case in groups[index]]
    record: dict[str, object] = {
        "seed": seed,
        "counts": {split: sum(one == split for one, _ in chosen) for split in SPLITS},
        "group_by": group_by.pattern if group_by else None,
    }
    if counts is None:
        record["kept_split"] = True
    traces = _Traces(keep=keep_metadata)
    with staged(to) as (new,):
        if sources.is_plain(chosen):
            _write_images(new, folder, chosen, seed, traces)
        else:
            masks = sources.masks or folder
            write_cases(
                new,
                chosen,
                {case.name: _token(seed, case) for _, case in chosen},
                lambda name, path: traces.copy(folder / name, path),
                lambda name, path: traces.copy(masks / name, path),
            )
        (new / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        seal(new / MANIFEST)
        seal(new / RECORD)
        new.chmod(0o755)
        warnings = traces.warnings({folder / case.files[0]: case.stratum for _, case in chosen})
    return _report(to, seed, chosen, groups, ignored, warnings)


def _write_images(new: Path, folder: Path, chosen: Sequence[tuple[str, Case]], seed: str, traces: "_Traces") -> None:
    """Writes cases of one image each, in the layout of MedNIST."""
    suffixes = Suffixes(PurePosixPath(case.files[0]).name for _, case in chosen)
    images = [
        Image(
            split,
            _token(seed, case) + suffixes.split(PurePosixPath(case.files[0]).name)[1].lower(),
            case.label,
            case.sha256,
            case.files[0],
        )
        for split, case in chosen
    ]
    images.sort(key=lambda image: (image.split, image.file))
    written: dict[str | None, str] = {}

    def put(image: Image, path: Path) -> None:
        written[image.source] = traces.copy(folder / str(image.source), path, image.sha256)

    lay_out(images, put, new / INPUTS, new / REFERENCE)
    images = [replace(image, sha256=written[image.source]) for image in images]
    (new / MANIFEST).write_text(manifest_csv(images), newline="")


def _allotted(
    folder: Path,
    groups: Sequence[Sequence[Case]],
    counts: Mapping[str, int | Percent],
    seed: str,
    sources: Sources,
) -> dict[str, list[int]]:
    tallies = [Counter(case.stratum for case in group) for group in groups]
    exact = _numbers(folder, counts, sum(map(len, groups)))
    if problems := obstacles(tallies, exact):
        if sources.labels is not None or sources.has_masks:
            problems = [problem.replace("image", "case").replace("class ", "stratum ") for problem in problems]
        raise _impossible(folder, problems, "Use smaller numbers, or add images.")
    rng = Random(f"palio split {seed}")  # noqa: S311 - nothing secret depends on it
    allotment: Allotment = allot(tallies, exact, rng)
    flexible = any(isinstance(count, Percent) for count in counts.values())
    if allotment.sizes != dict(exact) and not flexible:
        nearest = " ".join(f"--{flag} {allotment.sizes[split]}" for split, flag in _FLAGS.items())
        reason = f"no split of {counted(len(groups), 'whole group')} with exactly these numbers was found"
        raise _impossible(folder, [reason], f"The closest split found: {nearest}.")
    if allotment.absent:
        lacks = [f"{split} would have no image of {label}" for split, label in allotment.absent]
        raise _impossible(folder, lacks, "Request more images for these splits.")
    return allotment.groups


def _numbers(folder: Path, counts: Mapping[str, int | Percent], total: int) -> dict[str, int]:
    """Percentages as numbers of cases, by largest remainder."""
    shares = {split: count.of_100 * total / 100 for split, count in counts.items() if isinstance(count, Percent)}
    percent = sum(count.of_100 for count in counts.values() if isinstance(count, Percent))
    if percent > 100:
        raise _impossible(
            folder, [f"the percentages add up to {percent:g}"], "Use percentages of at most 100 together."
        )
    numbers = {split: count if isinstance(count, int) else int(shares[split]) for split, count in counts.items()}
    left = round(sum(shares.values())) - sum(int(share) for share in shares.values())
    for split in sorted(shares, key=lambda split: int(shares[split]) - shares[split])[:left]:
        numbers[split] += 1
    return {split: numbers[split] for split in SPLITS}


def _kept(folder: Path, groups: Sequence[Sequence[Case]]) -> dict[str, list[int]]:
    """The split that the labels have. Identical images and groups in several splits are refused."""
    divided = [group for group in groups if len({case.split for case in group}) > 1]
    if divided:
        lines = [", ".join(f"{case.name} ({case.split})" for case in group[:3]) for group in divided]
        raise _impossible(
            folder,
            [f"{counted(len(divided), 'group')} of identical or related cases would be in several splits", *lines],
            "Move them to one split, or leave out --split-column to draw a new one.",
        )
    return {split: [n for n, group in enumerate(groups) if group[0].split == split] for split in SPLITS}


class _Traces:
    """Copies files, without metadata unless it is to be kept, and remembers what they were like."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._found: dict[Path, list[str]] = {}
        self._copies: dict[Path, Path] = {}
        self._large: list[Path] = []

    def copy(self, source: Path, target: Path, sha256: str | None = None) -> str:
        """Returns the SHA-256 of the copy. `sha256` is that of the source as it was read before."""
        self._copies[source] = target
        with reading(source):
            if source.stat().st_size > LARGEST_BYTES:
                self._large.append(source)
                with source.open("rb") as reader, target.open("wb") as writer:
                    shutil.copyfileobj(reader, writer, MIB)
                return digest_file(target)
            content = source.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise PalioError("source-unreadable", path=source, reason="it changed while being copied")
        stripped, found = without_traces(content, source.name)
        self._found[source] = found
        written = content if self._keep else stripped
        target.write_bytes(written)
        return hashlib.sha256(written).hexdigest()

    def warnings(self, strata: Mapping[Path, str]) -> tuple[str, ...]:
        """Sentences about what images reveal. `strata` has the class of the first file of each case. The copies have to
        be where they were written.
        """
        said = []
        found = [what for what in self._found.values() if what and not what[0].startswith(DICOM_STAYS)]
        if found:
            kinds = [kind for kind, _ in Counter(kind for what in found for kind in set(what)).most_common(5)]
            action = "kept, as asked" if self._keep else "removed"
            said.append(f"{counted(len(found), 'file')} had metadata, which was {action}: {', '.join(kinds)}")
        stays = [what[0] for what in self._found.values() if what and what[0].startswith(DICOM_STAYS)]
        if stays:
            said.append(
                f"{counted(len(stays), 'file')} with {stays[0]}. Install pydicom and split again, or remove names and "
                "dates yourself"
            )
        if self._large and not self._keep:
            said.append(
                f"{counted(len(set(self._large)), 'file')} larger than {size_text(LARGEST_BYTES)} may have metadata, "
                "which stays"
            )
        said += [f"{finding.message} {finding.fix}" for finding in self._leaks(strata)]
        return tuple(said)

    def _leaks(self, strata: Mapping[Path, str]) -> list["Finding"]:
        """What the audit says of the copies, whose names and times tell nothing."""
        from palio.data.audit.run import leaks_of

        return leaks_of([(self._copies[source], stratum) for source, stratum in strata.items()])


def _token(seed: str, case: Case) -> str:
    return hashlib.sha256(f"palio name\0{seed}\0{case.name}".encode()).hexdigest()[:24]


def _groups(folder: Path, cases: Sequence[Case], group_by: re.Pattern[str] | None) -> list[list[Case]]:
    """The images that stay together: those of one group and identical ones, merged where these overlap."""
    keys: dict[str, str] = {case.name: case.group or case.name for case in cases}
    if group_by:
        unmatched = []
        for case in cases:
            match = group_by.search(case.files[0])
            key = match and match.group(1 if group_by.groups else 0)
            if not key:
                unmatched.append(case.files[0])
            else:
                keys[case.name] = key
        if unmatched:
            raise PalioError(
                "split-impossible",
                source=folder,
                reason=f"the group of {counted(len(unmatched), 'image')} of {len(cases):,} is unknown, because "
                f"--group-by {group_by.pattern} matches nothing in their paths",
                next_step="Fix the expression. It is searched in the path below the folder, as listed.",
                evidence=_first(unmatched),
            )
    leader: dict[str, str] = {}

    def find(item: str) -> str:
        while (above := leader.setdefault(item, item)) != item:
            leader[item] = item = leader[above]
        return item

    for case in cases:
        leader[find("group " + keys[case.name])] = find("bytes " + case.sha256)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[find("bytes " + case.sha256)].append(case)
    return list(groups.values())


def _report(
    to: Path,
    seed: str,
    chosen: Sequence[tuple[str, Case]],
    groups: Sequence[Sequence[Case]],
    ignored: tuple[str, ...],
    warnings: tuple[str, ...],
) -> SplitReport:
    count = Counter((case.stratum, split) for split, case in chosen)
    same: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for case in group:
            same[case.sha256].append(case.name)
    return SplitReport(
        challenge=to,
        seed=seed,
        images={split: sum(one == split for one, _ in chosen) for split in SPLITS},
        classes={
            stratum: {split: count[stratum, split] for split in SPLITS}
            for stratum in sorted({case.stratum for _, case in chosen})
        },
        groups=len(groups),
        copies=tuple(tuple(names) for names in same.values() if len(names) > 1),
        ignored=ignored,
        warnings=warnings,
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
