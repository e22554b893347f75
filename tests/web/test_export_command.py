"""`palio export` against a platform that runs."""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.full_challenge import Full, make_full
from tests.web.world import make_world

from palio.cli import main
from palio.web.models import User
from palio.web.verbs.tokens import make_token

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full(
    transactional_db: None,
    small_bundle: Path,
    tmp_path: Path,
    live_server: "LiveServer",
    monkeypatch: pytest.MonkeyPatch,
) -> Full:
    made = make_full(make_world(small_bundle), tmp_path)
    monkeypatch.setenv("PALIO_SERVER", live_server.url)
    monkeypatch.chdir(tmp_path)
    sign_in(made.world.alice, monkeypatch)
    return made


def sign_in(user: User, monkeypatch: pytest.MonkeyPatch, *scopes: str) -> None:
    monkeypatch.setenv("PALIO_TOKEN", make_token(user, "test", scopes or ["read", "organize"], days=1)[1])


def test_export_folder_not_overwritten(full: Full, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["export", "mednist", "--runs"]) == 0
    folder = tmp_path / "mednist-export"
    assert capsys.readouterr().out == f"mednist was exported to {folder}. README.md there describes every file.\n"
    assert (folder / f"runs/{full.best.pk}/scores/cases.csv").is_file()
    assert (folder / "results.csv").read_text().count("\n") == 8
    assert main(["export", "mednist"]) == 2
    assert "already exists and is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_export_zip(full: Full, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["export", "mednist", "-o", "paper/all.zip", "--json"]) == 0
    path = tmp_path / "paper/all.zip"
    assert json.loads(capsys.readouterr().out) == {"challenge": "mednist", "to": str(path)}
    assert zipfile.ZipFile(path).testzip() is None


def test_export_organizer_only(
    full: Full, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    for user, scopes, code in (
        (full.world.bob, ["read", "organize"], "not-allowed"),
        (full.world.alice, ["read"], "token-scope-missing"),
    ):
        sign_in(user, monkeypatch, *scopes)
        assert main(["export", "mednist"]) == 2
        assert f"({code})" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
