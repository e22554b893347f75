# Terminals: what is written to one and not read is memory of the kernel's, and their number is the whole machine's.
import os

from honest import answers, must_fail, write

must_fail({"a terminal": os.openpty, "its device": lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)})
write(answers())
