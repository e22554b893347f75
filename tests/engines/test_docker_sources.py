"""What the engine itself says of the images that a Dockerfile takes from."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import docker
import pytest
from tests.engines.test_docker import BUILD_LIMITS, Far

from palio.core.dockerfile.image_names import ImageName
from palio.core.dockerfile.read import DockerfileError
from palio.core.dockerfile.resolve import Resolved, resolve
from palio.core.engine import Build
from palio.core.files.tree import digest_tree
from palio.engines.docker.connection import connect
from palio.engines.docker.sources import BUILD_LABEL, check_built, check_images

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with closing(connect()) as made:
        yield made


def _docker(*arguments: str, given: bytes = b"") -> None:
    subprocess.run(["docker", *arguments], input=given, check=True, capture_output=True)


@pytest.fixture
def tagged(tmp_path: Path) -> Iterator[str]:
    name = f"sources-{tmp_path.name}".lower()
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)


def test_source_by_identifier_refused(client: docker.DockerClient) -> None:
    """As an engine might that takes a name for the beginning of an id; here it is given one that it does."""
    identity = str(client.images.get(BASE).id).removeprefix("sha256:")

    class ById(ImageName):
        def __str__(self) -> str:
            return identity[:12]

    taken = ById("docker.io", f"library/{identity[:12]}", ":latest")
    with pytest.raises(DockerfileError, match="the engine has no image named that and used another one instead"):
        check_images(client, Resolved((), "", {taken: "that"}, None))
    check_images(client, resolve(f"FROM {BASE}\nCOPY --from=not/there / /", {}))


def test_source_built_from_submission_refused(far: Far, tagged: str) -> None:
    _, victim = far.build(f"FROM {BASE}\nENV A={far.home.name}\n")
    assert victim.image
    _docker("tag", victim.image, tagged)
    for text in (f"FROM {tagged}\nENV B=1\n", f"FROM {BASE}\nCOPY --from={tagged} /etc/hostname /x\n"):
        _, result = far.build(text)
        assert not result.succeeded
        assert f"{tagged} was built from a submission and cannot be used" in result.detail


def test_source_base_image_shared(far: Far, client: docker.DockerClient) -> None:
    """What is built of nothing else is an image of its own, so that the base is not taken for a submission's."""
    _, result = far.build(f"FROM {BASE}\n# {far.home.name}\n")
    assert result.succeeded
    assert result.image != client.images.get(BASE).id
    assert BUILD_LABEL not in (client.images.get(BASE).labels or {})
    assert far.build(f"FROM {BASE}\nENV A=2\n")[1].succeeded


def test_image_not_of_base_refused(client: docker.DockerClient, tagged: str) -> None:
    _docker("build", "-q", "-t", tagged, "-", given=f"FROM {BASE}\nRUN echo {tagged} > /x\n".encode())
    check_built(client, resolve(f"FROM {tagged}", {}), tagged)
    with pytest.raises(DockerfileError, match=f"the image is not based on {tagged}, which may have changed"):
        check_built(client, resolve(f"FROM {tagged}", {}), BASE)
    check_built(client, resolve("FROM scratch", {}), BASE)


def test_proxy_argument_not_used_for_base(far: Far, client: docker.DockerClient) -> None:
    """With a network, the engine has http_proxy set; what was checked is built all the same."""
    _, victim = far.build(f"FROM {BASE}\nRUN echo {far.home.name} > /secret\n")
    digits = str(victim.image).removeprefix("sha256:")[:12]
    context = far.home / "attack"
    context.mkdir()
    lines = ["ARG http_proxy", f"ARG A=${{http_proxy:+{digits}}}", f"FROM ${{A:-{BASE}}}", "RUN test ! -e /secret"]
    (context / "Dockerfile").write_text("\n".join(lines))
    (context / "new").write_text(str(uuid4()))  # or an image of an earlier run is reused
    limits = type(BUILD_LIMITS)(**(vars(BUILD_LIMITS) | {"network": True}))
    build = Build(f"palio-test-{far.home.name}-attack", digest_tree(context), context, limits, far.home / "attack.log")
    result = far.finish(build)
    far.engine.remove(build)
    assert result.succeeded, build.log.read_text()
    assert f"FROM docker.io/library/{BASE}" in build.log.read_text()


def test_engine_reads_checked_dockerfile(far: Far) -> None:
    """Continued lines, comments within them, stages by name in capitals: one reading, with the lines of the file."""
    dockerfile = f"""
# syntax=no/such-frontend
FROM {BASE} As Made
RUN echo on\\
e > /one \\
  # a comment
  && echo two > /two
FROM made
COPY --from=MADE /one /three
RUN [ "$(cat /one /two /three)" = "$(printf 'one\\ntwo\\none')" ]
"""
    build, result = far.build(dockerfile)
    assert result.succeeded, build.log.read_text()


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ('CMD ["a\\u0000b"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ("ENV =x", "a variable needs a name; write ENV NAME=value"),
        ("FROM 770e", "an image name is required"),
    ],
)
def test_odd_words_refused(far: Far, instruction: str, reason: str) -> None:
    build, result = far.build(f"FROM {BASE}\n{instruction}\n")
    assert (result.exit_code, result.image) == (1, None)
    assert result.detail.startswith(f"line 2 ({instruction})\n{reason}")
    assert reason in build.log.read_text()


def test_context_without_ignored(far: Far) -> None:
    context = far.home / "context"
    (context / "data/deep").mkdir(parents=True)
    for path in ("a.txt", "b.log", "data/c.txt", "data/deep/d.txt", "a" * 200):
        (context / path).write_text(path)
    (context / "data/link").symlink_to("c.txt")
    (context / ".dockerignore").write_text(f"**/*.log\ndata\n!data/deep\nDockerfile\n.dockerignore\n{'*a' * 50}*b\n")
    listed = f"./a.txt ./{'a' * 200} ./data/deep/d.txt"
    _, result = far.build(f'FROM {BASE}\nCOPY . /x\nRUN cd /x && [ "$(echo $(find . -type f | sort))" = "{listed}" ]\n')
    log = (far.home / "build.log").read_text()
    assert result.succeeded, log
