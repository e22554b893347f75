"""A complete upload becomes a file of the store, against what obstore's own local store does with the same file.

Both create and never replace, and neither syncs. obstore copies in a single put, and so has the file in memory: it
takes no condition together with an upload in parts.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import obstore
from obstore.store import LocalStore

from benchmarks.measuring import Comparison, side_by_side
from palio.web.config.data_folder import Folders
from palio.web.storage.files import FolderStore

UPLOAD_BYTES = 200_000_000


def measure(runs: int = 5) -> list[Comparison]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        folders = Folders(home / "data")
        folders.make()
        uploads = [_upload(folders.uploads / str(number)) for number in range(runs)]
        own, theirs = FolderStore(folders), LocalStore(home / "obstore", mkdir=True)
        return [
            side_by_side(
                f"an upload of {UPLOAD_BYTES // 10**6} MB becomes a file of the store",
                ("obstore's local store", lambda number: _put(theirs, *uploads[number])),
                ("a hard link", lambda number: own.keep(*uploads[number])),
                runs=runs,
            )
        ]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _upload(path: Path) -> tuple[Path, str]:
    content = os.urandom(1_000_000) * (UPLOAD_BYTES // 1_000_000)
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def _put(store: LocalStore, path: Path, sha256: str) -> None:
    obstore.put(store, f"{sha256[:2]}/{sha256}", path, mode="create")


if __name__ == "__main__":
    print(*measure(), sep="\n")
