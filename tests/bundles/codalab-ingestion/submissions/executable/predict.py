import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
words = (source / "words.txt").read_text().split()
(target / "answers.txt").write_text(" ".join("yes" if word[0] in "aeiou" else "no" for word in words))
