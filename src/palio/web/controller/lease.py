"""The lease of a controller: its right to evaluate attempts, for a limited time.

The lease is a row with the time when it expires, by the database's clock; the loop renews it. To take an attempt, a
controller writes itself and the next fencing token into the attempt's row. Every later write for the attempt locks that
row and requires this token and an unexpired lease, in the same transaction. So a controller that was paused for longer
can commit nothing, not even a transaction that it had begun: it drops its attempts and begins again with a new lease.
Its workers have been ended by then, see lease_clock.

Attempts whose holder's lease has expired are free for all others. On the machine of a dead controller nobody has to
wait for that: each locks a file in `controllers/` of the data folder, which also shows whether controllers share it.

With SQLite there is one controller, with a lock of the kernel instead of a time; everything else is the same.

Not covered: PostgreSQL servers that replicate asynchronously and lose commits when one replaces the other.
"""

import fcntl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.web.config.data_folder import Folders
from palio.web.controller.lease_clock import LEASE_S, LeaseClock, now
from palio.web.models import Attempt, ChallengeVersion, ControllerBeat
from palio.web.models.ids import new_id
from palio.web.storage.files import bundle_path

KEPT = timedelta(days=7)  # rows of controllers that are gone
ENDED = datetime(1970, 1, 1, tzinfo=UTC)
_LEASE = timedelta(seconds=LEASE_S)  # twice this after the database's clock was set back
STALLED = "10s"  # a transaction in which nothing happens; less than a lease
_MARKS = "controllers"
_KEY = 0x70616C696F  # of an advisory lock: controllers start one after the other
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class LeaseLostError(Exception):
    """The lease has expired or another controller has the attempt: nothing may be written for it."""


class Lease:
    """Begins with the first `renew`.

    `leads`: whether this controller does the work that one does for all; `leads_here`: the same for those on its
    machine. The oldest leads, so that there are never two.
    """

    def __init__(self, folders: Folders) -> None:
        self.id = ""
        self.leads = self.leads_here = True
        self.controllers = 1  # that have a lease, including this one
        self.clock = None if is_exclusive() else LeaseClock()
        self._folders = folders
        self._marks = folders.root / _MARKS
        self._mark: IO[str] | None = None  # locked while this process lives

    def renew(self, **shown: object) -> None:
        """Raises LeaseLostError if it has expired; the next call begins a new one. `shown`: see ControllerBeat.

        Beginning raises PalioError "data-not-shared".
        """
        begin = now()
        values = shown | {"time": Now(), "expires": None if is_exclusive() else Now() + _LEASE}
        if not self.id:
            self._begin(values)
        elif not living().filter(pk=self.id).update(**values):
            self._forget()
            raise LeaseLostError
        if self.clock is not None:
            self.clock.set(begin + LEASE_S)
        self._end_dead()
        oldest_first = living().order_by("started", "pk")
        self.controllers = max(1, len(oldest_first))
        self.leads = [beat.pk for beat in oldest_first][:1] == [self.id]
        self.leads_here = [beat.pk for beat in oldest_first if beat.machine == _machine()][:1] == [self.id]

    def release(self) -> None:
        """Others may take the attempts at once."""
        if self.id:
            stopped = {"process": "", "engine": "", "trouble": "", "named_trouble": {}, "unenforced": []}
            ControllerBeat.objects.filter(pk=self.id).update(time=Now(), expires=ENDED, **stopped)
            (self._marks / self.id).unlink(missing_ok=True)
            self._forget()

    def free(self) -> Q:
        """The attempts that this controller may take: those of no living controller, and its own."""
        return Q(holder=self.id) | ~_is_valid("holder__")

    def _begin(self, values: dict[str, object]) -> None:
        own = new_id()
        mark = None if is_exclusive() else self._make_mark(own)
        try:
            with transaction.atomic():
                if is_exclusive():
                    ControllerBeat.objects.update(expires=ENDED)
                else:
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_KEY])
                    refuse_unshared(self._folders)
                ControllerBeat.objects.filter(time__lt=Now() - KEPT).delete()
                ControllerBeat.objects.create(pk=own, started=Now(), machine=_machine(), **values)
        except BaseException:
            if mark is not None:
                mark.close()
            raise
        self.id, self._mark = own, mark
        known = {own, *living().values_list("pk", flat=True)}
        for left in self._marks.glob("*"):
            if left.name not in known and _is_dead(left):
                left.unlink(missing_ok=True)

    def _make_mark(self, own: str) -> IO[str]:
        self._marks.mkdir(exist_ok=True)
        mark = (self._marks / own).open("w")
        fcntl.flock(mark, fcntl.LOCK_EX)
        return mark

    def _end_dead(self) -> None:
        """Ends the leases of controllers on this machine whose processes are gone."""
        others = living().filter(machine=_machine()).exclude(machine="").exclude(pk=self.id)
        for other in others.values_list("pk", flat=True):
            if _is_dead(self._marks / other):
                ControllerBeat.objects.filter(pk=other).update(expires=ENDED)

    def _forget(self) -> None:
        self.id = ""
        if self._mark is not None:
            self._mark.close()
            self._mark = None


