"""The keys of competition.yaml, `version: 2`, as JSON Schema, with which editors complete and check the file."""

import re

from palio.core.bundle.key_meanings import meaning
from palio.core.bundle.recorded_keys import RecordedKey, codabench_keys

_WHOLE = re.compile(r"a whole number from ([\d,]+) to ([\d,]+)")
_NUMBER = re.compile(r"a number from ([\d.]+) to ([\d.]+)")
_LONGEST = re.compile(r"a text of at most ([\d,]+) characters")
_WRITTEN_AS_NUMBERS = ("a date", "a duration", "a size")  # or as text

Schema = dict[str, object]

_PALIO: Schema = {"$ref": "#/$defs/palio"}


def json_schema() -> Schema:
    """The schema of the whole file. Unknown keys are allowed, as they are warnings and no errors."""
    keys = [RecordedKey("version", False, None), *codabench_keys()]
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "competition.yaml",
        **_mapping(keys, ""),
    }
    return schema | {"$defs": {"palio": _mapping(keys, "palio")}}


def _mapping(keys: list[RecordedKey], parent: str) -> Schema:
    own = [key for key in keys if key.parent == parent]
    schema: Schema = {"type": "object", "properties": {key.key: _key(keys, key) for key in own}}
    required = [key.key for key in own if key.is_required]
    return schema | ({"required": required} if required else {})


def _key(keys: list[RecordedKey], key: RecordedKey) -> Schema:
    if key.unused:
        return {"description": f"Not used by Palio: {key.unused}", "deprecated": True}
    if key.key == "palio":
        return _PALIO
    text = meaning(key.field)
    return _value(keys, key) | ({"description": text} if text else {})


def _value(keys: list[RecordedKey], key: RecordedKey) -> Schema:
    allowed = key.allowed
    if key.field == "version":
        return {"enum": [2, "2"]}
    if key.reader is list or allowed.startswith("a list of mappings"):
        return {"type": "array", "items": _mapping(keys, f"{key.field}[]")}
    if allowed.startswith("a list of indexes"):
        return {"type": "array", "items": {"type": "integer", "minimum": 0}}
    if allowed.startswith("a list of names"):
        return {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
    if allowed.startswith("a list of "):
        return {"type": "array", "items": {"enum": _words(allowed.removeprefix("a list of "))}}
    if allowed == "a mapping":
        return _mapping(keys, key.field)
    if allowed == "true or false":
        return {"type": "boolean"}
    if match := _WHOLE.fullmatch(allowed):
        return {"type": "integer", "minimum": _integer(match[1]), "maximum": _integer(match[2])}
    if match := _NUMBER.fullmatch(allowed):
        return {"type": "number", "minimum": float(match[1]), "maximum": float(match[2])}
    if match := _LONGEST.fullmatch(allowed):
        return {"type": ["string", "number"], "maxLength": _integer(match[1])}
    if "choice" in getattr(key.reader, "__qualname__", "") or "_log_of" in getattr(key.reader, "__qualname__", ""):
        return {"enum": _words(allowed)}
    if key.reader is None or key.is_by_hand:  # of more than one form
        return {}
    return {"type": ["string", "number"] if allowed.startswith(_WRITTEN_AS_NUMBERS) else "string"}


def _words(listed: str) -> list[str]:
    return re.split(r", | or ", listed)


def _integer(written: str) -> int:
    return int(written.replace(",", ""))
