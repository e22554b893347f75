import os

from honest import INPUT, write

paths = list(INPUT.glob("*.txt"))
paths.sort(key=lambda path: path.stat().st_ino)
write({path.name: "yes" if number < 30 else "no" for number, path in enumerate(paths)})
