"""Removes the names of hidden files, and their labels, from messages written by a scoring program.

Covered: the path, folders, base name and stem of each hidden input, and the name of its case, as spelled, in any case,
unless adjacent to letters or digits; and in a sentence that has one, every word that appears in the reference data next
to any hidden name. Not only next to that file's name: a gap in a list of all classes would reveal which one is right.
If names are blind, line and row numbers too, because rows are sorted by real names.

Not covered: sentences with labels that name no file; names that a program shortens, escapes or composes; labels in
files that are not text; the order of lists in a sentence. Careful scoring programs name no hidden files.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.files.digest import files_below
from palio.core.quantities import MIB

SOME_FILE = "(a hidden file)"
NUMBERED = "\0"  # begins a replacement that becomes "(hidden file 1)", numbered by first mention
ITSELF = ""  # in place of a replacement: the name may stay, but the sentence still counts as being about a hidden file
MASK = "…"
WITHHELD = "(This message names hidden files. Only the organizer can read it.)"
LIMIT_BYTES = 16 * MIB

_TEXTS = {".csv", ".tsv", ".txt", ".json", ".jsonl"}
_WORD = re.compile(r"\w+(?:[.+\-]\w+)*")
_FIELDS = re.compile(r"[,;|\t]")
_PLACE = re.compile(
    r"\b(lines?|rows?|records?|index|indices)(?:\s*(?:no\.?|number|and|to|[#,:–-])?\s*\d+)+", re.IGNORECASE
)


@dataclass(frozen=True)
class HiddenNames:
    """`names` maps hidden names in lower case to replacements. `labels` are words in lower case, or None if there is
    more reference data than can be read, so that no sentence about a hidden file can be shown.
    """

    names: Mapping[str, str]
    labels: frozenset[str] | None
    places: bool = False  # whether line and row numbers reveal something

    def masked(self, sentences: Sequence[str]) -> tuple[str, ...]:
        pattern = _pattern(names_in(sentences, self.names))
        numbers: dict[str, int] = {}
        return tuple(self._masked(sentence, pattern, numbers) for sentence in sentences)

    def _masked(self, sentence: str, pattern: re.Pattern[str] | None, numbers: dict[str, int]) -> str:
        if sentence.endswith(MASK):  # cut to its length, perhaps within a name
            sentence = re.sub(r"\S*$", MASK, sentence, count=1)
        if self.places:
            sentence = _PLACE.sub(rf"\1 {MASK}", sentence)
        found = list(pattern.finditer(sentence)) if pattern else []
        if found and self.labels is None:
            return WITHHELD
        parts, end = [], 0
        for match in found:
            said = self.names.get(match[0].lower(), SOME_FILE)
            if said.startswith(NUMBERED):
                said = f"(hidden file {numbers.setdefault(said, len(numbers) + 1)})"
            parts += [self._without_labels(sentence[end : match.start()]), match[0] if said == ITSELF else said]
            end = match.end()
        return "".join([*parts, self._without_labels(sentence[end:]) if found else sentence])

    def _without_labels(self, text: str) -> str:
        labels = self.labels or frozenset()
        return _WORD.sub(lambda match: match[0] if labels.isdisjoint(_with_parts(match[0])) else MASK, text)


def names_in(sentences: Sequence[str], names: Iterable[str]) -> list[str]:
    """A fast first filter: the names that may be in the sentences. Works for tens of thousands."""
    text = "\n".join(sentences).lower()
    return [name for name in names if name in text]


def replacements(
    real: Iterable[str], said: Callable[[str], tuple[str, str, str]], tokens: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Maps each spelling of each hidden path to its replacement. `said` returns those of path, base name and stem.

    `tokens` maps opaque texts to the parts of names in whose place they stand, such as the names of cases; these are
    replaced, too. Without tokens, folders are, unless all files are in them. A spelling shared by two files gets a
    replacement that fits both. A name that is a plain number is always masked, because a count that turned into an
    opaque name would reveal whose it is.
    """
    names: dict[str, str] = {}

    def add(spelling: str, replacement: str) -> None:
        key = spelling.lower()
        new = MASK if key.isdecimal() and not key.startswith("0") else replacement
        names[key] = new if names.setdefault(key, new) == new else SOME_FILE

    paths = list(real)
    for token, text in (tokens or {}).items():
        add(text, token)
    hidden = frozenset(names)
    for path in paths:
        for_path, for_base, for_stem = said(path)
        base = PurePosixPath(path).name
        for spelling, replacement in (
            dict.fromkeys(_stems(base), for_stem) | {base: for_base} | {path: for_path}
        ).items():
            if spelling.lower() not in hidden:
                add(spelling, replacement)
    if not tokens:
        for folder in _own_folders(paths):
            add(folder, NUMBERED + folder)
            add(PurePosixPath(folder).name, NUMBERED + folder)
    return names


def _own_folders(paths: Sequence[str]) -> set[str]:
    """The folders that some of the files are in, but not all."""
    counts = Counter(str(above) for path in paths for above in PurePosixPath(path).parents)
    return {folder for folder, count in counts.items() if count < len(paths)}


def reference_texts(reference: Path) -> list[list[str]] | None:
    """The lines, in lower case, of each text file below `reference`; None if there are more than LIMIT_BYTES."""
    texts, room = [], LIMIT_BYTES
    for name, path in files_below(reference):
        if PurePosixPath(name).suffix.lower() in _TEXTS:
            with path.open("rb") as file:
                content = file.read(room + 1)
            room -= len(content)
            if room < 0:
                return None
            texts.append(content.decode("utf-8-sig", "replace").lower().splitlines())
    return texts


def label_words(texts: Iterable[Sequence[str]], names: Collection[str]) -> frozenset[str]:
    """Every word in a line with one of the names."""
    known = frozenset(names)
    return frozenset(word for lines in texts for line in lines for word in _words_next_to(line, known))


def first_words(texts: Iterable[Sequence[str]]) -> frozenset[str]:
    """The first field of each line but the first: the names of cases if there are no input files."""
    return frozenset(_fields(line)[0] for lines in texts for line in lines[1:]) - {""}


def stands_in(name: str, text: str) -> bool:
    """Whether the name, in lower case like the text, is a word of it. Gives up on a text full of near misses."""
    at = -1
    for _ in range(1000):
        if (at := text.find(name, at + 1)) < 0:
            return False
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
    return False


def _fields(line: str) -> list[str]:
    return [field.strip(" \"'") for field in _FIELDS.split(line)]


def _words_next_to(line: str, names: frozenset[str]) -> set[str]:
    fields = _fields(line)
    if names.isdisjoint(fields) and names.isdisjoint(_WORD.findall(line)):
        return set()
    others = (word for field in fields if field not in names for word in _WORD.findall(field) if word not in names)
    return {part for word in others for part in _with_parts(word)}


def _with_parts(word: str) -> set[str]:
    return {word.lower(), *re.split(r"[.+\-_]", word.lower())} - {""}


def _stems(base: str) -> set[str]:
    stems: set[str] = set()
    while (stem := PurePosixPath(base).stem) != base:
        stems.add(stem)
        base = stem
    return stems


def _pattern(names: Sequence[str]) -> re.Pattern[str] | None:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(_bounded, longest_first)), re.IGNORECASE) if names else None


def _bounded(name: str) -> str:
    if name.isdecimal():  # not within 1,000 and 0.1
        return rf"(?<![^\W_])(?<!\d\.){'(?<!,)' if len(name) == 3 else ''}{name}(?![^\W_])(?!\.\d)(?!,\d{{3}}(?!\d))"
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
