import os
import re
import sys
from pathlib import Path

from honest import answers, write

MARK = "palio-canary"  # in the names of the test's files
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/etc", "/sys", "/proc", "/dev", sys.prefix, sys.base_prefix)

for line in Path("/proc/self/mountinfo").read_text().splitlines():
    source, target = line.split(" ")[3:5]
    neutral = source in ("/", "/newroot") or re.fullmatch(r"/(\d+|null)(/.*)?", source) or target.startswith(SYSTEM)
    assert neutral or source == target, line
    assert MARK not in line, line
for process in Path("/proc").glob("[0-9]*"):
    for name in ("mountinfo", "mounts", "mountstats", "cmdline", "environ", "cgroup", "maps"):
        try:
            content = (process / name).read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert MARK not in content, (process, name)
        assert name != "cgroup" or all(row.endswith(":/") for row in content.split()), content
    for name in ("fd", "cwd", "exe", "root"):
        links = process / name
        try:
            found = [os.readlink(link) for link in (links.iterdir() if name == "fd" else [links])]
        except OSError:
            continue
        assert not any(MARK in link for link in found), (process, found)
for name in ("swaps", "cmdline", "partitions", "diskstats", "locks", "modules", "keys"):
    try:
        assert not Path("/proc", name).read_bytes().strip(b"\0"), name
    except OSError:
        pass
write(answers())
