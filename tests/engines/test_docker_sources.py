"""What a Dockerfile may take from beyond its folder. The refused ones are run for real in tests/submissions/hostile."""

import pytest

from palio.core.dockerfile import DockerfileError
from palio.engines.docker.sources import check_sources

VICTIM = "palio-build:" + "0" * 64
BASE = "FROM python:3.11-slim\n"


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        "FROM scratch",
        "FROM registry.example.org:5000/team/model@sha256:" + "a" * 64,
        "ARG TAG=3.11\nFROM --platform=linux/amd64 python:${TAG:-3}",
        f"{BASE.strip()} AS abc\nFROM abc\nCOPY --from=abc / /\nCOPY --from=0 / /",
        "# escape=\\\n# syntax=docker/dockerfile:1\n" + BASE,
        BASE + 'ADD weights.tar.gz /opt/\nADD ["a b", "/c"]\nCOPY $WHERE/http://x /y',
        BASE + "ONBUILD RUN true",
    ],
)
def test_what_may_be_taken(text: str) -> None:
    check_sources(text, {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"FROM {VICTIM}", "line 1 (FROM palio-build:"),
        (f"FROM docker.io/library/{VICTIM}", "other submissions"),
        ("FROM sha256:0123ab", "name is needed"),
        ("FROM c", "name is needed"),
        ("ARG A=0123\nARG B=$A\nFROM ${B}", "line 3 (FROM ${B})"),
        ("FROM ${A:?x}", "is not an image's name"),
        ("FROM", "is not an image's name"),
        (f"{BASE}COPY --from={VICTIM} / /", "line 2 (COPY --from"),
        (f"{BASE}COPY --from=0123456789 / /", "name is needed"),
        (f"{BASE}COPY \\\n  --from={VICTIM} \\\n / /", "other submissions"),
        (f"{BASE}COPY --fr\\om={VICTIM} / /", "flags cannot be read"),
        (f'{BASE}COPY --from="{VICTIM}" / /', "is not an image's name"),
        (f"{BASE}ONBUILD COPY --from={VICTIM} / /", "line 2"),
        (f"{BASE}ADD http://x /y", "fetches nothing"),
        (f'{BASE}ADD ["http:\\u002f/x", "/y"]', "fetches nothing"),
        (f'{BASE}ADD http:"//x" /y', "plain names"),
        (f"{BASE}ADD $URL /y", "plain names"),
        (f"{BASE}ADD git@example.org:a.git /y", "fetches nothing"),
        (f"{BASE}ONBUILD ADD http://x /y", "line 2"),
        (f"# two words\n# Escape = `\n{BASE}", "line 2 chooses another escape character"),
        (f"{BASE}RUN a \\\x0c\nCOPY --from={VICTIM} / /", "line 2 holds a character"),
        (f"{BASE}RUN a \\\u2028", "line 2 holds a character"),
        (f"{BASE}RUN <<EOF\nx\nEOF", "here-documents"),
    ],
)
def test_what_may_not_be_taken(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        check_sources(text, {})
    assert reason in f"{raised.value.instruction} {raised.value.reason}"


def test_arguments_of_the_build_count_only_where_they_are_declared() -> None:
    with pytest.raises(DockerfileError):
        check_sources("ARG BASE=python\nFROM $BASE", {"BASE": VICTIM})
    check_sources("ARG BASE=python\nFROM $BASE", {"OTHER": VICTIM})
