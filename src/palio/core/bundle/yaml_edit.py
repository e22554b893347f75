"""Sets single values in the text of a YAML file and leaves every other character as it is, comments included.

Covered: values in block and flow style, keys that are missing, and mappings that are missing around them. Not covered:
values in a block text (`|`, `>`), anchors and aliases, and keys from `<<`. These either raise ValueError, or give a
text whose tree differs elsewhere, too, which `edit.edited_yaml` finds out.
"""

import re
from collections.abc import Sequence

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = Sequence[str | int]
NOTHING = "null"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .:+/_-]*")


def written(value: str | None) -> str:
    """A value as YAML; None as `null`."""
    if value is None:
        return NOTHING
    if _PLAIN.fullmatch(value) and ": " not in value and not value.endswith((":", " ")) and value != NOTHING:
        return value
    return "'" + " ".join(value.split("\n")).replace("'", "''") + "'"


def with_value(text: str, path: Path, value: str | None) -> str:
    """`text` with `value` at `path`, which is made of keys and indexes of lists. Raises ValueError if impossible."""
    node = yaml.compose(text, yaml.SafeLoader)
    if node is None:
        raise ValueError("the file is empty")
    for place, step in enumerate(path):
        child = _child(node, step)
        if child is None:
            return _added(text, node, path[place:], written(value))
        node = child
    if not isinstance(node, ScalarNode) or node.style in ("|", ">"):
        raise ValueError("is no single value")
    return _replaced(text, node, written(value))


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        found = [value for key, value in node.value if isinstance(key, ScalarNode) and key.value == step]
        return found[-1] if found else None  # the last one counts
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: Node = node.value[step]
        return child
    return None


def _replaced(text: str, node: Node, value: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    space = " " if start and text[start - 1] == ":" else ""
    return f"{text[:start]}{space}{value}{text[end:]}"


def _added(text: str, node: Node, path: Path, value: str) -> str:
    key, *inner = path
    for step in reversed(inner):
        value = f"{{{step}: {value}}}"
    pair = f"{key}: {value}"
    if isinstance(node, ScalarNode) and not node.value:
        return _replaced(text, node, f"{{{pair}}}")
    if not isinstance(node, MappingNode) or isinstance(key, int):
        raise ValueError("is no mapping")
    if node.flow_style:
        before = text[: node.end_mark.index - 1].rstrip()
        comma = "" if before.endswith("{") else " " if before.endswith(",") else ", "
        return f"{before}{comma}{pair}{text[node.end_mark.index - 1 :]}"
    end = _end(node)
    if text[end - 1] != "\n":
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end + 1
    newline = "\r\n" if "\r\n" in text else "\n"
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}{newline}"
    return f"{before}{' ' * node.start_mark.column}{pair}{newline}{text[end:]}"


def _end(node: Node) -> int:
    """Where the last value below `node` ends; block collections themselves end after the comments that follow."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    return int(node.end_mark.index)
