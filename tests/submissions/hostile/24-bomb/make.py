import sys
import zipfile
from pathlib import Path

GIB = 1 << 30
honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    with archive.open("zeros", "w") as zeros:
        for _ in range(GIB >> 20):
            zeros.write(bytes(1 << 20))
