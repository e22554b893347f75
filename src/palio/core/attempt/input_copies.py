"""Cached copies of hidden inputs under opaque names. Runs of a platform link to them instead of copying the inputs
again.

    <key>/files/, <key>/names.json   staged once by attempt/blind.py; the key is derived from data and policy
    <key>.lock                       held while the copies are made

Everything here can be deleted while no evaluation runs; it is created again when needed.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from palio.core.attempt.blind import Names, stage_inputs, stage_links
from palio.core.bundle.model import BlindPolicy
from palio.core.files.staging import staged

_RULE = 3  # increase whenever `stage_inputs` changes what it produces from the same data
_UNUSED_S = 7 * 24 * 3600.0  # after the last use


class InputCopies:
    def __init__(self, root: Path) -> None:
        """`root` should be on the file system of the run folders; otherwise files are copied instead of linked."""
        self._root = root

    def stage(self, source: Path, digest: str, destination: Path, policy: BlindPolicy | None) -> Names:
        """Stages `source` like `stage_inputs`. `digest` is any text that identifies the content of `source`."""
        made_of = json.dumps([_RULE, digest, [policy.inputs, *policy.case] if policy else None])
        key = hashlib.sha256(made_of.encode()).hexdigest()[:32]
        with self._locked(key):
            copy = self._root / key
            if not copy.exists():
                self._remove_unused()
                with staged(copy) as (half,):
                    stage_inputs(source, half / "files", policy).save(half / "names.json")
            os.utime(copy)
            return stage_links(copy / "files", Names.load(copy / "names.json"), destination)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._root / f"{key}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remove_unused(self) -> None:
        for copy in self._root.iterdir():
            with suppress(OSError):  # another process is removing it
                if copy.is_dir() and not copy.name.startswith(".") and time.time() - copy.stat().st_mtime > _UNUSED_S:
                    with self._locked(copy.name):
                        shutil.rmtree(copy)
