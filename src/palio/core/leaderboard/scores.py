"""Reads what a scoring program wrote: finite numbers for the columns, or every reason why they cannot be used.

`scores.json` (an object) is preferred to `scores.txt` (lines of `key: value`). Programs written for CodaLab and
Codabench run unmodified, so every plain decimal number counts:

- Text such as "0.93" counts, as on Codabench. In scores.txt every value is text: 1e-3 is 0.001, 017 is 17 and yes is
  refused, while YAML would read a string, fifteen and true.
- true, null, nan, inf and 1_000 are not finite numbers, in either file.
- Values under keys that are not columns, nested ones included, are ignored and named in `Scores.ignored`.
- A column may be missing, because phases share columns and not every phase fills each of them. It then has no rank.
  At least one column is needed, and every one that the bundle declares `required`.
"""

import difflib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palio.core.bundle.model import Column
from palio.core.errors import PalioError, counted
from palio.core.files.log import harmless
from palio.core.files.untrusted import UnreadableFileError, read_untrusted

FILES = ("scores.json", "scores.txt")  # the first one found counts
LIMIT_BYTES = 1024**2

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SHOWN = 60  # characters quoted in a problem


@dataclass(frozen=True, eq=False)  # compares like any mapping
class Scores(Mapping[str, float]):
    """Finite numbers for columns that are not computed; `ignored` are the other keys of the file."""

    numbers: Mapping[str, float]
    ignored: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> float:
        return self.numbers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


class _Pairs(list[tuple[str, object]]):
    """A JSON object as it was written, so that repeated keys are found."""


def read_scores(folder: Path, columns: Sequence[Column]) -> Scores:
    """The scores in `folder`, the output of a scoring program, for the columns that are not computed.

    Raises PalioError "scores-missing" without either file, "scores-invalid" with all problems at once.
    """
    wanted = {column.key: column.required for column in columns if column.computation is None}
    for name in FILES:
        try:
            text = read_untrusted(folder / name, LIMIT_BYTES)
        except FileNotFoundError:
            continue
        except UnreadableFileError as error:
            raise _invalid(name, [f"{name} {error}"]) from error
        try:
            return _checked(name, _pairs(name, text), wanted)
        except UnreadableFileError as error:
            raise _invalid(name, [f"{name} {error}"]) from error
    raise PalioError("scores-missing", stage="score")


def _checked(name: str, pairs: Sequence[tuple[str, object]], wanted: Mapping[str, bool]) -> Scores:
    """`wanted` tells for the key of each column whether it is required."""
    found = dict(pairs)
    has_none = found.keys().isdisjoint(wanted)
    counts = Counter(key for key, _ in pairs)
    problems = [f"{_shown(key)}: repeated {count:,} times" for key, count in counts.items() if count > 1]
    numbers: dict[str, float] = {}
    for key, required in wanted.items():
        if key not in found:
            if required or has_none:
                problems.append(f"`{key}`: missing{_hint(key, found)}")
        elif (number := _number(found[key])) is None:
            problems.append(f"`{key}`: {_shown(found[key])} is not a finite number")
        else:
            numbers[key] = number
    if problems:
        raise _invalid(name, problems)
    return Scores(numbers, tuple(key for key in found if key not in numbers))


def _invalid(name: str, problems: Sequence[str]) -> PalioError:
    count = counted(len(problems), "problem")
    return PalioError("scores-invalid", stage="score", file=name, count=count, evidence=problems)


def _pairs(name: str, text: str) -> Sequence[tuple[str, object]]:
    # JSON is YAML too, and some programs write it to scores.txt.
    return _json_pairs(text) if name.endswith(".json") or text.lstrip().startswith("{") else _line_pairs(text)


def _json_pairs(text: str) -> _Pairs:
    try:
        # Integers are read as floats: `int` raises ValueError for one of more than 4,300 digits.
        value = json.loads(text, object_pairs_hook=_Pairs, parse_int=float)
    except RecursionError as error:
        raise UnreadableFileError("is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise UnreadableFileError(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    if not isinstance(value, _Pairs):
        raise UnreadableFileError('is not an object such as {"f1": 0.93}')
    return value


def _line_pairs(text: str) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        # Indented lines and list items belong to the value of the key above, which is then not a score.
        if line.strip() in {"", "---", "..."} or line[0] in " \t#-":
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise UnreadableFileError(f"has a line {number} other than `key: value`: {_shown(line)}")
        pairs.append((_unquoted(key), _unquoted(re.split(r"(?:^|\s)#", value, maxsplit=1)[0])))
    return pairs


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _number(value: object) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    return value if isinstance(value, float) and math.isfinite(value) else None


def _hint(key: str, found: Mapping[str, object]) -> str:
    others = {other.casefold(): other for other in list(found)[:1000]}
    close = difflib.get_close_matches(key.casefold(), others, n=1)
    return f"; did you mean {_shown(others[close[0]])}?" if close else ""


def _shown(value: object) -> str:
    """Outside text quoted in a sentence: one line, safe for a terminal, shortened."""
    if isinstance(value, list):
        return "an object" if isinstance(value, _Pairs) else "a list"
    text = value if isinstance(value, str) else json.dumps(value)
    text = harmless(text.encode("utf-8", "replace")).replace("\n", " ")
    return f"`{text}`" if len(text) <= _SHOWN else f"`{text[: _SHOWN - 1]}…`"
