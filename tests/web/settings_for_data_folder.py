"""The platform's settings for tests that bring a data folder of their own, in PALIO_DATA."""

from palio.web.settings import *  # noqa: F403
from palio.web.settings import FOLDERS

FOLDERS.make()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
