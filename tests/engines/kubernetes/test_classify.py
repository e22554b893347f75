"""How jobs ended, from objects of the API in ends/: each file has the objects, their source, and the class."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from palio.engines.kubernetes.classify import Ending, classify

ENDS = sorted((Path(__file__).parent / "ends").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("path", ENDS, ids=lambda path: path.stem)
def test_end_is_classified(path: Path) -> None:
    given = read(path)
    now = datetime.fromisoformat(given["now"])
    found = classify(given["job"], given["pod"], given["events"], given["node"], now)
    assert (asdict(found) if found else None) == given["expect"]


def test_every_ending_has_an_example() -> None:
    expected = [read(path)["expect"] for path in ENDS]
    assert {each["ending"] for each in expected if each} == set(Ending)


def test_only_the_programs_own_end_is_charged() -> None:
    for path in ENDS:
        if expect := read(path)["expect"]:
            assert not (expect["charged"] and expect["responsible"] == "platform"), path.stem
