"""tus-js-client, the protocol's own client for browsers, uploads to a platform as it comes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bundles import write_bundle
from tests.web.serving.running import environment, running
from tests.web.serving.test_upload_restart import SET_UP
from tests.web.submission_files import context_zip, digest

from palio.client import Connection

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CLIENT = Path(__file__).with_name("tus.min.js")  # of tus-js-client 4.3.1
# Aborted after its first chunk, the upload is announced again, and resumed by the client itself.
UPLOAD = """({endpoint, token, sha256}) => new Promise((resolve, reject) => {
  const file = document.querySelector("input[type=file]").files[0];
  const chunks = [];
  const begin = () => {
    const upload = new tus.Upload(file, {
      endpoint,
      headers: {Authorization: `Bearer ${token}`},
      metadata: {filename: file.name, filetype: file.type, sha256},
      chunkSize: 1048576,
      retryDelays: [0, 100],
      onChunkComplete: (_, offset) => {
        chunks.push(offset);
        if (chunks.length === 1) upload.abort().then(() => begin());
      },
      onError: (error) => reject(error),
      onSuccess: () => resolve({url: upload.url, chunks}),
    });
    upload.start();
  };
  begin();
})"""


def test_tus_js_client_uploads_and_resumes(chromium: "Browser", tmp_path: Path) -> None:
    content = context_zip(extra=os.urandom(3_000_000))
    path = tmp_path / "modèle.zip"
    path.write_bytes(content)
    with running(tmp_path / "data", "--pages-only") as platform:
        setting = environment(PALIO_DATA=str(platform.data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        command = [sys.executable, "-c", SET_UP, str(write_bundle(tmp_path / "vowels"))]
        made = subprocess.run(command, env=setting, capture_output=True, text=True, check=True)
        token = made.stdout.strip()
        page = chromium.new_context(base_url=platform.address).new_page()
        page.goto("/")
        page.evaluate("document.body.append(Object.assign(document.createElement('input'), {type: 'file'}))")
        page.set_input_files("input[type=file]", path)
        page.evaluate(CLIENT.read_text(encoding="utf-8"))
        endpoint = f"{platform.address}/api/v1/challenges/vowels/uploads"
        done: dict[str, Any] = page.evaluate(UPLOAD, {"endpoint": endpoint, "token": token, "sha256": digest(content)})
        assert done["chunks"] == [1048576, 2097152, len(content)]
        kept = Connection(platform.address, token).post(f"{done['url'].partition('/api/v1')[2]}/complete")
        assert (kept["name"], kept["sha256"]) == (path.name, digest(content))
        page.context.close()
