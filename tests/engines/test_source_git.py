"""Tags of Git repositories: what is fetched from a real Git server, and what is refused with which sentence."""

import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.git_server import Repository, git_repository

from palio.core.errors import Cause, PalioError
from palio.core.quantities import MIB
from palio.core.submission.kinds import read_submission
from palio.engines.sources.git import fetch_tag, parse_source
from palio.engines.sources.hosts import OpenHosts

OPEN_NOTHING = OpenHosts({})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with git_repository(tmp_path, monkeypatch) as found:
        yield found


def refusal(source: str, folder: Path, max_bytes: int = MIB) -> PalioError:
    with pytest.raises(PalioError) as caught:
        fetch_tag(source, folder, max_bytes=max_bytes, time_s=30)
    return caught.value


def test_files_of_tag_become_a_context(repository: Repository, tmp_path: Path) -> None:
    files = {"Dockerfile": b'FROM python:3.11-slim\nCMD ["python"]\n', "model/predict.py": b"print(1)\n"}
    commit = repository.commit(files, "v1.2")

    found = fetch_tag(f"{repository.url}@v1.2", tmp_path, max_bytes=MIB)

    assert (found.repository, found.tag, found.commit) == (repository.url, "v1.2", commit)
    with zipfile.ZipFile(found.archive) as archive:
        assert {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")} == files
    assert read_submission(found.archive).kind == "context"
    assert sorted(path.name for path in tmp_path.iterdir()) == [found.archive.name, "repositories"]


def test_same_tag_gives_same_bytes_and_tag_that_moved_another_commit(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"Dockerfile": b"FROM scratch\n"}, "v1")
    source = f"{repository.url}@v1"
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()

    first, second = (fetch_tag(source, tmp_path / name, max_bytes=MIB) for name in ("a", "b"))
    repository.commit({"more": b"1"}, "v1")
    third = fetch_tag(source, tmp_path / "c", max_bytes=MIB)

    assert first.archive.read_bytes() == second.archive.read_bytes()
    assert third.commit != first.commit


def test_annotated_tag_is_pinned_to_its_commit(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"Dockerfile": b"FROM scratch\n"}, "light")
    repository.git("tag", "--annotate", "--message", "1", "v1")

    assert fetch_tag(f"{repository.url}@v1", tmp_path, max_bytes=MIB).commit == commit


def test_branch_is_not_a_tag(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"Dockerfile": b"FROM scratch\n"}, "v1")

    error = refusal(f"{repository.url}@main", tmp_path)

    assert (error.code, error.failure.cause) == ("git-tag-missing", Cause.PARTICIPANT)


def test_repository_that_is_not_there_is_named(repository: Repository, tmp_path: Path) -> None:
    error = refusal(f"{repository.url.replace('model', 'other')}@v1", tmp_path)

    assert error.code == "git-unreadable"
    assert "other" in str(error)


def test_nothing_of_the_repository_runs_or_is_followed(repository: Repository, tmp_path: Path) -> None:
    """Hooks, filters such as Git LFS, and submodules, which are left out."""
    marker = tmp_path / "ran"
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    files = {
        ".gitattributes": b"*.bin filter=lfs\n*.py filter=run\n",
        ".gitmodules": b'[submodule "m"]\npath = module\nurl = ext::sh -c touch% ' + str(marker).encode() + b"\n",
        ".lfsconfig": b"[lfs]\nurl = http://127.0.0.1:9/\n",
        "Dockerfile": b"FROM scratch\n",
        "a.py": b"1\n",
    }
    (repository.work / "module").mkdir()
    repository.commit(files, "v1")

    with zipfile.ZipFile(fetch_tag(f"{repository.url}@v1", tmp_path, max_bytes=MIB).archive) as archive:
        names = archive.namelist()

    assert "a.py" in names
    assert not marker.exists()


def test_pointers_of_git_lfs_are_noticed(repository: Repository, tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"
    repository.commit({"Dockerfile": b"FROM scratch\nCOPY w.bin /\n", "w.bin": pointer}, "v1")
    found = fetch_tag(f"{repository.url}@v1", tmp_path, max_bytes=MIB)

    with pytest.raises(PalioError) as caught:
        read_submission(found.archive)

    assert caught.value.code == "lfs-pointers"


def test_repository_over_the_size_limit_is_refused_and_leaves_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"Dockerfile": b"FROM scratch\n", "w.bin": os.urandom(3 * MIB)}, "v1")

    assert refusal(f"{repository.url}@v1", tmp_path).code == "git-too-large"
    assert not (tmp_path / ".clone").exists()


