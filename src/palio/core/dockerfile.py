"""Reads a Dockerfile: its instructions with their lines, their words, and the variables in them.

Covered: comments, line continuations, the `escape` directive, flags, both forms of commands, quotes, and the
variable forms $X, ${X}, ${X:-d}, ${X-d}, ${X:+d} and ${X+d}.
Not covered, and refused: here-documents. `# syntax=` names a frontend that nothing here would run, and is ignored.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HEREDOC = re.compile(r"(?:^|\s)\d?<<-?[\"']?[A-Za-z_]")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])((?:[^{}]|\{[^}]*\})*))?\})")
_TAKES_FLAGS = ("FROM", "ADD", "COPY", "RUN", "HEALTHCHECK")


class DockerfileError(Exception):
    """What is wrong, and in which instruction, if one can be named."""

    def __init__(self, reason: str, instruction: "Instruction | None" = None) -> None:
        super().__init__(reason)
        self.reason, self.instruction = reason, instruction


@dataclass(frozen=True)
class Instruction:
    line: int  # where it begins, from 1
    keyword: str  # in capitals
    flags: Mapping[str, str]
    rest: str  # what follows keyword and flags, in one line
    escape: str = "\\"

    def __str__(self) -> str:
        flags = "".join(f"--{name}={value} " for name, value in self.flags.items())
        text = f"{self.keyword} {flags}{self.rest}"
        return f"line {self.line} ({text if len(text) <= 120 else text[:119] + '…'})"


def parse(text: str) -> list[Instruction]:
    lines = text.removeprefix("\ufeff").splitlines()
    escape = _escape(lines)
    instructions: list[Instruction] = []
    begin, pieces = 0, list[str]()
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped.startswith("#") or not stripped:
            continue  # within a continued instruction too
        if not pieces:
            begin = number
        if continued := stripped.endswith(escape):
            stripped = stripped[:-1]
        pieces.append(stripped)
        if not continued:
            instructions.append(_instruction(begin, " ".join(pieces), escape))
            pieces = []
    if pieces:
        instructions.append(_instruction(begin, " ".join(pieces), escape))
    return instructions


def _escape(lines: list[str]) -> str:
    """Directives are comments before everything else; the first line that is none ends them."""
    for line in lines:
        if not (match := _DIRECTIVE.match(line.strip())):
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


def _instruction(line: int, text: str, escape: str) -> Instruction:
    keyword, _, rest = text.partition(" ")
    keyword, rest = keyword.upper(), rest.strip()
    flags: dict[str, str] = {}
    while keyword in _TAKES_FLAGS and (match := _FLAG.match(rest)):
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    instruction = Instruction(line, keyword, flags, rest, escape)
    if keyword in ("RUN", "COPY", "ADD") and _HEREDOC.search(rest):
        raise DockerfileError("here-documents (<<EOF) are not read by this engine; use a file instead", instruction)
    return instruction


def words(instruction: Instruction, variables: Mapping[str, str]) -> list[str]:
    """The words of the instruction, or the strings of its JSON form, with variables filled in."""
    if (listed := json_form(instruction.rest)) is not None:
        return [_expand(word, variables, instruction, split=False)[0] for word in listed]
    return _expand(instruction.rest, variables, instruction, split=True)


def value(text: str, instruction: Instruction, variables: Mapping[str, str]) -> str:
    """`text` as one value: quotes taken off, variables filled in."""
    return _expand(text, variables, instruction, split=False)[0]


def json_form(text: str) -> list[str] | None:
    """`["a", "b"]` as a list, or None if it is not of that form."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def _expand(text: str, variables: Mapping[str, str], instruction: Instruction, *, split: bool) -> list[str]:
    """One pass over quotes, escapes and variables, as a shell would make it; what a variable holds is not split."""
    found: list[str] = []
    word: str | None = None if split else ""
    quote, place = "", 0
    while place < len(text):
        character = text[place]
        place += 1
        if quote == "'":
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character == instruction.escape and place < len(text):
            if quote and text[place] not in f'"${instruction.escape}':
                word = (word or "") + character
            word = (word or "") + text[place]
            place += 1
        elif character == "$" and (match := _VARIABLE.match(text, place - 1)):
            content = _filled(match, variables, instruction)
            word = (word or "") + content if content else word  # nothing is no word, unless quoted
            place = match.end()
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote, word = character, word or ""
        elif character in " \t" and split and not quote:
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + character
    if quote:
        raise DockerfileError(f"a quote ({quote}) is not closed", instruction)
    return found if word is None else [*found, word]


def _filled(match: re.Match[str], variables: Mapping[str, str], instruction: Instruction) -> str:
    plain, name, operator, alternative = match.groups()
    content = variables.get(plain or name)
    if not operator:
        return content or ""
    given = bool(content) if operator.startswith(":") else content is not None
    if operator.endswith("-"):
        return (content or "") if given else value(alternative, instruction, variables)
    return value(alternative, instruction, variables) if given else ""
