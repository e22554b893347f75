"""The launcher, run on this machine as a user of its own."""

import os
import platform
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from palio.core.engine import Limits
from palio.core.quantities import MIB
from palio.engines.kubernetes.launch import PATH, launched, launcher
from palio.engines.seccomp_filter import seccomp_filter

LIMITS = Limits(time_s=1, memory_bytes=64 * MIB, cpus=1, pids=9, open_files=100)
UID = 14_231  # of nobody, and outside of the users for jobs
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the launcher is for x86-64"),
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "launch"
    content = launcher("amd64")
    assert content
    path.write_bytes(content)
    path.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp/"):
            folder.chmod(0o755)
    return path


def run(program: Path, command: Sequence[str], *, uid: int = UID, limits_processes: bool = True, **more: str):  # type: ignore[no-untyped-def]
    words = [str(program), *launched(command, LIMITS, limits_processes=limits_processes, has_keeper=False)[1:]]
    environment = {"PATH": "/usr/bin:/bin", **more}
    return subprocess.run(words, user=uid, group=uid, extra_groups=[], env=environment, capture_output=True, text=True)


def test_unknown_processor_has_no_launcher() -> None:
    assert launcher("riscv64") is None


def test_command_is_wrapped() -> None:
    size = str(64 * MIB)
    made = launched(["a", "b"], LIMITS, limits_processes=True, has_keeper=True)
    assert made == [PATH, "9", "100", size, "1", "a", "b"]
    assert launched(["a"], LIMITS, limits_processes=False, has_keeper=False) == [PATH, "0", "100", size, "0", "a"]


def test_limits_are_set_and_hold(program: Path) -> None:
    code = textwrap.dedent("""
        import os, resource, signal
        for name in ("NOFILE", "FSIZE", "CORE"): print(*resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
        children = []
        try:
            while True:
                child = os.fork()
                if child == 0: signal.pause()
                children.append(child)
        except OSError as error: print(len(children), error.strerror)
        for child in children: os.kill(child, 9)
    """)
    ended = run(program, ["python3", "-I", "-c", code])
    assert (ended.returncode, ended.stderr) == (0, "")
    size = 64 * MIB
    expected = ["100 100", f"{size} {size}", "0 0", "8 Resource temporarily unavailable"]
    assert ended.stdout.splitlines() == expected


def test_other_processes_of_the_user_are_not_counted(program: Path) -> None:
    others = [subprocess.Popen(["sleep", "30"], user=UID, group=UID, extra_groups=[]) for _ in range(3)]
    try:
        code = "for n in 1 2 3 4 5 6 7 8; do sleep 0.1 & done; wait; echo enough"
        assert run(program, ["sh", "-c", code]).stdout == "enough\n"
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_arguments_and_environment_are_kept(program: Path) -> None:
    ended = run(program, ["sh", "-c", 'echo "$0|$1|$GIVEN"', "a b", ""], GIVEN="x y")
    assert ended.stdout == "a b||x y\n"


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("no-such-program", 127, "executable file not found in $PATH"),
        ("/no/such/program", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
    ],
)
def test_program_that_cannot_start_is_named(program: Path, command: str, code: int, reason: str) -> None:
    ended = run(program, [command])
    assert (ended.returncode, ended.stderr) == (code, f'exec: "{command}": {reason}\n')


def test_script_without_an_interpreter_is_named(program: Path) -> None:
    script = program.with_name("script")
    script.write_text("echo never\n")
    script.chmod(0o755)
    ended = run(program, [str(script)])
    assert (ended.returncode, ended.stderr) == (126, f'exec: "{script}": exec format error\n')


def test_program_does_not_start_where_processes_are_not_limited(program: Path) -> None:
    """Root's are not."""
    ended = run(program, ["echo", "started"], uid=0)
    assert (ended.returncode, ended.stdout) == (125, "")
    assert ended.stderr == 'exec: "echo": this node does not limit processes\n'
    assert run(program, ["echo", "started"], uid=0, limits_processes=False).stdout == "started\n"


ASKED = textwrap.dedent("""
    import ctypes, errno, mmap, os, socket
    libc = ctypes.CDLL(None, use_errno=True)

    def said(name, ask):
        try:
            failed = ask() == -1
            error = ctypes.get_errno() if failed else 0
        except OSError as caught:
            error = caught.errno
        print(name, errno.errorcode.get(error, "allowed"))

    said("unshare", lambda: libc.unshare(0x10000000))
    said("ptrace", lambda: libc.ptrace(0, 0, 0, 0))
    said("another filter", lambda: libc.prctl(22, 2, 0, 0, 0))
    said("huge pages", lambda: mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000).close())
    said("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close())
    said("unix", lambda: socket.socketpair()[0].close())
    said("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
    print(open("/proc/self/status").read().partition("NoNewPrivs:")[2].split()[0])
""")


def test_calls_are_filtered(program: Path) -> None:
    ended = run(program, ["python3", "-I", "-c", ASKED])
    is_counted = not Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "unshare EPERM",
        "ptrace EPERM",
        "another filter EPERM",
        "huge pages ENOMEM",
        "netlink EAFNOSUPPORT",
        "unix allowed",
        f"udp {'allowed' if is_counted else 'EAFNOSUPPORT'}",
        "1",
    ]


def test_program_does_not_start_without_a_filter(program: Path) -> None:
    program.write_bytes(program.read_bytes()[:-8] + bytes(8))
    ended = run(program, ["true"])
    assert ended.returncode == 125
    assert "this node does not filter system calls" in ended.stderr


def test_filters_fit_into_the_launchers_buffer() -> None:
    for allows_ip in (True, False):
        found = seccomp_filter(machine="x86_64", allows_ip=allows_ip)
        assert found
        assert len(found) <= 8192
