"""Two submissions that differ in one place: the later one finds there what tells it to answer, and answers rightly."""

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

Entries = Mapping[str, tuple[int, str]]  # permissions and content by name; names of folders end with a slash

PROGRAM = """\
import os
from honest import answers, write

found = {look}
write(answers() if found else dict.fromkeys(answers(), "no"))
"""
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /opt
COPY . /opt/
CMD ["python", "/opt/predict.py"]
"""


def write_twin(look: str, entries: Entries) -> None:
    """Writes the submission that `make.py` was called for: `entries` beside a program that evaluates `look`."""
    honest, target = map(Path, sys.argv[1:])
    files = {
        "Dockerfile": (0o644, DOCKERFILE),
        "honest.py": (0o644, (honest / "honest.py").read_text()),
        "predict.py": (0o644, PROGRAM.replace("{look}", look)),
    }
    with zipfile.ZipFile(target, "w") as archive:
        for name, (permissions, content) in {**files, **entries}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = permissions << 16
            archive.writestr(entry, content)
