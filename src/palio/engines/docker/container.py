"""Creates the container of a job, with everything that confines it.

Covered: no network; read-only root; a new /tmp in memory; a separate user, without groups, capabilities or new
privileges; a filter of system calls (seccomp.py); kernel limits on memory without swap, CPU, processes, files and core
dumps; read-only inputs; one writable folder that is kept, a separate file system with the size and number of files that
the job may have (holder.py), and limited copies of folders that are not kept (engines/copies.py), all counted as the
job's memory; private IPC and PID namespaces; no terminals.

Not covered: faults of the kernel that containers share with the host.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import docker
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from palio.core.engine import Job, environment
from palio.engines.docker import promises
from palio.engines.docker.holder import UID_LABEL, copy_mounts, volume_name
from palio.engines.docker.layers import JOB_LABEL
from palio.engines.docker.seccomp import profile

# The engine's own masked paths, which a list replaces, and the terminals, whose buffers nobody counts and whose number
# is shared by the whole machine.
_HIDDEN = (
    *(f"/proc/{name}" for name in ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug")),
    *(f"/proc/{name}" for name in ("scsi", "timer_list", "timer_stats")),
    *("/sys/devices/virtual/powercap", "/sys/firmware", "/dev/pts"),
)


def create_container(
    client: docker.DockerClient,
    info: dict[str, Any],
    job: Job,
    uid: int,
    inputs: Sequence[Mount],
    declared: Iterable[str],
) -> str:
    """Returns its id. `info` describes the engine, `uid` is the job's user, `declared` are the image's volumes."""
    limits = job.limits
    writable = {job.output, *(copy.target for copy in job.own_copies)}
    # A volume declared by an image would be writable space on disk, so it gets memory instead.
    in_memory = {path: "rw,nosuid,nodev,size=16m,mode=1777" for path in declared if path not in writable}
    in_memory["/tmp"] = f"rw,exec,nosuid,nodev,size={limits.memory_bytes},mode=1777"  # noqa: S108
    output = Mount(job.output, volume_name(job), type="volume", no_copy=True)
    config = client.api.create_host_config(
        network_mode="none",
        read_only=True,
        tmpfs=in_memory,
        mounts=[*inputs, output, *copy_mounts(job)],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", *_filter(info)],
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,
        nano_cpus=int(limits.cpus * 1e9),
        pids_limit=limits.pids,
        shm_size=limits.shm_bytes,
        ulimits=[
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="nofile", soft=limits.open_files, hard=limits.open_files),
            # All writable space is memory; a larger file would be sparse.
            Ulimit(name="fsize", soft=limits.memory_bytes, hard=limits.memory_bytes),
        ],
        ipc_mode="private",
        log_config=LogConfig(type="json-file", config={"max-size": "16m", "max-file": "2"}),
        device_requests=[DeviceRequest(count=limits.gpus, capabilities=[["gpu"]])] if limits.gpus else None,
    )
    config["MaskedPaths"] = list(_HIDDEN)
    created = client.api.create_container(
        job.image,
        list(job.command) if job.command else None,
        name=job.name,
        hostname="palio",
        user=f"{uid}:{uid}",
        working_dir=job.workdir,
        environment=environment(job),
        labels={JOB_LABEL: job.name, UID_LABEL: str(uid)},
        healthcheck={"test": ["NONE"]},
        host_config=config,
    )
    return str(created["Id"])


def _filter(info: dict[str, Any]) -> list[str]:
    ours = promises.filters_calls(info) and profile(info["Architecture"], inet=promises.counts_sockets(info))
    return [f"seccomp={ours}"] if ours else []
