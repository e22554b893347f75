"""The checks of single files and of splits: what cannot be read or is odd, balance, groups in several splits, and what
files say about persons.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from palio.core.errors import counted
from palio.data.audit.findings import EXAMPLES, Finding, Severity, Signal
from palio.data.audit.labels import Case, labels_in
from palio.data.audit.leaks import ALL, CONTENT, KINDS, NAME, is_significant
from palio.data.audit.listing import HIDDEN, Listing
from palio.data.audit.measure import Measured

_ODD_SHARE = 0.1  # of the files, which may differ from the rest and still be odd
_FEW_OF_CLASS = 5
_RATIO = 10  # of the largest class to the smallest
_SERIOUS_SKILL = 0.1  # of what has nothing to do with the image
_SERIOUS_CONTENT_SKILL = 0.9  # of what follows from the image itself


def unreadable(measured: Mapping[int, Measured], listing: Listing) -> Iterator[Finding]:
    """Damaged files, and those whose pixels were not looked at."""
    for attribute, code, severity, says, fix in (
        (
            "fault",
            "image-unreadable",
            Severity.SERIOUS,
            "Images cannot be read: programs of participants will fail on them.",
            "Replace each by an intact copy, or remove it and its label.",
        ),
        (
            "unread",
            "pixels-not-read",
            Severity.NOTE,
            "The pixels of some files were not looked at.",
            "Nothing has to be done, but duplicates among them were only found if their bytes are the same.",
        ),
    ):
        files = [file for file, found in measured.items() if getattr(found, attribute)]
        if files:
            reasons = {file: str(getattr(measured[file], attribute)) for file in files}
            shown = _one_of_each_kind(files, reasons.__getitem__)
            yield Finding(
                code,
                severity,
                says,
                fix,
                len(files),
                len(measured),
                values=tuple(f"{listing.files[file].name} {reasons[file]}" for file in shown),
            )


def odd(cases: Sequence[Case], measured: Mapping[int, Measured], listing: Listing) -> Iterator[Finding]:
    """Few images of another size, format or mode than the rest, and images that show nothing."""
    files = [file for case in cases for file in case.files if file in measured and measured[file].shape]
    for attribute, what in (("shape", "size"), ("form", "format or color mode")):
        tally = Counter(getattr(measured[file], attribute) for file in files)
        if len(tally) < 2:
            continue
        usual, number = tally.most_common(1)[0]
        if number < (1 - _ODD_SHARE) * len(files):
            continue
        others = [file for file in files if getattr(measured[file], attribute) != usual]
        yield Finding(
            f"odd-{'size' if attribute == 'shape' else 'form'}",
            Severity.WARNING,
            f"Images have another {what} than the rest ({usual}).",
            "Bring all images to the same form, or tell participants on the data page.",
            len(others),
            len(files),
            examples=tuple((listing.files[file].name,) for file in others[:EXAMPLES]),
            values=tuple(
                f"{listing.files[file].name}: {getattr(measured[file], attribute)}" for file in others[:EXAMPLES]
            ),
        )
    blank = [file for file in files if (small := measured[file].small) and min(small) == max(small)]
    whole = [case for case in cases if case.files and all(file in set(blank) for file in case.files)] if blank else []
    if whole:
        yield Finding(
            "blank-image",
            Severity.WARNING,
            "Images have the same value everywhere.",
            "Remove them, or export them again.",
            len(whole),
            len(cases),
            unit="case",
            examples=tuple((listing.files[case.files[0]].name,) for case in whole[:EXAMPLES]),
        )


def personal(measured: Mapping[int, Measured], listing: Listing) -> Iterator[Finding]:
    """Texts in files: those that may name somebody, and others. Values are shown, because they tell which is which."""
    for is_personal in (True, False):
        by_key: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for file, found in measured.items():
            for said in found.said:
                if said.personal is is_personal:
                    by_key[said.key].append((file, said.value))
        if not by_key:
            continue
        files = {file for found in by_key.values() for file, _ in found}
        often = sorted(by_key.items(), key=lambda item: -len(item[1]))[:EXAMPLES]
        yield Finding(
            "personal-data" if is_personal else "metadata",
            Severity.SERIOUS if is_personal else Severity.NOTE,
            "The metadata of files may name or locate persons."
            if is_personal
            else "Files have texts in their metadata.",
            "Remove it: `palio data split` copies images without metadata. Use a tool made for it to de-identify DICOM "
            "files."
            if is_personal
            else "Remove it if you do not need it: `palio data split` copies images without metadata.",
            len(files),
            len(measured),
            values=tuple(
                f"{key}: “{found[0][1]}” in {listing.files[found[0][0]].name}"
                + (f" and {counted(len(found) - 1, 'other file')}" if len(found) > 1 else "")
                for key, found in often
            ),
        )


def balance(cases: Sequence[Case]) -> Iterator[Finding]:
    """Classes that are missing from a split, or rare."""
    splits = {split: {label: n for label, n in counts.items() if label} for split, counts in labels_in(cases).items()}
    splits = {split: counts for split, counts in splits.items() if counts}
    labels = sorted({label for counts in splits.values() for label in counts})
    if len(labels) < 2:
        return
    sizes = {split: sum(counts.values()) for split, counts in splits.items()}
    # a sample of a few cases need not have every class
    large = {split: counts for split, counts in splits.items() if sizes[split] >= 3 * len(labels)}
    absent = [f"{split} has no {label}" for split, counts in large.items() for label in labels if label not in counts]
    if absent:
        yield Finding(
            "class-missing",
            Severity.WARNING,
            "Splits lack classes that others have.",
            "Split again: `palio data split` keeps classes in proportion.",
            len(absent),
            unit="class",
            values=tuple(absent[:EXAMPLES]),
        )
    for split, counts in large.items():
        least, most = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
        if counts[least] < _FEW_OF_CLASS or counts[most] > _RATIO * counts[least]:
            yield Finding(
                "class-rare",
                Severity.WARNING,
                f"{split or 'The data'} has {counts[least]:,} of the class {least} and {counts[most]:,} of {most}.",
                "Add cases of the rare class, or rank by a metric that counts every class alike, such as balanced "
                "accuracy, and expect wide intervals.",
                counts[least],
                sizes[split],
                unit="case",
            )


def groups(cases: Sequence[Case], measured: Mapping[int, Measured]) -> Iterator[Finding]:
    """Groups, such as patients, with cases in several splits. Without any, patients of DICOM files count."""
    splits_of: dict[str, dict[str, Case]] = defaultdict(dict)
    for case in cases:
        key = case.group or next(
            (found.patient for file in case.files if (found := measured.get(file)) and found.patient), ""
        )
        if key:
            splits_of[key].setdefault(case.split, case)
    divided = {key: found for key, found in splits_of.items() if len(found) > 1}
    hidden = {key: found for key, found in divided.items() if any(case.role == HIDDEN for case in found.values())}
    for which, severity in (
        (hidden, Severity.SERIOUS),
        ({k: v for k, v in divided.items() if k not in hidden}, Severity.WARNING),
    ):
        if which:
            yield Finding(
                "group-overlap",
                severity,
                "Groups, such as patients, have cases in several splits"
                + (", one of them hidden." if severity is Severity.SERIOUS else "."),
                "Split again with `palio data split FOLDER --group-by REGEX`, which keeps each group in one split.",
                len(which),
                len(splits_of),
                unit="group",
                examples=tuple(
                    tuple(case.name for case in found.values())[:4] for found in list(which.values())[:EXAMPLES]
                ),
                values=tuple(
                    f"{key[:60]}: {', '.join(sorted(found))}" for key, found in list(which.items())[:EXAMPLES]
                ),
            )


def leaks(signals: Sequence[Signal], cases: Sequence[Case]) -> Iterator[Finding]:
    """Features that tell the label, each with its split of the highest score."""
    hides = {
        split: all(case.hides_names for case in cases if case.split == split) for split in {c.split for c in cases}
    }
    for feature in KINDS:
        found = [signal for signal in signals if signal.feature == feature and is_significant(signal)]
        if not found or (
            feature == ALL
            and any(is_significant(s) for s in signals if s.feature != ALL and KINDS[s.feature] != CONTENT)
        ):
            continue
        worst = max(found, key=lambda signal: (_grade(signal, hides) is Severity.SERIOUS, signal.skill))
        severity = _grade(worst, hides)
        splits = sorted({signal.split for signal in found} - {""})
        where = (
            f" in {', '.join(splits)}" if splits and len(splits) <= 3 else f" in {len(splits)} splits" if splits else ""
        )
        subject = "All of these together" if feature == ALL else f"The {feature}"
        tells = "tells" if worst.skill >= 0.5 else "partly tells"
        yield Finding(
            "label-leak",
            severity,
            f"{subject} {tells} the label{where}, without a look at an image.",
            _fix(feature, hidden=bool(hides.get(worst.split)) and KINDS[feature] == NAME),
            sum(signal.cases for signal in found),
            values=(
                f"balanced accuracy {worst.score:.3f} [{worst.low:.3f}, {worst.high:.3f}]"
                + (f" in {worst.split}" if worst.split else "")
                + f"; chance is {worst.chance:.3f}; p = {worst.p:.4f}, corrected for all features and splits",
            ),
            unit="case",
        )


def _grade(signal: Signal, hides: Mapping[str, bool]) -> Severity:
    kind = KINDS[signal.feature]
    if kind == CONTENT:
        if signal.skill >= _SERIOUS_CONTENT_SKILL:
            return Severity.SERIOUS
        return Severity.WARNING if signal.skill >= 0.5 else Severity.NOTE
    if kind == NAME and hides.get(signal.split):
        return Severity.NOTE
    if signal.feature == "file time" or signal.skill < _SERIOUS_SKILL:
        return Severity.WARNING  # programs see one time for all files
    return Severity.SERIOUS


def _fix(feature: str, *, hidden: bool) -> str:
    kind = KINDS[feature]
    if hidden:
        return "Nothing has to be done where `palio.blind` hides names. Do not publish the files elsewhere as they are."
    if feature == "file time":
        return "Programs on Palio see one time for all files. For downloads, `palio data split` sets one time, too."
    if kind == NAME:
        return (
            "Give files opaque names: `palio data split` does, and `palio.blind` in competition.yaml hides names of "
            "hidden inputs from programs."
        )
    if kind == CONTENT:
        return (
            "This may follow from what the images show. If not, acquire or export all classes in the same way. Report "
            "a baseline that knows only this."
        )
    if feature.startswith("text in"):
        return "Remove metadata: `palio data split` copies images without it."
    return "Bring all images to the same size, mode, format and compression, whatever their class, then split again."


def _one_of_each_kind(files: Sequence[int], kind: Callable[[int], str]) -> list[int]:
    """Examples that differ first."""
    seen: dict[str, int] = {}
    for file in sorted(files):
        seen.setdefault(kind(file), file)
    return ([*seen.values()] + [file for file in sorted(files) if file not in set(seen.values())])[:EXAMPLES]
