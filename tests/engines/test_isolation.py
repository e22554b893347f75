"""What a job can see and do, on every engine."""

import os
import socket

import pytest
from tests.engines.trial import Trial

from palio.core.engine import PROPERTIES, environment
from palio.core.quantities import MIB
from palio.engines.job_users import job_uids


def test_environment_fixed(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_SECRET", "of the host")
    program = """
        import os
        for path in ("/proc/self/environ", "/proc/1/environ"):
            names = {entry.partition("=")[0] for entry in open(path).read().split("\\0")}
            print(" ".join(sorted(name for name in names if name.startswith("PALIO") or "SECRET" in name)))
        print(*sorted(set(os.environ) - {"PWD", "HOSTNAME", "PATH", "LC_CTYPE"}))
        print(os.environ["HOME"], os.environ["TMPDIR"], os.environ["PALIO_MEMORY_BYTES"], os.environ["GIVEN"])
    """
    job = trial.job(program, environment={"GIVEN": "a b"})
    assert trial.wait(job).succeeded
    own, first, names, values = job.log.read_text().splitlines()
    fixed = "PALIO_CPUS PALIO_MEMORY_BYTES PALIO_OUTPUT PALIO_TIME_S"
    assert own == fixed
    assert first in ("", fixed)
    assert {name for name in names.split() if not name.startswith(("PYTHON", "GPG", "PIP", "KUBERNETES_"))} == {
        "FROM_IMAGE",
        *(name for name in environment(job) if not name.startswith("PYTHON")),
    }
    assert values == f"/tmp /tmp {256 * MIB} a b"


def test_python_under_both_names(trial: Trial) -> None:
    assert trial.run(command=("python", "-c", "print(1)"))[1] == "1\n"
    assert trial.run(command=("python3", "-c", "print(2)"))[1] == "2\n"


def test_writable_folders(trial: Trial) -> None:
    program = """
        import os
        candidates = {"/", "/app", "/etc", "/usr", "/mnt", "/mnt/in", "/mnt/out", "/tmp", "/dev", "/dev/shm",
                      "/proc", "/proc/sys/kernel", "/root", "/home", "/var", "/run", "/opt", "/var/tmp"}
        for folder in sorted(filter(os.path.isdir, candidates)):
            try:
                with open(folder + "/written", "w") as file: file.write("x")
                print(folder)
            except OSError: pass
        try:
            with open("/mnt/in/program.py", "a") as file: file.write("x")
            print("input changed")
        except OSError: pass
    """
    result, log = trial.run(program)
    assert result.succeeded, log
    assert log.split() == ["/dev/shm", "/mnt/out", "/tmp"]


def test_user_without_privileges(trial: Trial) -> None:
    program = """
        import os, pwd
        facts = dict(line.strip().split(":", 1) for line in open("/proc/self/status"))
        for name in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"):
            print(name, *facts[name].split())
        print("Seccomp", facts["Seccomp"].strip())
    """
    _, log = trial.run(program)
    none = "0000000000000000"
    uid = log.split()[1]
    assert int(uid) in job_uids()
    assert [line for line in log.splitlines() if not line.startswith(("Groups", "CapBnd"))] == [
        *(f"Uid {uid} {uid} {uid} {uid}", f"Gid {uid} {uid} {uid} {uid}", f"CapInh {none}", f"CapPrm {none}"),
        *(f"CapEff {none}", f"CapAmb {none}", "NoNewPrivs 1", "Seccomp 2"),
    ]
    assert "Groups\n" in log or f"Groups {uid}\n" in log


def test_namespaces_mounts_traces_refused(trial: Trial) -> None:
    program = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        user, mount = 0x10000000, 0x20000
        attempts = {
            "unshare user": lambda: libc.unshare(user),
            "unshare mount": lambda: libc.unshare(mount),
            "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            "bind": lambda: libc.mount(b"/usr", b"/tmp", None, 4096, None),
            "umount": lambda: libc.umount2(b"/mnt/in", 2),
            "remount": lambda: libc.mount(None, b"/", None, 32, None),
            "trace": lambda: libc.ptrace(16, 1, 0, 0),
            "chroot": lambda: libc.chroot(b"/tmp"),
            "setuid": lambda: libc.setuid(0),
            "hostname": lambda: libc.sethostname(b"x", 1),
            "module": lambda: libc.syscall(175, 0, 0, 0),
            "keys": lambda: libc.syscall(250, 0, -3, 1),
        }
        for name, attempt in attempts.items():
            if attempt() != -1: print(name, "was allowed")
    """
    result, log = trial.run(program)
    assert (result.exit_code, log) == (0, "")


def test_network_loopback_only(trial: Trial) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"""
            import os, socket, time
            print(*sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else ["lo"])
            lines = open("/proc/net/dev").read().splitlines()[2:]
            tunnels = ("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti", "ip6gre")  # down, in every one
            print(*[line.split(":")[0].strip() for line in lines if not line.strip().startswith(tunnels)])
            begin = time.monotonic()
            for address in (("127.0.0.1", {server.getsockname()[1]}), ("169.254.169.254", 80), ("1.1.1.1", 53)):
                try:
                    socket.create_connection(address, timeout=5)
                    print("reached", address)
                except OSError: pass
            try:
                socket.getaddrinfo("example.org", 80)
                print("resolved")
            except OSError: pass
            try:
                socket.socket(40, socket.SOCK_STREAM).connect((2, 1))  # AF_VSOCK, to the hypervisor
                print("vsock")
            except OSError: pass
            print(time.monotonic() - begin < 5)
            try:
                with socket.create_server(("127.0.0.1", 0)) as own:
                    socket.create_connection(own.getsockname()).close()
                print("none but loopback")
            except OSError:
                print("none, not even sockets")
        """
        result, log = trial.run(program)
    promised = trial.engine.guarantees()[0].detail.partition(":")[0]
    assert (result.exit_code, log.splitlines()[1:]) == (0, ["lo", "True", promised])


def test_host_invisible(trial: Trial) -> None:
    (trial.folder / "secret").write_text("the labels")
    program = f"""
        import os, socket
        print(len([name for name in os.listdir("/proc") if name.isdigit()]) <= 3)
        print(os.path.exists({str(trial.folder / "secret")!r}), socket.gethostname() == {socket.gethostname()!r})
        for path in ("/var/run/docker.sock", "/run/docker.sock", "/root/.ssh", "/root/.bashrc", "/etc/shadow-", "/home",
                     "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/mem", "/run/systemd", "/sys/fs/cgroup/cgroup.procs"):
            try:
                if os.path.isdir(path) and not os.listdir(path): continue
                open(path, "rb").close() if not os.path.isdir(path) else None
                print("seen", path)
            except OSError: pass
    """
    assert trial.run(program)[1] == "True\nFalse False\n"


def test_host_processes_not_signalled(trial: Trial) -> None:
    program = f"""
        import os
        try: os.kill({os.getpid()}, 0)
        except ProcessLookupError: print("not there")
    """
    assert trial.run(program)[1] == "not there\n"


def test_guarantees_are_the_properties_of_the_contract(trial: Trial) -> None:
    assert tuple(each.property for each in trial.engine.guarantees()) == PROPERTIES
