"""The report of a closed challenge, from the platform and from its export."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from django.test import Client
from tests.web.closed_challenge import TEAMS, Closed, make_closed
from tests.web.world import World

from palio.core.report.writing import write_report
from palio.web.queries.export import ExportParts, entries
from palio.web.storage.downloads import zip_of

REPORT = "/c/mednist/manage/report.zip"


@pytest.fixture
def closed(world: World, tmp_path: Path) -> Closed:
    return make_closed(world, tmp_path)


def exported(closed: Closed, folder: Path, *, runs: bool = True) -> Path:
    parts = ExportParts(runs=runs, address="https://palio.example.org/c/mednist/")
    path = folder / "export.zip"
    path.write_bytes(b"".join(zip_of(entries(closed.world.challenge, parts))))
    return path


def reported(closed: Closed, folder: Path, *, runs: bool = True, cases: bool = False) -> tuple[Path, dict[str, object]]:
    target = folder / "report"
    return target, write_report(str(exported(closed, folder, runs=runs)), str(target), with_cases=cases)


def test_export_has_the_design(closed: Closed, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported(closed, tmp_path)) as archive:
        facts = json.loads(archive.read("challenge.json"))
    assert facts["url"] == "https://palio.example.org/c/mednist/"
    assert (facts["slug"], facts["version"], facts["organizers"]) == ("mednist", 2, ["alice"])
    assert [(phase["name"], phase["state"], phase["max_submissions"]) for phase in facts["phases"]] == [
        ("Practice", "closed", 20),
        ("Final", "closed", 2),
    ]
    assert facts["phases"][0]["public_classes"] == {
        "training": {"no": 4, "yes": 6},
        "validation": {"no": 2, "yes": 3},
    }
    assert facts["tasks"][0]["inputs"] == {"files": 3, "formats": {".txt": 3}}
    (board,) = facts["phases"][1]["leaderboards"]
    assert board["file"] == "leaderboards/1-final.csv"
    assert [(each["key"], each["metric"]) for each in board["columns"]][:2] == [
        ("f1", "f1_weighted"),
        ("accuracy", "accuracy"),
    ]


def test_report_page_says_everything(closed: Closed, tmp_path: Path) -> None:
    folder, written = reported(closed, tmp_path)
    page = (folder / "report.html").read_text()
    for words in (
        "Final: Blobs has rank 1 with F1 0.99",
        "The cases cannot tell these apart from the first: Blobs and Carolingians.",
        "exact Beta",
        "Jeffreys",
        "Kendall&#x27;s tau with the leaderboard",
        "Mean rank over the cases",
        "<td>predict-time-limit</td>",
        "the participant",
        "the organizer",
        "University of Blobs",
        "The &lt;final&gt; phase ends a week later.",
        "phase “Final”: end: 2026-03-25 → 2026-04-01",
        "training (Practice)",
        "@misc{mednist-2025,",
    ):
        assert words in page, words
    assert "Third &lt;b&gt;Way&lt;/b&gt;" in page
    assert "<b>Way" not in page
    assert "For organizers only" not in page
    assert "<script" not in page
    assert "http" not in page.replace("https://palio.example.org", "")
    assert written["reason"] == ""


def test_report_rank_ranges_as_on_the_leaderboard(closed: Closed, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported(closed, tmp_path)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("leaderboards/1-final.csv").decode())))
    ranges = [(row["team"], f"{row['rank_first']}–{row['rank_last']}") for row in rows]
    assert ranges[0] == ("Blobs", "1–2")
    page = (reported(closed, tmp_path)[0] / "report.html").read_text()
    for row in rows:
        assert f"{float(row['interval_low_f1']):.4f} – {float(row['interval_high_f1']):.4f}" in page
        assert f"{row['rank_first']}–{row['rank_last']}</td>" in page


def test_long_table_for_challenge_r(closed: Closed, tmp_path: Path) -> None:
    folder, written = reported(closed, tmp_path)
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["task", "case", "algorithm", "metric", "value"]
    assert written["cases"] == len(rows) == 600 * (len(TEAMS) + 1)
    final = [row for row in rows if row["task"] == "Final: Vowels"]
    right = {name: sum(float(row["value"]) for row in final if row["algorithm"] == name) for name in TEAMS}
    assert right == {name: 600 - wrong for name, (wrong, _) in TEAMS.items()}
    assert len({row["case"] for row in final}) == 600
    assert {row["metric"] for row in rows} == {"right"}


def test_citation(closed: Closed, tmp_path: Path) -> None:
    folder, _ = reported(closed, tmp_path)
    cff = yaml.safe_load((folder / "CITATION.cff").read_text())
    assert cff["cff-version"] == "1.2.0"
    assert cff["authors"] == [{"name": "alice"}]
    assert cff["url"] == "https://palio.example.org/c/mednist/"
    assert str(cff["date-released"]) == "2025-01-01"
    bib = (folder / "citation.bib").read_text()
    assert bib.startswith("@misc{mednist-2025,\n  title = {{Vowels}},\n  author = {{alice}},\n")
    assert bib.count("{") == bib.count("}")


def test_no_cases_while_a_hidden_phase_is_open(world: World, tmp_path: Path) -> None:
    still_open = make_closed(world, tmp_path, end="2999-01-01")
    folder, written = reported(still_open, tmp_path)
    assert not (folder / "cases.csv").exists()
    assert written["reason"] == "The table of single cases was left out, because Final is still open."
    assert "For organizers only." in (folder / "report.html").read_text()
    again = write_report(str(exported(still_open, tmp_path)), str(tmp_path / "again"), with_cases=True)
    assert again["cases"] == 600 * (len(TEAMS) + 1)


def test_report_without_runs(closed: Closed, tmp_path: Path) -> None:
    folder, written = reported(closed, tmp_path, runs=False)
    assert written["reason"] == "There is no table of single cases: the export has none that can be used."
    assert "The export has no single cases; export again with --runs." in (folder / "report.html").read_text()


def test_button_once_phases_are_closed(closed: Closed, browser: Callable[..., Client]) -> None:
    page = browser(closed.world.alice).get("/c/mednist/manage/export/").text
    assert f'href="{REPORT}"' in page
    answer = browser(closed.world.alice).get(REPORT)
    assert answer["Content-Disposition"].startswith('attachment; filename="mednist-report-')
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    assert sorted(archive.namelist()) == [
        "CITATION.cff",
        "cases.csv",
        "citation.bib",
        "design.json",
        "design.txt",
        "report.html",
    ]
    assert "University of Blobs" in archive.read("report.html").decode()


def test_no_button_while_open(world: World, tmp_path: Path, browser: Callable[..., Client]) -> None:
    make_closed(world, tmp_path, end="2999-01-01")
    page = browser(world.alice).get("/c/mednist/manage/export/").text
    assert f'href="{REPORT}"' not in page
    assert "open now: Final" in page
