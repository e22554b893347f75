"""Whether bubblewrap can be used on this machine, and with which Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from palio.engines.bubblewrap import why_unavailable
from palio.engines.bubblewrap.availability import install_command
from palio.engines.bubblewrap.interpreter import Interpreter, this_interpreter, too_wide
from palio.engines.bubblewrap.launch import package_root


def _fake_bwrap(folder: Path, script: str) -> None:
    (folder / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bwrap").chmod(0o755)
    folder.chmod(0o755)


@pytest.fixture
def search_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.bubblewrap
def test_capable_machine_without_fault() -> None:
    assert why_unavailable() is None


def test_bubblewrap_missing(search_path: Path) -> None:
    fault = why_unavailable()
    assert fault is not None
    assert (fault.reason, fault.next_step) == (
        "bubblewrap is not installed",
        f"Install it with `{install_command()}`.",
    )


def test_bubblewrap_too_old(search_path: Path) -> None:
    _fake_bwrap(search_path, "echo bubblewrap 0.6.1")
    fault = why_unavailable()
    assert fault is not None
    assert fault.reason == "bubblewrap 0.6.1 is too old; 0.8.0 is required"


def test_bubblewrap_refusal_quoted(search_path: Path) -> None:
    words = "bwrap: setting up uid map: Permission denied"
    _fake_bwrap(search_path, f'[ "$1" = --version ] && echo bubblewrap 0.9.0 || {{ echo "{words}" >&2; exit 1; }}')
    fault = why_unavailable()
    assert fault is not None
    # As root, the search path of a test is closed to the user that bubblewrap runs as: another refusal.
    assert fault.reason.startswith("bubblewrap cannot start a sandbox (")
    assert words in fault.reason or os.geteuid() == 0


def test_interpreter_folders() -> None:
    interpreter = this_interpreter()
    assert too_wide(interpreter) is None
    assert not {"/", "/root", "/home", str(Path.home())} & set(interpreter.places)


@pytest.mark.parametrize("place", ["/", str(Path.home()), str(Path.home().parent)])
def test_interpreter_in_home_refused(place: str) -> None:
    assert too_wide(Interpreter("/x/bin/python", "3.11", ("/opt/python", place), ())) == place


def test_interpreter_without_site() -> None:
    code = (
        f"import sys; sys.path.insert(0, {package_root()!r})\n"
        "from palio.engines.bubblewrap.interpreter import this_interpreter\n"
        "print(this_interpreter().places)"
    )
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(this_interpreter().places)
