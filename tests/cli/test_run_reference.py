"""`palio run` with an image in a real registry, by tag and by digest, on a real Docker engine."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.bundles import write_bundle, write_context
from tests.docker_command import docker, remove_images
from tests.docker_registry import docker_registry
from tests.registry import fake_registry

from palio.cli import main


@dataclass(frozen=True)
class Pushed:
    repository: str
    digest: str


@pytest.fixture
def palio(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        return (code, *capfd.readouterr())

    return run


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = write_bundle(tmp_path / "bundle")
    yaml = folder / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[context, reference, results]"))
    return folder


@pytest.fixture
def pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pushed]:
    """An image that scores 1.0, in a registry and nowhere else."""
    with docker_registry(tmp_path) as host:
        repository = f"{host}/lab/vowels-{uuid4().hex[:8]}"
        context = write_context(tmp_path / "context")
        docker("build", "--quiet", "--tag", f"{repository}:v1", context)
        (line,) = [line for line in docker("push", f"{repository}:v1") if "digest: " in line]
        docker("image", "rm", f"{repository}:v1")
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{host}")
        found = Pushed(repository, line.partition("digest: ")[2].split()[0])
        yield found
        remove_images(f"palio-build:{found.digest[7:]}")


@pytest.mark.docker
def test_run_image_by_tag_and_again_by_digest(
    palio: Callable[..., tuple[int, str, str]], bundle: Path, pushed: Pushed
) -> None:
    options = ("--challenge", str(bundle), "--engine", "docker")

    code, out, _ = palio("run", f"{pushed.repository}:v1", *options, "-o", "first")

    assert code == 0, out
    assert f"  image       {pushed.repository}@{pushed.digest}\n  tag         v1\n" in out
    assert '  runs        ["python", "predict.py"]\n' in out
    lock = json.loads(Path("first/lock.json").read_text())
    assert lock["submission"]["kind"] == "reference"
    assert lock["submission"]["reference"] == {
        "image": f"{pushed.repository}@{pushed.digest}",
        "tag": "v1",
        "manifest": pushed.digest,
        "platform": "linux/amd64",
    }
    log = Path("first/build.log").read_text().splitlines()
    assert log[0] == f"Pulling {pushed.repository}@{pushed.digest}."
    assert log[2] == f"Loaded image: palio-build:{pushed.digest[7:]}"
    assert json.loads(Path("first/result.json").read_text())["scores"] == {"accuracy": 1.0}
    assert not [*Path("first").rglob("pulled.tar")]

    code, out, _ = palio("run", f"{pushed.repository}@{pushed.digest}", *options, "-o", "second")

    assert code == 0, out
    assert Path("second/build.log").read_text().startswith("Reusing an image that was built before")


@pytest.mark.docker
def test_image_with_other_content_than_its_layers_say_is_refused(
    palio: Callable[..., tuple[int, str, str]], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry's digests are right, but the configuration lists another layer: a layer of somebody else's."""
    with fake_registry() as registry:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{registry.host}")
        manifest = registry.image([bytes(10240)], "v1")
        media_type, content = registry.documents[manifest]
        document = json.loads(content)
        described = json.loads(registry.blobs[document["config"]["digest"]])
        described["rootfs"]["diff_ids"] = [f"sha256:{'0' * 64}"]
        document["config"] = registry.blob(json.dumps(described).encode())
        registry.document(media_type, document, "v1")

        code, _, err = palio(
            *("run", f"{registry.host}/lab/model:v1", "--challenge", str(bundle), "--engine", "docker", "-o", "run")
        )

    assert code == 10
    assert "cannot be used: " in err
    assert "does not match the digest in the image's configuration" in err
    assert "docker save" not in err


def test_reference_without_docker_says_what_to_submit_instead(
    palio: Callable[..., tuple[int, str, str]], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_registry() as registry:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{registry.host}")
        registry.image([bytes(10240)], "v1")
        code, _, err = palio(
            *("run", f"{registry.host}/lab/model:v1", "--challenge", str(bundle), "--engine", "bubblewrap", "-o", "run")
        )

    assert code == 12
    assert "cannot evaluate submissions of kind `reference` on the engine `bubblewrap`" in err


def test_file_that_does_not_exist_is_no_reference(palio: Callable[..., tuple[int, str, str]], bundle: Path) -> None:
    code, _, err = palio("run", "model.zip", "--challenge", str(bundle))

    assert code == 2
    assert "There is no file model.zip." in err
