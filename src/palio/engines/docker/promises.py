"""What the Docker engine on this machine can promise: which property it keeps how, and which limits it can give.

Both are read from what the engine says of itself (`docker info`), passed in as `info`.
"""

from typing import Any

from palio.core.errors import PalioError
from palio.core.job import JOB_GID, JOB_UID, Enforcement, Guarantee, Limits
from palio.core.quantities import size_text

_CONTROLLERS = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}


def guarantees(info: dict[str, Any], *, volumes_in_reach: bool) -> tuple[Guarantee, ...]:
    kernel, watching = Enforcement.KERNEL, Enforcement.WATCHING
    by = {limit: kernel if info.get(key) else Enforcement.NONE for limit, key in _CONTROLLERS.items()}
    filtered = ", seccomp" if "seccomp" in " ".join(info.get("SecurityOptions") or []) else ""
    swap = "" if info.get("SwapLimit") else "swap is not counted by this kernel"
    counted = "total size and number of files" if volumes_in_reach else "total size; number of files when collected"
    return (
        Guarantee("network", kernel, "none but loopback"),
        Guarantee("root file system", kernel, "read-only; /tmp in memory"),
        Guarantee("user", kernel, f"{JOB_UID}:{JOB_GID}, no groups"),
        Guarantee("capabilities", kernel, f"none, no new privileges{filtered}"),
        Guarantee("memory", by["memory"], swap),
        Guarantee("cpus", by["cpus"]),
        Guarantee("pids", by["pids"]),
        Guarantee("shared memory", kernel),
        Guarantee("input", kernel, "read-only"),
        Guarantee("output", watching, counted),
        Guarantee("time", watching, "wall clock, from outside"),
        Guarantee("log", kernel, "bounded where the engine keeps it"),
        Guarantee("environment", kernel, "a fixed list"),
        Guarantee("devices", kernel, "none but GPUs that are declared"),
        Guarantee("host", kernel, "own process, IPC and host name spaces"),
        Guarantee("build", watching, "time, disk and number of processes; memory by the kernel"),
        Guarantee("build network", kernel, "none, or through a gate that leads to public addresses alone"),
    )


def check(info: dict[str, Any], limits: Limits) -> None:
    """Raises PalioError("limit-unavailable") for the first limit that this engine cannot give."""
    lower = "or lower the limit in competition.yaml."
    if limits.cpus > info["NCPU"]:
        raise _unavailable("cpus", f"{limits.cpus:g}", f"it has {info['NCPU']}", f"Give it more CPUs, {lower}")
    if limits.memory_bytes > info["MemTotal"]:
        asked, there = size_text(limits.memory_bytes), size_text(info["MemTotal"])
        raise _unavailable("memory", asked, f"it has {there}", f"Give it more memory, {lower}")
    if limits.gpus and "nvidia" not in info.get("Runtimes", {}):
        install = "Install the NVIDIA Container Toolkit, or set gpus to 0 in competition.yaml."
        raise _unavailable("gpus", str(limits.gpus), "it has no NVIDIA runtime", install)
    for limit, key in _CONTROLLERS.items():
        if not info.get(key):
            enable = "Enable the control group controllers memory, pids and cpu for the engine."
            raise _unavailable(limit, "any", "this kernel does not let it limit that", enable)


def _unavailable(setting: str, value: str, reason: str, next_step: str) -> PalioError:
    facts = {"setting": setting, "value": value, "reason": reason, "next_step": next_step}
    return PalioError("limit-unavailable", engine="docker", **facts)
