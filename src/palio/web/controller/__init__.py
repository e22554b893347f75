"""The controller: compares what should run with what runs on the engine, and moves attempts on.

It is one process with one loop. Only controllers write the results of attempts to the database. Each active
attempt has a worker, a process that steps its `core.evaluate.Evaluation`. See `loop` for what happens in a tick,
`worker` for what a worker may do to the rest of the platform, `worker_deaths` for workers that fail, and `moves` for
what is written.

With SQLite, there is only one controller (a lock on a file, which the kernel releases when the process is gone):
whatever the database says is running, but this process does not hold, belongs to a dead process and is taken over at
once. With PostgreSQL there can be several, and each has a `lease`. A worker of a dead process holds the run folder
until it is gone, and the next worker waits for that.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palio.web.controller.heartbeat import Heartbeat


def main(heartbeat: "Heartbeat | None" = None) -> None:
    """Run until SIGTERM or SIGINT. Raises PalioError, see `process.run`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
    import django

    django.setup()
    from palio.web.controller.process import run

    run(heartbeat=heartbeat)
