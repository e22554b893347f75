"""Tests whether labels can be predicted without looking at images: from names, numbers, order, sizes, times, metadata.

Each feature is tested by itself, so that the report says which one leaks. A feature is cut into bins (quantiles of
numbers; values of texts); a classifier learns the most likely class of each bin, with equal priors, from four fifths
of the cases, and predicts the others. Identical files are in the same fifth. The score is balanced accuracy; chance is
1/K. Its significance is the share of random permutations of labels in which any feature of any split does as well, so
that the false positive rate of the whole audit is at most TESTED_FALSE_POSITIVE_RATE (Westfall & Young 1993: the
permutation distribution of the maximum). All features together are tested by naive Bayes on the same bins, in the same
permutations.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palio.core.statistics.intervals import confusion_interval
from palio.core.statistics.metrics import balanced_accuracy, confusion_matrix
from palio.data.audit.findings import TESTED_FALSE_POSITIVE_RATE, Signal
from palio.data.audit.labels import Case
from palio.data.audit.listing import known_suffix
from palio.data.audit.measure import Measured

FOLDS = 5
FEWEST_CASES, FEWEST_OF_CLASS = 20, 5
MOST_CASES = 10_000  # of a split; a random sample of more
MOST_BINS = 64
PERMUTATIONS = 399
_SEED = 20_26
Codes = NDArray[np.int64]

# What the file's name and place tell, its metadata, and what pixels and content bring with them.
NAME, METADATA, CONTENT = "name", "metadata", "content"
ALL = "all of these together"


@dataclass(frozen=True)
class Feature:
    """Something that a file tells without its pixels. `of` gets a case, its measured files and its order by name."""

    name: str
    kind: str
    of: Callable[[Case, Sequence[Measured], int], object]


def _number(name: str) -> float | None:
    """The last number in a name, unless the name is hexadecimal."""
    stem = _stem(name)
    if re.fullmatch(r"[0-9a-f-]{8,}", stem, re.IGNORECASE) and re.search("[a-f]", stem, re.IGNORECASE):
        return None
    runs = re.findall(r"\d+", stem)
    return float(runs[-1][:15]) if runs else None


def _stem(name: str) -> str:
    suffix = known_suffix(name)
    return name[: len(name) - len(suffix)] if suffix else name


def _wording(name: str) -> str:
    """The name without what differs from case to case: numbers, and hexadecimal parts."""
    stem = re.sub(r"(?<![A-Za-z])[0-9a-fA-F]{6,}(?![A-Za-z])", "#", _stem(name))
    return re.sub(r"\d+", "#", stem)[:60]


def _texts(_: Case, files: Sequence[Measured], __: int) -> str:
    return "; ".join(f"{said.key}={said.value}" for said in files[0].said)[:400]


FEATURES = (
    Feature("file name", NAME, lambda case, _, __: _wording(case.key)),
    Feature("length of the file name", NAME, lambda case, _, __: float(len(_stem(case.key)))),
    Feature("number in the file name", NAME, lambda case, _, __: _number(case.key)),
    Feature("order of file names", NAME, lambda _, __, order: float(order)),
    Feature("file type", METADATA, lambda case, files, _: known_suffix(case.name) + files[0].form.partition(" ")[0]),
    Feature("file time", METADATA, lambda _, files, __: files[0].time_ns),
    Feature("text in the metadata (EXIF, PNG, DICOM, NIfTI)", METADATA, _texts),
    Feature("compression (JPEG tables)", METADATA, lambda _, files, __: files[0].encoding),
    Feature("image size", METADATA, lambda _, files, __: files[0].shape),
    Feature("color mode", METADATA, lambda _, files, __: files[0].form),
    Feature("number of files", METADATA, lambda _, files, __: float(len(files))),
    Feature("file size", CONTENT, lambda _, files, __: float(sum(file.size_bytes for file in files))),
    Feature("mean brightness", CONTENT, lambda _, files, __: files[0].brightness),
)
KINDS = {feature.name: feature.kind for feature in FEATURES} | {ALL: METADATA}


def find_signals(cases: Sequence[Case], measured: Mapping[int, Measured]) -> tuple[Signal, ...]:
    """The score of each feature in each split with enough labels, with significance over all of them."""
    tables = [table for split in sorted({case.split for case in cases}) if (table := _table(split, cases, measured))]
    if not tables:
        return ()
    random = np.random.default_rng(_SEED)
    observed = [table.scores(table.labels) for table in tables]
    exceeded = [np.zeros(len(scores)) for scores in observed]
    for _ in range(PERMUTATIONS):
        permuted = [table.scores(random.permutation(table.labels)) for table in tables]
        # Standardized by chance, so that splits of different sizes and classes compare.
        best = max(
            float((scores.max() - table.chance) * table.scale) for table, scores in zip(tables, permuted, strict=True)
        )
        for at, (table, scores) in enumerate(zip(tables, observed, strict=True)):
            exceeded[at] += best >= (scores - table.chance) * table.scale - 1e-12
    found = []
    for at, table in enumerate(tables):
        for number, name in enumerate(table.names):
            matrix = confusion_matrix(table.labels, table.predicted(number, table.labels), table.classes)
            within = confusion_interval(matrix, balanced_accuracy, draws=1000)
            found.append(
                Signal(
                    table.split,
                    name,
                    float(observed[at][number]),
                    within.low,
                    within.high,
                    table.chance,
                    float((exceeded[at][number] + 1) / (PERMUTATIONS + 1)),
                    len(table.labels),
                )
            )
    return tuple(found)


def is_significant(signal: Signal) -> bool:
    return signal.p <= TESTED_FALSE_POSITIVE_RATE


class _Features:
    """The labels and binned features of the cases of a split."""

    def __init__(self, split: str, names: list[str], bins: list[Codes], labels: Codes, folds: Codes) -> None:
        self.split, self.names, self.bins, self.labels, self.folds = split, names, bins, labels, folds
        self.classes = int(labels.max()) + 1
        self.chance = 1 / self.classes
        self.sizes = [int(codes.max()) + 1 for codes in bins]
        self.cells = [folds * size + codes for codes, size in zip(bins, self.sizes, strict=True)]
        self.scale = math.sqrt(len(labels))
        together = [at for at, name in enumerate(names) if KINDS[name] != CONTENT]
        self.together = together if len(together) > 1 else []
        if self.together:
            self.names = [*names, ALL]

    def scores(self, labels: Codes) -> NDArray[np.float64]:
        """The balanced accuracy of each feature."""
        of_class = np.bincount(labels, minlength=self.classes)
        logs = np.zeros((len(labels), self.classes)) if self.together else None
        found = []
        for at in range(len(self.bins)):
            counts = self._counts(at, labels)
            chances = self._learned(counts)
            best = chances.argmax(axis=2)
            hits = np.take_along_axis(counts, best[..., None], axis=2)[..., 0]
            right = np.bincount(best.ravel(), weights=hits.ravel(), minlength=self.classes)
            found.append(float(np.mean(right / of_class)))
            if logs is not None and at in self.together:
                logs += np.log(chances).reshape(-1, self.classes)[self.cells[at]]
        if logs is not None:
            hit = logs.argmax(axis=1) == labels
            found.append(float(np.mean(np.bincount(labels[hit], minlength=self.classes) / of_class)))
        return np.array(found)

    def predicted(self, at: int, labels: Codes) -> Codes:
        if at < len(self.bins):
            chances = self._learned(self._counts(at, labels))
            found: Codes = chances.reshape(-1, self.classes)[self.cells[at]].argmax(axis=1)
            return found
        logs = sum(
            np.log(self._learned(self._counts(one, labels))).reshape(-1, self.classes)[self.cells[one]]
            for one in self.together
        )
        together: Codes = np.asarray(logs).argmax(axis=1)
        return together

    def _counts(self, at: int, labels: Codes) -> NDArray[np.float64]:
        """Cases by fold, bin and class."""
        shape = (FOLDS, self.sizes[at], self.classes)
        flat = np.bincount(self.cells[at] * self.classes + labels, minlength=math.prod(shape))
        return flat.reshape(shape).astype(np.float64)

    def _learned(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each bin in each class, learned from the other folds: shape (fold, bin, class)."""
        others = counts.sum(axis=0, keepdims=True) - counts
        smoothed: NDArray[np.float64] = (others + 0.5 / counts.shape[1]) / (others.sum(axis=1, keepdims=True) + 0.5)
        return smoothed


