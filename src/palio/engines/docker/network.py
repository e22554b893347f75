"""The network of builds that may have one: of their own, apart from every other container's and from each other.

Not covered: the host's own addresses and what its network leads to (169.254.169.254 among it). No engine closes these
to a container, and no program can without being root on the engine's machine; its firewall can, as the network's
interface always has the name INTERFACE. docs/isolation.md has the commands.
"""

import docker
from docker.errors import APIError, NotFound

NETWORK, INTERFACE = "palio-build", "palio-build0"


def build_network(client: docker.DockerClient) -> str:
    """The network's name; it is made where it is not there."""
    try:
        client.networks.get(NETWORK)
    except NotFound:
        bridge = "com.docker.network.bridge"
        options = {f"{bridge}.name": INTERFACE, f"{bridge}.enable_icc": "false"}
        try:
            client.networks.create(NETWORK, driver="bridge", options=options, check_duplicate=True)
        except APIError as error:
            if error.status_code != 409:  # somebody else has just made it
                raise
    return NETWORK
