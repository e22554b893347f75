import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w") as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    archive.writestr("/tmp/palio-canary-escaped", "x")
    archive.writestr("C:\\palio-canary-escaped", "x")
