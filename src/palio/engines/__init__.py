"""The engines that run containers, one package each behind `core.engine.Engine`. `open_engine` picks one."""

from collections.abc import Callable

from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.engines.fault import Unavailable

AUTO = ("docker", "bubblewrap")  # the order in which `auto` tries them
ENGINES = (*AUTO, "kubernetes")  # which needs settings, and so is only used by name
WITHOUT_IMAGES = frozenset({"bubblewrap"})  # engines whose `loads_images` is false, for code that only has the name


def open_engine(name: str = "auto", fault_of: Callable[[str], Unavailable | None] | None = None) -> tuple[Engine, str]:
    """Returns the named engine, and what to print after its description: why `auto` chose it, or nothing.

    `auto` is Docker if it responds, else bubblewrap. Raises PalioError("engine-missing") if the named engine, or with
    `auto` any engine, is unavailable; message and next step say what is missing and how to add it. `fault_of` is for
    tests.
    """
    faults: list[Unavailable] = []
    for candidate in AUTO if name == "auto" else (name,):
        fault = (fault_of or find_fault)(candidate)
        if fault is None:
            return _make(candidate), f" ({_why(faults)})" if name == "auto" else ""
        faults.append(fault)
    raise PalioError(
        "engine-missing",
        reason="; ".join(fault.reason for fault in faults),
        next_step=" Or: ".join(fault.next_step for fault in faults),
    )


def find_fault(name: str) -> Unavailable | None:
    """Why the named engine is unavailable on this machine, or None."""
    if name == "docker":
        from palio.engines import docker  # imported here because the SDK takes 0.2 s to import

        return docker.why_unavailable()
    if name == "kubernetes":
        from palio.engines.kubernetes import availability

        return availability.why_unavailable()
    from palio.engines import bubblewrap

    return bubblewrap.why_unavailable()


def has_docker_image(reference: str) -> bool:
    """Whether the Docker engine has an image of that name. Pulls nothing."""
    from palio.engines.docker import has_image

    return has_image(reference)


def _make(name: str) -> Engine:
    if name == "docker":
        from palio.engines.docker import DockerEngine

        return DockerEngine()
    if name == "kubernetes":
        from palio.engines.kubernetes.engine import KubernetesEngine

        return KubernetesEngine()
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine()


def _why(faults: list[Unavailable]) -> str:
    return f"because Docker is unavailable: {faults[0].reason}" if faults else "the first that is available"
