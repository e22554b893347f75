"""`palio check --run` on real engines; core/self_test has the single experiments."""

import json
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, YAML, answers, write_bundle

from palio.cli import main

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]


@pytest.mark.parametrize("engine", ENGINES)
def test_sound_bundle(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b")
    assert main(["check", str(bundle), "--run", "--engine", engine, "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["self_test"]}
    assert checks["the reference data as predictions"]["outcome"] == "accuracy 1"
    tried = {"an empty answers.csv", "rows in another order", "only the first half of the rows", "every answer `nan`"}
    assert tried <= checks.keys()
    assert all(check["passed"] for name, check in checks.items() if not name.startswith("time and memory"))
    assert "time and memory at 1, 10 and 100 times the rows" in checks  # how long depends on what else runs here


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    ("score", "logged", "advised"),
    [
        (
            "import no_such_library\n",
            "ModuleNotFoundError: No module named 'no_such_library'",
            "pip install no_such_library",
        ),
        ('print "hello"\n', "SyntaxError: Missing parentheses in call to 'print'", "written for Python 2"),
        ("if True:\n        x = 1\n\tx = 2\n", "TabError: inconsistent use of tabs", "written for Python 2"),
        ("{}.iteritems()\n", "AttributeError: 'dict' object has no attribute 'iteritems'", "written for Python 2"),
        ("import urllib2\n", "ModuleNotFoundError: No module named 'urllib2'", "written for Python 2"),
        (
            "import json\njson.read\n",
            "AttributeError: module 'json' has no attribute 'read'",
            "`json` has no `read` here. If it is a package, install the version",
        ),
        (
            "from json import read\n",
            "ImportError: cannot import name 'read' from 'json'",
            "`json` has no `read` here. If it is a package, install the version",
        ),
        (
            'from subprocess import *\nraise CalledProcessError(1, ["python", "-m", "pip", "install", "no-such"])\n',
            "subprocess.CalledProcessError: Command '['python', '-m', 'pip', 'install', 'no-such']' returned",
            "runs `pip install no-such`, but it has no network",
        ),
        (
            'open("/app/input/ref/no_such.csv")\n',
            "FileNotFoundError: [Errno 2] No such file or directory: '/app/input/ref/no_such.csv'",
            "opens `/app/input/ref/no_such.csv`, but the reference data has no such file",
        ),
        (
            'open("/app/input/ref/notes.txt", "w")\n',  # its own folder is a copy that it may change
            "OSError: [Errno 30] Read-only file system: '/app/input/ref/notes.txt'",
            "writes `/app/input/ref/notes.txt`, but only `$output` and /tmp can be written",
        ),
        (
            'raise SystemExit("ERROR: No matching distribution found for no-such")\n',
            "ERROR: No matching distribution found for no-such",
            "runs `pip install no-such`, but it has no network",
        ),
        (
            'open("/app/program/no_such.csv")\n',
            "FileNotFoundError: [Errno 2] No such file or directory: '/app/program/no_such.csv'",
            "opens `/app/program/no_such.csv`, but its folder has no such file",
        ),
    ],
)
def test_failing_program_log_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], score: str, logged: str, advised: str
) -> None:
    assert main(["check", str(write_bundle(tmp_path / "b", score=score)), "--run", "--engine", "bubblewrap"]) == 11
    shown = capsys.readouterr().out
    assert f"| {logged}" in shown
    assert advised in shown.partition("Next: ")[2]
    assert "This bundle cannot be used yet." in shown


@pytest.mark.bubblewrap
def test_failing_solution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml = YAML.replace("phases:", "solutions:\n  - {index: 0, tasks: [0], path: best.csv}\nphases:")
    bundle = write_bundle(tmp_path / "b", yaml=yaml)
    (bundle / "best.csv").write_text(answers({"one.txt": "yes"}))
    assert main(["check", str(bundle), "--run", "--engine", "bubblewrap"]) == 11
    shown = capsys.readouterr().out
    assert "FAILED  the bundle's own solution, best.csv" in shown
    assert "ok      the reference data as predictions: accuracy 1" in shown
    assert shown.splitlines()[-1] == (
        "This bundle can be used. Fix these solutions, or remove them from competition.yaml: best.csv."
    )


@pytest.mark.bubblewrap
def test_failing_solution_does_not_stop_a_run(tmp_path: Path) -> None:
    yaml = YAML.replace("phases:", "solutions:\n  - {index: 0, tasks: [0], path: not-there}\nphases:")
    bundle = write_bundle(tmp_path / "b", yaml=yaml)
    (tmp_path / "answers.csv").write_text(answers(ANSWERS))
    given = ["score", str(tmp_path / "answers.csv"), "--challenge", str(bundle), "-o", str(tmp_path / "run")]
    assert main([*given, "--engine", "bubblewrap"]) == 0
