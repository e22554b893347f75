"""Splits the text of an instruction into words and expands its variables, as a shell would.

Covered: quotes, backslashes, $X, ${X}, and ${X:-d}, ${X-d}, ${X:+d}, ${X+d}, ${X:?why}, ${X?why}. Values of variables
are not expanded again. Each character is read once, nesting and the length of the result are limited, and the result is
a PlainWord.
"""

import re
from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder

from palio.core.dockerfile.read import DockerfileError, Instruction
from palio.core.plain_words import MOST_CHARACTERS, PlainWord, UnfitWordError

Lookup = Callable[[str], str | None]  # of a variable, by name

_MOST_NESTING = 16
_PLAIN = re.compile(r"[^\\$'\"}]+")
_NAME = re.compile(r"[^\W\d]\w*|[0-9@*#?$!-]")
_OPERATOR = re.compile(r":?[-+?]")
_RAW_WORD = re.compile(r"(?:[^ \t'\"\\]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+")
_JSON = JSONDecoder()  # only used for strings, which it decodes without recursion
_LISTS_IN_LISTS = re.compile(r"\[[ \t]*\[[ \t]*\[")


def value(text: str, lookup: Lookup, instruction: Instruction) -> PlainWord:
    """Returns `text` as one value, without quotes and with variables expanded."""
    return plain(_Reader(text, lookup, instruction).read("", 0), instruction)


def plain(text: str, instruction: Instruction, what: str = "") -> PlainWord:
    """Returns `text` as a PlainWord. `what` names it in the error."""
    try:
        return PlainWord(text)
    except UnfitWordError as error:
        raise DockerfileError(f"{what or 'a word'} is invalid: {error.reason}", instruction) from None


def separate(text: str) -> list[str]:
    """Splits at spaces and tabs, ignoring quotes."""
    return text.replace("\t", " ").split()


def raw_words(instruction: Instruction) -> list[str]:
    """Splits into words without removing quotes or expanding variables. White space in quotes does not split."""
    text, found, place = instruction.rest, list[str](), 0
    while True:
        while place < len(text) and text[place] in " \t":
            place += 1
        if place == len(text):
            return found
        if not (match := _RAW_WORD.match(text, place)) or (match.end() < len(text) and text[match.end()] not in " \t"):
            raise DockerfileError("a quote is not closed", instruction)
        found.append(match[0])
        place = match.end()


def json_form(instruction: Instruction, text: str | None = None) -> list[PlainWord] | None:
    """Parses `["a", "b"]`; returns None for any other form. Does not expand variables."""
    text = instruction.rest if text is None else text
    if not text.startswith("["):
        return None
    if _LISTS_IN_LISTS.match(text):
        raise DockerfileError("it has nested lists; write one list of strings", instruction)
    found, place = list[str](), _after_space(text, 1)
    try:
        while not (text.startswith("]", place) and not found):
            if not text.startswith('"', place):
                return None
            word, place = _JSON.raw_decode(text, place)
            found.append(word)
            place = _after_space(text, place)
            if text.startswith("]", place):
                break
            if not text.startswith(",", place):
                return None
            place = _after_space(text, place + 1)
    except JSONDecodeError:
        return None
    if text[place + 1 :].strip(" \t"):
        raise DockerfileError("there is text after the list, which builders interpret differently", instruction)
    return [plain(word, instruction, "a string of the list") for word in found]


def _after_space(text: str, place: int) -> int:
    while text.startswith((" ", "\t"), place):
        place += 1
    return place


class _Reader:
    """Reads one text in a single pass."""

    def __init__(self, text: str, lookup: Lookup, instruction: Instruction) -> None:
        self._text, self._lookup, self._instruction = text, lookup, instruction
        self._place = self._size = 0

    def read(self, stop: str, depth: int) -> str:
        """Reads up to `stop`, or to the end if it is empty."""
        if depth > _MOST_NESTING:
            raise self._error(f"variables are nested more than {_MOST_NESTING} deep")
        pieces: list[str] = []
        while self._place < len(self._text):
            if match := _PLAIN.match(self._text, self._place):
                self._place = match.end()
                self._add(pieces, match[0])
                continue
            character = self._next()
            if character == stop:
                return "".join(pieces)
            if character == "'":
                end = self._text.find("'", self._place)
                if end < 0:
                    raise self._error("a quote (') is not closed")
                self._add(pieces, self._text[self._place : end])
                self._place = end + 1
            elif character == '"':
                self._double_quoted(pieces, depth)
            elif character == "$":
                self._add(pieces, self._variable(depth))
            elif character == "\\" and self._place < len(self._text):
                self._add(pieces, self._next())
            elif character != "\\":
                self._add(pieces, character)
        if stop:
            raise self._error("a ${ is not closed by }")
        return "".join(pieces)

    def _double_quoted(self, pieces: list[str], depth: int) -> None:
        while self._place < len(self._text):
            character = self._next()
            if character == '"':
                return
            if character == "$":
                self._add(pieces, self._variable(depth))
            elif character == "\\" and self._text[self._place : self._place + 1] in ('"', "$", "\\"):
                self._add(pieces, self._next())
            else:
                self._add(pieces, character)
        raise self._error('a quote (") is not closed')

    def _variable(self, depth: int) -> str:
        """Reads what follows a dollar sign."""
        braced = self._text.startswith("{", self._place)
        match = _NAME.match(self._text, self._place + braced)
        if not match:
            if braced:
                raise self._error("${ needs the name of a variable")
            return "$"
        name, self._place = match[0], match.end()
        content = self._lookup(name)
        if not braced:
            return content or ""
        if self._text.startswith("}", self._place):
            self._place += 1
            return content or ""
        if not (operator := _OPERATOR.match(self._text, self._place)):
            raise self._error(f"${{{name}…}} needs :-, -, :+, +, :? or ? after the name")
        self._place = operator.end()
        alternative = self.read("}", depth + 1)
        given = bool(content) if operator[0].startswith(":") else content is not None
        match operator[0][-1]:
            case "+":
                return alternative if given else ""
            case "-":
                return (content or "") if given else alternative
        if not given:
            raise self._error(f"the variable {name} is not set: {alternative or 'it is required'}")
        return content or ""

    def _next(self) -> str:
        self._place += 1
        return self._text[self._place - 1]

    def _add(self, pieces: list[str], text: str) -> None:
        self._size += len(text)
        if self._size > MOST_CHARACTERS:
            raise self._error(f"it has more than {MOST_CHARACTERS:,} characters after variables are expanded")
        pieces.append(text)

    def _error(self, reason: str) -> DockerfileError:
        return DockerfileError(reason, self._instruction)
