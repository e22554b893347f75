"""The keeper: runs beside a job, in its pod, with nothing but Python's standard library, and keeps its output.

    keeper_program OUTPUT KEPT BYTES FILES

The job writes to OUTPUT, a file system in memory that is gone with the pod. The keeper measures it by the kernel's
statistics, and writes these to KEPT/space.json if more than BYTES or FILES are in use, and at the end. When the engine
has written to KEPT/finish, because the job's program is over, the keeper writes KEPT/out.tar.

The launcher sends it the opened counters of the job's container before the job's program starts. It reads these as
often, and adds the last values to KEPT/space.json: they are the kernel's, up to a tenth of a second before the end. It
accepts one connection only, so that the program cannot send others. The launcher, which starts after the keeper, waits
ten seconds for it. So a keeper that listens later than PROMPT_S after its own start accepts none: the launcher may have
given up, and the program could send what it likes.

Covered: links, pipes and sockets, of which only the kind is recorded; folders and files without permissions; trees of
any depth, of which no more is written than is needed to refuse them; names of any bytes; sparse files, which end the
archive without their content if they are larger than BYTES. The archive is read by the code that collects the outputs
of all engines, and refuses what it does not want.
"""

import json
import os
import signal
import socket
import stat
import sys
import tarfile
import time
from pathlib import Path

LOOK_S = 0.1
PROMPT_S = 9.0  # less than the launcher waits
AWAIT_S = 0.02  # for the launcher, since a job may be over soon
MOST_LEVELS = 40  # more than are collected
SPACE, FINISH, ARCHIVE = "space.json", "finish", "out.tar"  # the first two exist before the pod does
TOP = "out"
FIELDS = (
    *("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail"),
    *("f_files", "f_ffree", "f_favail", "f_flag", "f_namemax"),
)
USAGE = "usage"  # in the first, with these
PEAK_MEMORY_BYTES, PEAK_PIDS, CPU_S = "peak_memory_bytes", "peak_pids", "cpu_s"
COUNTED: dict[
    str, tuple[str, int, float]
] = {  # as the launcher names it: what, as which word of the file, and its unit
    "m": (PEAK_MEMORY_BYTES, 0, 1),
    "p": (PEAK_PIDS, 0, 1),
    "c": (CPU_S, 1, 1e-6),
    "n": (CPU_S, 0, 1e-9),
}
MEETING = "\0palio-usage"  # where the launcher finds the keeper, in the pod's network
SOCKET = b"s"  # which tar has no type for; core.files.collect knows it
KINDS = {stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFIFO: tarfile.FIFOTYPE, stat.S_IFSOCK: SOCKET}
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class FullError(Exception):
    """The rest is not needed: what has been written exceeds a limit."""