def _table(split: str, cases: Sequence[Case], measured: Mapping[int, Measured]) -> _Features | None:
    members = [case for case in cases if case.split == split and all(file in measured for file in case.files)]
    # Ranked by key: in a folder of classes, the path is the label, and only the name below it counts.
    order = {key: at for at, key in enumerate(sorted({case.key for case in members}))}
    labeled = [case for case in members if case.label]
    tally = Counter(case.label for case in labeled)
    kept = [case for case in labeled if tally[case.label] >= FEWEST_OF_CLASS]
    if len(kept) < FEWEST_CASES or len({case.label for case in kept}) < 2:
        return None
    random = np.random.default_rng(_SEED)
    if len(kept) > MOST_CASES:
        kept = [kept[at] for at in np.sort(random.choice(len(kept), MOST_CASES, replace=False))]
    names: list[str] = []
    bins: list[Codes] = []
    classes = sorted({case.label for case in kept})
    for feature in FEATURES:
        values = [feature.of(case, [measured[file] for file in case.files], order[case.key]) for case in kept]
        codes = binned(values)
        if codes is not None:
            names.append(feature.name)
            bins.append(codes)
            if feature.name in {"number in the file name", "order of file names"} and len(classes) <= MOST_BINS:
                numbers = [None if value is None else float(value) % len(classes) for value in values]  # type: ignore[arg-type]
                if (turns := binned(numbers)) is not None:
                    names.append(f"{feature.name}, in turns")
                    bins.append(turns)
    if not names:
        return None
    labels = np.array([classes.index(case.label) for case in kept], dtype=np.int64)
    return _Features(split, names, bins, labels, _folds(kept, measured, random))


