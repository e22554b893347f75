import json
from pathlib import Path

import pytest
from tests.bundles import SCORE, write_bundle

from palio.cli import main

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]


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


@pytest.mark.parametrize("engine", ENGINES)
def test_check_run(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    assert main(["check", str(bundle), "--run", "--engine", engine, "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["self_test"]
    assert all(check["passed"] for check in checks)
    assert len(checks) == 4
    assert [check["outcome"] for check in checks[:2]] == ["accuracy 1", "the same scores"]


@pytest.mark.parametrize("engine", ENGINES)
def test_check_run_random_scores(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A scoring program that returns random scores, with or without predictions."""
    head = SCORE.split("truth =")[0]
    lucky = f'{head}(target / "scores.json").write_text(json.dumps({{"accuracy": __import__("random").random()}}))\n'
    bundle = write_bundle(tmp_path / "b", score=lucky)
    assert main(["check", str(bundle), "--run", "--engine", engine, "--json"]) == 11
    checks = json.loads(capsys.readouterr().out)["self_test"]
    assert [check["passed"] for check in checks] == [True, False, True, False]
