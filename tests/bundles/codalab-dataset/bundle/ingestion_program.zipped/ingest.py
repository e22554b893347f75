import sys
from pathlib import Path

source, target, submitted = map(Path, sys.argv[1:])
sys.path.insert(0, str(source))
import algorithm

answers = algorithm.answers(submitted / "train.csv", source / "points.txt")
(target / "answers.txt").write_text(" ".join(answers))