for _name in ("number in the file name", "order of file names"):
    KINDS[f"{_name}, in turns"] = NAME


def _folds(cases: Sequence[Case], measured: Mapping[int, Measured], random: np.random.Generator) -> Codes:
    """A random fold for each case, the same for identical ones and for those of one group."""
    keys: dict[str, int] = defaultdict(lambda: int(random.integers(FOLDS)))
    return np.array([keys[case.group or measured[case.files[0]].sha256] for case in cases], dtype=np.int64)


def binned(values: Sequence[Any]) -> Codes | None:
    """The number of the bin of each value, or None if all are in the same. Bins do not depend on labels."""
    if all(isinstance(value, (int, float)) or value is None for value in values):
        return _binned_numbers(values)
    tally = Counter(values)
    common = [value for value, count in tally.most_common(MOST_BINS - 1) if count > 1]
    where = {value: at for at, value in enumerate(common)}
    codes = np.array([where.get(value, len(common)) for value in values], dtype=np.int64)
    return _compact(codes)


def _binned_numbers(values: Sequence[Any]) -> Codes | None:
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = np.isfinite(numbers)
    if not known.any():
        return None
    codes = np.zeros(len(numbers), dtype=np.int64)
    different = np.unique(numbers[known])
    if len(different) <= min(MOST_BINS, known.sum() // 4):  # a bin for a value, if values repeat
        codes[known] = np.searchsorted(different, numbers[known]) + 1
    else:
        bins = int(min(MOST_BINS, max(8, known.sum() // 10)))
        edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, bins + 1)[1:-1]))
        codes[known] = np.searchsorted(edges, numbers[known], side="right") + 1
    return _compact(codes)


def _compact(codes: Codes) -> Codes | None:
    values, compact = np.unique(codes, return_inverse=True)
    return None if len(values) < 2 else compact.astype(np.int64)
