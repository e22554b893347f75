"""The data audit of a folder or a bundle: lists, measures and compares its images, and reports what was found."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from palio.core.bundle.data_files import DataFiles
from palio.core.bundle.model import Bundle
from palio.core.errors import counted
from palio.data.audit import checks
from palio.data.audit.duplicates import duplicate_findings, find_pairs
from palio.data.audit.findings import EXAMPLES, AuditReport, Finding, Severity, in_order
from palio.data.audit.labels import Case, find_cases, labels_in
from palio.data.audit.leaks import FEWEST_CASES, find_signals
from palio.data.audit.listing import Listing, Source, list_bundle, list_folder
from palio.data.audit.measure import Measured
from palio.data.audit.previews import previews
from palio.data.audit.workers import measure_all

MOST_IMAGES = 250_000  # that are read; of more, a random sample


def audit_folder(folder: Path, **options: object) -> AuditReport:
    """Audits all images below a folder; options are those of `audit`. Raises PalioError "source-unreadable"."""
    return audit(list_folder(folder), **options)  # type: ignore[arg-type]


def audit_bundle(bundle: Bundle, data: DataFiles | None = None, **options: object) -> AuditReport:
    """Audits the data that a bundle names; options are those of `audit`. `data` reads it if it is not on disk."""
    return audit(list_bundle(bundle, data), **options)  # type: ignore[arg-type]


def audit(
    listing: Listing,
    *,
    group_by: re.Pattern[str] | None = None,
    time_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_images: int = MOST_IMAGES,
    with_pictures: bool = False,
) -> AuditReport:
    """Audits what is listed. `group_by` is searched in each path; its first group, or the match, names what belongs
    together. After `time_s` seconds, no more files are read, and the report says so. `progress` gets the number of
    files read, and of all.
    """
    cases, findings = find_cases(listing)
    findings = [*listing.findings, *findings]
    if group_by is not None:
        cases, unmatched = _grouped(cases, group_by)
        findings += unmatched
    wanted = sorted({file for case in cases for file in case.files} | _references(listing))
    total = len(wanted)
    if total > most_images:
        wanted = sorted(Random(0).sample(wanted, most_images))  # noqa: S311 - nothing secret depends on it
    sources = [listing.files[file].source for file in wanted]
    report = (lambda done: progress(done, len(wanted))) if progress else None
    measured: dict[int, Measured] = {}
    for at, found in measure_all(sources, time_s=time_s, progress=report):
        if (
            found.fault == "is not an image of a known format"
            and "." not in listing.files[wanted[at]].name.rpartition("/")[2]
        ):
            total -= 1  # a file without a suffix may be anything
            continue
        measured[wanted[at]] = found
    findings += _partial(len(measured), total, time_s, listing)
    cases = [case for case in cases if any(file in measured for file in case.files)]
    read = dict(sorted(measured.items()))
    findings += checks.unreadable(read, listing)
    findings += checks.odd(cases, read, listing)
    findings += checks.personal(read, listing)
    case_of = {file: case for case in cases for file in case.files if file in read}
    same, near = find_pairs(sorted(case_of), case_of, read)
    findings += duplicate_findings(same, near, case_of, listing)
    findings += checks.groups(cases, read)
    findings += checks.balance(cases)
    signals = find_signals(cases, read)
    findings += checks.leaks(signals, cases)
    ordered = in_order(findings)
    return AuditReport(
        listing.name,
        total,
        len(cases),
        len(read),
        labels_in(cases),
        ordered,
        signals,
        previews(ordered, listing) if with_pictures else {},
    )


def leaks_of(files: Sequence[tuple[Path, str]]) -> list[Finding]:
    """What tells the labels of files that have opaque names and one time: only findings worth a warning."""
    if len(files) < FEWEST_CASES:
        return []
    measured = dict(measure_all([Source(path.name, path) for path, _ in files]))
    cases = [Case(path.name, "", (at,), label=label, hides_names=True) for at, (path, label) in enumerate(files)]
    found = checks.leaks(find_signals(cases, measured), cases)
    return [finding for finding in found if finding.severity is not Severity.NOTE]


def _references(listing: Listing) -> set[int]:
    """Images among the answers, such as masks, which are read but not compared."""
    return {at for at, file in enumerate(listing.files) if file.is_reference and file.is_image}


def _grouped(cases: Sequence[Case], pattern: re.Pattern[str]) -> tuple[list[Case], list[Finding]]:
    found, without = [], []
    for case in cases:
        match = pattern.search(case.name)
        key = match and match.group(1 if pattern.groups else 0)
        if not key:
            without.append(case.name)
        found.append(replace(case, group=key or ""))
    if not without:
        return found, []
    return found, [
        Finding(
            "group-unknown",
            Severity.WARNING,
            f"--group-by {pattern.pattern} matches nothing in the paths of some cases, whose group is not known.",
            "Correct the expression. It is searched in the path below the folder, as listed.",
            len(without),
            len(cases),
            unit="case",
            values=tuple(without[:EXAMPLES]),
        )
    ]


def _partial(read: int, total: int, time_s: float | None, listing: Listing) -> list[Finding]:
    if read >= total or (time_s is None and total <= MOST_IMAGES):
        return []
    limit = f" in {time_s:g} s" if time_s is not None else ""
    what = "BUNDLE" if listing.is_bundle else "DIR"
    return [
        Finding(
            "partly-audited",
            Severity.NOTE,
            f"Only {counted(read, 'file')} of {total:,}, a random sample, could be read{limit}.",
            f"Audit all of them with `palio data audit {what}`.",
            read,
            total,
        )
    ]
