"""The holder: a waiting container that keeps a job's output mounted and reserves the job's user.

The output is a tmpfs that the engine keeps mounted as long as a started container uses it. The holder is started before
the job and removed with it. It is named after the job's user (uid), and a name belongs to only one container, so two
jobs that exist at the same time never share a user, whichever processes start them.

The holder's image contains a folder and a program of a hundred bytes, given here as bytes for each processor. The
program waits until it is killed; called with an argument, it prints the kernel's statistics of the file system at /out.

Covered: processes killed at any point, because the holder carries its job's label; two processes that start the same
job; a holder that ended early, which loses the output and is the engine's fault. Not covered: users of this range
outside of this engine, such as bubblewrap sandboxes on the same machine: give each engine its own range.
"""

import hashlib
import io
import os
import struct
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Mount

from palio.core.engine import Job
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.copies import copy_options, place_in_output, write_tar
from palio.engines.docker.connection import ANSWER_S, connect
from palio.engines.docker.layers import JOB_LABEL
from palio.engines.job_users import job_uids
from palio.engines.output_space import output_inodes, output_size_bytes

IMAGE = "palio-holder:1"
UID_LABEL = "palio.uid"  # label of a job's container and its holder, with the job's user
_FOLDER, _PROGRAM, _NOBODY = "/out", "/wait", "65534:65534"
_CONFLICT = 409
_CHUNK_BYTES = 2 * MIB

# With one argument (its name): ppoll() forever. With more: statfs("/out"), and print the result.
_CODE = {
    "x86_64": (
        "48833c2401751231ff31f631d24531d2b80f0100000f05ebee488d3d34000000"
        "4881ec000100004889e6b8890000000f0589c785c07516bf010000004889e6ba"
        "78000000b8010000000f0531ffb8e70000000f052f6f757400"
    ),
    "aarch64": (
        "e00340f91f0400f101010054000080d2010080d2020080d2030080d2280980d2"
        "010000d4faffff17c0010010ff0304d1e1030091680580d2010000d4e00000b5"
        "200080d2e1030091020f80d2080880d2010000d4000080d2c80b80d2010000d4"
        "2f6f757400"
    ),
}
_ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
_LOADED_AT, _HEADERS_BYTES = 0x400000, 64 + 56
_MOST_ASKED = 5  # times: on a busy machine, Docker may lose what a program writes that ends at once
_STATFS = struct.Struct("=7q8x2q40x")  # type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, ...


def holder_name(uid: int) -> str:
    return f"palio-user-{uid}"


def volume_name(job: Job) -> str:
    return f"{job.name}-out"


def copy_mounts(job: Job) -> list[Mount]:
    """The job's own copies, as its container sees them."""
    return [
        Mount(copy.target, _copy_name(job, number), type="volume", no_copy=True)
        for number, copy in enumerate(job.own_copies)
    ]


def fill_copies(client: docker.DockerClient, job: Job, uid: int) -> None:
    """Writes what the job's output and copies start with, once the holder is started and before the job is."""
    to_fill = [(copy, _FOLDER, place_in_output(job, copy)) for copy in job.output_copies]
    to_fill += [(copy, _copy_folder(number), "") for number, copy in enumerate(job.own_copies)]
    for copy, folder, prefix in to_fill:
        with tempfile.TemporaryFile() as archive:
            write_tar(copy.source, prefix, uid, archive)
            archive.seek(0)
            client.api.put_archive(holder_name(uid), folder, archive)


def _copy_name(job: Job, number: int) -> str:
    return f"{job.name}-copy{number}"


def _copy_folder(number: int) -> str:
    return f"/copy{number}"


def create_holder(client: docker.DockerClient, job: Job, machine: str) -> int:
    """Creates the job's volume and holder, without mounting or starting them; returns the job's user."""
    for left in client.api.containers(all=True, filters={"label": [f"{JOB_LABEL}={job.name}", UID_LABEL]}):
        return int(left["Labels"][UID_LABEL])  # left by a killed process
    limits = job.limits
    for uid in _free_uids(client, job):
        options = f"size={output_size_bytes(limits)},nr_inodes={output_inodes(limits)},uid={uid},gid={uid}"
        # World-writable: the uid may have another name on the engine's machine, and no other job sees the mount.
        options += ",mode=0777,nosuid,nodev"
        mount = {"type": "tmpfs", "device": "tmpfs", "o": options}
        client.api.create_volume(volume_name(job), driver_opts=mount, labels={JOB_LABEL: job.name})
        for number, copy in enumerate(job.own_copies):
            options = f"{copy_options(copy.source)},uid={uid},gid={uid},mode=0755,nosuid,nodev"
            mount = {"type": "tmpfs", "device": "tmpfs", "o": options}
            client.api.create_volume(_copy_name(job, number), driver_opts=mount, labels={JOB_LABEL: job.name})
        if _create(client, job, uid, machine):
            return uid
    reason = f"all {len(job_uids()):,} users for jobs are in use"
    raise PalioError("engine-fault", engine="docker", action=f"starting {job.name}", reason=reason)


@contextmanager
def holder_starting(uid: int) -> Iterator[None]:
    """Starts the holder beside what is done inside, as both mostly wait. A fault is left to `start_holder`."""
    thread = threading.Thread(target=_start_alone, args=[uid], name=holder_name(uid))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _start_alone(uid: int) -> None:
    with suppress(DockerException, requests.RequestException):
        client = connect()
        try:
            start_holder(client, uid)
        finally:
            client.close()


