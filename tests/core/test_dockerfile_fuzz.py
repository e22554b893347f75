"""Dockerfiles made at random: each is read or refused with a sentence, by all readers, and never read in two ways.

PALIO_FUZZ_EXAMPLES says how many are tried; the same ones each time.
"""

import random
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.dockerfile_cases import CUT, SEEDS, check
from tests.fuzzing import fuzzed, mutated

_KEYWORDS = [
    *("FROM", "ARG", "ENV", "LABEL", "WORKDIR", "USER", "STOPSIGNAL", "EXPOSE", "VOLUME", "RUN", "CMD", "ENTRYPOINT"),
    *("SHELL", "COPY", "ADD", "HEALTHCHECK", "MAINTAINER", "ONBUILD", "NONE", "from", "As", "#", "\\"),
]
_PIECES = st.sampled_from(
    [
        *_KEYWORDS, *" \t\n\\'\"$={}[]()*?!/.,:@#<-`;&|0aZé",
        "\n", "\r\n", "\\\n", " \\ \n", "\0", "\x85", "\u2028", "\ufeff", "\x0c", "\\\\\n", "\\u0000", "\\ud800",
        "${A", "${A:-", "${A:+", "$A", "$http_proxy", "A=b", "--from=", "--chown=$A ", "--platform=", "--x", "-- ",
        "python:3", "770e", "sha256:", "palio-build:0", "@sha256:" + "0" * 64,
        "localhost/", "docker.io/", " AS a", "a b",
        '["a", "b"]', '["', '", "', "[[[", "<<EOF", "https://", "git@", "**/", "[a-z]", "[^", "../", "d/", "CMD ",
        "# escape=`\n", "# syntax=x\n", "FROM x\n", "\nENV ", "\nCOPY ", "\nWORKDIR /", "\nONBUILD ", "x" * 300,
    ]
)  # fmt: skip
_texts = st.lists(_PIECES, max_size=40).map("".join)


@settings(fuzzed, derandomize=True)
@given(dockerfile=_texts, ignore=_texts, pattern=_texts)
@example(dockerfile="FROM x\nCMD " + "[" * 60_000, ignore="[", pattern="[")
def test_texts_of_pieces(tmp_path: Path, dockerfile: str, ignore: str, pattern: str) -> None:
    for head in ("", "FROM x\n"):
        check(CUT.join(part.encode() for part in (head + dockerfile, ignore, pattern)), tmp_path)


@settings(fuzzed, derandomize=True)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_mutated_bytes(tmp_path: Path, seed: bytes, chance: int) -> None:
    check(mutated(seed, random.Random(chance)), tmp_path)


def test_seeds_read(tmp_path: Path) -> None:
    assert [check(seed, tmp_path) is not None for seed in SEEDS] == [True, True, True, False]
