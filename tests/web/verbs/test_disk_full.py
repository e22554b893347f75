"""A disk that fills while a file comes in: a clear refusal, nothing is lost, and everything else goes on."""

import json
from pathlib import Path

import pytest
from tests.mounts import on_a_mount

CODE = """
import json, os, sys
from pathlib import Path
uploads = Path(sys.argv[1])
os.environ["PALIO_DATA"] = str(uploads.parent)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.web.settings_for_data_folder"
sys.path.insert(0, os.getcwd())
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)

from django.conf import settings
from django.test import Client
from tests.bundles import write_bundle
from tests.web.submission_files import context_zip, digest
from tests.web.tus import CHUNK_TYPE, VERSION, announcing, appending
from tests.web.world import make_world

world = make_world(write_bundle(uploads.parent / "vowels"))
browser = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
browser.force_login(world.bob, backend="allauth.account.auth_backends.AuthenticationBackend")
SIZE = 256 * 1024
content = context_zip(extra=os.urandom(3_000_000))
said = {}

def announce(content):
    return browser.post("/api/v1/challenges/mednist/uploads", headers=announcing(content))

def offset():
    return int(browser.head(upload, headers=VERSION)["Upload-Offset"])

def append():
    start = offset()
    return browser.patch(upload, content[start : start + SIZE], CHUNK_TYPE, headers=appending(start))

upload = announce(content)["Location"]
said["first"] = [append().status_code for _ in range(4)]
said["too much"] = announce(content + bytes(50_000_000)).json()["code"]
filler = uploads / "filler"
room = os.statvfs(uploads).f_bavail * os.statvfs(uploads).f_frsize
FILL_IT
answer = append()
said["full"] = [answer.status_code, answer.json()["code"], str(uploads.parent) in answer.content.decode()]
form = browser.post("/c/mednist/submit/", {"file": open(uploads.parent / "big", "rb")})
said["form"] = [form.status_code, "disk" in form.content.decode()]
said["others"] = [browser.get("/").status_code, browser.get("/c/mednist/submit/").status_code]
LET_IT_BE
filler.unlink()
said["kept"] = 4 * SIZE <= offset() < 5 * SIZE
while offset() < len(content):
    assert append().status_code == 204
file = browser.post(f"{upload}/complete", {}, content_type="application/json").json()
said["file"] = file["sha256"] == digest(content)
said["left"] = sorted(path.name for path in uploads.iterdir())
print(json.dumps(said))
"""

BEFORE = ("filler.write_bytes(bytes(room - 100_000))", "")
# It fills while the bytes come in: there was room when the chunk began.
MEANWHILE = (
    """
from palio.web.verbs import receive_chunk
refuse = receive_chunk.UploadFolder.refuse_full
def refuse_then_fill(size_bytes):
    refuse(size_bytes)
    filler.write_bytes(bytes(room - 100_000))
receive_chunk.UploadFolder.refuse_full = staticmethod(refuse_then_fill)
""",
    "receive_chunk.UploadFolder.refuse_full = staticmethod(refuse)",
)


@pytest.mark.parametrize("fill", [BEFORE, MEANWHILE], ids=["before", "meanwhile"])
def test_disk_full_loses_nothing(tmp_path: Path, fill: tuple[str, str]) -> None:
    uploads = tmp_path / "data" / "uploads"
    uploads.mkdir(parents=True)
    (tmp_path / "data/big").write_bytes(bytes(12_000_000))
    code = CODE.replace("FILL_IT", fill[0]).replace("LET_IT_BE", fill[1])
    said = json.loads(on_a_mount("size=10m", uploads, code).splitlines()[-1])
    assert said == {
        "first": [204, 204, 204, 204],
        "too much": "storage-full",
        "full": [507, "storage-full", False],
        "form": [507, True],
        "others": [200, 200],
        "kept": True,
        "file": True,
        "left": [],
    }
