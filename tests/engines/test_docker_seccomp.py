"""The filter of system calls: what it is made of, and what it lets through on a real engine."""

import json
import os
import textwrap
import time
from pathlib import Path
from uuid import uuid4

import pytest

from palio.core.engine import Job, Limits
from palio.core.quantities import MIB
from palio.engines.docker import DockerEngine
from palio.engines.docker.promises import counts_sockets
from palio.engines.docker.seccomp import ALLOWED, profile
from palio.engines.refused_calls import REFUSED

# Makes the calls themselves, with every number: what the filter refuses ends as EPERM or ENOSYS.
TRY = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
socket, setsockopt, prctl, memfd = NUMBERS

def passes(*call):
    result, number = libc.syscall(*call), ctypes.get_errno()
    if result >= 0 and call[0] == socket:
        os.close(result)
    return result >= 0 or number not in (1, 38)

families = {f: sorted({p for t in range(7) for p in range(270) if passes(socket, f, t, p)}) for f in range(50)}
plain = libc.syscall(socket, 1, 1, 0)
options = [o for o in range(120) if not passes(setsockopt, plain, 1, o, None, 0)]
print(json.dumps([{f: p for f, p in families.items() if p}, [o for o in (26, 50, 51, 52) if o in options],
    passes(setsockopt, plain, 1 | 1 << 32, 26, None, 0), passes(prctl, 22 | 1 << 32, 2, 0, 0, 0),
    passes(memfd, b"x", 4), passes(memfd, b"x", 4 | 1 << 32), passes(memfd, b"x", 1),
    passes(prctl, 22, 1, 0, 0, 0), passes(prctl, 15, b"name", 0, 0, 0), os.path.exists("/dev/pts/ptmx")]))
"""
NUMBERS = {"x86_64": (41, 54, 157, 319), "aarch64": (198, 208, 167, 279)}


def test_calls_disjoint() -> None:
    assert set(ALLOWED) & set(REFUSED) == set()
    assert not {"socket", "socketpair", "setsockopt", "prctl", "clone", "clone3", "personality"} & set(ALLOWED)


def test_profile_other_processor() -> None:
    assert profile("riscv64", inet=True) is None


@pytest.mark.parametrize("inet", [True, False])
def test_socket_rules_same_arguments(inet: bool) -> None:
    made = profile("aarch64", inet=inet)
    assert made
    rules = [rule for rule in json.loads(made)["syscalls"] if "socket" in rule["names"]]
    assert {tuple(argument["index"] for argument in rule["args"]) for rule in rules} == {(0, 2)}


@pytest.mark.docker
@pytest.mark.skipif(os.uname().machine not in NUMBERS, reason="no profile for this processor")
def test_calls_of_a_job(tmp_path: Path) -> None:
    engine = DockerEngine()
    code = textwrap.dedent(TRY).replace("NUMBERS", str(NUMBERS[engine._info["Architecture"]]))
    limits = Limits(time_s=60, memory_bytes=64 * MIB, cpus=1)
    name = f"palio-test-{uuid4().hex[:12]}"
    job = Job(name, "python:3.11-slim", limits, tmp_path / "log", "/mnt/out", command=("python", "-c", code))
    engine.start(job)
    try:
        while (result := engine.poll(job)) is None:
            time.sleep(0.02)
    finally:
        engine.remove(job)
    assert result.succeeded, job.log.read_text()
    families = {"1": [0, 1]}
    if counts_sockets(engine._info):
        families |= {"2": [0, 6, 17], "10": [0, 6, 17]}
    assert json.loads(job.log.read_text()) == [families, [26, 50, 51, 52], *map(bool, (0, 0, 0, 0, 1, 0, 1, 0))]
