import sys
from pathlib import Path

from tests.images import classic, tar, write

members = classic([tar({"../../../tmp/palio-canary-escaped": b"x"})])
write(Path(sys.argv[2]).with_suffix(".tar"), members)
