"""The whole server is killed in the middle of an upload, and started again: the upload goes on, and nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.bundles import write_bundle
from tests.web.serving.running import Running, environment, is_running
from tests.web.submission_files import context_zip, digest

from palio.client import Connection
from palio.client.uploading import upload_file

SET_UP = """
import sys
from pathlib import Path
import django
django.setup()
from palio.web.access.tokens import hashed, new_secret
from palio.web.models import ApiToken, User
from palio.web.verbs.joining import join, terms_of
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.publish import publish
alice, bob = (User.objects.create_user(name, password=f"{name}-long-password") for name in ("alice", "bob"))
challenge = publish(Path(sys.argv[1]), actor=alice, slug="vowels").challenge
join(challenge, bob, terms_digest=terms_of(current_bundle(challenge)).digest)
secret = new_secret()
ApiToken.objects.create(user=bob, name="t", scopes=["read", "submit"], secret_hash=hashed(secret))
print(secret)
"""


def kill_all(server: Running) -> None:
    for process in server.tree():
        if is_running(process):
            os.kill(process, signal.SIGKILL)
    server.process.wait(30)


def test_upload_resumes_after_server_kill(tmp_path: Path) -> None:
    data, path = tmp_path / "data", tmp_path / "model.zip"
    content = context_zip(extra=os.urandom(100_000_000))
    path.write_bytes(content)
    first = Running(data, "--pages-only")
    servers = [first]
    try:
        first.wait_until_up()
        setting = environment(PALIO_DATA=str(data), DJANGO_SETTINGS_MODULE="palio.web.settings")
        bundle = write_bundle(tmp_path / "vowels")
        made = subprocess.run(
            [sys.executable, "-c", SET_UP, str(bundle)], env=setting, capture_output=True, text=True, check=True
        )
        connection = Connection(first.address, made.stdout.strip())
        kept, midway = list[Any](), threading.Event()

        def progress(sent: int, size: int) -> None:
            if sent > size / 3:
                midway.set()

        sending = threading.Thread(
            target=lambda: kept.append(upload_file(connection, "vowels", path, progress=progress))
        )
        sending.start()
        assert midway.wait(60)
        kill_all(first)
        second = Running(data, "--pages-only", "--port", first.port)
        second.port = first.port
        servers.append(second)
        second.wait_until_up()
        sending.join(60)
        assert [file["sha256"] for file in kept] == [digest(content)]
        submission = connection.post("/challenges/vowels/submit", {"file": kept[0]["id"]})
        assert submission["state"] == "queued"
        kill_all(second)  # and what was accepted is there
        third = Running(data, "--pages-only", "--port", first.port)
        third.port = first.port
        servers.append(third)
        third.wait_until_up()
        listed = connection.get("/challenges/vowels/submissions")
        assert [each["id"] for each in listed["items"]] == [submission["id"]]
    finally:
        for server in servers:
            if server.process.poll() is None:
                kill_all(server)
