import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w") as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    archive.writestr("../../palio-canary-escaped", "x")
