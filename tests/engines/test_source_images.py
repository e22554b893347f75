"""References to images: what is pinned, what is pulled, and what is refused with which sentence."""

import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.images import tar
from tests.registry import MANIFEST, FakeRegistry, digest, fake_registry

from palio.core.errors import Cause, PalioError
from palio.core.quantities import MIB
from palio.core.submission.image_archive import inspect_image
from palio.core.submission.kinds import read_submission
from palio.core.submission.reference import Reference, looks_like_image, parse_image, read_reference
from palio.engines.sources.accounts import Credential, operators_account, use_teams_account
from palio.engines.sources.hosts import OpenHosts
from palio.engines.sources.images import pin_image, pull_image

LAYER = tar({"predict.py": b"print(1)\n" * 1000})


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    with fake_registry() as found:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{found.host}")
        monkeypatch.setenv("PALIO_IMAGE_PLATFORM", "linux/amd64")
        monkeypatch.delenv("PALIO_REGISTRY_CREDENTIALS", raising=False)
        yield found


def pin(registry: FakeRegistry, version: str = ":v1") -> Reference:
    return pin_image(f"{registry.host}/lab/model{version}", max_bytes=MIB)


def refusal(registry: FakeRegistry, version: str = ":v1") -> PalioError:
    with pytest.raises(PalioError) as caught:
        pin(registry, version)
    return caught.value


def pull(reference: Reference, archive: Path, max_bytes: int = MIB) -> None:
    pull_image(reference.pull(), archive, max_bytes=max_bytes, time_s=30, between=lambda: None)


def test_tag_is_pinned_to_digest_of_image(registry: FakeRegistry) -> None:
    manifest = registry.image([LAYER], "v1", Entrypoint=["python"], command=["predict.py"])

    found = pin(registry)

    size = sum(map(len, registry.blobs.values()))
    repository = f"{registry.host}/lab/model"
    assert found == Reference(repository, "v1", manifest, manifest, "linux/amd64", size, ("python", "predict.py"))


def test_index_is_pinned_with_manifest_of_this_platform(registry: FakeRegistry) -> None:
    arm, amd = registry.image([LAYER], platform="linux/arm64"), registry.image([LAYER])
    index = registry.index({"linux/arm64": arm, "linux/amd64": amd}, "v1")

    found = pin(registry)

    assert (found.digest, found.manifest) == (index, amd)


def test_index_without_this_platform_names_those_found(registry: FakeRegistry) -> None:
    arm = registry.image([LAYER], platform="linux/arm64")
    windows = registry.image([LAYER], platform="windows/amd64")
    registry.index({"linux/arm64": arm, "windows/amd64": windows}, "v1")

    error = refusal(registry)

    assert error.code == "reference-platform"
    assert str(error).endswith("is for linux/arm64 and windows/amd64, but this platform runs linux/amd64.")


def test_image_for_another_platform_is_refused(registry: FakeRegistry) -> None:
    registry.image([LAYER], "v1", platform="linux/arm64")

    assert refusal(registry).code == "reference-platform"


def test_tag_that_moves_does_not_change_what_is_pulled(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    before = pin(registry)
    registry.image([tar({"other.py": b"2"})], "v1")
    archive = tmp_path / "image.tar"

    pull(before, archive)

    assert pin(registry).digest != before.digest
    image = inspect_image(archive, platform="linux/amd64", max_bytes=MIB)
    assert len(image.parts.layers) == 1
    manifest = json.loads(registry.documents[before.manifest][1])
    assert image.parts.layers[0].endswith(manifest["layers"][0]["digest"][7:])


def test_pulled_archive_is_accepted_as_saved_image_even_with_repeated_layers(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.image([LAYER, tar({}), tar({})], "v1")
    archive = tmp_path / "image.tar"

    pull(pin(registry), archive)

    assert len(inspect_image(archive, platform="linux/amd64", max_bytes=MIB).parts.layers) == 3


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (404, "reference-not-found", Cause.PARTICIPANT),
        (401, "registry-unauthorized", Cause.PARTICIPANT),
        (403, "registry-unauthorized", Cause.PARTICIPANT),
        (429, "registry-limit", Cause.PLATFORM),
        (503, "source-failing", Cause.PLATFORM),
    ],
)
def test_refusal_of_registry_has_its_own_sentence(registry: FakeRegistry, status: int, code: str, cause: Cause) -> None:
    registry.image([LAYER], "v1")
    registry.statuses["/manifests/v1"] = status

    failure = refusal(registry).failure

    assert (failure.code, failure.cause, failure.charged) == (code, cause, False)


