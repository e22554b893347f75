import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w") as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    inner = target.with_name("inner")
    for _ in range(5):
        with zipfile.ZipFile(inner, "a") as zip_in_zip:
            zip_in_zip.writestr("inner.zip", inner.read_bytes())
    archive.write(inner, "inner.zip")
