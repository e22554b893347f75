"""Other programs upload to a platform as docs/submitting.md says: curl, and tuspy, the tus client for Python."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.conftest import lacking
from tests.web.serving.running import Running, environment, running
from tests.web.serving.test_upload_restart import SET_UP
from tests.web.submission_files import context_zip, digest
from tusclient.client import TusClient

from palio.client import Connection

PAGE = Path(__file__).parents[3] / "docs" / "submitting.md"
SIZE, CHUNK = 40_000_000, 1024 * 1024


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """With a challenge `vowels`, and a participant's token."""
    folder = tmp_path_factory.mktemp("platform")
    with running(folder / "data", "--pages-only") as server:
        setting = environment(PALIO_DATA=str(server.data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        command = [sys.executable, "-c", SET_UP, str(write_bundle(folder / "vowels"))]
        made = subprocess.run(command, env=setting, capture_output=True, text=True, check=True)
        yield server, made.stdout.strip()


def from_the_page(language: str, address: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found).replace("https://palio.example.org", address).replace("mednist", "vowels")


def test_curl_commands_of_page(platform: tuple[Running, str], tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        lacking("there is no `curl` or no `jq`")
    server, token = platform
    (tmp_path / "submission.zip").write_bytes(context_zip(extra=os.urandom(SIZE)))
    command = ["bash", "-euc", from_the_page("sh", server.address)]
    setting = environment(PALIO_TOKEN=token)
    done = subprocess.run(command, cwd=tmp_path, env=setting, capture_output=True, text=True, check=False)
    assert '"state": "queued"' in done.stdout, done.stdout + done.stderr


def test_tuspy_commands_of_page(platform: tuple[Running, str], tmp_path: Path) -> None:
    server, token = platform
    content = context_zip(extra=os.urandom(SIZE))
    (tmp_path / "submission.zip").write_bytes(content)
    command = [sys.executable, "-c", from_the_page("python", server.address)]
    setting = environment(PALIO_TOKEN=token)
    done = subprocess.run(command, cwd=tmp_path, env=setting, capture_output=True, text=True, check=False)
    assert digest(content) in done.stdout, done.stdout + done.stderr


def test_tuspy_resumes(platform: tuple[Running, str], tmp_path: Path) -> None:
    server, token = platform
    content = context_zip(extra=os.urandom(3 * CHUNK))
    path = tmp_path / "submission.zip"
    path.write_bytes(content)
    api = f"{server.address}/api/v1"
    client = TusClient(f"{api}/challenges/vowels/uploads", headers={"Authorization": f"Bearer {token}"})
    metadata = {"filename": path.name, "sha256": digest(content)}
    with path.open("rb") as file:  # tuspy leaves open what it opens itself
        first = client.uploader(file_stream=file, chunk_size=CHUNK, metadata=metadata, upload_checksum=True)
        first.upload(stop_at=CHUNK)
        url = str(first.url)
        second = client.uploader(file_stream=file, chunk_size=CHUNK, url=url)
        assert int(second.offset) == CHUNK
        second.upload()
    connection = Connection(server.address, token)
    assert connection.post(f"{url.removeprefix(api)}/complete")["sha256"] == digest(content)
