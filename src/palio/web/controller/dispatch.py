"""Chooses which attempts of the queue start now, and in which pool."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from django.utils import timezone

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import State
from palio.core.dockerfile.substitutes import Substitutes
from palio.web.config.data_folder import Folders
from palio.web.controller import assign, moves
from palio.web.controller.active_attempt import ActiveAttempt
from palio.web.controller.assignment import Assignment
from palio.web.controller.lease import Lease
from palio.web.controller.pools import Pool, Pools
from palio.web.controller.requirements import Requirements, RequirementsReader
from palio.web.controller.slots import NOTHING
from palio.web.models import Attempt
from palio.web.verbs.engine_support import refuse_unenforced, refuse_untrusted
from palio.web.verbs.queue import next_due

DISPATCH_S = 2.0  # of a tick, at most; then running attempts are looked at again

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class Started:
    """An attempt that has left the queue and needs a worker."""

    given: Assignment
    requirements: Requirements
    pool: Pool


class Dispatcher:
    """`active` are the attempts that the controller is working on, by identity; they take up slots of their pools."""

    def __init__(
        self,
        folders: Folders,
        *,
        pools: Pools,
        requirements: RequirementsReader,
        substitutes: Substitutes,
        lease: Lease,
        active: Mapping[str, ActiveAttempt],
        clock: Callable[[], float],
    ) -> None:
        self._folders, self._pools, self._requirements = folders, pools, requirements
        self._substitutes, self._lease, self._active, self._clock = substitutes, lease, active, clock
        self._open: list[Pool] = []  # pools in which something may still start in this tick
        self._passed: set[tuple[int, str]] = (
            set()
        )  # phases of which nothing starts in this tick; the others need not wait

    def free(self, pool: Pool) -> int:
        """How many more attempts are started: where jobs must not run side by side, one on this machine."""
        most = pool.slots.count if pool.watch.found.runs_in_parallel else int(self._lease.leads_here)
        return max(0, most - len(self._running_in(pool)))

    def due(self) -> Iterator[str]:
        """The identities of the attempts to start in this tick, in order. `start` each before asking for the next."""
        self._open = [pool for pool in self._pools if self._is_open(pool)]
        self._passed.clear()
        until, known = math.inf, -1
        while known < len(self._passed) and any(map(self._is_open, self._open)):
            known = len(self._passed)
            slots = {id(pool.slots): pool for pool in self._open}
            for each in next_due(sum(map(self.free, slots.values())), self._passed):
                if (each.challenge, each.phase) in self._passed:
                    continue
                # From the first on, as reading a long queue takes a while.
                until = min(until, self._clock() + DISPATCH_S)
                yield each.identity
                if not any(map(self._is_open, self._open)) or self._clock() > until:
                    return

    def start(self, row: Attempt) -> Started | None:
        """Take an attempt out of the queue, or pass over its phase for this tick if it cannot start now.

        A pool in which something did not fit is closed until the next tick, so that nothing overtakes it there. Raises
        PalioError if it can never start.
        """
        given = assign.assignment(row, self._folders, substitutes=self._substitutes)
        requirements = self._requirements.of(given.bundle, given.phase)
        if requirements is not None:
            pool = self._pools.of(requirements.engine)
            if pool in self._open and self._is_open(pool):
                if self._fits(row, requirements, pool):
                    return self._begin(row, given, requirements, pool)
                self._open = [each for each in self._open if each.slots is not pool.slots]
        self._passed.add((row.submission.challenge_id, given.phase))
        return None

    def _running_in(self, pool: Pool) -> list[ActiveAttempt]:
        return [active for active in self._active.values() if active.pool.slots is pool.slots]

    def _is_open(self, pool: Pool) -> bool:
        return bool(pool.watch.found.name and not pool.watch.found.trouble and self.free(pool))

    def _fits(self, row: Attempt, requirements: Requirements, pool: Pool) -> bool:
        """Whether it fits beside the running attempts of its pool. Raises PalioError if it never will."""
        found, running = pool.watch.found, self._running_in(pool)
        only_scored = assign.is_only_scored(row)
        share = requirements.share(only_scored=only_scored)
        pool.slots.refuse_impossible(share)
        if not only_scored:
            refuse_untrusted(row.submission.user, found.name)
            refuse_unenforced(row.submission.user, found.name, found.unenforced)
        return pool.slots.has_room(share, len(running), sum((each.share for each in running), NOTHING))

    def _begin(self, row: Attempt, given: Assignment, requirements: Requirements, pool: Pool) -> Started | None:
        """None if it was cancelled at this moment."""
        found = pool.watch.found
        first = State.SCORE if assign.is_only_scored(row) else State.BUILD
        deadline = timezone.now() + requirements.times[Stage(first.value)]
        token = moves.begin(row.identity, first, lease=self._lease, engine=found.name, deadline=deadline)
        if token is None:
            return None
        log.info("Starting %s", row.identity)
        row.engine, row.state, row.fencing_token = found.name, first.value, token
        row.moved = row.started = timezone.now()  # as just written
        if found.unenforced:
            log.warning("Running %s although %s are not enforced", row.identity, ", ".join(found.unenforced))
        return Started(replace(given, engine=found.name), requirements, pool)
