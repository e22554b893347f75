import os
import subprocess

from honest import answers, must_fail, write

WHO = "import os; print(os.getresuid(), os.getresgid(), set(os.getgroups()) - {os.getgid()})"
UID = os.getuid()
said = subprocess.run(["/usr/bin/rootly", "-c", WHO], capture_output=True, text=True).stdout.strip()
assert UID >= 1000
assert said == f"({UID}, {UID}, {UID}) ({UID}, {UID}, {UID}) set()", said
assert subprocess.run(["su", "mallory", "-c", "true"], capture_output=True).returncode != 0
must_fail(
    {
        "setuid": lambda: os.setuid(0),
        "setgid": lambda: os.setgid(0),
        "setgroups": lambda: os.setgroups([0]),
        "chown": lambda: os.chown("/mnt/out", 0, 0),
    }
)
write(answers())
