import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w") as archive:
    for path in honest.iterdir():
        archive.write(path, path.name)
content = bytearray(target.read_bytes())
for signature, flags_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    place = content.find(signature)
    while place >= 0:
        content[place + flags_at] |= 1
        place = content.find(signature, place + 4)
target.write_bytes(content)
