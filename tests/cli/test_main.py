import subprocess
import sys

import click
import pytest

from palio import __version__
from palio.cli import main, palio
from palio.core.errors import PalioError


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"palio, version {__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [
        name
        for name in ("check", "data", "demo", "doctor", "leaderboard", "pack", "run", "score", "train", "verify")
        if name not in out
    ] == []


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "No such command 'trian'" in capsys.readouterr().err


@pytest.fixture
def broken() -> click.Command:
    @click.command()
    @click.option("--json", is_flag=True)
    @click.option("--how")
    def command(json: bool, how: str) -> None:
        if how == "failure":
            raise PalioError("target-not-empty", path="here")
        if how == "interrupt":
            raise KeyboardInterrupt
        raise ZeroDivisionError

    return command


@pytest.mark.parametrize(
    ("how", "code", "last_line"),
    [
        ("failure", 2, "(target-not-empty)"),
        ("interrupt", 130, "Cancelled."),
        ("bug", 1, "This is a bug in Palio. Please report it and include the lines above."),
    ],
)
def test_main_exit_codes(
    broken: click.Command, how: str, code: int, last_line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    palio.add_command(broken, "broken")
    try:
        assert main(["broken", "--how", how]) == code
    finally:
        del palio.commands["broken"]
    assert capsys.readouterr().err.splitlines()[-1] == last_line


def test_output_closed_by_its_reader() -> None:
    command = f"{sys.executable} -m palio --help | head -n 1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert result.stderr == ""
