import json
from pathlib import Path

import pytest
from tests.bundles import write_bundle

from palio.cli import main


def test_check_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write_bundle(tmp_path / "b"))]) == 0
    assert capsys.readouterr().out == "Vowels\n  No problems found.\n\nThis bundle can be used.\n"


def test_check_hidden_data_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    (bundle / "reference_data/answers.csv").unlink()
    assert main(["check", str(bundle), "--json"]) == 11
    report = json.loads(capsys.readouterr().out)
    assert (report["sound"], len(report["errors"]), report["self_test"]) == (False, 1, [])
    assert "reference_data" in report["errors"][0]