def test_registry_that_cannot_be_reached_when_pulling_is_the_operators(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = f"127.0.0.1:{free.getsockname()[1]}/lab/model"

    monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{gone.partition('/')[0]}")
    with pytest.raises(PalioError) as caught:
        pull(replace(found, repository=gone), tmp_path / "image.tar")

    assert (caught.value.code, caught.value.failure.cause) == ("source-failing", Cause.PLATFORM)
    assert "it refuses connections" in str(caught.value)


def test_registry_that_fails_after_pinning_is_the_operators(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)
    registry.statuses[found.manifest] = 500

    with pytest.raises(PalioError) as caught:
        pull(found, tmp_path / "image.tar")

    assert caught.value.code == "source-failing"


def test_missing_layer_is_named(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)
    layer = list(registry.blobs)[-1]
    del registry.blobs[layer]

    with pytest.raises(PalioError) as caught:
        pull(found, tmp_path / "image.tar")

    assert caught.value.code == "reference-incomplete"
    assert f"{layer} is missing" in str(caught.value)


def test_content_that_differs_from_its_digest_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    manifest = registry.image([LAYER], "v1")
    found = pin(registry)
    registry.tampered.add(list(registry.blobs)[-1])

    with pytest.raises(PalioError) as caught:
        pull(found, tmp_path / "image.tar")

    assert caught.value.code == "reference-digest-differs"
    registry.tampered = {manifest}
    assert refusal(registry, f"@{manifest}").code == "reference-digest-differs"


def test_image_that_is_too_large_is_refused_before_it_is_pulled(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)

    with pytest.raises(PalioError) as pinned:
        pin_image(f"{registry.host}/lab/model:v1", max_bytes=100)
    with pytest.raises(PalioError) as pulled:
        pull(found, tmp_path / "image.tar", max_bytes=100)

    assert (pinned.value.code, pulled.value.code) == ("reference-too-large", "reference-too-large")
    assert not (tmp_path / "image.tar").exists()


def test_registry_that_sends_more_than_it_announced_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)
    registry.blobs[list(registry.blobs)[-1]] += bytes(MIB)

    with pytest.raises(PalioError) as caught:
        pull(found, tmp_path / "image.tar")

    assert caught.value.code == "reference-digest-differs"
    assert (tmp_path / "image.tar").stat().st_size < MIB


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"layers": []}, "it has no layers, so it is not an image"),
        ({"layers": [{"digest": "sha512:0", "size": 1}]}, "it refers to a part without a SHA-256 digest"),
        ({"layers": "none"}, "it has no layers, so it is not an image"),
        ({"config": 3}, "its manifest or configuration is not valid"),
        (
            {"layers": [{"mediaType": "a.layer.v1.tar+zstd", "digest": digest(b""), "size": 1}]},
            "its layers are compressed with zstd; push it with gzip layers",
        ),
        (
            {"layers": [{"urls": ["https://example.org/layer"], "digest": digest(b""), "size": 1}]},
            "it has a layer that lies outside its registry",
        ),
    ],
)
def test_unfit_manifest_says_why(registry: FakeRegistry, change: dict[str, object], reason: str) -> None:
    content = json.loads(registry.documents[registry.image([LAYER])][1]) | change
    registry.document(MANIFEST, content, "v1")

    error = refusal(registry)

    assert error.code == "reference-unfit"
    assert reason in str(error)


def test_image_without_a_program_is_refused(registry: FakeRegistry) -> None:
    registry.image([LAYER], "v1", command=())

    assert "neither ENTRYPOINT nor CMD" in str(refusal(registry))


# -- accounts


