import sys
from pathlib import Path

from tests.images import classic, config, tar, write

layer = tar({"program": b"x"})
members = classic([layer], image=config([layer], "linux/s390x"))
write(Path(sys.argv[2]).with_suffix(".tar"), members)
