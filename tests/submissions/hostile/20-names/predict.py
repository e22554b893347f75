import os

for name in (b"new\nline", b"\x1b[2J", b"\xff\xfe", "\u202egnp.exe".encode(), b"n" * 255, b" ", b"-rf"):
    os.close(os.open(b"/mnt/out/" + name, os.O_CREAT | os.O_WRONLY))
