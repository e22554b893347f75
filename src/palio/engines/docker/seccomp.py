"""The seccomp profile for jobs, which replaces the engine's own.

Covered: only listed calls are allowed, so calls added by newer kernels are refused (ENOSYS), as are those of 32-bit
programs. It is at least as strict as the engine's profile for a process without capabilities. It also refuses what uses
memory that the kernel does not count as the job's: sockets other than Unix and, where they are counted, TCP and UDP;
filters of sockets and system calls; huge pages; asynchronous I/O. Not covered: processors other than x86-64 and
aarch64, for which there is no profile.
"""

import errno
import json
from typing import Any

from palio.engines.refused_calls import (
    HUGE_PAGES,
    INET,
    INET_PROTOCOLS,
    NAMESPACES,
    PERSONALITIES,
    PROCESS_OPTIONS,
    REFUSED,
    SOCKET_OPTIONS,
)

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_ALLOW, _REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_UNIX = 1
_SOL_SOCKET, _LEVELS = 1, (0, 6, 17, 41)  # levels of setsockopt: IP, TCP, UDP, IPv6

# The engine skips calls that a processor lacks.
_ALLOWED = """
    accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres clock_gettime
    clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
    epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat
    faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr
    flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait
    futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
    geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
    getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl ioprio_get ioprio_set kill landlock_add_rule
    landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr
    lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier mincore mkdir mkdirat mknod
    mknodat mlock mlock2 mlockall mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend
    mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open
    openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
    pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink
    readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2
    restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
    sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto
    set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority
    setregid setresgid setresuid setreuid setrlimit setsid setuid setxattr shmat shmctl shmdt shutdown
    sigaltstack signalfd signalfd4 splice stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo
    tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
    timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork
    vmsplice wait4 waitid write writev
"""
ALLOWED = tuple(_ALLOWED.split())


def has_profile(machine: str) -> bool:
    return machine in _ARCHITECTURES


def profile(machine: str, *, inet: bool) -> str | None:
    """The profile in the engine's format, or None for an unsupported processor. `inet`: allow TCP and UDP."""
    if not has_profile(machine):
        return None
    rules = [
        _rule(_ALLOW, *ALLOWED),
        _rule(_REFUSE, *REFUSED, number=errno.EPERM),
        # Its flags are in memory, where no filter can look. Without it, libraries fall back to clone.
        _rule(_REFUSE, "clone3", number=errno.ENOSYS),
        _rule(_ALLOW, "clone", args=[_without(0, NAMESPACES)]),
        *(_rule(_ALLOW, call, args=[_without(*flag)]) for call, flag in HUGE_PAGES.items()),
        *(_rule(_ALLOW, "personality", args=[_equal(0, value)]) for value in PERSONALITIES),
        *(_rule(_ALLOW, "prctl", args=[_equal(0, value)]) for value in PROCESS_OPTIONS),
        *(_rule(_ALLOW, "setsockopt", args=[_equal(1, _SOL_SOCKET), _equal(2, option)]) for option in SOCKET_OPTIONS),
        # All rules for a call must check the same arguments: otherwise libseccomp 2.5 allows calls that no rule allows.
        *(
            _rule(_ALLOW, "socket", "socketpair", args=[_equal(0, _UNIX), _equal(2, protocol)])
            for protocol in (0, _UNIX)
        ),
    ]
    if inet:
        rules += [_rule(_ALLOW, "setsockopt", args=[_equal(1, level)]) for level in _LEVELS]
        rules += [
            _rule(_ALLOW, "socket", args=[_equal(0, family), _equal(2, protocol)])
            for family in INET
            for protocol in INET_PROTOCOLS
        ]
    return json.dumps(
        {
            "defaultAction": _REFUSE,
            "defaultErrnoRet": errno.ENOSYS,
            "architectures": [_ARCHITECTURES[machine]],
            "syscalls": rules,
        }
    )


def _rule(
    action: str, *names: str, number: int | None = None, args: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"names": list(names), "action": action, "args": args or []} | ({"errnoRet": number} if number else {})


def _equal(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "op": "SCMP_CMP_EQ", "value": value}


def _without(index: int, bits: int) -> dict[str, Any]:
    return {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": bits, "valueTwo": 0}
