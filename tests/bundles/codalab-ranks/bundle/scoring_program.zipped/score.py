import sys
from pathlib import Path

source, target = Path(sys.argv[1]), Path(sys.argv[2])
truth = [float(word) for word in (source / "ref" / "numbers.txt").read_text().split()]
given = [float(word) for word in (source / "res" / "numbers.txt").read_text().split()]
errors = [abs(a - b) for a, b in zip(truth, given, strict=True)]
small = sum(error < 0.5 for error in errors[:2]) / 2
large = sum(error < 0.5 for error in errors[2:]) / 2
(target / "scores.txt").write_text(f"small: {small}\nlarge: {large}\nexact: {sum(errors) / 4}\n")
