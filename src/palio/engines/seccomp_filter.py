"""A job's filter of system calls, as a classic BPF program: bubblewrap's, and what the launcher adds on Kubernetes.

Refused: creating or entering namespaces, mounting, tracing other processes, reading or changing the kernel, and sockets
of families other than Unix, IPv4 and IPv6: above all AF_VSOCK, which no network namespace confines and which reaches
the hypervisor, and netlink, whose queues no memory limit counts. For the same reason there are no huge pages, no
filters of sockets or system calls, and no protocols besides TCP and UDP. Calls newer than the list are refused.
Everything else relies on the absence of capabilities. In effect, this is Docker's default profile for a container
without capabilities.
"""

import errno
import platform
import struct
from collections.abc import Iterable

from palio.engines.refused_calls import (
    INET,
    INET_PROTOCOLS,
    NAMESPACES,
    NEWEST_JUDGED,
    PERSONALITIES,
    PROCESS_OPTIONS,
    REFUSED,
    SOCKET_OPTIONS,
)

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_KEEP_SIZE = 0x01  # of fallocate: allocates space that the file size does not show
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_X32 = 0x40000000  # x86-64's second set of numbers for the same calls

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Memory that no process maps and that therefore cannot be observed; refused if no cgroup counts it.
UNWATCHED_MEMORY = ("memfd_create", "shmget")
# If the CPUs of a job are set by its affinity, it must not widen it.
AFFINITY = ("sched_setaffinity",)
_OPTIONAL: dict[str, tuple[int, int]] = {
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "sched_setaffinity": (203, 122),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
_PERSONALITY, _FALLOCATE, _PRCTL, _SETSOCKOPT = (135, 92), (285, 47), (157, 167), (54, 208)
_UNIX = 1
_SOL_SOCKET = 1
# Huge pages come from a pool of the machine that no memory limit counts: the call, the argument with its flags, the
# flag, and the error, as on a machine without huge pages.
_HUGE_PAGES = (
    ((9, 222), 3, 0x40000, errno.ENOMEM),  # mmap
    (_OPTIONAL["memfd_create"], 1, 0x4, errno.EINVAL),
    (_OPTIONAL["shmget"], 2, 0o4000, errno.ENOMEM),
)


def seccomp_filter(also: Iterable[str] = (), machine: str | None = None, *, allows_ip: bool = True) -> bytes | None:
    """The program, or None for an unsupported processor. `also` names optional calls to refuse.

    Without `allows_ip`, there are only Unix sockets.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    column, families = list(_ARCHITECTURES).index(machine), INET if allows_ip else ()
    program = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, _ARCHITECTURES[machine], 1, 0), _step(_RETURN, _KILL)]
    program.append(_step(_LOAD, _NUMBER))
    if machine == "x86_64":
        program += [_step(_AT_LEAST, _X32, 0, 1), _refuse(errno.ENOSYS)]
    program += [_step(_AT_LEAST, NEWEST_JUDGED + 1, 0, 1), _refuse(errno.ENOSYS)]
    refused = [numbers[column] for numbers in REFUSED.values()]
    for number in refused:
        if number is not None:
            program += [_step(_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    for name in also:
        code = errno.EPERM if name in AFFINITY else errno.ENOSYS
        program += [_step(_EQUAL, _OPTIONAL[name][column], 0, 1), _refuse(code)]
    # clone3's flags are in memory, where a filter cannot look. Without it, libraries fall back to clone.
    program += [_step(_EQUAL, _CLONE3[column], 0, 1), _refuse(errno.ENOSYS)]
    program += _if_bits(_CLONE[column], 0, NAMESPACES, errno.EPERM)
    program += _if_bits(_FALLOCATE[column], 1, _KEEP_SIZE, errno.EOPNOTSUPP)
    for numbers, argument, flag, code in _HUGE_PAGES:
        program += _if_bits(numbers[column], argument, flag, code)
    program += _unless_among(_SOCKET[column], 0, (_UNIX, *families), errno.EAFNOSUPPORT)
    for family in families:
        program += _unless_among(_SOCKET[column], 2, INET_PROTOCOLS, errno.EPROTONOSUPPORT, where=(0, family))
    where = (1, _SOL_SOCKET)
    program += _unless_among(_SETSOCKOPT[column], 2, SOCKET_OPTIONS, errno.EPERM, where=where)
    program += _unless_among(_PRCTL[column], 0, PROCESS_OPTIONS, errno.EPERM)
    program += _unless_among(_PERSONALITY[column], 0, PERSONALITIES, errno.EPERM)
    program += _if_among(_IOCTL[column], 1, _TERMINAL_INPUT, errno.EPERM)
    program.append(_step(_RETURN, _ALLOW))
    return b"".join(program)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(code: int) -> bytes:
    return _step(_RETURN, _ERRNO | code)


def _of_call(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """Applies `then`, which checks the lower half of one argument, to this call only, then reloads its number."""
    body = [_step(_LOAD, _ARGUMENTS + 8 * argument), *then, _step(_LOAD, _NUMBER)]
    return [_step(_EQUAL, number, 0, len(body)), *body]


def _if_bits(number: int, argument: int, bits: int, code: int) -> list[bytes]:
    return _of_call(number, argument, [_step(_ANY_BIT, bits, 0, 1), _refuse(code)])


def _if_among(number: int, argument: int, values: tuple[int, ...], code: int) -> list[bytes]:
    return _of_call(number, argument, [step for v in values for step in (_step(_EQUAL, v, 0, 1), _refuse(code))])


def _unless_among(
    number: int, argument: int, values: tuple[int, ...], code: int, *, where: tuple[int, int] | None = None
) -> list[bytes]:
    """With `where`, an argument and its value, only for calls with that value."""
    checks = [_step(_EQUAL, value, len(values) - place, 0) for place, value in enumerate(values)]
    then = [*checks, _refuse(code)]
    if where is None:
        return _of_call(number, argument, then)
    other, value = where
    inner = [_step(_LOAD, _ARGUMENTS + 8 * argument), *then]
    return _of_call(number, other, [_step(_EQUAL, value, 0, len(inner)), *inner])
