"""Tasks as organizers upload them to Codabench by themselves: two that are sound, and each way to be wrong."""

import json
import zipfile
from pathlib import Path

import pytest

from palio.cli import main
from palio.core.bundle.task_file import read_task_file

KEY = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
SOUND = """\
name: Vowels
description: Which words begin with a vowel?
is_public: false
scoring_program:
  zip: scoring_program.zip
reference_data:
  zip: reference_data.zip
"""
# What is written instead of what, and the line, field and words of the one problem that this makes.
BROKEN = [
    ("name: Vowels\n", "", 1, "name", "is missing"),
    ("description:", "descripton:", 1, "description", "did you mean `descripton` in line 2"),
    ("scoring_program:\n  zip: scoring_program.zip\n", "", 1, "scoring_program", "is missing"),
    ("zip: scoring_program.zip", "zip: scoring-program.zip", 5, "scoring_program.zip", "`scoring_program.zip`"),
    ("  zip: reference_data.zip", f"  zip: reference_data.zip\n  key: {KEY}", 6, "reference_data", "both"),
    ("  zip: reference_data.zip", "  path: reference_data.zip", 6, "reference_data", "neither"),
    ("  zip: reference_data.zip", "  key: 17", 7, "reference_data.key", "`17`"),
    ("reference_data:\n  zip: reference_data.zip", "reference_data: reference_data.zip", 6, "reference_data", "write"),
    ("zip: reference_data.zip", "zip: truth.csv", 7, "reference_data.zip", "a .zip"),
    ("zip: reference_data.zip", "zip: broken.zip", 7, "reference_data.zip", "cannot be unpacked"),
    ("zip: reference_data.zip", "zip: ../reference_data.zip", 7, "reference_data.zip", "inside the bundle"),
    ("zip: reference_data.zip", "zip: empty.zip", 7, "reference_data.zip", "is empty"),
    ("zip: scoring_program.zip", "zip: reference_data.zip", 5, "scoring_program.zip", "metadata"),
    ("is_public: false", "is_public: perhaps", 3, "is_public", "true or false"),
    (SOUND, "- name: Vowels\n", 1, "", "mapping"),
    (SOUND, "name: [\n", 2, "", "not YAML"),
    (SOUND, "", None, "", "is empty"),
]


def write_task(folder: Path, yaml: str = SOUND) -> Path:
    folder.mkdir()
    (folder / "task.yaml").write_text(yaml)
    (folder / "truth.csv").write_text("yes\n")
    (folder / "broken.zip").write_text("no zip")
    files = {
        "scoring_program": {"score.py": "print()", "metadata.yaml": "command: python score.py\n"},
        "reference_data": {"answers.txt": "yes"},
        "empty": {},
    }
    for name, contents in files.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for file, content in contents.items():
                archive.writestr(file, content)
    return folder


@pytest.mark.parametrize("yaml", [SOUND, SOUND.replace("  zip: reference_data.zip", f"  key: {KEY}")])
def test_sound_task(yaml: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_task(tmp_path / "task", yaml)), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["errors"]) == ("Vowels", [])
    assert len(told["warnings"]) == (KEY in yaml)  # Palio does not have that file


@pytest.mark.parametrize(("old", "new", "line", "field", "words"), BROKEN)
def test_broken_task(old: str, new: str, line: int | None, field: str, words: str, tmp_path: Path) -> None:
    assert old in SOUND
    errors = [
        problem
        for problem in read_task_file(write_task(tmp_path / "task", SOUND.replace(old, new))).problems
        if problem.is_error
    ]
    assert [(problem.file, problem.line, problem.field) for problem in errors] == [("task.yaml", line, field)]
    assert words in errors[0].message


def test_sentences_differ(tmp_path: Path) -> None:
    told = [
        tuple(map(str, read_task_file(write_task(tmp_path / str(number), SOUND.replace(old, new))).problems))
        for number, (old, new, *_) in enumerate(BROKEN)
    ]
    assert len(set(told)) == len(BROKEN)


def test_check_of_a_tasks_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_task(tmp_path / "task", SOUND.replace("is_public: false", "is_public: 3"))
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"vowels/{path.name}")
    assert main(["check", str(tmp_path / "task.zip")]) == 11
    assert "task.yaml:3: is_public: " in capsys.readouterr().out
