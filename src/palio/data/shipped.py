"""The challenge that comes with Palio, copied without what commands have made in it."""

import shutil
from pathlib import Path

from palio.core.files.staging import writing

MADE_HERE = ("input_data", "reference_data", "model_output", "submission_directory")


def copy_challenge(shipped: Path, target: Path) -> None:
    """Copies competition.yaml, pages and programs; files that are in `target` already are replaced."""
    with writing(target):
        for path in shipped.rglob("*"):
            relative = path.relative_to(shipped)
            if relative.parts[0] in MADE_HERE or not path.is_file() or path.suffix in (".zip", ".pyc"):
                continue
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