class Archive:
    def __init__(self, path: str, most_bytes: int, most_files: int) -> None:
        self.target = Path(path).open("wb")  # noqa: SIM115 - closed by `main`
        self.file = tarfile.open(  # noqa: SIM115
            fileobj=self.target, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
        )
        self.left_bytes = most_bytes
        self.left_entries = 2 * most_files + 1000

    def take_folder(self, folder: int, path: str, level: int) -> None:
        for name in sorted(os.listdir(folder)):
            self.left_entries -= 1
            if self.left_entries < 0:
                raise FullError
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            member = tarfile.TarInfo(f"{path}/{name}")
            if stat.S_ISDIR(facts.st_mode):
                member.type = tarfile.DIRTYPE
                self.file.addfile(member)
                if level < MOST_LEVELS:
                    inner = opened(name, FOLDER, folder, 0o700)
                    try:
                        self.take_folder(inner, member.name, level + 1)
                    finally:
                        os.close(inner)
            elif stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:
                self.take_file(name, folder, member, facts.st_size)
            else:
                member.type = KINDS.get(stat.S_IFMT(facts.st_mode), tarfile.LNKTYPE)
                self.file.addfile(member)

    def take_file(self, name: str, folder: int, member: tarfile.TarInfo, size: int) -> None:
        member.size = size
        self.left_bytes -= size
        if self.left_bytes < 0:
            # Its size is enough to refuse it. The archive ends here.
            self.target.write(member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
            raise FullError
        with os.fdopen(opened(name, os.O_RDONLY | os.O_NOFOLLOW, folder, 0o600), "rb") as content:
            self.file.addfile(member, content)


def opened(name: str, how: int, folder: int, mode: int) -> int:
    try:
        return os.open(name, how, dir_fd=folder)
    except PermissionError:
        os.chmod(name, mode, dir_fd=folder)
        return os.open(name, how, dir_fd=folder)


def archive(output: str, kept: Path, most_bytes: int, most_files: int) -> None:
    """The archive gets its name once it is complete."""
    half = kept / f"{ARCHIVE}.half"
    made = Archive(str(half), most_bytes, most_files)
    top = os.open(output, FOLDER)
    try:
        made.take_folder(top, TOP, 1)
        made.file.close()
    except FullError:
        pass
    finally:
        made.target.close()
    half.rename(kept / ARCHIVE)


def own_age_s() -> float:
    """Seconds since the kernel started this process, before it became Python."""
    words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK")


class Usage:
    """What the job has used so far, from the counters that the launcher sent."""

    def __init__(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.setblocking(False)
        try:
            self.listener.bind(MEETING)
            self.listener.listen(1)
            if (late := own_age_s()) > PROMPT_S:
                self.listener.close()
                print(f"the job's use is not measured: the keeper listened only after {late:.1f} s", file=sys.stderr)
        except (OSError, ValueError, IndexError) as error:  # then nothing is measured
            self.listener.close()
            print(error, file=sys.stderr)
        self.counters: dict[str, int] = {}  # opened files by what they count
        self.seen: dict[str, float] = {}

    def look(self) -> None:
        if not self.counters:
            self.receive()
        for kind, file in self.counters.items():
            name, words, unit = COUNTED[kind]
            try:
                value = int(os.pread(file, 4096, 0).split()[words]) * unit
            except (OSError, ValueError, IndexError):  # the container is gone, or this is no counter
                continue
            self.seen[name] = max(self.seen.get(name, 0), value)

    def receive(self) -> None:
        try:
            launcher, _ = self.listener.accept()
        except OSError:  # it has not started yet, or has been here
            return
        self.listener.close()
        with launcher:
            launcher.settimeout(1)
            try:
                kinds, files, _, _ = socket.recv_fds(launcher, 16, 8)
            except OSError:
                return
            found = dict(zip(kinds.decode("latin-1"), files, strict=False))
            self.counters = {kind: file for kind, file in found.items() if kind in COUNTED}


def main() -> None:
    output, kept, most_bytes, most_files = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    begun, usage = False, Usage()

    def tell() -> None:
        """In place, because a new name may be seen late on a network file system."""
        space = os.statvfs(output)
        told = {name: getattr(space, name) for name in FIELDS}
        (kept / SPACE).write_text(json.dumps({**told, USAGE: usage.seen}))

    def keep() -> None:
        nonlocal begun
        begun = True
        tell()
        archive(output, kept, most_bytes, most_files)

    def end(*_: object) -> None:
        """The pod ends: keeps the output as it is, unless that is being done."""
        if not begun:
            try:
                keep()
            except OSError as error:  # the job still changes it
                print(error, file=sys.stderr)
            os._exit(143)

    signal.signal(signal.SIGTERM, end)
    while not (kept / FINISH).read_text():
        usage.look()
        space = os.statvfs(output)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        if used > most_bytes or space.f_files - space.f_ffree - 1 > most_files:
            tell()
        time.sleep(LOOK_S if usage.counters else AWAIT_S)
    keep()


if __name__ == "__main__":
    main()
