"""Files that come in in chunks, whatever goes wrong on the way."""

import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from tests.mounts import mounted_tmpfs
from tests.web.handing_in import CHUNK, announce, send, upload
from tests.web.people import World
from tests.web.zips import RESULTS, below, chunks, context_zip, digest

from palio.core.errors import PalioError
from palio.web.folders import Folders
from palio.web.models import StoredFile, Upload
from palio.web.store import file_path
from palio.web.upload_folder import plain_name
from palio.web.verbs.completing import complete_upload
from palio.web.verbs.receiving import put_chunk
from palio.web.verbs.refusals import RefusedError
from palio.web.verbs.uploads import MOST_UNFINISHED, begin_upload, present, remove_abandoned

CONTENT = context_zip(extra=bytes(range(256)) * 40)


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, settings: object) -> Iterator[None]:
    folders = Folders(tmp_path / "data")
    shutil.copytree(settings.FOLDERS.bundles, folders.bundles)  # type: ignore[attr-defined]
    folders.make()
    settings.FOLDERS = folders  # type: ignore[attr-defined]
    yield