@pytest.fixture
def account(registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry requires an account, which the operator has, in a file as `docker login` writes it."""
    registry.account = ("robot", "s3cret")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {registry.host: {"auth": "cm9ib3Q6czNjcmV0"}}}))
    monkeypatch.setenv("PALIO_REGISTRY_CREDENTIALS", str(file))


def test_account_of_operator_is_used_and_never_shown(
    registry: FakeRegistry, account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.image([LAYER], "v1")

    found = pin(registry)
    pull(found, tmp_path / "image.tar")

    assert operators_account("ghcr.io") is None
    assert "s3cret" not in repr(operators_account(registry.host))
    monkeypatch.delenv("PALIO_REGISTRY_CREDENTIALS")
    assert refusal(registry).code == "registry-unauthorized"


def test_account_of_team_is_used_before_that_of_operator(registry: FakeRegistry, account: None, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    registry.account = ("lab", "pull-only")
    theirs = Credential("lab", "pull-only")

    assert refusal(registry).code == "registry-unauthorized"  # with the operator's
    found = pin_image(f"{registry.host}/lab/model:v1", max_bytes=MIB, account=theirs)
    with pytest.raises(PalioError, match="does not let this platform pull"):
        pull(found, tmp_path / "image.tar")
    use_teams_account(registry.host, theirs)
    pull(found, tmp_path / "image.tar")


def test_failure_of_registry_behind_teams_account_is_not_the_operators(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PALIO_SUBMISSION_HOSTS")

    with pytest.raises(PalioError) as caught:
        pin_image("registry.invalid/lab/model:v1", max_bytes=MIB, account=Credential("lab", "pull-only"))

    assert caught.value.code == "source-unreachable"


@pytest.mark.parametrize("content", ["not JSON s3cret", '{"auths": {"ghcr.io": {"auth": "s3cret!"}}}', "[]"])
def test_unusable_file_of_accounts_is_named_without_its_content(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)

    with pytest.raises(PalioError) as caught:
        operators_account("ghcr.io", {"PALIO_REGISTRY_CREDENTIALS": str(file)})

    assert caught.value.code == "usage"
    assert str(file) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_account_is_not_sent_along_with_redirect_to_another_host(registry: FakeRegistry, account: None) -> None:
    with fake_registry() as other, pytest.MonkeyPatch.context() as environment:
        environment.setenv("PALIO_SUBMISSION_HOSTS", f"http://{registry.host},http://{other.host}")
        registry.image([LAYER], "v1")
        configuration = next(iter(registry.blobs))
        other.blobs = dict(registry.blobs)
        registry.redirects[configuration] = f"http://{other.host}/v2/lab/model/blobs/{configuration}"

        assert pin(registry).tag == "v1"

    assert [authorization for _, authorization in other.asked] == [""]


# -- where it may connect to


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "it is the build machine"),
        ("localhost.", "not an image name"),
        ("10.1.2.3", "it is a private network"),
        ("169.254.169.254", "it is link-local"),
        ("192.168.7.7:5000", "it is a private network"),
    ],
)
def test_private_registries_are_refused_unless_the_operator_opens_them(
    host: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PALIO_SUBMISSION_HOSTS", raising=False)

    with pytest.raises(PalioError) as caught:
        pin_image(f"{host}/lab/model:v1", max_bytes=MIB)

    assert reason in str(caught.value)
    assert caught.value.failure.cause is Cause.PARTICIPANT


def test_redirect_and_token_server_are_judged_like_the_registry(registry: FakeRegistry) -> None:
    registry.image([LAYER], "v1")
    registry.redirects["/manifests/v1"] = "https://10.1.2.3/v2/lab/model/manifests/v1"
    assert refusal(registry).code == "source-refused"
    registry.redirects["/manifests/v1"] = "http://example.org/v2/lab/model/manifests/v1"
    assert "its address begins with http://" in str(refusal(registry))
    registry.redirects["/manifests/v1"] = "file:///etc/passwd"
    assert refusal(registry).code == "source-refused"

    registry.redirects.clear()
    registry.account, registry.realm = ("robot", "s3cret"), "https://169.254.169.254/token"
    assert refusal(registry).code == "source-refused"


def test_server_with_an_invalid_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ssl.OPENSSL_VERSION
    with fake_registry() as found:  # it does not speak TLS
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", found.host)
        with pytest.raises(PalioError) as caught:
            pin_image(f"{found.host}/lab/model:v1", max_bytes=MIB)

    assert (caught.value.code, "it does not speak TLS" in str(caught.value)) == ("source-failing", True)


def test_name_that_no_server_has_is_the_participants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALIO_SUBMISSION_HOSTS", raising=False)

    with pytest.raises(PalioError) as caught:
        pin_image("registry.invalid/lab/model:v1", max_bytes=MIB)

    assert caught.value.code == "source-unreachable"
    assert caught.value.failure.cause is Cause.PARTICIPANT


@pytest.mark.parametrize("text", ["ftp://host", "a b", "host/path", "-x:5000x"])
def test_open_hosts_that_are_no_hosts_are_refused(text: str) -> None:
    with pytest.raises(PalioError, match="PALIO_SUBMISSION_HOSTS"):
        OpenHosts.read({"PALIO_SUBMISSION_HOSTS": text})


# -- the document


def test_document_is_read_back_as_submission_of_its_kind(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.image([LAYER], "v1")
    found = pin(registry)
    path = tmp_path / "model.json"
    path.write_bytes(found.document())

    assert read_reference(path, "model.json") == found
    assert read_submission(path).kind == "reference"


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:1"},
        {"repository": "ghcr.io/../model"},
        {"repository": "model"},
        {"command": [1]},
        {"size_bytes": -1},
        {"size_bytes": "1"},
        {"platform": "linux"},
        {"palio_reference": 2},
        {"more": 1},
    ],
)
def test_document_that_was_changed_is_refused(
    registry: FakeRegistry, tmp_path: Path, change: dict[str, object]
) -> None:
    registry.image([LAYER], "v1")
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(pin(registry).document()) | change))

    with pytest.raises(PalioError) as caught:
        read_submission(path)

    assert caught.value.code == "submission-unknown"


def test_words_that_look_like_images() -> None:
    words = ["ghcr.io/lab/model", "model:v1", f"lab/model@{digest(b'')}", "host:5000/model"]
    others = ["model.zip", "./model", "lab/model", "model", "answers.csv", "../a:b", "a b:c", "Model:V1"]

    assert [word for word in (*words, *others) if looks_like_image(word)] == words


def test_tag_beside_digest_is_kept_for_people() -> None:
    name, tag = parse_image(f"ghcr.io/lab/model:v1@{digest(b'')}")

    assert (str(name), tag) == (f"ghcr.io/lab/model@{digest(b'')}", "v1")
