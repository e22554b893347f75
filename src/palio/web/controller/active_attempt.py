"""An attempt that the controller is working on: its worker, its deadline, and how it is to end."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from palio.core.attempt.run_folder import Stage
from palio.core.errors import Failure
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome
from palio.web.controller.pools import Pool
from palio.web.controller.slots import Share
from palio.web.controller.stepping import Order
from palio.web.controller.worker import Worker

UNANSWERED_S = 20.0  # for a worker to exit after an order to end or after its result


@dataclass
class ActiveAttempt:
    """`deadline` and `since` are times of the controller's monotonic clock, which nobody can set.

    `started` and `stage_since` are when it left the queue and when its stage began, by the clock.

    `order` is how the attempt is to end, once that is decided; `since` is when its worker was asked to end or reported
    its result. `closed` means that a worker was started only to end it.
    """

    given: Assignment
    pool: Pool
    share: Share
    times: Mapping[Stage, timedelta]
    start: Callable[[Assignment, Order | Failure | None], Worker]
    worker: Worker
    deadline: float
    fencing_token: int
    started: datetime
    stage_since: datetime
    order: Order | Failure | None = None
    since: float | None = None
    closed: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(4))  # of its worker

    def ask(self, order: Order | Failure, now: float) -> None:
        self.order, self.since = order, now
        self.worker.order(order)

    def is_unanswered(self, now: float) -> bool:
        return self.since is not None and now - self.since > UNANSWERED_S

    def start_again(self, now: float) -> None:
        """Replace a worker that ended. With an order, the new worker only ends the attempt."""
        self.worker = self.start(self.given, self.order)
        self.token = secrets.token_hex(4)
        self.closed = self.order is not None
        self.since = now if self.order is not None else None

    def as_ordered(self) -> Outcome:
        """The result that was ordered, for when no worker could report it."""
        return Outcome.failed(self.order) if isinstance(self.order, Failure) else Outcome.cancelled()
