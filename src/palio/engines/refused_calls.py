"""System calls that no job may make on any engine, with their numbers on each supported processor.

Refused are calls that create or enter namespaces, mount or list mounts, trace other processes, read or change the
kernel, or make it use memory that no limit covers. Everything else relies on the absence of capabilities.
"""

NAMESPACES = 0x7E020080  # CLONE_NEW*: user, pid, net, ipc, uts, cgroup, mount, time
INET = (2, 10)  # families whose queues count as a job's memory only with cgroup v2
INET_PROTOCOLS = (0, 6, 17)  # default, TCP, UDP; nobody counts the queues of others, such as ping's
# Allowed prctl options: all but PR_SET_SECCOMP, because nobody counts the memory of a process's own filters.
PROCESS_OPTIONS = (*range(1, 22), *range(23, 80), 0x53564D41, 0x59616D61)
# Allowed setsockopt options at SOL_SOCKET: all but SO_ATTACH_FILTER, SO_ATTACH_BPF and their variants for SO_REUSEPORT,
# for the same reason.
SOCKET_OPTIONS = (*range(1, 26), *range(27, 50), *range(53, 90))
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
NEWEST_JUDGED = 466  # calls with a higher number did not exist when this list was made: refuse them with ENOSYS

# Flags for huge pages, which are not counted as a job's memory: which argument, and which bit.
HUGE_PAGES = {"memfd_create": (1, 0x4), "mmap": (3, 0x40000), "shmget": (2, 0x800)}

# On x86-64 and aarch64; None where a call does not exist. Numbers from 424 are the same everywhere.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listmount": (458, 458),
    "lookup_dcookie": (212, 18),
    "mbind": (237, 235),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "seccomp": (317, 277),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "statmount": (457, 457),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysctl": (156, None),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
}
