"""Blind copies of hidden inputs that outlive a run, so that each run of a platform links to them instead of copying.

    <key>/files/, <key>/names.json   what attempt/blind.py staged once; the key follows from data and policy
    <key>.lock                       held by who makes it

All of it can be removed whenever nothing is being evaluated: it is made again.
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

_RULE = 2  # to be raised whenever `stage_inputs` makes something else of the same data
_KEPT_S = 7 * 24 * 3600.0  # after its last use


class InputCopies:
    def __init__(self, root: Path) -> None:
        """`root` best lies on the file system of the run folders; links lead nowhere else, and files are copied."""
        self._root = root

    def stage(self, source: Path, digest: str, destination: Path, policy: BlindPolicy | None) -> Names:
        """What `stage_inputs` gives for `source`, whose content has this digest (any text that follows from it)."""
        made_of = json.dumps([_RULE, digest, policy.inputs if policy else None])
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
            with suppress(OSError):  # somebody else removes it
                if copy.is_dir() and not copy.name.startswith(".") and time.time() - copy.stat().st_mtime > _KEPT_S:
                    with self._locked(copy.name):
                        shutil.rmtree(copy)
