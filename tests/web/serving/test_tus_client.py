"""tuspy, the protocol's own client for Python, uploads to a platform as it comes."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bundles import write_bundle
from tests.web.serving.running import environment, running
from tests.web.serving.test_upload_restart import SET_UP
from tests.web.zips import context_zip, digest
from tusclient.client import TusClient

from palio.client import Connection

CHUNK = 1024 * 1024


def test_tuspy_uploads_and_resumes(tmp_path: Path) -> None:
    content = context_zip(extra=os.urandom(3_000_000))
    path = tmp_path / "submission.zip"
    path.write_bytes(content)
    with running(tmp_path / "data", "--pages-only") as platform:
        setting = environment(PALIO_DATA=str(platform.data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        command = [sys.executable, "-c", SET_UP, str(write_bundle(tmp_path / "vowels"))]
        made = subprocess.run(command, env=setting, capture_output=True, text=True, check=True)
        token = made.stdout.strip()
        api, headers = f"{platform.address}/api/v1", {"Authorization": f"Bearer {token}"}
        metadata = {"filename": path.name, "sha256": digest(content)}
        client = TusClient(f"{api}/challenges/vowels/uploads", headers=headers)
        with path.open("rb") as file:  # tuspy leaves open what it opens itself
            first = client.uploader(file_stream=file, chunk_size=CHUNK, metadata=metadata, upload_checksum=True)
            first.upload(stop_at=CHUNK)
            second = client.uploader(file_stream=file, chunk_size=CHUNK, url=first.url)
            assert second.offset == CHUNK
            second.upload()
        connection = Connection(platform.address, token)
        assert connection.post(f"{first.url.removeprefix(api)}/complete")["sha256"] == digest(content)
