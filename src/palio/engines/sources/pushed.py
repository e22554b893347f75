"""The images that Palio has pushed to its own registry, for engines on other machines; old ones are deleted there.

A record on disk has when each was last pushed. Processes that share it take turns. An image that was not pushed for a
while is deleted: a job that still needs it pushes it again when its stage starts, from the builder, which has all its
layers. Only what the record names is deleted, so other images in the registry are safe. The registry frees the space
when it collects garbage itself (`registry garbage-collect`).
"""

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from palio.core.errors import PalioError
from palio.engines.sources.accounts import operators_account
from palio.engines.sources.hosts import OpenHosts
from palio.engines.sources.registry import Registry, UnreachableError

KEPT = timedelta(days=7)
_TIME_S = 60.0
_LOOPBACK = ("localhost", "127.0.0.1")

log = logging.getLogger("palio.images")


class PushedImages:
    """`record` is a file that all processes share that push to this registry; it is created when needed."""

    def __init__(self, record: Path) -> None:
        self._record = record

    def note(self, reference: str, now: datetime | None = None) -> None:
        """Notes that `reference`, as `registry/name@sha256:…`, was pushed now."""
        with self._locked() as known:
            known[reference] = (now or datetime.now(UTC)).isoformat()

    def remove_old(self, now: datetime | None = None, kept: timedelta = KEPT) -> tuple[str, ...]:
        """Deletes what was not pushed for `kept` in its registry; returns the references.

        What a registry does not delete now stays in the record, for the next time, and the reason goes to the log.
        """
        before = (now or datetime.now(UTC)) - kept
        removed = []
        with self._locked() as known:
            for reference in [each for each, pushed in known.items() if datetime.fromisoformat(pushed) < before]:
                try:
                    _delete(reference)
                except (PalioError, UnreachableError) as error:
                    log.warning("The image %s was not deleted: %s", reference, error)
                    continue
                del known[reference]
                removed.append(reference)
        return tuple(removed)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        """Yields the record, and writes what was changed."""
        self._record.parent.mkdir(parents=True, exist_ok=True)
        with self._record.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                before: Mapping[str, str] = json.loads(self._record.read_text())
            except (FileNotFoundError, ValueError):
                before = {}
            known = dict(before)
            try:
                yield known
            finally:
                if known != before:
                    part = self._record.with_suffix(".part")
                    part.write_text(json.dumps(known, indent=1))
                    part.replace(self._record)


def _delete(reference: str) -> None:
    name, _, digest = reference.partition("@")
    host, _, path = name.partition("/")
    is_here = host.partition(":")[0] in _LOOPBACK
    hosts = OpenHosts({host.lower(): "http" if is_here else "https"})  # named by the operator, not by a participant
    with Registry(host, path, reference, operators_account(host), hosts=hosts, time_s=_TIME_S) as registry:
        registry.delete(digest)
