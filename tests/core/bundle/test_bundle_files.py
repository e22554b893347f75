# ruff: noqa: E501 - sentences stand here as they are shown
"""The files of a bundle: links, places, other spellings of a path, and the digest."""

from pathlib import Path

import pytest
from tests.core.bundle.minimal_bundle import MINIMAL, WriteBundle, problems, warnings

from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError


def test_link_that_cannot_be_followed_is_named_with_its_program(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL)
    (root / "scoring_program/metrics").symlink_to("../../metrics")
    assert problems(root) == [
        "competition.yaml: names a program that cannot be used: scoring_program/metrics is a broken link; put the file itself there"
    ]


@pytest.mark.parametrize(("written", "there"), [("program.zip", "program"), ("program", "program.zip")])
def test_zip_and_folder_interchangeable(write_bundle: WriteBundle, written: str, there: str) -> None:
    text = MINIMAL.replace("scoring_program: scoring_program", f"scoring_program: {written}")
    root = write_bundle(text)
    if there == "program":
        (root / "scoring_program").rename(root / there)
    else:
        (root / there).write_bytes(b"PK")
    bundle = read_bundle(root)
    assert bundle.tasks[0].scoring_program == root / there
    assert [warning.field for warning in bundle.warnings] == ["tasks[0].scoring_program"]


def test_page_elsewhere_in_bundle(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL.replace("file: pages/overview.md", "file: overview.md"))
    bundle = read_bundle(root)
    assert bundle.pages[0].file == root / "pages/overview.md"
    assert [warning.field for warning in bundle.warnings] == ["pages[0].file"]
    (root / "other").mkdir()
    (root / "other/overview.md").write_text("Another.")
    (problem,) = problems(root)
    assert problem.startswith("competition.yaml:3: pages[0].file: ")


def test_zip_folder_outside_bundle(write_bundle: WriteBundle, tmp_path: Path) -> None:
    root = write_bundle(MINIMAL.replace("scoring_program: scoring_program", "scoring_program: program.zip"))
    (tmp_path / "outside").mkdir()
    (root / "program").symlink_to(tmp_path / "outside")
    assert len(problems(root)) == 1


def test_links_outside_bundle(write_bundle: WriteBundle, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    root = write_bundle(MINIMAL.replace("pages/overview.md", "pages/link.md"))
    (root / "pages/link.md").symlink_to(tmp_path / "secret.md")
    assert problems(root) == [
        (
            "competition.yaml:3: pages[0].file: is `pages/link.md`, a link out of the bundle; copy the content "
            "there instead"
        )
    ]


def test_program_link_inside_bundle(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL)
    plain = read_bundle(root).digest
    (root / "shared").mkdir()
    (root / "shared/metric.py").write_text("one")
    (root / "scoring_program/shared").symlink_to("../shared")
    (root / "scoring_program/metric.py").symlink_to("../shared/metric.py")
    linked = read_bundle(root).digest
    (root / "shared/metric.py").write_text("two")
    assert len({plain, linked, read_bundle(root).digest}) == 3


@pytest.mark.parametrize("target", ["../..", "..", ".", "missing", "/etc/hostname", "score-loop"])
def test_program_link_unusable(write_bundle: WriteBundle, target: str) -> None:
    root = write_bundle(MINIMAL)
    (root / "scoring_program/score-loop").symlink_to(target)
    assert len(problems(root)) == 1


def test_links_circular(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL)
    (root / "shared").mkdir()
    (root / "scoring_program/shared").symlink_to("../shared")
    (root / "shared/program").symlink_to("../scoring_program")
    assert len(problems(root)) == 1


def test_bundle_is_found_one_folder_deeper(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL)
    (root.parent / "__MACOSX").mkdir()
    assert read_bundle(root.parent).root == root
    assert warnings(root.parent) == [
        "competition.yaml: is in the subfolder bundle; Codabench requires it at the top level of a bundle"
    ]
    assert read_bundle(root / "competition.yaml") == read_bundle(root)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("nowhere", "there is no such folder"),
        ("bundle/pages", "it has no competition.yaml"),
        (".", "it has no competition.yaml at its top level, only bundle/competition.yaml"),
    ],
)
def test_folder_without_competition_yaml(write_bundle: WriteBundle, tmp_path: Path, where: str, reason: str) -> None:
    write_bundle(MINIMAL)
    (tmp_path / "another").mkdir()
    with pytest.raises(PalioError) as raised:
        read_bundle(tmp_path / where)
    assert raised.value.failure.code == "bundle-missing"
    assert str(raised.value) == f"{tmp_path / where} is not a challenge: {reason}."


def test_archive_as_folder(tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"PK")
    with pytest.raises(PalioError) as raised:
        read_bundle(tmp_path / "bundle.zip")
    assert raised.value.failure.code == "usage"
    assert raised.value.failure.message == (f"{tmp_path / 'bundle.zip'} is a file, but a challenge is a folder.")


def test_digest_excludes_data(write_bundle: WriteBundle) -> None:
    root = write_bundle(MINIMAL.replace("index: 0,", "index: 0, input_data: hidden,"))
    before = read_bundle(root).digest
    for name in ("hidden", "scoring_program/__pycache__"):
        (root / name).mkdir()
        (root / name / "a.jpg").write_bytes(b"image")
    assert read_bundle(root).digest == before
    (root / "scoring_program/score.py").write_text("changed")
    assert read_bundle(root).digest != before
