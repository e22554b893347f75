"""The platform's settings for tests: everything in a folder of its own, which is removed at the end."""

import atexit
import os
import shutil
import tempfile

os.environ["PALIO_DATA"] = tempfile.mkdtemp(prefix="palio-test-data-")
atexit.register(shutil.rmtree, os.environ["PALIO_DATA"], ignore_errors=True)
for _name in ("PALIO_URL", "PALIO_HOST", "PALIO_CONFIG"):
    os.environ.pop(_name, None)

from palio.web.settings import *  # noqa: E402, F403
from palio.web.settings import DATABASES, FOLDERS  # noqa: E402

FOLDERS.make()
DATABASES["default"].setdefault("TEST", {})["NAME"] = (
    str(FOLDERS.root / "test.sqlite3") if "sqlite3" in DATABASES["default"]["ENGINE"] else None
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, as many tests make accounts
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
