"""Checks that a phase's rules for MONAI bundles fit its other rules and the reference data."""

import csv
import io
from collections.abc import Iterator

from palio.core.bundle.contents import contents_of
from palio.core.bundle.model import Phase, Problem, SubmissionKind, Task
from palio.core.bundle.problems import error, warning
from palio.core.bundle.wording import quoted
from palio.core.files.digest import UnfitFile
from palio.core.quantities import MIB

_MOST_BYTES = 16 * MIB  # of each table that is compared


def monai_problems(phase: Phase, task: Task) -> Iterator[Problem]:
    rules = phase.rules
    if SubmissionKind.MONAI not in rules.submissions:
        return
    policy, restore = rules.monai, rules.blind.restore if rules.blind else ()
    if restore and policy.csv is None:
        message = (
            f"accepts monai in “{phase.name}”, but MONAI's savers write no header and no names of classes; name "
            f"{quoted(restore[0].csv)} and its columns in palio.monai, so that Palio makes it of what they write"
        )
        yield warning("palio.submissions", message)
    if rules.blind and policy.csv and (policy.csv, policy.columns[:1]) not in [(r.csv, (r.column,)) for r in restore]:
        message = (
            f"is {quoted(policy.csv)}, whose column {quoted(policy.columns[0])} would keep the opaque names of inputs; "
            "name file and column in palio.blind.restore, too"
        )
        yield error("palio.monai.csv", message)
    if policy.classes and len(policy.columns) == 2:  # the name of the input and one prediction
        unknown = sorted(_labels(task, policy.columns) - {*policy.classes})
        if unknown:
            message = (
                f"lacks {quoted(unknown[0])}, which the reference data has; list all classes in the network's order"
            )
            yield error("palio.monai.classes", message)


def _labels(task: Task, columns: tuple[str, ...]) -> set[str]:
    """The labels in the reference data's tables with these columns; none if they cannot be read."""
    if task.reference_data is None or not task.reference_data.exists():
        return set()
    labels = set()
    try:
        contents = contents_of(task.reference_data)
        for name in contents.names:
            if name.lower().endswith(".csv"):
                text = contents.head(name, _MOST_BYTES).decode("utf-8-sig")
                table = csv.DictReader(io.StringIO(text, newline=""))
                if {*columns} <= {*(table.fieldnames or ())}:
                    labels |= {row[columns[1]] for row in table if row[columns[1]]}
    except (UnfitFile, OSError, UnicodeDecodeError, csv.Error):
        return set()  # reported by another check, or the scoring program's own format
    return labels
