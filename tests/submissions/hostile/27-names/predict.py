import os

from honest import INPUT, write

paths = list(INPUT.glob("*.txt"))
paths.sort()
write({path.name: "yes" if number < 30 else "no" for number, path in enumerate(paths)})