def test_files_that_unpack_to_more_than_the_limit_are_refused(repository: Repository, tmp_path: Path) -> None:
    """A small pack whose zip is large: many copies of one file."""
    content = os.urandom(300_000)
    repository.commit({f"copies/{number}": content for number in range(10)} | {"Dockerfile": b"FROM scratch\n"}, "v1")

    assert refusal(f"{repository.url}@v1", tmp_path).code == "git-too-large"


def test_server_that_sends_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{host}")
        with pytest.raises(PalioError) as caught:
            fetch_tag(f"http://{host}/model@v1", tmp_path, max_bytes=MIB, time_s=1)

    assert (caught.value.code, "it took longer than 1 s" in str(caught.value)) == ("git-too-large", True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("file:///srv/model@v1", "only https is possible, not file"),
        ("ssh://git@github.com/lab/model@v1", "only https is possible, not ssh"),
        ("git@github.com:lab/model@v1", "only https is possible"),
        ("git://github.com/lab/model@v1", "only https is possible, not git"),
        ("ext::sh -c touch% /x@v1", "characters that no such address has"),
        ("ext::sh@v1", "only https is possible, not ext"),
        ("--upload-pack=touch@v1", "it does not begin with https://"),
        ("https://github.com/lab/model", "it has no tag"),
        ("https://me@github.com/lab/model", "it has no tag"),
        ("https://github.com@v1", "it has no tag"),
        ("https://github.com/lab/model@", "`` is not the name of a tag"),
        ("https://github.com/lab/model@--upload-pack=x", "is not the name of a tag"),
        ("https://github.com/lab/model@-v1", "`-v1` is not the name of a tag"),
        ("https://github.com/lab/model@a..b", "`a..b` is not the name of a tag"),
        ("https://github.com/lab/model@v1:refs/heads/x", "is not the name of a tag"),
        ("https://github.com/lab/model?a=b@v1", "its path is not that of a repository"),
        ("https://github.com:99999/lab/model@v1", "it has no server"),
        ("https://github.com/lab/mod\nel@v1", "characters that no such address has"),
        ("https://" + "a" * 1000 + "@v1", "it is too long"),
    ],
)
def test_odd_sources_are_refused_before_git_sees_them(source: str, reason: str) -> None:
    with pytest.raises(PalioError) as caught:
        parse_source(source, OPEN_NOTHING)

    assert caught.value.code == "git-source-invalid"
    assert reason in str(caught.value)


def test_password_in_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(PalioError) as caught:
        parse_source("https://me:s3cret@github.com/lab/model@v1", OPEN_NOTHING)

    assert "user name or password" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_http_is_refused_unless_the_operator_opens_the_host() -> None:
    with pytest.raises(PalioError) as caught:
        parse_source("http://git.lab.example/model@v1", OPEN_NOTHING)

    assert caught.value.code == "source-refused"
    opened = OpenHosts({"git.lab.example": "http"})
    assert parse_source("http://git.lab.example/model.git@release/v1", opened).name == "model-release-v1.zip"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "it is the build machine"),
        ("169.254.169.254", "it is link-local, such as a cloud's metadata service"),
        ("10.0.0.1", "it is a private network"),
        ("example.org:8443", "only port 443 is open"),
    ],
)
def test_private_addresses_are_refused(host: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALIO_SUBMISSION_HOSTS", raising=False)
    if host.startswith("example"):
        monkeypatch.setattr("asyncio.base_events.socket.getaddrinfo", _public)

    error = refusal(f"https://{host}/lab/model@v1", tmp_path)

    assert (error.code, reason in str(error)) == ("source-refused", True)


def _public(host: str, port: int, *arguments: object, **keywords: object) -> list[object]:
    return [(2, 1, 6, "", ("93.184.216.34", port))]


def test_without_git_the_operator_has_to_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    error = refusal("https://github.com/lab/model@v1", tmp_path)

    assert (error.code, error.failure.cause) == ("git-missing", Cause.PLATFORM)
