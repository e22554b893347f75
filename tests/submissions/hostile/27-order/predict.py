import os

from honest import INPUT, write

paths = list(INPUT.glob("*.txt"))
paths = [INPUT / entry.name for entry in os.scandir(INPUT)]
write({path.name: "yes" if number < 30 else "no" for number, path in enumerate(paths)})
