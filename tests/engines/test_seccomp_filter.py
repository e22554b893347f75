"""The system-call filter, by running its program as the kernel would."""

import errno
import struct

import pytest

from palio.engines.seccomp_filter import AFFINITY, UNWATCHED_MEMORY, seccomp_filter

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
X86, ARM = 0xC000003E, 0xC00000B7


def _decide(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Runs a BPF program as the kernel would, and gives what it returns."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(*arguments, *[0] * 6)[:6])
    steps = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    accumulator = place = 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
        place += if_true if holds else if_false


def _refused(code: int) -> int:
    return 0x00050000 | code


@pytest.mark.parametrize(
    ("machine", "architecture", "mount", "clone", "socket", "fallocate", "read"),
    [("x86_64", X86, 165, 56, 41, 285, 0), ("aarch64", ARM, 40, 220, 198, 47, 63)],
)
def test_filter_by_call_and_argument(
    machine: str, architecture: int, mount: int, clone: int, socket: int, fallocate: int, read: int
) -> None:
    program = seccomp_filter(machine=machine)
    assert program is not None

    def decide(number: int, *arguments: int) -> int:
        return _decide(program, architecture, number, *arguments)

    assert decide(read) == ALLOWED
    assert decide(mount) == _refused(errno.EPERM)
    assert decide(clone, 0x01200011) == ALLOWED  # fork
    assert decide(clone, 0x003D0F00) == ALLOWED  # a thread
    assert decide(clone, 0x10000000 | 17) == _refused(errno.EPERM)  # a user namespace
    assert decide(435) == _refused(errno.ENOSYS)  # clone3
    assert decide(425) == _refused(errno.EPERM)  # io_uring_setup
    assert [decide(socket, family) for family in (1, 2, 10)] == [ALLOWED] * 3
    assert [decide(socket, family) for family in (0, 16, 17, 38, 40)] == [_refused(errno.EAFNOSUPPORT)] * 5
    assert decide(fallocate, 3, 0) == ALLOWED
    assert decide(fallocate, 3, 1) == _refused(errno.EOPNOTSUPP)
    assert _decide(program, 0x40000003, read) == KILLED  # another architecture's numbers


def test_filter_refuses_x32_calls() -> None:
    program = seccomp_filter(machine="x86_64")
    assert program is not None
    assert _decide(program, X86, 0x40000000) == _refused(errno.ENOSYS)


def test_filter_refuses_extra_calls() -> None:
    plain, more = seccomp_filter(machine="x86_64"), seccomp_filter((*UNWATCHED_MEMORY, *AFFINITY), "x86_64")
    assert plain is not None
    assert more is not None
    assert [_decide(plain, X86, number) for number in (319, 29, 203)] == [ALLOWED] * 3
    assert [_decide(more, X86, number) for number in (319, 29, 203)] == [
        _refused(errno.ENOSYS),
        _refused(errno.ENOSYS),
        _refused(errno.EPERM),
    ]


def test_filter_unknown_processor() -> None:
    assert seccomp_filter(machine="riscv64") is None
