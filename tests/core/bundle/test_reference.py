"""The reference page and the JSON Schema say what the readers do."""

import json

import pytest
import yaml
from tests.conftest import ROOT
from tests.core.bundle.test_any_yaml import SOUND

from palio.cli import main
from palio.core.bundle.key_meanings import meaning
from palio.core.bundle.recorded_keys import CODABENCH, codabench_keys, codalab_keys
from palio.core.bundle.reference import reference
from palio.core.bundle.schema import json_schema


def test_reference_page_current() -> None:
    page = ROOT / "docs/competition-yaml.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "python -m palio.core.bundle.reference > docs/competition-yaml.md"
    )


@pytest.mark.parametrize("keys", [codabench_keys(), codalab_keys()])
def test_reference_key_meanings(keys: tuple) -> None:  # type: ignore[type-arg]
    assert [key.field for key in keys if not key.unused and not meaning(key.field)] == []


def test_reference_example_complete() -> None:
    """A mapping that the example leaves out would hide its keys."""
    parents = {key.parent for key in codabench_keys()}
    mappings = {key.field for key in codabench_keys() if key.reader is dict}
    lists = {f"{key.field}[]" for key in codabench_keys() if key.reader is list}
    assert (mappings | lists) - parents == set(), f"add it to {CODABENCH!r}"


def fits(value: object, schema: dict, whole: dict) -> bool:  # type: ignore[type-arg]
    """Whether a value fits, by the keywords that the schema uses."""
    if "$ref" in schema:
        schema = whole["$defs"]["palio"]
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool}
    types = schema.get("type", list(kinds))
    if not any(isinstance(value, kinds[name]) for name in ([types] if isinstance(types, str) else types)):
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return value.keys() >= set(schema.get("required", ())) and all(
            fits(part, known[key], whole) for key, part in value.items() if key in known
        )
    return not isinstance(value, list) or all(fits(part, schema.get("items", {}), whole) for part in value)


def plain(text: str) -> object:
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_schema_accepts_sound_bundles() -> None:
    schema = json_schema()
    mednist = (ROOT / "challenges/mednist/competition.yaml").read_text(encoding="utf-8")
    assert [fits(plain(text), schema, schema) for text in (SOUND[0], mednist)] == [True, True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Sound", "titel: Sound"),
        ("max_submissions: 3", "max_submissions: [3]"),
        ("sorting: desc", "sorting: down"),
        ("data: public", "data: open"),
        ("precision: 2", "precision: two"),
        ("choose: best", "choose: [best]"),
    ],
)
def test_schema_refuses_broken_bundles(old: str, new: str) -> None:
    schema = json_schema()
    assert not fits(plain(SOUND[0].replace(old, new)), schema, schema)


def test_schema_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
