"""Untrusted file name patterns, matched in time proportional to their length.

`*` and `?` match within a name, `[a-z]` and `[^a-z]` match one character of it, `**` spans folders (`**/` also none),
and `\\` escapes the next character, as in Go's filepath.Match and Docker's .dockerignore. All patterns are matched at
once by tracking every possible state, one character at a time, without backtracking.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_CHARACTERS = 1024  # of one pattern
MOST_TOGETHER = 16_384  # of all patterns that are matched at once
MOST_RANGES = 1000  # characters and ranges in the [ ] of all patterns that are matched at once
MOST_WORK = 2 * 10**10  # characters of names times characters of patterns: about 20 s
_CHARACTER_WORK = 1000  # the cost of one more character of a name, however few the patterns
_LITERAL, _ONE, _CLASS, _STAR, _ANY, _FOLDERS, _END = range(7)


class PatternError(ValueError):
    """Why a pattern is invalid, as a clause about it."""


@dataclass(frozen=True)
class _Token:
    kind: int
    literal: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def has(self, character: str) -> bool:
        """Whether a class contains the character."""
        return any(low <= character <= high for low, high in self.ranges) != self.negated


class Globs:
    """Patterns as one automaton. Bit N of a state says that the text so far matches everything before token N."""

    def __init__(self, patterns: Sequence[str], *, negations: str = "^") -> None:
        """`negations`: the characters that negate a class. Raises PatternError."""
        self._tokens: list[_Token] = []
        first: list[int] = []
        self._ends: list[int] = []
        for pattern in patterns:
            first.append(len(self._tokens))
            self._tokens += _tokens(pattern, negations)
            self._ends.append(len(self._tokens))
            self._tokens.append(_Token(_END))
            if len(self._tokens) > MOST_TOGETHER:
                raise PatternError(f"is one too many: together they have more than {MOST_TOGETHER:,} characters")
        places = defaultdict[int, list[int]](list)
        literals = defaultdict[str, list[int]](list)
        for number, token in enumerate(self._tokens):
            places[token.kind].append(number)
            if token.kind == _LITERAL:
                literals[token.literal].append(number)
        self._classes = [(number, self._tokens[number]) for number in places[_CLASS]]
        ranges = [pair for _, token in self._classes for pair in token.ranges]
        if len(ranges) > MOST_RANGES:
            raise PatternError(f"is one too many: together they have more than {MOST_RANGES:,} ranges in [ ]")
        # Between two of these code points, all characters are equal to every class.
        self._borders = sorted({point for low, high in ranges for point in (ord(low), ord(high) + 1)})
        self._alike: dict[int, int] = {}
        self._literals = {character: _bits(numbers) for character, numbers in literals.items()}
        self._one, self._accepting = _bits(places[_ONE]), _bits(self._ends)
        self._within, self._any, self._folders = (_bits(places[kind]) for kind in (_STAR, _ANY, _FOLDERS))
        self._skipped, self._across = self._within | self._any, self._any | self._folders
        self._taking = {"/": self._literals.get("/", 0) | self._folders}
        begin = _bits(first)
        self.start = self._closed(begin, entered=begin)

    def __len__(self) -> int:
        return len(self._tokens)

    def after(self, state: int, text: str) -> int:
        """The state after `text`; 0 if no pattern can match any more."""
        for character in text:
            if not state:
                break
            if (taking := self._taking.get(character)) is None:
                taking = self._taking[character] = self._literals.get(character, 0) | self._of_classes(character)
            moved = (state & taking) << 1
            stay = self._across if character == "/" else self._across | self._within
            state = self._closed(moved | (state & stay), entered=moved)
        return state

    def accepted(self, state: int) -> int:
        """The ends of patterns in `state`."""
        return state & self._accepting

    def number_of(self, end: int) -> int:
        """The pattern that ends at the highest bit of `end`."""
        return bisect_left(self._ends, end.bit_length() - 1)

    def numbers_of(self, ends: int) -> list[int]:
        """The patterns that end at the bits of `ends`, in order."""
        return [number for number, end in enumerate(self._ends) if ends >> end & 1]

    def match(self, text: str) -> bool:
        """Whether any pattern matches all of `text`."""
        return bool(self.after(self.start, text) & self._accepting)

    def _closed(self, state: int, entered: int) -> int:
        """Adds the states that are reached without a character. `**/` matches nothing only where it has just begun."""
        while True:
            reached = ((state & self._skipped) << 1) | ((entered & self._folders) << 1)
            if not (fresh := reached & ~state):
                return state
            state, entered = state | fresh, fresh

    def _of_classes(self, character: str) -> int:
        """The tokens other than literals that match this character, which is not a slash."""
        between = bisect_right(self._borders, ord(character))
        if (found := self._alike.get(between)) is None:
            found = self._one | _bits([number for number, token in self._classes if token.has(character)])
            self._alike[between] = found
        return found


def _bits(numbers: Sequence[int]) -> int:
    """Takes time proportional to the highest number only."""
    if not numbers:
        return 0
    digits = bytearray(b"0" * (max(numbers) + 1))
    for number in numbers:
        digits[-1 - number] = 0x31
    return int(digits, 2)


def glob(pattern: str, *, negations: str = "^") -> Globs:
    return Globs([pattern], negations=negations)


def literal(text: str) -> str:
    """The pattern that matches only `text`."""
    return "".join(f"\\{character}" if character in "\\*?[" else character for character in text)


class TooMuchWorkError(Exception):
    """Matching so many patterns and names would take minutes."""


class PathMatcher:
    """Finds the patterns that match a path or a parent folder. Consecutive paths share the work on folders."""

    def __init__(self, globs: Globs) -> None:
        self._globs = globs
        self._parts: list[str] = []
        self._states = [(globs.start, 0)]  # per folder of the last path: the state, and the ends met so far
        self._work = 0

    def ends(self, path: str) -> int:
        """The ends of all matching patterns, for `Globs.number_of`. Raises TooMuchWorkError."""
        parts = path.split("/")
        shared = 0
        while shared < min(len(parts), len(self._parts)) and parts[shared] == self._parts[shared]:
            shared += 1
        del self._states[shared + 1 :]
        self._parts = parts
        for part in parts[shared:]:
            state, met = self._states[-1]
            text = part if len(self._states) == 1 else f"/{part}"
            if state:
                self._work += len(text) * (len(self._globs) + _CHARACTER_WORK)
                if self._work > MOST_WORK:
                    raise TooMuchWorkError
            state = self._globs.after(state, text)
            self._states.append((state, met | self._globs.accepted(state)))
        return self._states[-1][1]


def _tokens(pattern: str, negations: str) -> Iterator[_Token]:
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"has {len(pattern):,} characters; at most {MOST_CHARACTERS:,} are allowed")
    place, last = 0, -1
    while place < len(pattern):
        character = pattern[place]
        if character == "*":
            end = place
            while pattern.startswith("*", end):
                end += 1
            kind = _STAR if end == place + 1 else _ANY if end == len(pattern) else _FOLDERS
            place = end + 1 if kind == _FOLDERS and pattern.startswith("/", end) else end
            if kind != _FOLDERS or last != _FOLDERS:  # `**/**/` equals `**/`
                yield _Token(kind)
            last = kind
            continue
        if character == "[":
            token, place = _class(pattern, place + 1, negations)
        elif character == "?":
            token, place = _Token(_ONE), place + 1
        else:
            character, place = _plain(pattern, place)
            token = _Token(_LITERAL, character)
        last = token.kind
        yield token


def _class(pattern: str, place: int, negations: str) -> tuple[_Token, int]:
    negated = pattern[place : place + 1] in tuple(negations)
    place += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and pattern.startswith("]", place)):
        if pattern[place : place + 1] in ("", "]", "-"):
            raise PatternError("has a [ that is not closed by ], or nothing between them")
        low, place = _plain(pattern, place)
        high = low
        if pattern.startswith("-", place):
            if pattern[place + 1 : place + 2] in ("", "]", "-"):
                raise PatternError("has a - in [ ] without a character on each side; write \\- for a literal -")
            high, place = _plain(pattern, place + 1)
        if low > high:
            raise PatternError(f"has the range {low}-{high}, which is empty")
        ranges.append((low, high))
    return _Token(_CLASS, ranges=tuple(ranges), negated=negated), place + 1


def _plain(pattern: str, place: int) -> tuple[str, int]:
    """A literal character and the position after it."""
    if pattern[place] != "\\":
        return pattern[place], place + 1
    if place + 1 == len(pattern):
        raise PatternError("ends with a backslash, which must be followed by a character")
    return pattern[place + 1], place + 2
