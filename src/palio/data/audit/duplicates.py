"""Finds images that are the same: byte by byte, pixel by pixel, or nearly, as after another compression or resizing.

Nearly equal images are found by a perceptual hash of real numbers: the image at 16x16, without its mean and contrast,
in its COMPONENTS main directions. Projections never lie further apart than the images, so that a k-d tree misses none
within the radius; each image is compared with its NEIGHBORS nearest. Each candidate is then checked on SIDE x SIDE
pixels: the correlation has to be at least NEAR. Blank images are never near, and neither are files of one case.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palio.data.audit.findings import EXAMPLES, Finding, Severity
from palio.data.audit.labels import Case
from palio.data.audit.listing import HIDDEN, SAMPLE, Listing
from palio.data.audit.measure import SIDE, Measured

NEAR = 0.995  # correlation, of images that are nearly equal
SAME_PICTURE = 0.9995  # correlation, of copies of one picture in another form
COMPONENTS = 16
NEIGHBORS = 8
_BLANK = 2.0  # standard deviation of gray values, 0 to 255, below which an image shows nothing
_BATCH = 20_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Two files, by index. `how` is "exact" (bytes or pixels) or "near"."""

    one: int
    other: int
    how: str
    correlation: float = 1.0


def find_pairs(
    files: Sequence[int], case_of: Mapping[int, Case], measured: Mapping[int, Measured]
) -> tuple[list[list[int]], list[Pair]]:
    """Returns sets of identical files, and pairs of nearly equal ones. Files of one case are not compared."""
    same = _identical(files, measured)
    groups = [group for group in same if len({case_of[file].name for file in group}) > 1]
    representatives = _one_of_each(files, same)
    return groups, [
        pair for pair in _near(representatives, measured) if case_of[pair.one].name != case_of[pair.other].name
    ]


