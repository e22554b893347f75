"""Redacts a scoring program's messages about predictions for the attempt's participant.

Hidden files are named by the opaque names that the container saw, or numbered. Names stay as they are if the data is
public and was not blind, or if the participant submitted them. Names that a submission itself wrote next to its opaque
names get neither, because that would reveal which is which.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from palio.core.attempt.jobs import METADATA, Attempt
from palio.core.attempt.prepared import Prepared
from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.contents import contents_of
from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.quantities import MIB
from palio.core.redaction.hidden_names import (
    ITSELF,
    MASK,
    NUMBERED,
    SOME_FILE,
    WITHHELD,
    HiddenNames,
    first_words,
    label_words,
    names_in,
    reference_texts,
    replacements,
    stands_in,
)

_OWN_BYTES = 4 * MIB  # of the predictions; the rest is not searched


def without_hidden(
    sentences: Sequence[str], attempt: Attempt, folder: RunFolder, prepared: Prepared
) -> tuple[str, ...]:
    """The messages with hidden names replaced. Requires the attempt's .work."""
    try:
        hidden = _hidden_names(sentences, attempt, folder, prepared)
        return hidden.masked(sentences) if hidden else tuple(sentences)
    except (OSError, ValueError, csv.Error, UnreadableFileError, PalioError):  # data that is missing or unfit
        return (WITHHELD,) * len(sentences)


def _hidden_names(
    sentences: Sequence[str], attempt: Attempt, folder: RunFolder, prepared: Prepared
) -> HiddenNames | None:
    rules, task = attempt.phase.rules, attempt.task
    names = prepared.names(f"predict-in{attempt.part}") if rules.blind else None
    if rules.data == "public" and names is None:
        return None
    texts = reference_texts(prepared.unzipped("reference_data", task.reference_data, attempt.part))
    opaque = {real: name for name, real in names.real.items() if real != name} if names else {}
    if task.input_data is None:  # participants must have received the inputs with their names
        said = dict.fromkeys(first_words(texts or []), ITSELF)
    else:
        real = names.real.values() if names else contents_of(task.input_data).names
        said = replacements(real, lambda path: _said(path, opaque), names.hidden if names else {})
    labels = None if texts is None else label_words(texts, said)
    found = names_in(sentences, said)
    if names is not None or attempt.submission.kind is SubmissionKind.RESULTS:
        written = list(_written(folder, attempt, is_blind=names is not None))
        instead = ITSELF if names is None else SOME_FILE
        own = [name for name in found if any(stands_in(name, text) for text in written)]
        said |= {name: instead for name in own if names is None or said[name] != MASK}
    return HiddenNames(said, labels, places=names is not None)


def _said(real: str, opaque: Mapping[str, str]) -> tuple[str, str, str]:
    """How to refer to a hidden file, as path, base name and stem: by its opaque name, else a number."""
    if real in opaque:
        name = PurePosixPath(opaque[real])
        return str(name), name.name, name.name.partition(".")[0] or name.name
    return (NUMBERED + real,) * 3


def _written(folder: RunFolder, attempt: Attempt, *, is_blind: bool) -> Iterator[str]:
    """The text of the predictions in lower case, without the names that the platform restored."""
    policy = attempt.phase.rules.blind
    restored: Mapping[str, str] = {restore.csv: restore.column for restore in policy.restore} if policy else {}
    room = _OWN_BYTES
    predictions = attempt.predictions(folder)
    for path in sorted(predictions.rglob("*")):
        if not path.is_file() or path == predictions / METADATA:
            continue
        with open_untrusted(path) as file:
            content = file.read(room)
        room -= len(content)
        text = content.decode("utf-8-sig", "replace")
        column = restored.get(path.relative_to(predictions).as_posix()) if is_blind else None
        yield (text if column is None else _other_columns(text, column)).lower()


def _other_columns(text: str, column: str) -> str:
    rows = list(csv.reader(text.splitlines()))
    at = rows[0].index(column) if rows and column in rows[0] else -1
    return "\n".join(field for row in rows for number, field in enumerate(row) if number != at)
