"""The controller: compares what the database says should run with what the engine says does, and moves attempts on.

One process with one loop, which alone writes to the database what becomes of attempts; each attempt in hand has a
process of its own, its worker, that steps its `core.evaluate.Evaluation`. See loop for what a tick does, worker for
what a worker may and may not do to the rest, deaths for workers that fail, and moves for what is written.

There is never a second one at a data folder (a lock on a file there, which the kernel lets go of when its process is
gone, however that ended) nor at a PostgreSQL database (an advisory lock of its own connection). So no attempt needs a
lease that could run out while its holder is only slow: whatever is running in the database and not in this process's
hands belongs to one that is dead, and is taken up at once. A worker of the dead one holds its run folder for as long
as it is still there, and the next worker waits for that.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palio.web.controller.heartbeat import Pulse


def main(pulse: "Pulse | None" = None) -> None:
    """Runs until SIGTERM or SIGINT. Raises PalioError "data-in-use" if another controller runs already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
    import django

    django.setup()
    from palio.web.controller.process import run

    run(pulse=pulse)
