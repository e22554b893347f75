"""Small bundles, written where a test asks for them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.bundles import LOGO

WriteBundle = Callable[..., Path]

FILES = {
    "pages/overview.md": "# Six classes\nThe labels are public.\n",
    "pages/terms.md": "Be fair.\n",
    "scoring_program/metadata.yaml": "command: python3 $program/score.py $input $output\n",
    "scoring_program/score.py": "scores = {'precision': 1, 'recall': 1, 'f1': 1}; open('cases.csv')\n",
}


@pytest.fixture
def write_bundle(tmp_path: Path) -> WriteBundle:
    """Writes competition.yaml and the files above; `files` adds to them, and a None takes one away."""

    def write(competition: str | bytes, files: Mapping[str, str | None] | None = None) -> Path:
        root = tmp_path / "bundle"
        for name, content in (FILES | dict(files or {})).items():
            if content is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
        root.mkdir(exist_ok=True)
        if "logo.png" not in (files or {}):
            (root / "logo.png").write_bytes(LOGO)
        data = competition.encode() if isinstance(competition, str) else competition
        (root / "competition.yaml").write_bytes(data)
        return root

    return write
