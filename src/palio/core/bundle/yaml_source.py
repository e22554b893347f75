"""Parses YAML into a tree of Values with line numbers. Every fault of the YAML itself is found here.

Covered: text that is not UTF-8, tabs, syntax, duplicate keys, multiple documents, aliases that repeat or contain
themselves endlessly, excessive nesting and size, control characters. YAML tags are never executed: an untrusted file
produces texts, lists and mappings and nothing else.
"""

import codecs
import re
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from palio.core.bundle.model import Severity
from palio.core.bundle.values import Findings, Scalar, Value
from palio.core.bundle.wording import joined, quoted
from palio.core.errors import PalioError
from palio.core.quantities import size_text

MAX_BYTES = 256 * 1024
MAX_VALUES = 10_000  # after aliases are expanded
MAX_DEPTH = 30
_UNFIT_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def read_yaml(path: Path, findings: Findings) -> Value | None:
    """The file's content, or None with the reason in `findings`, which also gets other problems.

    Raises PalioError("source-unreadable") if the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PalioError("source-unreadable", path=path, reason=error.strerror or error) from error
    return parse_bytes(data, findings)


def parse_bytes(data: bytes, findings: Findings) -> Value | None:
    if len(data) > MAX_BYTES:
        findings.add(None, "", f"is larger than {size_text(MAX_BYTES)}; put long texts into pages")
        return None
    if encoding := _other_encoding(data[:4]):
        findings.add(None, "", f"is saved as {encoding}; save it as UTF-8")
        return None
    try:
        written = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        findings.add(line, "", f"has a byte that is not UTF-8 (0x{data[error.start]:02x}); save it as UTF-8")
        return None
    return _parse(written, findings)


def _other_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark names, or that NUL bytes between letters show."""
    if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE) or start.count(0) == 3:
        return "UTF-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    is_zero = [byte == 0 for byte in start]
    return "UTF-16" if is_zero in ([True, False, True, False], [False, True, False, True]) else None


def _parse(written: str, findings: Findings) -> Value | None:
    try:
        node = yaml.compose(written, _BoundedLoader)
        if node is None:
            findings.add(None, "", "is empty; write a mapping here: lines of `key: value`")
            return None
        return _Tree(findings).value(node, "", node.start_mark.line + 1, depth=0)
    except yaml.reader.ReaderError as error:
        line = written.count("\n", 0, error.position) + 1
        findings.add(line, "", f"has the character U+{ord(written[error.position]):04X}, which YAML forbids; remove it")
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, written, findings)
    except _Unbounded as error:
        findings.add(error.line, "", str(error))
    return None


class _Unbounded(Exception):  # noqa: N818 - describes the file
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _BoundedLoader(yaml.SafeLoader):
    """Stops at nesting that would exhaust the interpreter's stack, and at more values than a bundle has."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.nodes += 1
        if self.nodes > 2 * MAX_VALUES:  # keys are nodes too
            raise _Unbounded(self.line + 1, f"has more than {MAX_VALUES:,} values; shorten it")
        if self.depth > MAX_DEPTH:
            raise _Unbounded(self.line + 1, f"is nested more than {MAX_DEPTH} levels deep; make it flatter")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Tree:
    """Turns nodes into Values. Aliases are expanded, so the counters limit how much a small file can grow."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._values = 0

    def value(self, node: Node, field: str, line: int, depth: int) -> Value:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Unbounded(line, f"has more than {MAX_VALUES:,} values once its aliases are followed; shorten it")
        if depth > MAX_DEPTH:
            raise _Unbounded(line, "has an alias (`*name`) that contains itself; remove it")
        if isinstance(node, ScalarNode):
            return Value(self._findings, line, field, self._scalar(node, field, line))
        if isinstance(node, SequenceNode):
            items = tuple(
                self.value(item, f"{field}[{index}]", item.start_mark.line + 1, depth + 1)
                for index, item in enumerate(node.value)
            )
            return Value(self._findings, line, field, items)
        assert isinstance(node, MappingNode)  # noqa: S101 - there is no fourth kind of node
        return Value(self._findings, line, field, self._mapping(node, field, depth))

    def _scalar(self, node: ScalarNode, field: str, line: int) -> Scalar:
        written = node.value
        if unfit := _UNFIT_CHARACTERS.search(written):
            self._findings.add(line, field, f"holds the character U+{ord(unfit.group()):04X}; remove it")
            written = _UNFIT_CHARACTERS.sub("\ufffd", written)
        return Scalar(written, node.tag.rpartition(":")[2])

    def _mapping(self, node: MappingNode, field: str, depth: int) -> dict[str, Value]:
        content: dict[str, Value] = {}
        inherited: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._findings.add(line, field, "has a list or mapping as a key; keys are plain words")
                continue
            key = self._scalar(key_node, field, line).text
            name = joined(field, quoted(key)[1:-1])
            value = self.value(value_node, field if key == "<<" else name, line, depth + 1)
            if key == "<<":
                self._inherit(value, inherited)
                continue
            if key in content:
                first = content[key].line
                message = f"is written again after line {first}, and only this one counts; remove one of them"
                self._findings.add(line, name, message, Severity.WARNING)
            content[key] = value
        return inherited | content

    def _inherit(self, value: Value, inherited: dict[str, Value]) -> None:
        """Merges what `<<:` names, one mapping or a list of them; the first one wins."""
        for source in value.content if isinstance(value.content, tuple) else (value,):
            if isinstance(source.content, dict):
                inherited.update(source.content | inherited)
            else:
                source.error("`<<` merges the keys of a mapping; name a mapping after it")


def _note_syntax(error: yaml.MarkedYAMLError, written: str, findings: Findings) -> None:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if r"'\t'" in (error.problem or ""):
        tabbed = [number for number, text in enumerate(written.split("\n"), 1) if re.match(r" *\t", text)]
        for number in tabbed if line in tabbed else ():
            findings.add(number, "", "is indented with a tab; YAML allows only spaces")
        if line not in tabbed:
            findings.add(line, "", "has a tab outside quotes; YAML allows only spaces there")
        return
    said = ", ".join(part for part in (error.context, error.problem) if part)
    findings.add(line, "", f"is not YAML: {said}{_likely_cause(said)}")


def _likely_cause(said: str) -> str:
    if "mapping values are not allowed" in said:
        return "; quote a text that contains a colon, and align the lines of a mapping"
    if "expected <block end>" in said or "could not find expected ':'" in said:
        return "; check this line and the one above it: indentation, a missing colon, an open quote or bracket"
    if "undefined alias" in said:
        return "; an alias `*name` needs an anchor `&name` above it"
    if "expected a single document" in said:
        return "; remove the line `---` between documents"
    return "; check this line and the one above it"
