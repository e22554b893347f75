"""Detects whether the engine was restarted under a job, which ends its containers through no fault of their own.

The API does not report when the engine started. But it recreates its default network at each start, after ending all
containers of its previous life that still run. So a container that ended before that network was created ended in a
previous life of the engine, and nobody can tell whether by itself.

Covered: an engine or machine that was stopped, killed or crashed. Not a fault, because jobs survive it: a restart with
live-restore. Not covered: an engine without its default network (`--bridge none`), and Podman, which has no process
that its containers depend on.
"""

from datetime import UTC, datetime

import docker
from docker.errors import NotFound

from palio.core.errors import PalioError

_DEFAULT_NETWORK = "bridge"


def refuse_end_before(client: docker.DockerClient, name: str, finished: datetime) -> None:
    """Raises PalioError("engine-fault") if the container ended before the current engine process started."""
    try:
        made = str(client.api.inspect_network(_DEFAULT_NETWORK)["Created"])
    except NotFound:
        return
    if finished <= datetime.fromisoformat(made).astimezone(UTC):
        reason = "the engine was restarted, which ended the job"
        raise PalioError("engine-fault", engine="docker", action=f"running {name}", reason=reason)
