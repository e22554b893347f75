import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
truth = (source / "ref" / "answers.txt").read_text().split()
given = (source / "res" / "answers.txt").read_text().split()
accuracy = sum(a == b for a, b in zip(truth, given, strict=True)) / len(truth)
(target / "scores.txt").write_text(f"accuracy: {accuracy}\n")