def _identical(files: Sequence[int], measured: Mapping[int, Measured]) -> list[list[int]]:
    """Sets of files with the same bytes or pixels, joined where these overlap."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while (above := leader.setdefault(key, key)) != key:
            leader[key] = key = leader[above]
        return key

    for file in files:
        found = measured[file]
        if found.sha256 and found.pixels:
            leader[find(f"pixels {found.pixels} {found.shape}")] = find(f"bytes {found.sha256}")
    sets: dict[str, list[int]] = defaultdict(list)
    for file in files:
        if measured[file].sha256 and measured[file].size_bytes:
            sets[find(f"bytes {measured[file].sha256}")].append(file)
    return [group for group in sets.values() if len(group) > 1]


def _one_of_each(files: Sequence[int], same: Sequence[Sequence[int]]) -> list[int]:
    others = {file for group in same for file in group[1:]}
    return [file for file in files if file not in others]


def _near(files: Sequence[int], measured: Mapping[int, Measured]) -> Iterator[Pair]:
    from scipy.spatial import cKDTree

    with_pixels = [file for file in files if len(measured[file].small) == SIDE * SIDE]
    if len(with_pixels) < 2:
        return
    small = np.frombuffer(b"".join(measured[file].small for file in with_pixels), np.uint8)
    small = small.reshape(-1, SIDE * SIDE)
    shown = np.concatenate([small[at : at + _BATCH].std(axis=1) for at in range(0, len(small), _BATCH)]) >= _BLANK
    small, kept = small[shown], np.array(with_pixels)[shown]
    if len(kept) < 2:
        return
    projected = _projected(small)
    # |a - b|^2 = 2 (1 - correlation) for normalized images; at 16x16 it can be a little more than at SIDE x SIDE.
    radius = float(np.sqrt(2 * (1 - NEAR))) * 1.1
    tree = cKDTree(projected)
    for start in range(0, len(kept), _BATCH):
        block = projected[start : start + _BATCH]
        _, found = tree.query(block, k=min(NEIGHBORS + 1, len(kept)), distance_upper_bound=radius)
        rows, columns = np.nonzero(found < len(kept))
        ones, others = rows + start, found[rows, columns]
        once = ones < others
        # A neighbor may have so many of its own that the pair is only seen from one side.
        seen = {*zip(ones[once].tolist(), others[once].tolist(), strict=True)}
        seen |= {
            (other, one)
            for one, other in zip(ones[~once].tolist(), others[~once].tolist(), strict=True)
            if one != other
        }
        pairs = np.array(sorted(seen), dtype=np.int64).reshape(-1, 2)
        for at in range(0, len(pairs), _BATCH):
            part = pairs[at : at + _BATCH]
            correlations = (_normalized(small[part[:, 0]]) * _normalized(small[part[:, 1]])).sum(axis=1)
            for (one, other), correlation in zip(part.tolist(), correlations.tolist(), strict=True):
                if correlation >= NEAR:
                    yield Pair(int(kept[one]), int(kept[other]), "near", float(correlation))


def _normalized(small: NDArray[np.uint8]) -> Floats:
    """Rows without their mean, of length 1."""
    values = small.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    result: Floats = values / np.maximum(lengths, 1e-6)
    return result


def _projected(small: NDArray[np.uint8]) -> Floats:
    half = SIDE // 2

    def reduced(block: NDArray[np.uint8]) -> Floats:
        means = block.reshape(-1, half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32).reshape(-1, half * half)
        means -= means.mean(axis=1, keepdims=True)
        result: Floats = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
        return result

    moments = np.zeros((half * half, half * half))
    for at in range(0, len(small), _BATCH):
        block = reduced(small[at : at + _BATCH])
        moments += block.T @ block
    _, directions = np.linalg.eigh(moments)
    main = directions[:, -COMPONENTS:].astype(np.float32)
    return np.concatenate([reduced(small[at : at + _BATCH]) @ main for at in range(0, len(small), _BATCH)])


def duplicate_findings(
    groups: Sequence[Sequence[int]], pairs: Sequence[Pair], case_of: Mapping[int, Case], listing: Listing
) -> list[Finding]:
    """Sets of copies by what they spoil: labels that differ, hidden splits, other splits, one split."""
    found: dict[tuple[str, Severity, str], list[tuple[float, tuple[int, ...]]]] = defaultdict(list)
    for group in groups:
        for kind, severity, members in _kinds(group, case_of):
            found["exact", severity, kind].append((1.0, members))
    for pair in pairs:
        for kind, severity, members in _kinds((pair.one, pair.other), case_of):
            if pair.correlation < SAME_PICTURE and severity is Severity.SERIOUS:
                severity = Severity.WARNING  # neighboring slices or frames look like that, too
            found["near", severity, kind].append((pair.correlation, members))
    result = []
    for (how, severity, kind), sets in found.items():
        sets.sort(key=lambda each: -each[0])
        files = {file for _, members in sets for file in members}
        places = sorted({case_of[file].split for file in files} - {""})
        where = f" ({', '.join(places)})" if places and len(places) <= 3 else ""
        same = "Identical" if how == "exact" else "Nearly identical"
        weaker = how == "near" and severity is not Severity.SERIOUS
        result.append(
            Finding(
                f"{'duplicate' if how == 'exact' else 'near-duplicate'}-{kind}",
                severity,
                f"{same} images{' (correlation from 0.995)' if weaker else ''} {_WHAT[kind]}{where}.",
                _FIX[kind],
                len(sets),
                unit="set",
                examples=tuple(
                    tuple(listing.files[file].name for file in members[:4]) for _, members in sets[:EXAMPLES]
                ),
                values=() if how == "exact" else tuple(f"correlation {value:.4f}" for value, _ in sets[:EXAMPLES]),
            )
        )
    return result


_WHAT = {
    "labels": "have different labels",
    "hidden": "are both hidden and known to participants",
    "splits": "are in several splits that participants know",
    "inside": "occur more than once in a split",
}
_FIX = {
    "labels": "Look at the examples, correct the label or remove both images.",
    "hidden": "Remove one of each from its split, or split again: `palio data split` keeps identical images together; "
    "--group-by keeps those of one patient together.",
    "splits": "Remove one of each, or split again: `palio data split` keeps identical images together.",
    "inside": "Remove all but one of each, so that no image counts twice.",
}


def _kinds(group: Sequence[int], case_of: Mapping[int, Case]) -> Iterator[tuple[str, Severity, tuple[int, ...]]]:
    """What is wrong with copies. A sample that repeats public images is none."""
    members = tuple(group)
    labels = {case_of[file].label for file in members if case_of[file].label}
    roles = {case_of[file].role for file in members}
    if len(labels) > 1:
        by_label = {case_of[file].label: file for file in reversed(members)}
        yield "labels", Severity.SERIOUS, tuple(sorted(by_label.values()))
    if HIDDEN in roles and len(roles) > 1:
        hidden = [file for file in members if case_of[file].role == HIDDEN]
        known = [file for file in members if case_of[file].role != HIDDEN]
        yield "hidden", Severity.SERIOUS, (hidden[0], *known, *hidden[1:])
    splits: dict[str, list[int]] = defaultdict(list)
    for file in members:
        splits[case_of[file].split].append(file)
    others = [split for split in splits if case_of[splits[split][0]].role not in (HIDDEN, SAMPLE)]
    if len(others) > 1:
        yield "splits", Severity.WARNING, tuple(file for split in others for file in splits[split])
    for inside in splits.values():
        if len({case_of[file].name for file in inside}) > 1:
            yield "inside", Severity.WARNING, tuple(inside)
