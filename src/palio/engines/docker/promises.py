"""How the Docker engine on this machine enforces each property, and which limits it supports.

Both are derived from the engine's own report (`docker info`), passed in as `info`.
"""

from typing import Any

from palio.core.engine import Enforcement, Guarantee, Limits
from palio.core.errors import PalioError
from palio.core.quantities import size_text
from palio.engines.docker.seccomp import has_profile
from palio.engines.job_users import job_uids

_CONTROLLERS = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}


def filters_calls(info: dict[str, Any]) -> bool:
    """Whether the engine filters system calls, and Palio has a filter for its processor."""
    return "seccomp" in " ".join(info.get("SecurityOptions") or []) and has_profile(info["Architecture"])


def counts_sockets(info: dict[str, Any]) -> bool:
    """Whether the queues of TCP and UDP count as a job's memory."""
    return str(info.get("CgroupVersion")) == "2"


def guarantees(info: dict[str, Any], *, hides_paths: bool) -> tuple[Guarantee, ...]:
    kernel, watching = Enforcement.KERNEL, Enforcement.WATCHING
    by = {limit: kernel if info.get(key) else Enforcement.NONE for limit, key in _CONTROLLERS.items()}
    filtered, counted = filters_calls(info), counts_sockets(info)
    uids = job_uids()
    memory = by["memory"] if info.get("SwapLimit") and (filtered or counted) else Enforcement.NONE
    return (
        Guarantee("network", kernel, _network(filtered=filtered, counted=counted)),
        Guarantee("root file system", kernel, "read-only; /tmp in memory"),
        Guarantee("user", kernel, f"a separate uid ({uids.start}-{uids.stop - 1}) per existing job, no groups"),
        Guarantee("capabilities", kernel, f"none, no new privileges{', system calls filtered' if filtered else ''}"),
        Guarantee("memory", memory, _memory(info, filtered=filtered, counted=counted)),
        Guarantee("cpus", by["cpus"]),
        Guarantee("pids", by["pids"]),
        Guarantee("shared memory", kernel),
        Guarantee("input", kernel, "read-only"),
        Guarantee("output", kernel, "a separate file system with that size and number of files, in the job's memory"),
        Guarantee("time", watching, "from outside, by a clock that nobody can set"),
        Guarantee("log", kernel, "bounded where the engine stores it"),
        Guarantee("environment", kernel, "a fixed list"),
        Guarantee("devices", kernel, "none but declared GPUs"),
        Guarantee("host", kernel, f"own process, IPC and host namespaces; {_paths(hides_paths=hides_paths)}"),
        Guarantee("build", watching, "time, disk and number of processes; memory by the kernel"),
        Guarantee("build network", kernel, "none, or only public addresses through an egress proxy"),
    )


def _paths(*, hides_paths: bool) -> str:
    if hides_paths:
        return "the list of mounts shows the engine's folders, but no mount's path"
    return "/proc/self/mountinfo shows paths of mounts"


def _network(*, filtered: bool, counted: bool) -> str:
    if filtered and not counted:
        return "none, not even sockets: this kernel (cgroup v1) does not count their memory"
    return "none but loopback"


def _memory(info: dict[str, Any], *, filtered: bool, counted: bool) -> str:
    if not info.get("SwapLimit"):
        return "this kernel does not count swap"
    if not (filtered or counted):
        return "this kernel (cgroup v1) does not count socket queues, and system calls are not filtered"
    return "including /tmp, /dev/shm and the output"


def check(info: dict[str, Any], limits: Limits) -> None:
    """Raises PalioError("limit-unavailable") for the first limit that this engine cannot enforce."""
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
            enable = "Enable the cgroup controllers memory, pids and cpu for the engine."
            raise _unavailable(limit, "any", "this kernel does not support it", enable)


def _unavailable(setting: str, value: str, reason: str, next_step: str) -> PalioError:
    facts = {"setting": setting, "value": value, "reason": reason, "next_step": next_step}
    return PalioError("limit-unavailable", engine="docker", **facts)
