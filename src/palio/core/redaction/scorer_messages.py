"""What a scoring program said about predictions, as the participant of that attempt may read it.

Hidden files get the opaque names that this attempt's container saw, or numbers of their own. Names are left as they are
where data is public and was not blind, and where the participant handed them in. What a submission wrote itself beside
its opaque names gets neither: it must not be told that way which of them is which.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from palio.core.attempt.jobs import Attempt
from palio.core.attempt.prepared import Prepared
from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.contents import contents_of
from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.quantities import MIB
from palio.core.redaction.hidden_names import (
    ITSELF,
    KEPT_BACK,
    MASK,
    NUMBERED,
    SOME_FILE,
    HiddenWords,
    first_words,
    label_words,
    names_in,
    reference_texts,
    replacements,
    stands_in,
)

_OWN_BYTES = 4 * MIB  # of the predictions; what lies beyond is not looked through


def without_hidden(
    sentences: Sequence[str], attempt: Attempt, folder: RunFolder, prepared: Prepared
) -> tuple[str, ...]:
    """The sentences, each with what is hidden replaced; while the attempt's .work is there."""
    try:
        words = _hidden_words(sentences, attempt, folder, prepared)
        return words.masked(sentences) if words else tuple(sentences)
    except (OSError, ValueError, csv.Error, UnreadableFileError, PalioError):  # data that is gone or unfit
        return (KEPT_BACK,) * len(sentences)


def _hidden_words(
    sentences: Sequence[str], attempt: Attempt, folder: RunFolder, prepared: Prepared
) -> HiddenWords | None:
    rules, task = attempt.phase.rules, attempt.task
    names = prepared.names("predict-in") if rules.blind else None
    if rules.data == "public" and names is None:
        return None
    texts = reference_texts(prepared.unzipped("reference_data", task.reference_data))
    opaque = {real: name for name, real in names.real.items() if real != name} if names else {}
    if task.input_data is None:  # who predicts must have got the inputs, and their names with them
        said = dict.fromkeys(first_words(texts or []), ITSELF)
    else:
        real = names.real.values() if names else contents_of(task.input_data).names
        said = replacements(real, lambda path: _said(path, opaque))
    labels = None if texts is None else label_words(texts, said)
    found = names_in(sentences, said)
    if names is not None or attempt.submission.kind is SubmissionKind.RESULTS:
        written = list(_written(folder, attempt, is_blind=names is not None))
        instead = ITSELF if names is None else SOME_FILE
        own = [name for name in found if any(stands_in(name, text) for text in written)]
        said |= {name: instead for name in own if names is None or said[name] != MASK}
    return HiddenWords(said, labels, places=names is not None)


def _said(real: str, opaque: Mapping[str, str]) -> tuple[str, str, str]:
    """How a hidden file is spoken of, as path, base name and stem: by its opaque name, else by a number."""
    if real in opaque:
        name = PurePosixPath(opaque[real])
        return str(name), name.name, name.stem
    return (NUMBERED + real,) * 3


def _written(folder: RunFolder, attempt: Attempt, *, is_blind: bool) -> Iterator[str]:
    """What stands in the predictions, in lower case, without the names that the platform has put back."""
    policy = attempt.phase.rules.blind
    restored: Mapping[str, str] = {restore.csv: restore.column for restore in policy.restore} if policy else {}
    room = _OWN_BYTES
    for path in sorted(folder.predictions.rglob("*")):
        if not path.is_file() or path == folder.predictions / "metadata":
            continue
        with open_untrusted(path) as file:
            content = file.read(room)
        room -= len(content)
        text = content.decode("utf-8-sig", "replace")
        column = restored.get(path.relative_to(folder.predictions).as_posix()) if is_blind else None
        yield (text if column is None else _other_columns(text, column)).lower()


def _other_columns(text: str, column: str) -> str:
    rows = list(csv.reader(text.splitlines()))
    at = rows[0].index(column) if rows and column in rows[0] else -1
    return "\n".join(field for row in rows for number, field in enumerate(row) if number != at)
