"""The keys of competition.yaml, recorded while the readers read an example that has each of their mappings.

The documentation and `palio schema` are made from this, so they cannot differ from what is read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from palio.core.bundle.codabench import read_codabench
from palio.core.bundle.codalab import read_codalab
from palio.core.bundle.values import Findings, Refused, Scalar, Section, Value
from palio.core.bundle.yaml_source import parse_bytes

# Every mapping of a dialect once: a key below a mapping that is missing here is not found.
CODABENCH = """\
pages: [{title: a, file: b}]
tasks: [{index: 0, scoring_program: a}]
solutions: [{index: 0, tasks: [0], path: a}]
phases: [{name: a, start: 2025-01-01, tasks: [0]}]
leaderboards: [{columns: [{key: a, sorting: desc}]}]
fact_sheet: {a: {key: a, type: select, selection: [a]}}
palio:
  limits: {build: {time: 1 s}, predict: {time: 1 s}, score: {time: 1 s}}
  logs: {sample: full}
  feedback: {rule: ladder, step: 0.01}
  sample: {input: a}
  blind: {inputs: "*", restore: [{csv: a.csv, column: a}]}
  statistics: {cases: a.csv, kind: a, metric: a, metrics: {a: a}, group: a}
  ranking: {choose: best}
  monai: {csv: a.csv, columns: [a, b]}
  tags: {task: a}
  organizers: [{name: a}]
"""
CODALAB = """\
html: {overview: a}
phases: {1: {phasenumber: 1, label: a, start_date: 2025-01-01, scoring_program: a}}
leaderboard:
  leaderboards: {RESULTS: {label: a, rank: 1}}
  columns: {a: {label: a, rank: 1, computed: {operation: Avg, fields: a}}}
"""
_PLACES = {
    "phases.1": "phases.N",
    "leaderboards.RESULTS": "leaderboards.KEY",
    "columns.a": "columns.KEY",
    "fact_sheet.a": "fact_sheet.KEY",
    "metrics.a": "metrics.KEY",
}
_ADVICE = re.compile(r"; (?:write )?(.*?)(?: here)?(?:, or remove the key)?$")
_LENGTH = re.compile(r"at most ([\d,]+) are allowed")
_INDEXES = "a list of indexes, such as [0]"
_WORDS = "a text, or a list of texts"
_BY_HAND = {  # keys that no single reader reads
    "phases[].tasks": _INDEXES,
    "solutions[].tasks": _INDEXES,
    "leaderboards": "a list of mappings",
    "phases[].leaderboard": "an index or key of `leaderboards`",
    "phases[].leaderboards": "indexes or keys of `leaderboards`, as a list",
    "leaderboards[].columns[].computation_indexes": _INDEXES,
    "leaderboard.columns.KEY.leaderboard": "an alias of one of `leaderboards`, or its label",
    "fact_sheet": "a mapping of questions",
    "fact_sheet.KEY.selection": "texts, as a list",
    "palio": "a mapping",
    "palio.feedback": "`exact`, `none`, `ladder`, `{rule: rounded, digits: 2}` or `{rule: ladder, step: 0.01}`",
    "palio.statistics.metrics": "metrics by column, such as `{dice: mean(dice)}`",
    "palio.blind.case": "a pattern such as `{case}_*.nii.gz`, or a list of patterns",
    "palio.tags.modality": _WORDS,
    "palio.tags.task": _WORDS,
    "palio.tags.body_part": _WORDS,
    "phases[].palio": "a mapping",
    "phases.N.palio": "a mapping",
}
_REQUIRED_BY_HAND = {"leaderboards", "phases[].tasks", "leaderboard", "leaderboard.columns", "html"}


@dataclass(frozen=True)
class RecordedKey:
    """`field` is dotted, `[]` stands for each element of a list. `unused` is why Palio does not use it, or empty.

    `reader` is dict and list for mappings and lists of mappings, None where no single reader reads it.
    """

    field: str
    is_required: bool
    reader: object
    default: object = None
    unused: str = ""

    @property
    def parent(self) -> str:
        return self.field.rpartition(".")[0]

    @property
    def key(self) -> str:
        return self.field.rpartition(".")[2]

    @property
    def is_by_hand(self) -> bool:
        """Whether `allowed` is written here, because no single reader tells it."""
        return self.field in _BY_HAND

    @property
    def allowed(self) -> str:
        """What may be written, in the words of the reader's own refusal."""
        if self.field in _BY_HAND:
            return _BY_HAND[self.field]
        if self.reader is dict:
            return "a mapping"
        if self.reader is list:
            return "a list of mappings"
        return _asked(self.reader) if callable(self.reader) else "a text"


class _Recorder(Findings):
    def __init__(self) -> None:
        super().__init__("")
        self.keys: dict[str, RecordedKey] = {}

    def note_key(self, field_name: str, reader: object, default: object, *, is_required: bool) -> None:
        field = re.sub(r"\[\d+\]", "[]", field_name)
        for written, shown in _PLACES.items():
            field = field.replace(written, shown)
        unused = reader if isinstance(reader, str) else ""
        known = self.keys.get(field)
        if known is None or known.reader is None or (known.unused and callable(reader)):
            required = is_required or (known is not None and known.is_required)
            self.keys[field] = RecordedKey(field, required, reader, default, unused)
        elif is_required:
            self.keys[field] = replace(known, is_required=True)


def codabench_keys() -> tuple[RecordedKey, ...]:
    """The keys of `version: 2`, with those of `palio:`."""
    return _recorded(CODABENCH, read_codabench)


def codalab_keys() -> tuple[RecordedKey, ...]:
    """The keys of versions 1 to 1.8, without those of `palio:`."""
    return _recorded(CODALAB, read_codalab)


def _recorded(example: str, read: Callable[[Section, Path], object]) -> tuple[RecordedKey, ...]:
    recorder = _Recorder()
    document = parse_bytes(example.encode(), recorder)
    assert document is not None  # noqa: S101 - it is ours
    with TemporaryDirectory() as root:  # what the example names is not there, which does not matter
        read(document.section(), Path(root).resolve())
    return tuple(
        replace(key, is_required=True) if key.field in _REQUIRED_BY_HAND else key
        for key in recorder.keys.values()
        if not key.field.startswith("html.")
    )


def _asked(reader: Callable[[Value], object]) -> str:
    """Shows an empty list to the reader, then a word, and returns what it asks for instead."""
    for content in ((), Scalar("\ufffd", "str")):
        findings = Findings("")
        try:
            reader(Value(findings, 1, "", content))
        except Refused as refusal:
            if match := _ADVICE.search(str(refusal)):
                most = _longest(reader) if match[1] == "a text" else None
                return f"a text of at most {most} characters" if most else match[1]
        for problem in findings.errors:
            if match := _ADVICE.search(problem.message):
                return match[1]
    return "a text"


def _longest(reader: Callable[[Value], object]) -> str | None:
    try:
        reader(Value(Findings(""), 1, "", Scalar("x" * 100_000, "str")))
    except Refused as refusal:
        match = _LENGTH.search(str(refusal))
        return match[1] if match else None
    return None
