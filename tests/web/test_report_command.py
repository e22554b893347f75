"""`palio report` of a challenge on a platform that runs, and of its export."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.closed_challenge import TEAMS, make_closed
from tests.web.world import World, make_world

from palio.cli import main
from palio.web.verbs.tokens import make_token

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(
    transactional_db: None,
    small_bundle: Path,
    tmp_path: Path,
    live_server: "LiveServer",
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    made = make_world(small_bundle)
    make_closed(made, tmp_path)
    monkeypatch.setenv("PALIO_SERVER", live_server.url)
    monkeypatch.setenv("PALIO_TOKEN", make_token(made.alice, "test", ["read", "organize"], days=1)[1])
    monkeypatch.chdir(tmp_path)
    return made


def test_report_of_a_challenge_and_of_its_export(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, live_server: "LiveServer"
) -> None:
    (tmp_path / "mednist").mkdir()  # as the folder of the bundle may be called
    assert main(["report", "mednist"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Report: mednist-report/report.html (to save it as PDF, print it in a browser)\n")
    page = (tmp_path / "mednist-report/report.html").read_text()
    assert f"{live_server.url}/c/mednist/" in page
    assert main(["export", "mednist", "--runs"]) == 0
    capsys.readouterr()
    assert main(["report", "mednist-export", "-o", "again", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["cases"] == 600 * (len(TEAMS) + 1)
    same = (tmp_path / "again/cases.csv").read_bytes() == (tmp_path / "mednist-report/cases.csv").read_bytes()
    assert same
    assert (tmp_path / "again/report.html").read_text() == page
    assert main(["export", "--design", "mednist-export"]) == 0
    design = json.loads((tmp_path / "mednist-export-design.json").read_text())
    assert "Results: 4 teams made 7 submissions" in design["challenge_tasks"][0]["task_further_analyses"]
    assert "tau" in design["challenge_tasks"][0]["task_statistical_analyses_rankings_variability"]
    assert main(["report", "mednist"]) == 2
    assert "already exists and is not empty" in capsys.readouterr().err


def test_report_organizer_only(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PALIO_TOKEN", make_token(world.bob, "test", ["read", "organize"], days=1)[1])
    assert main(["report", "mednist"]) == 2
    assert "(not-allowed)" in capsys.readouterr().err
    assert not (tmp_path / "mednist-report").exists()
