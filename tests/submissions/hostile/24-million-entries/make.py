import struct
import sys
from pathlib import Path

COUNT = 1_000_000
target = Path(sys.argv[2])
local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"x"
entries = b"".join(
    struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0) + b"%07d" % number
    for number in range(COUNT)
)
at = len(local)
zip64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, COUNT, COUNT, len(entries), at)
locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + len(entries), 1)
end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
target.write_bytes(local + entries + zip64 + locator + end)
