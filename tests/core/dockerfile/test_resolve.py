"""What a Dockerfile may take from, and what an engine is given to read."""

import pytest

from palio.core.dockerfile.image_names import ImageName
from palio.core.dockerfile.read import DockerfileError
from palio.core.dockerfile.resolve import resolve

VICTIM = "palio-build:" + "0" * 64
BASE = "FROM python:3.11-slim\n"
HUB = "docker.io/library/python:3.11-slim"


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        (BASE, f"FROM {HUB}\n"),
        ("FROM scratch", "FROM scratch\n"),
        ("FROM python", "FROM docker.io/library/python:latest\n"),
        ("FROM index.docker.io/a/b:c", "FROM docker.io/a/b:c\n"),
        ("FROM localhost/a", "FROM localhost/a:latest\n"),
        ("FROM cafe:1", "FROM docker.io/library/cafe:1\n"),
        (
            "FROM registry.example.org:5000/team/model:1@sha256:" + "a" * 64,
            "FROM registry.example.org:5000/team/model@sha256:" + "a" * 64 + "\n",
        ),
        (
            "ARG TAG=3.11\nFROM --platform=linux/amd64 python:${TAG:-3}-slim",
            f"ARG TAG=3.11\nFROM --platform=linux/amd64 {HUB}\n",
        ),
        (
            f"{BASE.strip()} as Abc\nFROM abc\nCOPY --from=ABC / /\nCOPY --from=00 / /",
            f"FROM {HUB} AS abc\nFROM abc\nCOPY --from=abc / /\nCOPY --from=0 / /\n",
        ),
        (f"{BASE}COPY --from=a/b / /", f"FROM {HUB}\nCOPY --from=docker.io/a/b:latest / /\n"),
        (f"# syntax=x\n\n{BASE}RUN a \\\n # b\n  c\nRUN d", f"\n\nFROM {HUB}\nRUN a   c\n\n\nRUN d\n"),
        (f'{BASE}CMD  [ "a" ,"\\u00e9"]\n', f'FROM {HUB}\nCMD ["a", "é"]\n'),
        (f'{BASE}HEALTHCHECK CMD ["a" ]\n', f'FROM {HUB}\nHEALTHCHECK CMD ["a"]\n'),
        (
            f'{BASE}ONBUILD COPY --from=x ["b" ,"c"]\n',
            f'FROM {HUB}\nONBUILD COPY --from=docker.io/library/x:latest ["b", "c"]\n',
        ),
    ],
)
def test_engine_gets_resolved_text(text: str, resolved: str) -> None:
    assert resolve(text, {}).text == resolved


