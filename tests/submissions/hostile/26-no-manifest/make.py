import sys
from pathlib import Path

from tests.images import classic, tar, write

members = classic([tar({"program": b"x"})])
del members["manifest.json"]
write(Path(sys.argv[2]).with_suffix(".tar"), members)
