"""Where a user's own things are, by what the environment says."""

from pathlib import Path

import pytest

from palio.core.files.user_folder import DATA, SETTINGS, NoHomeFolderError, own_folder


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PALIO_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_own_folder_below_the_home_folder(tmp_path: Path) -> None:
    assert own_folder(DATA) == tmp_path / "home/.local/share/palio"
    assert own_folder(SETTINGS) == tmp_path / "home/.config/palio"


def test_own_folder_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # which is to be ignored
    assert own_folder(DATA) == tmp_path / "data/palio"
    assert own_folder(SETTINGS) == tmp_path / "home/.config/palio"


def test_own_folder_palio_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PALIO_HOME", "own")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert own_folder(DATA) == own_folder(SETTINGS) == tmp_path / "own"


def test_own_folder_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)  # whom nobody knows
    with pytest.raises(NoHomeFolderError):
        own_folder(DATA)
