"""Reads a Dockerfile into instructions with line numbers.

All engines share this reading. Where builders differ (Unicode line ends, white space other than spaces and tabs,
several backslashes at the end of a line, other escape characters, quoted flags, here-documents), the file is refused
with the line. Comments, line continuations, byte order marks and Windows line ends are read as Docker reads them. `#
syntax=` and `# check=` are treated as comments: no frontend is run.

Limited: the size of the file, the number of instructions and the length of each. instruction_words.py checks the
arguments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.quantities import MIB

MOST_BYTES = MIB  # of a Dockerfile or .dockerignore
MOST_INSTRUCTIONS = 1000
MOST_LINE_BYTES = 65_535  # of an instruction with its continuation lines; Docker's own limit
_SHOWN = 120
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_ESCAPE_DIRECTIVE = re.compile(r"#[ \t]*escape[ \t]*=(?![ \t]*\\[ \t]*$)", re.IGNORECASE)
_KEYWORD = re.compile(r"[A-Za-z]+(?=[ \t]|$)")
_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?:=([^\s'\"\\]*))?(?:[ \t]+|$)")
_HEREDOC = re.compile(r"(?:^|[ \t])[0-9]*<<-?[^<\s]")
# Control characters except the tab, surrogates, and white space that some readers do not treat as a plain space.
_UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff\ufeff]")
_NAMED = {"\0": "NUL", "\r": "a carriage return"}


class DockerfileError(Exception):
    """What is wrong and where, with the instruction if known."""

    def __init__(self, reason: str, instruction: "Instruction | None" = None, where: str = "the Dockerfile") -> None:
        super().__init__(reason)
        self.reason, self.instruction = reason, instruction
        self.where = str(instruction) if instruction else where

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True)
class Instruction:
    line: int  # where it begins, from 1
    keyword: str  # in capitals
    flags: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""  # what follows keyword and flags, in one line

    def text(self) -> str:
        """The instruction in one line."""
        flags = "".join(f"--{name}={value} " if value else f"--{name} " for name, value in self.flags.items())
        return f"{self.keyword} {flags}{self.rest}".rstrip()

    def __str__(self) -> str:
        text = self.text()
        return f"line {self.line} ({text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'})"


def read_text(context: Path, name: str) -> str | None:
    """Reads a file of the context that affects the build, or returns None. Raises DockerfileError.

    A link is only followed within the context.
    """
    path = context / name
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(context.resolve()):
            raise DockerfileError("it is a link out of the folder; copy the file there instead", where=name)
        with open_untrusted(path.resolve()) as file:
            return decoded(file.read(MOST_BYTES + 1), name)
    except FileNotFoundError:
        return None
    except UnreadableFileError as error:
        raise DockerfileError(f"it {error}", where=name) from None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a link to itself
        reason = error.strerror if isinstance(error, OSError) else "it is a link to itself"
        raise DockerfileError(f"it cannot be read: {reason}", where=name) from None


def decoded(data: bytes, name: str = "Dockerfile") -> str:
    """Decodes `data`. One byte more than the limit is enough to refuse it. Raises DockerfileError."""
    if len(data) > MOST_BYTES:
        raise DockerfileError(f"it is larger than the limit of {MOST_BYTES // MIB} MiB", where=name)
    if data.startswith(_UTF16):
        raise DockerfileError(
            "it is UTF-16 text, as some Windows programs write it, but builders read UTF-8; save it again as UTF-8",
            where=name,
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DockerfileError(f"line {line} is not UTF-8 text; save the file as UTF-8", where=name) from None


def parse(text: str) -> list[Instruction]:
    """Parses the instructions without checking their arguments. Raises DockerfileError."""
    instructions: list[Instruction] = []
    begin, pieces, size = 0, list[str](), 0
    for number, whole in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = whole.removesuffix("\r")
        plain = line.strip(" \t")
        if not plain or plain.startswith("#"):  # also inside a continued instruction
            if not instructions and not pieces and _ESCAPE_DIRECTIVE.match(plain):
                raise DockerfileError(f"line {number} sets another escape character, but only \\ is supported")
            continue
        if not pieces:
            begin, size, line = number, 0, line.lstrip(" \t")
        if unfit := _UNFIT.search(line):
            raise DockerfileError(
                f"it contains {described(unfit[0])} in line {number}; write plain text there",
                Instruction(begin, _UNFIT.sub("\ufffd", "".join([*pieces, line]).strip(" \t"))),
            )
        ended = line.rstrip(" \t")
        continued = ended.endswith("\\")
        if ended.endswith("\\\\"):
            raise DockerfileError(f"line {number} ends with several backslashes, which builders interpret differently")
        pieces.append(ended[:-1] if continued else line)
        size += len(pieces[-1].encode())
        if size > MOST_LINE_BYTES:
            most = f"{MOST_LINE_BYTES:,}"
            raise DockerfileError(f"the instruction in line {begin} has more than {most} bytes; split it, or use files")
        if not continued:
            instructions.append(_counted(begin, "".join(pieces), instructions))
            pieces = []
    if "".join(pieces).strip(" \t"):
        instructions.append(_counted(begin, "".join(pieces), instructions))
    return instructions


def _counted(line: int, text: str, before: list[Instruction]) -> Instruction:
    if len(before) == MOST_INSTRUCTIONS:
        raise DockerfileError(f"line {line} is one too many; at most {MOST_INSTRUCTIONS:,} instructions are allowed")
    return instruction_of(line, text)


def instruction_of(line: int, text: str) -> Instruction:
    """Parses one instruction whose lines are joined."""
    text = text.strip(" \t")
    if not (match := _KEYWORD.match(text)):
        keyword, _, rest = text.partition(" ")
        raise DockerfileError("an instruction begins with a word such as RUN", Instruction(line, keyword, {}, rest))
    keyword, rest = match[0].upper(), text[match.end() :].strip(" \t")
    flags: dict[str, str] = {}
    while flag := _FLAG.match(rest):
        if flag[1] in flags:
            raise DockerfileError(f"--{flag[1]} is given twice", Instruction(line, keyword, {}, rest))
        flags[flag[1]] = flag[2] or ""
        rest = rest[flag.end() :]
    instruction = Instruction(line, keyword, flags, rest)
    if rest.startswith("--"):
        raise DockerfileError("its flags cannot be read; write --name=value, without quotes", instruction)
    if keyword in ("RUN", "COPY", "ADD") and _HEREDOC.search(rest):
        raise DockerfileError(
            "Palio does not support here-documents (<<EOF), which only BuildKit reads; COPY a script and RUN it, or "
            "join the commands with &&",
            instruction,
        )
    return instruction


def described(character: str) -> str:
    number = f"U+{ord(character):04X}"
    if name := _NAMED.get(character):
        return f"{name} ({number})"
    if "\ud800" <= character <= "\udfff":
        return f"half of a character (the surrogate {number})"
    return f"white space other than a plain space ({number})" if character.isspace() else f"the character {number}"