def start_holder(client: docker.DockerClient, uid: int) -> None:
    """Mounts the output. Leaves a running holder unchanged."""
    client.api.start(holder_name(uid))


def remove_holder(client: docker.DockerClient, uid: int) -> None:
    with suppress(NotFound):
        client.api.remove_container(holder_name(uid), force=True)


def inspect_holder(client: docker.DockerClient, job: Job, labels: dict[str, str]) -> dict[str, Any]:
    """The engine's description of the holder of a job with these container labels. Raises PalioError if it is gone."""
    with suppress(NotFound, KeyError):
        found: dict[str, Any] = client.api.inspect_container(holder_name(int(labels[UID_LABEL])))
        if found["State"]["Running"] and found["Config"]["Labels"][JOB_LABEL] == job.name:
            return found
    reason = "the container that held its output ended, so the output is lost"
    raise PalioError("engine-fault", engine="docker", action=f"running {job.name}", reason=reason)


def output_space(client: docker.DockerClient, uid: int) -> os.statvfs_result:
    """The output's file system statistics from the kernel of the engine's machine, queried through the holder."""
    for _ in range(_MOST_ASKED):
        created = client.api.exec_create(holder_name(uid), [_PROGRAM, "statfs"], stderr=False)
        if len(said := client.api.exec_start(created["Id"])) == _STATFS.size:
            break
    else:
        raise PalioError(
            "engine-fault", engine="docker", action="measuring an output", reason="the holder did not respond"
        )
    _, block, blocks, free, available, files, files_free, names, fragment = _STATFS.unpack(said)
    return os.statvfs_result((block, fragment, blocks, free, available, files, files_free, files_free, 0, names))


@contextmanager
def holder_archive(client: docker.DockerClient, uid: int) -> Iterator[tuple[io.BufferedReader, str]]:
    """The output as a tar stream, and its top folder.

    Requested here, because the SDK's method hides its connection: until that is closed, the engine blocks other calls
    about the holder.
    """
    url = f"{client.api.base_url}/v{client.api.api_version}/containers/{holder_name(uid)}/archive"
    with client.api.get(url, params={"path": _FOLDER}, stream=True, timeout=ANSWER_S) as response:
        response.raise_for_status()
        yield io.BufferedReader(_Chunks(response.iter_content(_CHUNK_BYTES))), _FOLDER[1:]


def _free_uids(client: docker.DockerClient, job: Job) -> Iterator[int]:
    """Users that were free a moment ago, starting at a position that differs between jobs."""
    there = client.api.containers(all=True, filters={"label": UID_LABEL})
    taken = {each["Labels"][UID_LABEL] for each in there}
    uids = job_uids()
    begin = int.from_bytes(hashlib.sha256(job.name.encode()).digest()[:8]) % len(uids)
    return (uid for uid in (*uids[begin:], *uids[:begin]) if str(uid) not in taken)


def _create(client: docker.DockerClient, job: Job, uid: int, machine: str) -> bool:
    """Creates the holder. Returns whether the user was free and now belongs to the job."""
    config = client.api.create_host_config(
        mounts=[
            Mount(_FOLDER, volume_name(job), type="volume", no_copy=True),
            *(
                Mount(_copy_folder(number), _copy_name(job, number), type="volume", no_copy=True)
                for number, _ in enumerate(job.own_copies)
            ),
        ],
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=32 * MIB,
        memswap_limit=32 * MIB,
        pids_limit=32,
        log_config=LogConfig(type="none"),
    )
    while True:
        try:
            client.api.create_container(
                IMAGE,
                [_PROGRAM],
                name=holder_name(uid),
                user=_NOBODY,
                labels={JOB_LABEL: job.name, UID_LABEL: str(uid)},
                host_config=config,
            )
        except ImageNotFound:
            client.api.import_image_from_data(_image(machine), *IMAGE.split(":"))
        except APIError as error:
            if error.response is None or error.response.status_code != _CONFLICT:
                raise
            return False
        else:
            return True


def _image(machine: str) -> bytes:
    """A tar with the folder and the program."""
    if machine not in _CODE:
        reason = f"there is no holder program for {machine}"
        raise PalioError("engine-fault", engine="docker", action="making an image", reason=reason)
    program = executable(machine)
    folder, file = tarfile.TarInfo(_FOLDER[1:]), tarfile.TarInfo(_PROGRAM[1:])
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    file.size, file.mode = len(program), 0o755
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(folder)
        archive.addfile(file, io.BytesIO(program))
    return data.getvalue()


def executable(machine: str) -> bytes:
    """The program as a static ELF file: header, one loaded segment, code."""
    code = bytes.fromhex(_CODE[machine])
    size = _HEADERS_BYTES + len(code)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")  # 64 bits, little-endian
    entry = _LOADED_AT + _HEADERS_BYTES
    header = struct.pack("<HHIQQQIHHHHHH", 2, _ELF_MACHINES[machine], 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOADED_AT, _LOADED_AT, size, size, 0x10000)
    return identity + header + segment + code


class _Chunks(io.RawIOBase):
    """A stream over the chunks sent by the engine."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
