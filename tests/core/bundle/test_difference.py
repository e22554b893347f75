"""What a new version of a challenge changes, in words."""

from pathlib import Path

import pytest
from tests.bundles import SCORE, YAML, write_bundle

from palio.core.bundle.difference import Change, differences
from palio.core.bundle.read import read_bundle


def changed(folder: Path, *edits: tuple[str, str]) -> tuple[Change, ...]:
    yaml = YAML
    for old, new in edits:
        assert old in yaml
        yaml = yaml.replace(old, new)
    before = read_bundle(write_bundle(folder / "old"))
    return differences(before, read_bundle(write_bundle(folder / "new", yaml=yaml)))


def test_differences_none(tmp_path: Path) -> None:
    assert changed(tmp_path) == ()


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (("title: Vowels", "title: Letters"), Change("title", "Vowels", "Letters")),
        (
            ("start: 2026-01-01\n", "start: 2026-01-01\n    end: 2027-02-03 04:05:00\n"),
            Change("phase “Final”: closes", "–", "2027-02-03 04:05 UTC"),
        ),
        (
            ("start: 2026-01-01\n", "start: 2026-01-01\n    max_submissions_per_day: 3\n"),
            Change("phase “Final”: submissions per day", "5", "3"),
        ),
        (("time: 20 s, memory: 256 MiB, cpus: 1, pids", "time: 5 min, memory: 256 MiB, cpus: 1, pids"),
         Change("phase “Final”: predict time", "20 s", "5 min")),
        (("network: false", "network: true"), Change("phase “Final”: build network", "no", "yes")),
        (("[context, results]", "[context]"), Change("phase “Final”: submissions", "context, results", "context")),
        (("precision: 3", "precision: 2"), Change("column “accuracy”: precision", "3", "2")),
        (("sorting: desc", "sorting: asc"), Change("column “accuracy”: descending", "yes", "no")),
    ],
)  # fmt: skip
def test_differences_one_value(tmp_path: Path, edit: tuple[str, str], change: Change) -> None:
    assert changed(tmp_path, edit) == (change,)


def test_differences_renamed_phase(tmp_path: Path) -> None:
    assert changed(tmp_path, ("name: Final", "name: Last")) == (
        Change("phase “Final”", "present", "removed"),
        Change("phase “Last”", "absent", "added"),
    )


def test_differences_text_lines(tmp_path: Path) -> None:
    old, new = write_bundle(tmp_path / "old"), write_bundle(tmp_path / "new")
    (old / "overview.md").write_text("# Vowels\nOne.\nTwo.\n")
    (new / "overview.md").write_text("# Vowels\nOne.\nThree.\n")
    (new / "terms.md").write_text("Be fair.\nBe kind.\n")
    assert differences(read_bundle(old), read_bundle(new)) == (
        Change("page “Overview”", "Two.", "Three."),
        Change("terms", "", "Be kind."),
    )


def test_differences_data_digests(tmp_path: Path) -> None:
    old, new = write_bundle(tmp_path / "old"), write_bundle(tmp_path / "new", score=SCORE + "\n")
    (new / "reference_data" / "answers.csv").write_text("file,answer\nsecret.txt,yes\n")
    found = differences(read_bundle(old), read_bundle(new))
    assert [change.what for change in found] == ["task “Vowels”: scoring program", "task “Vowels”: reference data"]
    assert all(change.new.startswith("sha256 ") and "secret" not in change.new for change in found)