def take(identity: str, lease: Lease) -> Attempt | None:
    """The attempt, locked and taken; None if it is not free. To be saved by the caller, in this transaction.

    Raises LeaseLostError if the lease has expired.
    """
    if not living().filter(pk=lease.id).exists():
        raise LeaseLostError
    rows = Attempt.objects.select_for_update(of=("self",), skip_locked=True)
    attempt = rows.select_related("submission__challenge").filter(lease.free(), pk=identity).first()
    if attempt is not None:
        attempt.holder_id = lease.id
        attempt.fencing_token += 1
    return attempt


def locked(identity: str, lease: Lease, token: int) -> Attempt:
    """The attempt, locked until the end of the transaction. Raises LeaseLostError if it must not be written any more:
    if the lease has expired, the token is not the latest, or the attempt was waiting and has left the queue.
    """
    if not living().filter(pk=lease.id).exists():
        raise LeaseLostError
    rows = Attempt.objects.select_for_update(of=("self", "submission")).select_related("submission__challenge")
    is_ours = Q(holder=lease.id) | Q(state=State.QUEUED)
    attempt = rows.filter(is_ours, pk=identity, fencing_token=token).first()
    if attempt is None:
        raise LeaseLostError
    return attempt


def refuse_unshared(folders: Folders, *, is_patient: bool = False) -> None:
    """Raises PalioError "data-not-shared" if the platform's files are in another data folder.

    With `is_patient`, first sees whether the controllers whose files are missing still renew their leases: those in a
    database that was just restored do not.
    """
    if is_exclusive():
        return
    renewed: dict[str, datetime] = {}
    while beat := next((each for each in living() if not (folders.root / _MARKS / each.pk).exists()), None):
        if not is_patient or beat.time != renewed.setdefault(beat.pk, beat.time):
            raise PalioError("data-not-shared", path=folders.root, whose=f"the controller {beat.process}")
        time.sleep(0.2)
    newest = ChallengeVersion.objects.order_by("-pk").first()
    if newest is not None and not bundle_path(folders, newest.digest).exists():
        raise PalioError("data-not-shared", path=folders.root, whose="the newest challenge")


def end_stalled_transactions() -> None:
    """From now on, PostgreSQL ends transactions of this process in which nothing happens for some seconds, so that a
    paused controller keeps no lock and commits nothing later.
    """

    def limit(connection: BaseDatabaseWrapper, **_: object) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", [STALLED])

    connection_created.connect(limit, weak=False)


def living() -> QuerySet[ControllerBeat]:
    """Those with a lease that has not expired."""
    return ControllerBeat.objects.filter(_is_valid())


def is_exclusive() -> bool:
    """Whether a lock of the kernel makes this the only controller."""
    return connection.vendor != "postgresql"


def _is_valid(prefix: str = "") -> Q:
    if is_exclusive():
        return Q(**{f"{prefix}pk__isnull": False, f"{prefix}expires": None})
    # Not longer than twice its duration: otherwise the database's clock was set back.
    return Q(**{f"{prefix}expires__gt": Now(), f"{prefix}expires__lte": Now() + 2 * _LEASE})


def _is_dead(mark: Path) -> bool:
    """Whether the process that locked it is gone; only certain on its own machine."""
    try:
        with mark.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _machine() -> str:
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""
