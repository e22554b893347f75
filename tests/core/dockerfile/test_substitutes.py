"""Which image is used instead of which, and mappings that cannot be used."""

import pytest

from palio.core.dockerfile.substitutes import MOST, Substitutes, chains, read_substitutes, read_words

LEGACY = "codalab/codalab-legacy:py37"


@pytest.mark.parametrize(
    ("table", "image", "expected"),
    [
        ({LEGACY: "python:3.11-slim"}, LEGACY, "python:3.11-slim"),
        ({LEGACY: "python:3.11-slim"}, f"docker.io/{LEGACY}", "python:3.11-slim"),
        ({LEGACY: "python:3.11-slim"}, "codalab/codalab-legacy:py39", None),
        ({"ubuntu": "debian:12"}, "docker.io/library/ubuntu:latest", "debian:12"),
        ({"codalab/*": "python:3.11-slim"}, "codalab/a/b:1", "python:3.11-slim"),
        ({"codalab/*": "a.example/x:1", LEGACY: "a.example/y:1"}, LEGACY, "a.example/y:1"),
        ({"*": "a.example/x:1", "codalab/*": "a.example/y:1"}, LEGACY, "a.example/y:1"),
        ({"ghcr.io/*:py3*": "python:3.11-slim"}, "ghcr.io/x/y:py37", "python:3.11-slim"),
        ({}, LEGACY, None),
    ],
)
def test_substitute_of_an_image(table: dict[str, object], image: str, expected: str | None) -> None:
    assert read_substitutes({old: new for old, new in table.items() if old != "*"})[1] == []
    assert Substitutes(tuple((old, str(new)) for old, new in table.items())).of(image) == expected


def test_later_sources_replace_earlier_ones() -> None:
    file, flag = read_substitutes({LEGACY: "x.example/a:1"})[0], read_words(f"docker.io/{LEGACY}=x.example/b:1")[0]
    assert (file | flag).of(LEGACY) == "x.example/b:1"
    assert Substitutes.of_json((file | flag).as_json()) == file | flag


@pytest.mark.parametrize(
    "table",
    [
        {"a b": "python:3"},
        {"": "python:3"},
        {"abc": "python:3"},  # could be an id
        {LEGACY: "python:3\nRUN x"},
        {LEGACY: "palio-build:0"},
        {LEGACY: ""},
        {LEGACY: 3},
        {LEGACY: LEGACY},
        {LEGACY: f"docker.io/{LEGACY}"},
        {"codalab/*": "codalab/codalab-legacy:py39"},
        {"x.example/a:1": "x.example/b:1", "x.example/b:1": "x.example/c:1"},
        {"x.example/a:1": "x.example/b:1", "x.example/b:1": "x.example/a:1"},
        {f"x.example/a:{number}": "python:3" for number in range(MOST + 1)},
    ],
)
def test_mapping_invalid(table: dict[str, object]) -> None:
    problems = read_substitutes(table)[1]
    assert problems
    assert all("\n" not in problem or "RUN" in problem for problem in problems)


def test_chain_over_two_sources() -> None:
    assert chains(
        Substitutes((("x.example/a:1", "x.example/b:1"),)) | Substitutes((("x.example/b:1", "x.example/c:1"),))
    )


@pytest.mark.parametrize("text", ["x", f"{LEGACY}=", f"={LEGACY}", f"{LEGACY}=python:3,y"])
def test_mapping_syntax_invalid(text: str) -> None:
    assert read_words(text)[1]
