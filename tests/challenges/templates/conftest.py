"""New challenges, one of each task."""

from pathlib import Path

import pytest

from palio.data.templates import TASKS, create_challenge


@pytest.fixture(scope="package")
def challenges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tests that change one copy it."""
    made = {task: tmp_path_factory.mktemp("new") / task for task in TASKS}
    for task, folder in made.items():
        create_challenge(folder, task)
    return made
