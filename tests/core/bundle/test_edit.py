"""Edits of a bundle's dates, limits and texts: what they change in its files, and what they refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bundles import write_bundle as write_small

from palio.core.bundle.edit import Edit, edited_files, has_editable_phases, shown_values, texts_of
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

MEDNIST = Path(__file__).resolve().parents[3] / "challenges" / "mednist"
NAME = "competition.yaml"


def refused(edit: Edit, folder: Path = MEDNIST) -> PalioError:
    with pytest.raises(PalioError) as caught:
        edited_files(read_bundle(folder), edit)
    return caught.value


def test_edit_nothing() -> None:
    """The values that a form shows are no edit."""
    bundle = read_bundle(MEDNIST)
    texts = {name: file.read_text().replace("\n", "\r\n") for name, (_, file) in texts_of(bundle).items()}
    assert edited_files(bundle, Edit({phase.name: shown_values(phase) for phase in bundle.phases}, texts)) == {}


def test_edit_keeps_all_else() -> None:
    """Comments and layout stay, and so does every value that is not edited."""
    values = {"end": "2027-01-01 12:00 UTC", "max_submissions_per_day": "", "predict_time": "10 min"}
    files = edited_files(read_bundle(MEDNIST), Edit({"Final": values}))
    before, after = (MEDNIST / NAME).read_text(), files[NAME].decode()
    assert [*files] == [NAME]
    assert after == before.replace("max_submissions_per_day: 5", "max_submissions_per_day: null").replace(
        "    execution_time_limit: 500\n",
        "    execution_time_limit: 500\n    end: 2027-01-01 12:00 UTC\n"
        "    palio: {limits: {predict: {time: 10 min}}}\n",
    )


def test_edit_read_again(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "bundle")
    phase = read_bundle(folder).phases[0]
    values = {
        "start": "2025-02-03",
        "end": "2030-01-01 10:00:30+02:00",
        "max_submissions": "7",
        "score_memory": "3 GiB",
    }
    (folder / NAME).write_bytes(edited_files(read_bundle(folder), Edit({phase.name: values}))[NAME])
    now = shown_values(read_bundle(folder).phases[0])
    assert now == shown_values(phase) | {
        "start": "2025-02-03 00:00 UTC",
        "end": "2030-01-01 08:00:30+00:00",
        "max_submissions": "7",
        "score_memory": "3 GiB",
    }
    assert edited_files(read_bundle(folder), Edit({phase.name: now})) == {}


def test_edit_text() -> None:
    files = edited_files(read_bundle(MEDNIST), Edit(texts={"pages/data.md": "# New\r\nLine", "terms": "Be fair."}))
    assert files == {"pages/data.md": b"# New\nLine\n", "pages/terms.md": b"Be fair.\n"}


def test_edit_bad_values_all_at_once() -> None:
    error = refused(
        Edit(
            {
                "Final": {"end": "soon", "predict_time": "-1", "title": "x", "start": "", "max_submissions": "0"},
                "Nix": {},
            },
            {"../secret": "x", "terms": " "},
        )
    )
    assert error.failure.message == "The edit has 8 values that cannot be used."
    assert [line.split(";")[0] for line in error.failure.evidence] == [
        "“Final”, closes: says `soon`, which is not a valid time",
        "“Final”, predict: time: says `-1`, which is not valid",
        "“Final”, title: cannot be edited",
        "“Final”, opens: is empty",
        "“Final”, submissions in total: says `0`, which is out of range",
        "phase “Nix”: is not in this challenge",
        "text “../secret”: is not in this challenge",
        "“Terms”: has 1 characters",
    ]


def test_edit_of_alias(tmp_path: Path) -> None:
    """An edit that would change a second phase, too, is refused."""
    folder = write_small(tmp_path / "bundle")
    text = (folder / NAME).read_text()
    phase = read_bundle(folder).phases[0].name
    assert "\nphases:\n" in text
    lines = text.split("\n")
    place = next(n for n, line in enumerate(lines) if line.strip().startswith("start:"))
    lines[place] = lines[place].replace("start: ", "start: &first ")
    (folder / NAME).write_text("\n".join([*lines, "description: *first", ""]))
    error = refused(Edit({phase: {"start": "2025-05-05"}}), folder)
    assert error.failure.code == "edit-impossible"


def test_edit_of_stage_limits_without_palio_block(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "bundle")
    text = (folder / NAME).read_text()
    (folder / NAME).write_text(text.split("palio:")[0])
    bundle = read_bundle(folder)
    assert refused(Edit({bundle.phases[0].name: {"predict_time": "9 min"}}), folder).failure.code == "edit-impossible"
    assert has_editable_phases(bundle)
    assert [*edited_files(bundle, Edit({bundle.phases[0].name: {"end": "2031-01-01"}}))] == [NAME]


def test_edit_of_text_keeps_line_ends(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "bundle")
    name, (_, file) = next(iter(texts_of(read_bundle(folder)).items()))
    file.write_bytes(b"\r\nOne\x0c\r\nTwo\r\n\r\n")
    bundle = read_bundle(folder)
    assert edited_files(bundle, Edit(texts={name: "\nOne\x0c\nTwo"})) == {}
    assert edited_files(bundle, Edit(texts={name: "One\r\n\r\nThree\n"})) == {name: b"One\r\n\r\nThree\r\n"}


OLDER = """\
title: Iris
description: Three flowers
image: logo.png
end_date: 2024-12-31 23:00:00
html:
  overview: pages/overview.md
  terms: pages/terms.md
phases:
  1:
    phasenumber: 1
    label: Development
    start_date: 2024-01-01
    scoring_program: scoring_program
    reference_data: reference.zip
leaderboard:
  leaderboards:
    RESULTS: &RESULTS {label: Results, rank: 1}
  columns:
    set1: {leaderboard: *RESULTS, label: Set 1, rank: 1}
"""


def test_edit_of_older_dialect(write_bundle: Callable[[str], Path]) -> None:
    """Its texts can be edited, its dates cannot."""
    folder = write_bundle(OLDER)
    bundle = read_bundle(folder)
    assert not has_editable_phases(bundle)
    assert refused(Edit({bundle.phases[0].name: {"end": "2031-01-01"}}), folder).failure.code == "edit-impossible"
    assert edited_files(bundle, Edit(texts={"terms": "New"})) == {"pages/terms.md": b"New\n"}
