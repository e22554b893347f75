# ruff: noqa: E501 - sentences stand here as they are shown
"""What `palio check` finds in a bundle whose competition.yaml is in order."""

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


def test_a_sound_bundle_has_no_problems(write_bundle: WriteBundle) -> None:
    assert found(write_bundle(SOUND, DATA)) == []


def test_all_that_is_unsound_is_listed_at_once(write_bundle: WriteBundle) -> None:
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
    assert found(root) == [
        "pages/terms.md: is empty, but competition.yaml names it as the terms; write it or remove it from competition.yaml",
        "competition.yaml: scoring_program: is `spare.zip`, but it cannot be read as a zip (File is not a zip file); create it again",
        "competition.yaml: reference_data: is `truth.csv`, which is empty; put the data there",
        "competition.yaml: scoring_program: is started with `python3 $program/score.py $input $output`, but scoring_program has no `score.py`; correct the command or add the file",
        "competition.yaml: palio.sample.input: is `sample`, which does not exist; put the data there, or correct the path",
        "competition.yaml: palio.blind.inputs: is `*.png`, but matches no input (1 file, the first is `1.jpg`); correct the pattern (in the task “Classify”)",
        "warning: competition.yaml: palio.data: says public, but no page does; tell participants that data and labels are public",
        "warning: competition.yaml: phases: all ended by 2025-02-01 00:00 UTC, so nobody can submit; set a later end",
        "warning: competition.yaml: tasks: has the task “Spare”, which no phase uses; name it in a phase or remove it",
        "warning: competition.yaml: leaderboards: has the column `dice`, but no file of scoring_program mentions that key; let the scoring program write it, or correct the key",
        "warning: competition.yaml: palio.limits.predict.time: is 48 h 00 min in “Only”; one submission may keep a machine busy for days",
        "warning: competition.yaml: palio.limits.predict.output: is 2.00 GiB in “Only”, more than the memory of 1.00 GiB; output counts as memory, so raise memory or lower output",
        "warning: competition.yaml: palio.statistics.cases: is `cases.csv`, but no file of the scoring program mentions it; let the scoring program write it to its output folder",
    ]


def test_hidden_data_may_not_be_absent_or_empty(write_bundle: WriteBundle) -> None:
    root = write_bundle(SOUND)
    (root / "hidden").mkdir()
    assert found(root) == [
        "competition.yaml: input_data: is `hidden`, which is empty; put the data there",
        "competition.yaml: reference_data: is `truth.csv`, which does not exist; put the data there, or correct the path",
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
def test_the_file_that_a_command_names_must_be_there(
    write_bundle: WriteBundle, command: str, missing: str | None
) -> None:
    root = write_bundle(SOUND, DATA | {"scoring_program/metadata.yaml": f"command: {command}\n"})
    expected = [
        (
            f"competition.yaml: scoring_program: is started with `{command}`, but scoring_program has no `{missing}`; "
            "correct the command or add the file"
        )
    ]
    assert found(root) == (expected if missing else [])
