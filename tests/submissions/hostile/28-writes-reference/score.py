import json
import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
for path in (source / "ref" / "x", source / "res" / "x", Path(__file__)):
    try:
        path.write_text("x")
    except OSError as error:
        print(error)
    else:
        raise SystemExit(f"SUCCEEDED {path}")
raise SystemExit(1)
