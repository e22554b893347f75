import sys
from pathlib import Path

from tests.images import classic, config, tar, write

layer = tar({"program": b"x"})
members = classic([layer], tag="python:3.11-slim", image=config([layer], Cmd=["/program"]))
write(Path(sys.argv[2]).with_suffix(".tar"), members)
