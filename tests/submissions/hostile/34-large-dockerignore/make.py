import sys
import zipfile
from pathlib import Path

MIB = 1 << 20
honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in honest.iterdir():
        if path.name != ".dockerignore":
            archive.write(path, path.name)
    with archive.open(".dockerignore", "w") as file:
        file.write(b"FROM python:3.11-slim\n")
        for _ in range(360):
            file.write(b"\n" * MIB)
