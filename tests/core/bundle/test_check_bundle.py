# ruff: noqa: E501 - sentences stand here as they are shown
"""What `palio check` finds in a bundle whose competition.yaml is in order."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palio.core.bundle.check import check_bundle
from palio.core.bundle.read import read_bundle

WriteBundle = Callable[..., Path]
NOW = datetime(2025, 6, 1, tzinfo=UTC)

SOUND = """\
version: 2
title: Sound
pages: [{title: Overview, file: pages/overview.md}]
terms: pages/terms.md
tasks:
  - {index: 0, name: Classify, scoring_program: scoring_program, input_data: hidden, reference_data: truth.csv}
phases: [{name: Only, start: 2025-01-01, end: 2026-01-01, tasks: [0]}]
leaderboards: [{columns: [{key: f1, sorting: desc}]}]
palio:
  data: public
  blind: {inputs: "*.jpg"}
  statistics: {cases: cases.csv, kind: classification, metric: f1_weighted}
"""
DATA = {"hidden/1.jpg": "image", "truth.csv": "file,class\n"}


def found(root: Path) -> list[str]:
    errors, warnings = check_bundle(read_bundle(root), NOW)
    return [*(str(error) for error in errors), *(f"warning: {warning}" for warning in warnings)]


def test_sound_bundle(write_bundle: WriteBundle) -> None:
    assert found(write_bundle(SOUND, DATA)) == []


def test_solution_missing(write_bundle: WriteBundle) -> None:
    text = f"{SOUND}solutions:\n  - {{index: 0, tasks: [0], path: best.zip}}\n"
    assert found(write_bundle(text, DATA)) == [
        "warning: competition.yaml:14: solutions[0].path: is `best.zip`, which does not exist; put the data there, or correct the path"
    ]


def test_unsound_parts_listed(write_bundle: WriteBundle) -> None:
    text = (
        SOUND.replace("key: f1,", "key: dice,")
        .replace("2026-01-01", "2025-02-01")
        .replace("*.jpg", "*.png")
        .replace("tasks:\n", "tasks:\n  - {index: 5, name: Spare, scoring_program: spare.zip}\n")
        + "  limits: {predict: {time: 2 d, memory: 1 GiB, output: 2 GiB}}\n  sample: {input: sample}\n"
    )
    root = write_bundle(
        text,
        {
            "hidden/1.jpg": "image",
            "truth.csv": "",
            "pages/overview.md": "Guess.",
            "pages/terms.md": " \n",
            "scoring_program/score.py": None,
            "spare.zip": "no zip",
        },
    )
    errors, warnings = check_bundle(read_bundle(root), NOW)
    assert [(problem.file, problem.line, problem.field) for problem in errors] == [
        ("competition.yaml", 6, "tasks[0].scoring_program"),
        ("competition.yaml", 7, "tasks[1].reference_data"),
        ("competition.yaml", 7, "tasks[1].scoring_program"),
        ("competition.yaml", 12, "palio.blind.inputs"),
        ("competition.yaml", 15, "palio.sample.input"),
    ]
    assert [(problem.line, problem.field) for problem in warnings] == [
        (5, "tasks"),
        (8, "phases"),
        (9, "leaderboards[0].columns[0].key"),
        (11, "palio.data"),
        (13, "palio.statistics.cases"),
        (14, "palio.limits.predict.time"),
        (14, "palio.limits.predict.output"),
        (None, ""),
    ]
    assert warnings[-1].file == "pages/terms.md"


def test_hidden_data_absent_or_empty(write_bundle: WriteBundle) -> None:
    root = write_bundle(SOUND)
    (root / "hidden").mkdir()
    assert found(root) == [
        "competition.yaml:6: tasks[0].input_data: is `hidden`, which is empty; put the data there",
        "competition.yaml:6: tasks[0].reference_data: is `truth.csv`, which does not exist; put the data there, or correct the path",
    ]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("python3 $program/score.py $input $output", None),
        ("python3 score.py", None),
        ("python3 -m score", None),
        ("python3 -u $program/scores.py", "scores.py"),
        ("python3 scores.py", "scores.py"),
        ("./run.sh a.py", "run.sh"),
    ],
)
def test_command_file_missing(write_bundle: WriteBundle, command: str, missing: str | None) -> None:
    root = write_bundle(SOUND, DATA | {"scoring_program/metadata.yaml": f"command: {command}\n"})
    expected = [
        (
            f"competition.yaml:6: tasks[0].scoring_program: is started with `{command}`, but scoring_program has no `{missing}`; "
            "correct the command or add the file"
        )
    ]
    assert found(root) == (expected if missing else [])


def test_link_saved_as_text(write_bundle: WriteBundle) -> None:
    files = {"common/score.py": "f1", "scoring_program/score.py": "../common/score.py"}
    errors, _ = check_bundle(read_bundle(write_bundle(SOUND, DATA | files)), NOW)
    assert [(problem.line, problem.field) for problem in errors] == [(6, "tasks[0].scoring_program")]


def test_link_from_data_to_another_folder_of_the_bundle_is_followed(write_bundle: WriteBundle) -> None:
    root = write_bundle(SOUND, DATA | {"common/more.jpg": "m"})
    (root / "hidden/common").symlink_to("../common")
    assert found(root) == []


def test_downloads_and_solutions_may_be_empty(write_bundle: WriteBundle) -> None:
    """No evaluation needs them; Codabench takes an empty zip, too, but none that is absent."""
    more = "tasks: [0], starting_kit: kit.zip, public_data: public"
    root = write_bundle(SOUND.replace("tasks: [0]", more) + "solutions: [{tasks: [0], path: solution}]\n", DATA)
    with zipfile.ZipFile(root / "kit.zip", "w") as archive:
        archive.mkdir("kit")
    errors, warnings = check_bundle(read_bundle(root), NOW)
    assert [problem.field for problem in errors] == ["phases[0].public_data"]
    assert [(problem.field, problem.message) for problem in warnings] == [
        ("phases[0].starting_kit", "is `kit.zip`, which is empty; put the data there"),
        ("solutions[0].path", "is `solution`, which does not exist; put the data there, or correct the path"),
    ]


@pytest.mark.parametrize("content", ["truth/answers.csv", "inner.zip"])
def test_data_zip_layout_warning(write_bundle: WriteBundle, content: str) -> None:
    root = write_bundle(SOUND.replace("truth.csv", "truth.zip"), DATA)
    with zipfile.ZipFile(root / "truth.zip", "w") as archive:
        archive.writestr(content, "a")
    errors, warnings = check_bundle(read_bundle(root), NOW)
    assert errors == ()
    assert [(problem.line, problem.field) for problem in warnings] == [(6, "tasks[0].reference_data")]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a\x01b"])
def test_data_zip_invalid(write_bundle: WriteBundle, name: str) -> None:
    root = write_bundle(SOUND.replace("truth.csv", "truth.zip"), DATA)
    with zipfile.ZipFile(root / "truth.zip", "w") as archive:
        archive.writestr(name, "a")
    errors, _ = check_bundle(read_bundle(root), NOW)
    assert [(problem.line, problem.field) for problem in errors] == [(6, "tasks[0].reference_data")]


@pytest.mark.parametrize(
    ("kinds", "says"), [("[code, results]", "first, without the reference data"), ("[results]", "is not run")]
)
def test_ingestion_during_scoring(write_bundle: WriteBundle, kinds: str, says: str) -> None:
    text = SOUND.replace("phases: [", "phases:\n  - ").replace("tasks: [0]}]", "tasks: [0]}")
    text = text.replace("tasks:\n", "tasks:\n  - {index: 7, name: Late, scoring_program: scoring_program, "
                        "ingestion_program: ingestion, ingestion_only_during_scoring: true}\n", 1)  # fmt: skip
    later = f"  - {{name: Later, start: 2026-02-01, tasks: [7], palio: {{submissions: {kinds}}}}}\n"
    files = {"ingestion/metadata": "command: python3 ingest.py\n", "ingestion/ingest.py": ""}
    root = write_bundle(text.replace("leaderboards:", f"{later}leaderboards:"), DATA | files)
    found = [problem for problems in check_bundle(read_bundle(root), NOW) for problem in problems]
    during = [problem for problem in found if "ingestion_only_during_scoring" in problem.field]
    assert [(problem.line, problem.is_error, says in problem.message) for problem in during] == [(6, False, True)]
