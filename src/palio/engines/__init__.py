"""Where containers run. One package per engine, each behind `core.job.Engine`; `open_engine` picks one."""

from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.engines.fault import Unavailable

ENGINES = ("docker", "bubblewrap")  # in the order in which `auto` tries them
WITHOUT_IMAGES = frozenset({"bubblewrap"})  # those whose `loads_images` is false, for who has only the name


def open_engine(name: str = "auto") -> tuple[Engine, str]:
    """The engine of that name and why it was taken, in words for people.

    `auto` is Docker where it answers, else bubblewrap. Raises PalioError("engine-missing") where the engine asked for,
    or any at all, cannot be used; message and next step say what is missing and how to add it.
    """
    faults: list[Unavailable] = []
    for candidate in ENGINES if name == "auto" else (name,):
        fault = find_fault(candidate)
        if fault is None:
            return _make(candidate), _why(name, faults)
        faults.append(fault)
    raise PalioError(
        "engine-missing",
        reason="; ".join(fault.reason for fault in faults),
        next_step=" Or: ".join(fault.next_step for fault in faults),
    )


def find_fault(name: str) -> Unavailable | None:
    """Why the engine of that name cannot be used on this machine; None if it can."""
    if name == "docker":
        from palio.engines import docker  # here, as the SDK takes a fifth of a second to import

        return docker.why_unavailable()
    from palio.engines import bubblewrap

    return bubblewrap.why_unavailable()


def has_docker_image(reference: str) -> bool:
    """Whether the Docker engine has an image of that name, without pulling anything."""
    from palio.engines.docker import has_image

    return has_image(reference)


def _make(name: str) -> Engine:
    if name == "docker":
        from palio.engines.docker import DockerEngine

        return DockerEngine()
    from palio.engines.bubblewrap import BubblewrapEngine

    return BubblewrapEngine()


def _why(asked: str, faults: list[Unavailable]) -> str:
    if asked != "auto":
        return "as asked for"
    return f"as Docker cannot be used: {faults[0].reason}" if faults else "as it answers"
