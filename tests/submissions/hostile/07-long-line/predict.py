import sys

from honest import answers, write

for _ in range(64):
    sys.stdout.write("x" * (1 << 20))
write(answers())
