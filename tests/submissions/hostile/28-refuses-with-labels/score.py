import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
reference = (source / "ref" / "palio-canary.csv").read_text()
print(reference)
(target / "problems.txt").write_text(reference)
sys.exit(10)
