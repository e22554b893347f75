"""Code submissions on real engines: in the bundle's ingestion program, and with a command of their own."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import ANSWERS, SCORE, YAML, answers, write_bundle
from tests.cli.test_run import ENGINES

from palio.cli import main

TASK = "    scoring_program: scoring_program\n"
CODE = YAML.replace("[context, results]", "[code, results]").replace(TASK, f"{TASK}    ingestion_program: ingestion\n")
INGESTION = """\
import csv, sys
from pathlib import Path

inputs, output, program, submitted = map(Path, sys.argv[1:5])
assert program == Path(__file__).parent == Path("/app/program")
assert not Path("/app/input").exists()  # where the reference data will be
sys.path.insert(0, str(submitted))
import model

with (output / "answers.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["file", "answer"])
    for path in sorted(inputs.glob("*.txt")):
        rows.writerow([path.name, model.predict(path.read_text())])
"""
START = "command: python $ingestion_program/run.py $input $output $program $submission_program\n"
MODEL = "def predict(text): return 'yes' if text[0] in 'aeiou' else 'no'\n"
OWN = """\
import csv, sys
from pathlib import Path

inputs, output = map(Path, sys.argv[1:])
with (output / "answers.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["file", "answer"])
    for path in sorted(inputs.glob("*.txt")):
        rows.writerow([path.name, "yes" if path.read_text()[0] in "aeiou" else "no"])
"""
# Scores the time that the platform reports, as programs of CodaLab 1.5 do.
DURATION = SCORE.replace(
    '(target / "scores.json")',
    """times = dict(line.split(": ") for line in (source / "res" / "metadata").read_text().splitlines())
assert float(times["elapsedTime"]) > 0 and times["exitCode"] == "0"
(target / "scores.json")""",
)

Run = Callable[[Mapping[str, str]], tuple[int, Any, Path]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = write_bundle(tmp_path / "bundle", yaml=CODE)
    (folder / "ingestion").mkdir()
    (folder / "ingestion" / "run.py").write_text(INGESTION)
    (folder / "ingestion" / "metadata").write_text(START)
    return folder


@pytest.fixture
def run(tmp_path: Path, bundle: Path, engine: str, capfd: pytest.CaptureFixture[str]) -> Run:
    """Packs the files, runs them as code, and returns exit code, result and run folder."""

    def run(files: Mapping[str, str]) -> tuple[int, Any, Path]:
        path = tmp_path / "code.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        command = ["run", path, "--kind", "code", "--challenge", bundle, "--engine", engine, "-o", tmp_path / "run"]
        code = main([*map(str, command), "--json"])
        return code, json.loads(capfd.readouterr().out), tmp_path / "run"

    return run


def lock(folder: Path) -> Any:
    return json.loads((folder / "lock.json").read_text())


def times(folder: Path) -> dict[str, str]:
    lines = (folder / "predictions" / "metadata").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_ingestion_program_imports_the_submission(run: Run) -> None:
    code, result, folder = run({"model.py": MODEL})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    given = {
        row["file"]: row["answer"]
        for row in csv.DictReader((folder / "predictions" / "answers.csv").read_text().splitlines())
    }
    assert given == ANSWERS  # under their real names
    assert times(folder).keys() == {"exitCode", "elapsedTime", "ingestionExitCode", "ingestionElapsedTime"}
    assert float(times(folder)["elapsedTime"]) > 0
    assert lock(folder)["submission"]["runs"] == "ingestion"
    assert lock(folder)["ingestion_program"]["digest"]
    statement = json.loads((folder / "receipt.json").read_text())["statement"]
    assert statement["lock"]["submission"]["runs"] == "ingestion"


@pytest.mark.parametrize("metadata", ["", "This file says that the zip is code: see the starting kit.\n", "a: b\n"])
def test_metadata_without_command(run: Run, metadata: str) -> None:
    code, result, folder = run({"model.py": MODEL, "metadata": metadata})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    assert lock(folder)["submission"]["runs"] == "ingestion"


@pytest.mark.parametrize("words", ["$input $output", "/app/input_data /app/output"])
def test_executable_own_command(run: Run, bundle: Path, words: str) -> None:
    yaml = (bundle / "competition.yaml").read_text()
    (bundle / "competition.yaml").write_text(yaml.replace("    ingestion_program: ingestion\n", ""))
    code, result, folder = run({"predict.py": OWN, "metadata.yaml": f"command: python $program/predict.py {words}\n"})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    assert lock(folder)["submission"]["runs"] == "executable"
    assert times(folder).keys() == {"exitCode", "elapsedTime"}


def test_own_command_before_ingestion_program(run: Run) -> None:
    code, result, folder = run({"predict.py": OWN, "metadata": "command: python $program/predict.py $input $output"})
    assert (code, result["scores"], lock(folder)["submission"]["runs"]) == (0, {"accuracy": 1.0}, "executable")


def test_failing_code(run: Run) -> None:
    code, result, folder = run({"model.py": "def predict(text): raise ValueError('no idea')\n"})
    assert (code, result["failure"]["code"]) == (10, "ingestion-exit")
    assert "no idea" in (folder / "predict.log").read_text()


def test_ingestion_program_cannot_start(run: Run, bundle: Path) -> None:
    (bundle / "ingestion" / "metadata").write_text("command: nothing-of-this-name $input\n")
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["failure"]["code"]) == (11, "ingestion-not-started")


def test_labels_not_mounted_with_code(run: Run, bundle: Path) -> None:
    yaml = (bundle / "competition.yaml").read_text()
    during = f"{TASK}    ingestion_only_during_scoring: true\n"
    (bundle / "competition.yaml").write_text(yaml.replace(TASK, during))
    code, result, folder = run({"model.py": MODEL})
    assert (code, result["failure"]["code"]) == (11, "ingestion-during-scoring")
    assert not (folder / "predict.log").exists()


def test_submission_mounts(run: Run) -> None:
    spy = """\
import os
from pathlib import Path

def predict(text):
    found = [str(path) for path in Path("/app").rglob("*") if path.is_file()]
    assert not [path for path in found if "ref" in path or "score" in path], found
    for folder in ("/app/program", "/app/ingested_program", "/app/input_data"):
        try:
            Path(folder, "new").write_text("x")
        except OSError:
            continue
        raise AssertionError(folder)
    return "yes" if text[0] in "aeiou" else "no"
"""
    code, result, _ = run({"model.py": spy})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})


def test_codalab_program_reads_elapsed_time(run: Run, bundle: Path) -> None:
    (bundle / "scoring_program" / "score.py").write_text(DURATION)
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})


def test_task_without_input_data(run: Run, bundle: Path) -> None:
    """The submission is data, which the ingestion program's algorithms work on."""
    yaml = (bundle / "competition.yaml").read_text()
    head, _, tail = yaml.partition("  blind:")
    yaml = head + tail.partition("\n")[2]
    (bundle / "competition.yaml").write_text(yaml.replace("    input_data: input_data\n", ""))
    (bundle / "ingestion" / "run.py").write_text(
        "import shutil, sys\n"
        "from pathlib import Path\n"
        "assert not Path('/app/input_data').exists()\n"
        "shutil.copy(Path(sys.argv[4], 'data.csv'), Path(sys.argv[2], 'answers.csv'))\n"
    )
    code, result, _ = run({"data.csv": answers(ANSWERS)})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})


def test_predictions_without_ingestion(
    tmp_path: Path, bundle: Path, engine: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (bundle / "ingestion" / "run.py").write_text("raise SystemExit('run')\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("answers.csv", answers(ANSWERS))
    (tmp_path / "answers.zip").write_bytes(archive.getvalue())
    command = ["run", tmp_path / "answers.zip", "--challenge", bundle, "--engine", engine, "-o", tmp_path / "run"]
    assert main([*map(str, command), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["scores"] == {"accuracy": 1.0}


def test_missing_package_named(run: Run, bundle: Path) -> None:
    (bundle / "ingestion" / "run.py").write_text("import no_such_package\n")
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["failure"]["code"]) == (10, "ingestion-exit")
    assert "`no_such_package`" in result["failure"]["next_step"]
    assert "organizer" in result["failure"]["next_step"]
