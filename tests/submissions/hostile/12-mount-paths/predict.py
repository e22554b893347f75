from pathlib import Path

from honest import answers, write

for process in Path("/proc").glob("[0-9]*"):
    for line in (process / "mountinfo").read_text().splitlines():
        source, target = line.split(" ")[3:5]
        assert not target.startswith("/mnt") or source == "/", line
        assert "attacks-" not in line, line
        assert "pytest-" not in line, line
write(answers())
