import sys
from pathlib import Path

source, target, submitted = map(Path, sys.argv[1:])
sys.path.insert(0, str(submitted))
import model

words = (source / "words.txt").read_text().split()
(target / "answers.txt").write_text(" ".join(model.predict(word) for word in words))
