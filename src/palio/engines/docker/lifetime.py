"""Whether the engine was restarted under a job: its containers then end without having done anything wrong.

No call of the API says when the engine began. But it makes its default network anew each time it begins, and before
that, with the containers of its last life, it ends what still runs. So a container that ended earlier than that network
was made ended in another life of the engine, and nobody can say any more whether by itself.

Covered: an engine that was stopped, killed or crashed, and a machine that was. Not a fault, as its jobs go on: a
restart with live-restore. Not covered: an engine without its default network (`--bridge none`), and Podman, which has
no process of which its containers depend.
"""

from datetime import UTC, datetime

import docker
from docker.errors import NotFound

from palio.core.errors import PalioError

_DEFAULT_NETWORK = "bridge"


def refuse_end_before(client: docker.DockerClient, name: str, finished: datetime) -> None:
    """Raises PalioError("engine-fault") if the container ended before the engine that answers now began."""
    try:
        made = str(client.api.inspect_network(_DEFAULT_NETWORK)["Created"])
    except NotFound:
        return
    if finished <= datetime.fromisoformat(made).astimezone(UTC):
        reason = "the engine was restarted, which ends what it runs"
        raise PalioError("engine-fault", engine="docker", action=f"running {name}", reason=reason)