@pytest.mark.parametrize(
    "name",
    [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "Ftp_Proxy",
        "no_proxy",
        "ALL_PROXY",
        "TARGETPLATFORM",
        "TARGETARCH",
        "BUILDPLATFORM",
        "DOCKER_BUILDKIT",
        "SOURCE_DATE_EPOCH",
    ],
)
def test_predefined_arguments_ignored(name: str) -> None:
    declared = f"ARG {name}\nARG A=${{{name}:+770e}}\n"
    assert resolve(f"{declared}FROM ${{A:-python:3.11-slim}}", {}).text == f"{declared}FROM {HUB}\n"
    assert resolve(f"FROM --platform=${name} python:3.11-slim", {}).text == f"FROM {HUB}\n"
    with pytest.raises(DockerfileError, match="is not an image name"):
        resolve(f"FROM ${name}", {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"FROM {VICTIM}", "line 1 (FROM palio-build:"),
        (f"FROM docker.io/library/{VICTIM}", "other submissions"),
        (f"FROM index.docker.io/{VICTIM}", "other submissions"),
        (f"FROM localhost/{VICTIM}", "other submissions"),
        (f"FROM localhost:5000/{VICTIM}", "other submissions"),
        (f"FROM {VICTIM}@sha256:" + "0" * 64, "other submissions"),
        ("FROM sha256:0123ab", "name is required"),
        ("FROM SHA256:0123AB", "name is required"),
        ("FROM sha512:0123ab", "name is required"),
        ("FROM sha256:" + "0" * 64, "name is required"),
        ("FROM @sha256:" + "0" * 64, "is not an image name"),
        ("FROM c", "name is required"),
        ("FROM CAFE", "name is required"),
        ("FROM 770e", "name is required"),
        ("ARG A=0123\nARG B=$A\nFROM ${B}", "line 3 (FROM ${B})"),
        ("ARG A=0123\nARG B=${A:+${A}}\nFROM ${C:-$B}", "line 3 (FROM ${C:-$B})"),
        ("FROM ${A:?x}", "the variable A is not set: x"),
        ("FROM $A", "`` is not an image name"),
        ("FROM x/../y", "is not an image name"),
        ("FROM http://x/y", "is not an image name"),
        ("FROM a b", "FROM takes an image, or an image AS name"),
        ("FROM python AS", "FROM takes an image, or an image AS name"),
        ("FROM python AS 1", "1 cannot be the name of a stage"),
        ("FROM python AS scratch", "scratch cannot be the name of a stage"),
        ("FROM python AS x\nFROM python AS X", "another stage is already named x"),
        ("FROM --platform=a,b python", "is not a platform"),
        ("RUN x", "line 1 (RUN x): the first instruction must be FROM"),
        ("", "the Dockerfile has no FROM"),
        ("ARG A=1", "the Dockerfile has no FROM"),
        (f"{BASE}COPY --from={VICTIM} / /", "line 2 (COPY --from"),
        (f"{BASE}COPY --from=0123456789 / /", "name is required"),
        (f"{BASE}COPY --from=1 / /", "name is required"),
        (f"{BASE}COPY --from=$A / /", "--from takes the name of a stage or image, without variables"),
        (f"{BASE}COPY --from= / /", "is not an image name"),
        (f"{BASE}COPY \\\n  --from={VICTIM} \\\n / /", "other submissions"),
        (f"{BASE}ONBUILD COPY --from={VICTIM} / /", "line 2"),
        (f"{BASE}ONBUILD RUN x\nFROM 0\n", "name is required"),
        (f"{BASE.strip()} AS x\nONBUILD RUN x\nFROM x\n", "line 3 (FROM x): triggers (ONBUILD) are not run"),
        (f"{BASE}ENV =x", "line 2 (ENV =x): a variable needs a name; write ENV NAME=value"),
    ],
)
def test_source_refused(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        resolve(text, {})
    assert reason in str(raised.value)


def test_build_arguments_need_declaration() -> None:
    with pytest.raises(DockerfileError, match="other submissions"):
        resolve("ARG BASE=python\nFROM $BASE", {"BASE": VICTIM})
    assert resolve("ARG BASE=python\nFROM $BASE", {"OTHER": VICTIM}).base == ImageName.of_engine("python")
    with pytest.raises(DockerfileError, match="a build argument is invalid: it contains NUL"):
        resolve(BASE, {"A": "\0"})


def test_images_by_written_name() -> None:
    resolved = resolve("ARG A=a/b\nFROM $A AS x\nFROM x\nCOPY --from=c/d / /", {})
    assert {str(name): written for name, written in resolved.images.items()} == {
        "docker.io/a/b:latest": "a/b ($A)",
        "docker.io/c/d:latest": "c/d",
    }
    assert resolved.base == ImageName("docker.io", "a/b", ":latest")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("ENV A=aaaaaaaa\n" + "ENV A=$A$A\n" * 40, "more than 65,536 characters"),
        ("ENV PATH=$PATH$PATH\n" * 40, "more than 65,536 characters"),
        ("ARG A=aaaaaaaa\n" + "ARG A=$A$A\n" * 40, "more than 65,536 characters"),
        (f"ENV A={'a' * 60_000}\n" + "".join(f"ENV A{n}=$A\n" for n in range(10)), "more than 512 KiB"),
        (f"ENV A={'a' * 60_000}\n" + "LABEL a=$A\n" * 100, "more than 4,194,304 characters in total"),
    ],
)
def test_variable_growth_bounded(lines: str, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        resolve(BASE + lines, {})
