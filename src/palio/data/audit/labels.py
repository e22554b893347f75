"""Finds the cases of what is audited: which files belong together, their split, label and group.

Labels come from tables (CSV) whose rows name files or cases, or from folders of classes. In a table, the column that
names files is the one whose values fit them; labels are in a column named like one (`class`, `label`, ...), or in all
others together. Objects in images, such as boxes with a row each, are no labels of images.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from palio.core.errors import PalioError
from palio.data.audit.findings import EXAMPLES, Finding, Severity
from palio.data.audit.listing import HIDDEN, MOST_TABLE_BYTES, PUBLIC, SAMPLE, Listed, Listing
from palio.data.case_files import CaseFiles
from palio.data.label_table import classes, parse_table

_LABEL_COLUMNS = ("class", "label", "labels", "target", "diagnosis", "category", "dx", "y", "truth", "ground_truth")
_GROUP_COLUMNS = ("patient", "patient_id", "patientid", "subject", "subject_id", "group", "case_id", "study")
_SPLIT_COLUMNS = ("split", "set", "subset", "partition")
_SPLIT_WORDS = re.compile(
    r"(?P<public>train(ing)?|tr|val(id(ation)?)?|dev|public)|(?P<hidden>test(ing)?|ts|hidden|holdout|private)"
    r"|(?P<sample>sample)",
    re.IGNORECASE,
)
_SPLIT_FOLDER = re.compile(
    rf"(images|imgs|data|set)?[-_ ]?({_SPLIT_WORDS.pattern})([-_ ]?(images|imgs|data|set))?", re.I
)
_OBJECT_COLUMNS = frozenset(
    {"x", "y", "x1", "y1", "xmin", "ymin", "width", "height", "w", "h", "bbox", "x_min", "y_min"}
)
_MOST_COMBINED = 64  # different combinations of values in columns that together are a label
_MOST_FLAGS = 3  # different values of each of these
_SAMPLED_ROWS = 200


@dataclass(frozen=True)
class Case:
    """What has one label. `files` are indexes into the files of the listing.

    `key` is the name below the folder of its split and class.
    """

    name: str
    key: str
    files: tuple[int, ...]
    split: str = ""
    role: str = ""
    label: str = ""
    group: str = ""
    hides_names: bool = False


@dataclass(frozen=True)
class _Table:
    file: Listed
    header: list[str]
    rows: list[tuple[int, list[str]]]


@dataclass(frozen=True)
class _Row:
    label: str
    group: str
    split: str


def find_cases(listing: Listing) -> tuple[list[Case], list[Finding]]:
    """Returns the cases, and what is wrong with their names and labels."""
    findings: list[Finding] = []
    tables = [table for file in listing.files if file.is_table and (table := _read(file, findings))]
    inputs = [at for at, file in enumerate(listing.files) if file.is_image and not file.is_reference]
    rows: dict[str, _Row] = {}  # by the first file of a case
    files_of: dict[str, tuple[str, ...]] = {}
    named: set[str] = set()
    for scope, members in _scopes(listing, tables, inputs):
        names = [listing.files[at].name for at in members]
        finder = CaseFiles(names)
        for table in scope:
            found, of_case = _labels(table, finder, findings)
            rows = found | rows
            files_of |= of_case
            named |= {file for files in of_case.values() for file in files}
    where = {listing.files[at].name: at for at in inputs}
    folders = _class_folders(listing, inputs) if not rows and not listing.is_bundle else {}
    cases: list[Case] = []
    for name, files in _grouped(listing, inputs, files_of).items():
        first = listing.files[where[files[0]]]
        row = rows.get(name)
        split, role = _split_of(first, row.split if row else "", listing)
        cases.append(
            Case(
                name,
                _key(first, folders.get(files[0], "")),
                tuple(where[file] for file in files),
                split,
                role,
                row.label if row else folders.get(files[0], ""),
                row.group if row else "",
                first.hides_names,
            )
        )
    findings += _without_labels(cases, listing)
    return _with_ranges(cases), findings


def _read(file: Listed, findings: list[Finding]) -> _Table | None:
    try:
        if file.source.path is not None:
            with file.source.path.open("rb") as opened:
                content = opened.read(MOST_TABLE_BYTES + 1)
        else:
            content = file.source.read() if file.source.read else b""
        if len(content) > MOST_TABLE_BYTES:
            findings.append(_table_fault(file, "it is larger than 64 MiB"))
            return None
        header, rows = parse_table(content, Path(file.name))
    except PalioError as error:
        findings.append(_table_fault(file, "; ".join(error.failure.evidence) or error.failure.message.rstrip(".")))
        return None
    except (OSError, ValueError) as error:
        findings.append(_table_fault(file, str(error)))
        return None
    return _Table(file, header, rows) if header and rows else None


def _table_fault(file: Listed, reason: str) -> Finding:
    return Finding(
        "table-unreadable",
        Severity.WARNING,
        f"The table {file.name} cannot be read: {reason}.",
        "Save it as CSV in UTF-8, with a header.",
        1,
        examples=((file.name,),),
    )


def _scopes(
    listing: Listing, tables: Sequence[_Table], inputs: Sequence[int]
) -> Iterable[tuple[list[_Table], list[int]]]:
    """Tables with the files that they may name: in a bundle, those of the same role."""
    if not listing.is_bundle:
        yield list(tables), list(inputs)
        return
    for role in (HIDDEN, PUBLIC, SAMPLE):
        yield (
            [table for table in tables if table.file.role == role],
            [at for at in inputs if listing.files[at].role == role],
        )


def _labels(
    table: _Table, finder: CaseFiles, findings: list[Finding]
) -> tuple[dict[str, _Row], dict[str, tuple[str, ...]]]:
    """The rows by the name of their case, and the files of each case; nothing if the table names no files."""
    header = [column.lower() for column in table.header]
    whole = [(line, row) for line, row in table.rows if len(row) == len(header)]
    if len(whole) < len(table.rows):
        lines = [line for line, row in table.rows if len(row) != len(header)]
        findings.append(
            Finding(
                "table-rows",
                Severity.WARNING,
                f"Rows of {table.file.name} have another number of values than the header, which has {len(header)}.",
                "Give each row one value for each column.",
                len(lines),
                len(table.rows),
                unit="row",
                values=tuple(f"line {line}" for line in lines[:EXAMPLES]),
            )
        )
    at = _file_column(header, [row for _, row in whole], finder, table)
    if at is None:
        return {}, {}
    keys = [row[at].replace("\\", "/").strip("/") for _, row in whole]
    resolved = _resolved(dict.fromkeys(keys), finder, table)
    others = [column for column in range(len(header)) if column != at]
    is_objects = _is_of_objects(header, keys, others)
    label_columns = [] if is_objects else _label_columns(header, others, [row for _, row in whole])
    group_at = next(
        (header.index(name) for name in _GROUP_COLUMNS if name in header and header.index(name) != at), None
    )
    split_at = next(
        (header.index(name) for name in _SPLIT_COLUMNS if name in header and header.index(name) != at), None
    )
    rows: dict[str, _Row] = {}
    several: dict[str, list[tuple[int, str]]] = defaultdict(list)
    missing: list[tuple[int, str]] = []
    for (line, row), key in zip(whole, keys, strict=True):
        label = ",".join(row[column] for column in label_columns)
        several[key].append((line, label))
        if key not in resolved:
            missing.append((line, key))
            continue
        rows.setdefault(
            _case_name(resolved[key]),
            _Row(
                label,
                row[group_at] if group_at is not None else "",
                row[split_at] if split_at is not None else "",
            ),
        )
    if missing:
        findings.append(
            Finding(
                "label-without-file",
                Severity.SERIOUS,
                f"Rows of {table.file.name} name files that are not there.",
                "Add the files, correct their names, or remove the rows.",
                len(missing),
                len(whole),
                unit="row",
                values=tuple(f"line {line}: {key}" for line, key in missing[:EXAMPLES]),
            )
        )
    if not is_objects:
        findings += _twice(table, several)
    return rows, {_case_name(files): files for files in resolved.values()}


def _case_name(files: Sequence[str]) -> str:
    return files[0]


def _file_column(header: Sequence[str], rows: Sequence[list[str]], finder: CaseFiles, table: _Table) -> int | None:
    """The column of which most values name files. If none does, one that is named `file` and has names of images."""
    step = max(1, len(rows) // _SAMPLED_ROWS)
    sample = rows[::step]
    best, share = None, 0.0
    for column in range(len(header)):
        values = dict.fromkeys(row[column].replace("\\", "/").strip("/") for row in sample)
        found = len(_resolved(values, finder, table)) / max(1, len(values))
        # A number of a class may be the beginning of a name, but classes repeat.
        if len(values) > len(sample) // 10 and found > share:
            best, share = column, found
    return best if share >= 0.5 else None


def _resolved(keys: Iterable[str], finder: CaseFiles, table: _Table) -> dict[str, tuple[str, ...]]:
    """The files of each name, as it is, below the folder of the table, or by its last parts."""
    found: dict[str, tuple[str, ...]] = {}
    left = [key for key in keys if key]
    folder = table.file.name.rpartition("/")[0]
    ways: tuple[Callable[[str], str], ...] = (
        lambda key: key,
        lambda key: f"{folder}/{key}" if folder else key,
        lambda key: PurePosixPath(key).name,
    )
    for way in ways:
        names = {way(key): key for key in left if way(key)}
        files, _ = finder.of(list(names))
        found |= {names[name]: these for name, these in files.items()}
        left = [key for key in left if key not in found]
        if not left:
            break
    return found


def _is_of_objects(header: Sequence[str], keys: Sequence[str], others: Sequence[int]) -> bool:
    """Whether the table has a row for each object, such as a box, so that files may have any number of rows."""
    named = {header[column] for column in others} & _OBJECT_COLUMNS
    repeats = len(keys) - len(set(keys))
    return len(named) > 1 or (len(others) > 2 and repeats * 5 > len(keys))


def _label_columns(header: Sequence[str], others: Sequence[int], rows: Sequence[list[str]]) -> list[int]:
    named = [column for name in _LABEL_COLUMNS for column in others if header[column] == name]
    if named:
        return named[:1]
    left = [column for column in others if header[column] not in {*_GROUP_COLUMNS, *_SPLIT_COLUMNS, "sha256", "source"}]
    if len(left) <= 1:
        return left
    are_flags = all(len({row[column] for row in rows}) <= _MOST_FLAGS for column in left)
    combined = len({tuple(row[column] for column in left) for row in rows})
    return left if are_flags and combined <= _MOST_COMBINED else left[:1]


def _twice(table: _Table, several: dict[str, list[tuple[int, str]]]) -> list[Finding]:
    repeated = {key: lines for key, lines in several.items() if len(lines) > 1}
    if not repeated:
        return []
    contrary = {key: lines for key, lines in repeated.items() if len({label for _, label in lines}) > 1}
    shown = list((contrary or repeated).items())[:EXAMPLES]
    what = "with different labels" if contrary else "with the same label"
    return [
        Finding(
            "key-twice",
            Severity.SERIOUS if contrary else Severity.WARNING,
            f"{table.file.name} has files in several rows, {what}.",
            "Keep one row for each file.",
            len(contrary or repeated),
            len(several),
            values=tuple(
                f"{key}: " + ", ".join(f"line {line}" + (f" ({label})" if label else "") for line, label in lines[:3])
                for key, lines in shown
            ),
        )
    ]


def _class_folders(listing: Listing, inputs: Sequence[int]) -> dict[str, str]:
    """Labels by the folder: the first that is no split, if there are at least two with images."""
    labels = {}
    for at in inputs:
        name = listing.files[at].name
        folders = [part for part in name.split("/")[:-1] if not _SPLIT_FOLDER.fullmatch(part)]
        if folders:
            labels[name] = folders[0]
    tally = Counter(labels.values())
    # a folder for each case is no class
    return labels if len(tally) > 1 and len(labels) >= 4 * len(tally) else {}


def _grouped(
    listing: Listing, inputs: Sequence[int], files_of: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """The files of each case: as tables say, else a folder of DICOM files, else each file."""
    taken = {file for files in files_of.values() for file in files}
    cases = dict(files_of)
    series: dict[str, list[str]] = defaultdict(list)
    for at in inputs:
        name = listing.files[at].name
        if name in taken:
            continue
        folder, _, base = name.rpartition("/")
        if folder and (base.lower().endswith(".dcm") or base.rpartition(".")[2].isdecimal()):
            series[folder].append(name)
        else:
            cases[name] = (name,)
    for files in series.values():
        # images of a class may be DICOM files side by side: only slices are numbered alike
        is_series = len(files) > 1 and len({re.sub(r"\d+", "#", file) for file in files}) == 1
        parents = {file.rpartition("/")[0].rpartition("/")[0] for file in files}
        if is_series and len(series) > 4 and len(parents) == 1:
            cases[files[0]] = tuple(sorted(files))
        else:
            cases |= {file: (file,) for file in files}
    return cases


def _split_of(file: Listed, written: str, listing: Listing) -> tuple[str, str]:
    """The split, as it is shown, and the role."""
    if listing.is_bundle:
        inside = file.name.removeprefix(file.part).strip("/").rpartition("/")[0].partition("/")[0]
        named = inside if _SPLIT_FOLDER.fullmatch(inside) else ""
        return (f"{file.part}/{named}" if named else file.part), file.role
    if match := _SPLIT_FOLDER.fullmatch(written):
        return written, _role(match)
    for part in file.name.split("/")[:-1]:
        if match := _SPLIT_FOLDER.fullmatch(part):
            return part, _role(match)
    return written, ""


def _key(file: Listed, class_folder: str) -> str:
    parts = file.name.removeprefix(file.part).strip("/").split("/") if file.part else file.name.split("/")
    above = [part for part in parts[:-1] if part != class_folder and not _SPLIT_FOLDER.fullmatch(part)]
    return "/".join([*above, parts[-1] or file.name])


def _role(match: re.Match[str]) -> str:
    return HIDDEN if match["hidden"] else SAMPLE if match["sample"] else PUBLIC


def _without_labels(cases: Sequence[Case], listing: Listing) -> list[Finding]:
    """Files without a label in a split of which others have one."""
    by_split: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_split[case.split].append(case)
    found = []
    for split, members in by_split.items():
        without = [case for case in members if not case.label]
        if without and len(without) < len(members) and len(members) - len(without) >= len(without) // 10:
            is_hidden = members[0].role == HIDDEN
            found.append(
                Finding(
                    "file-without-label",
                    Severity.SERIOUS if is_hidden else Severity.WARNING,
                    f"Files {f'of {split} ' if split else ''}have no label, though others do.",
                    "Add a row for each to the labels, or remove the files.",
                    len(without),
                    len(members),
                    examples=tuple((listing.files[case.files[0]].name,) for case in without[:EXAMPLES]),
                )
            )
    return found


def _with_ranges(cases: list[Case]) -> list[Case]:
    """Labels that are numbers, such as ages, as ranges."""
    labeled = [at for at, case in enumerate(cases) if case.label]
    ranges = classes([cases[at].label for at in labeled])
    if len(set(ranges)) > max(2, len(labeled) // 3):  # texts of which nearly all differ
        ranges = [""] * len(labeled)
    cases = list(cases)
    for at, label in zip(labeled, ranges, strict=True):
        cases[at] = replace(cases[at], label=label)
    return cases


def labels_in(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """How many cases of each label each split has."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        tally[case.split][case.label] += 1
    return {split: dict(sorted(counts.items())) for split, counts in sorted(tally.items())}
