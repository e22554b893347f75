import json
import sys
from pathlib import Path

from tests.images import classic, tar, write

members = classic([tar({"program": b"x"})])
manifest = json.loads(members["manifest.json"])
members["manifest.json"] = json.dumps(manifest * 2).encode()
write(Path(sys.argv[2]).with_suffix(".tar"), members)
