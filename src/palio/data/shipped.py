"""Copies the challenge that ships with Palio, without files generated in it."""

import shutil
from pathlib import Path

from palio.core.files.staging import writing

GENERATED = ("input_data", "reference_data", "model_output", "submission_directory")


def copy_challenge(shipped: Path, target: Path) -> None:
    """Copies competition.yaml, pages and programs, replacing existing files in `target`."""
    with writing(target):
        for path in shipped.rglob("*"):
            relative = path.relative_to(shipped)
            if relative.parts[0] in GENERATED or not path.is_file() or path.suffix in (".zip", ".pyc"):
                continue
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
