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


BESIDE = """\
import csv, sys
from pathlib import Path

inputs, output, predictions, shared, hidden, program, submitted = map(Path, sys.argv[1:8])
assert Path("/app/input_data") == inputs and program == Path("/app/program")
assert not hidden.exists() and [path.name for path in Path("/app/input").iterdir()] == ["res"]
assert (predictions / "model.py").read_bytes() == (submitted / "model.py").read_bytes()
sys.path.insert(0, str(submitted))
import model

rows = [f"{path.name},{model.predict(path.read_text())}" for path in sorted(inputs.glob("*.txt"))]
(predictions / "answers.csv").write_text("\\n".join(["file,answer", *rows]))
(shared / "rows").mkdir()
(shared / "rows" / "count.txt").write_text(str(len(rows)))
(output / "end.txt").write_text("end")
(output / "scores.json").write_text('{"accuracy": 100}')  # as a submission could
"""
BESIDE_START = """\
command: >
  python $ingestion_program/run.py $input $output $predictions $shared $hidden $program $submission_program
"""
AFTER = SCORE.replace(
    "missing = ",
    """assert not (source / "res" / "model.py").exists()
assert sorted(path.name for path in (source / "res").iterdir()) == ["answers.csv", "metadata"]
assert not (target / "scores.json").exists() and (target / "end.txt").read_text() == "end"
assert Path("/app/shared/rows/count.txt").read_text() == "3"
Path("/app/shared/alive").touch()
missing = """,
)


@pytest.fixture
def beside(bundle: Path) -> Path:
    """A bundle that wants its ingestion program to run beside its scoring program."""
    yaml = (bundle / "competition.yaml").read_text()
    during = f"{TASK}    ingestion_only_during_scoring: true\n"
    (bundle / "competition.yaml").write_text(yaml.replace(TASK, during))
    (bundle / "ingestion" / "run.py").write_text(BESIDE)
    (bundle / "ingestion" / "metadata").write_text(BESIDE_START)
    (bundle / "scoring_program" / "score.py").write_text(AFTER)
    return bundle


def test_ingestion_during_scoring_runs_before_it_without_labels(run: Run, beside: Path) -> None:
    code, result, folder = run({"model.py": MODEL})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0}), (folder / "score.log").read_text()
    assert lock(folder)["submission"]["runs"] == "ingestion-before-scoring"
    statement = json.loads((folder / "receipt.json").read_text())["statement"]
    assert statement["lock"]["submission"]["runs"] == "ingestion-before-scoring"


def test_ingestion_that_waits_for_the_scoring_program(run: Run, beside: Path) -> None:
    yaml = (beside / "competition.yaml").read_text()
    (beside / "competition.yaml").write_text(yaml.replace("predict: {time: 20 s", "predict: {time: 3 s"))
    waiting = "import time\nwhile not Path('/app/shared/ready').exists(): time.sleep(0.1)\n"
    (beside / "ingestion" / "run.py").write_text(BESIDE.replace("import model\n", f"import model\n{waiting}"))
    _, result, _ = run({"model.py": MODEL})
    assert result["failure"]["code"] == "predict-time-limit"
    assert "only the organizer can fix it" in result["failure"]["evidence"][1]


def test_scoring_that_needs_the_ingestion_program_alive(run: Run, beside: Path) -> None:
    (beside / "scoring_program" / "score.py").write_text("raise SystemExit('ingestion does not respond')\n")
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["failure"]["code"]) == (11, "score-exit"), result
    assert "they cannot talk to each other" in result["failure"]["next_step"]


def test_submission_is_in_output_as_on_codabench(run: Run, bundle: Path) -> None:
    """A zip without metadata is there before the ingestion program starts; its programs do not reach the labels."""
    start = "command: python $ingestion_program/run.py $input $output $program /app/output\n"
    (bundle / "ingestion" / "metadata").write_text(start)
    code, result, folder = run({"model.py": MODEL, "lib/part.py": "", "notes.txt": "about"})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    found = {path.relative_to(folder / "predictions").as_posix() for path in (folder / "predictions").rglob("*")}
    found = {path for path in found if "__pycache__" not in path}
    assert found == {"answers.csv", "metadata", "notes.txt"}


def test_submission_with_metadata_is_not_in_output(run: Run, bundle: Path) -> None:
    start = "command: python $ingestion_program/run.py $input $output $program /app/output\n"
    (bundle / "ingestion" / "metadata").write_text(start)
    code, result, _ = run({"model.py": MODEL, "metadata": ""})
    assert (code, result["failure"]["code"]) == (10, "ingestion-exit")


def test_ingestion_that_writes_nothing_leaves_no_predictions(run: Run, bundle: Path) -> None:
    (bundle / "ingestion" / "run.py").write_text("")
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["failure"]["code"]) == (10, "predict-no-output")


def test_submission_larger_than_the_output_limit(run: Run) -> None:
    code, result, _ = run({"model.py": MODEL, "weights.py": "#" * 5_000_000})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})


def test_programs_write_to_their_own_folders(run: Run, bundle: Path) -> None:
    own = "Path('/app/program/own.txt').write_text('written')\n"
    (bundle / "ingestion" / "run.py").write_text(INGESTION + own)
    (bundle / "scoring_program" / "score.py").write_text(SCORE + own)
    code, result, _ = run({"model.py": MODEL})
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    assert not [*bundle.rglob("own.txt")]


def test_submission_mounts(run: Run) -> None:
    spy = """\
import os
from pathlib import Path

def predict(text):
    found = [str(path) for path in Path("/app").rglob("*") if path.is_file()]
    assert not [path for path in found if "ref" in path or "score" in path], found
    for folder in ("/app", "/app/ingested_program", "/app/input_data"):
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
