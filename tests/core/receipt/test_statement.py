import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import ROOT
from tests.core.receipt.conftest import Evaluated
from tests.fakes import ended

from palio.core.files.digest import digest_entries, digest_file, files_below
from palio.core.receipt.key import machine_public_key
from palio.core.receipt.statement import canonical, stated_result

TEXT = st.text(st.characters(exclude_categories=[]))  # halves of surrogate pairs among them
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_canonical_survives_a_round_trip(value: Any) -> None:
    value = json.loads(json.dumps(value))  # makes one character of two halves, as a statement has been read from files
    encoded = canonical(value)
    assert json.loads(encoded.decode("utf-8", "surrogatepass")) == value
    assert canonical(json.loads(encoded.decode("utf-8", "surrogatepass"))) == encoded
    assert canonical(json.loads(json.dumps(value, indent=2))) == encoded


@given(st.dictionaries(TEXT, JSON, max_size=5), st.randoms())
def test_canonical_has_one_order(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(value)


def test_canonical() -> None:
    value = {"b": [1, 1.0, 1e-7, True, None], "a": "é\n"}
    assert canonical(value) == b'{"a":"\xc3\xa9\\n","b":[1,1.0,1e-07,true,null]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_canonical_refuses(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"score": number})


def test_receipt_of_a_scored_attempt(run: Path) -> None:
    receipt = json.loads((run / "receipt.json").read_text())
    result = json.loads((run / "result.json").read_text())
    (run / "predictions/metadata").unlink()
    assert receipt["statement"] == {
        "format": "palio-receipt/1",
        "attempt": "0a0b",
        "lock": json.loads((run / "lock.json").read_text()),
        "result": result,
        "predictions": digest_entries(files_below(run / "predictions")),
        "scores": digest_entries(files_below(run / "scores")),
        "records": {name: digest_file(run / name) for name in ("lock.json", "result.json", "files.json")},
    }
    assert (result["verdict"], result["scores"]) == ("scored", {"accuracy": 1.0})
    assert receipt["signature"]["public_key"] == machine_public_key()


def test_receipt_of_failed_attempt(evaluated: Evaluated, tmp_path: Path) -> None:
    evaluated.program("predict", lambda job, output: ended(exit_code=3))
    run = evaluated.run(tmp_path / "run")
    statement = json.loads((run / "receipt.json").read_text())["statement"]
    assert statement["result"]["verdict"] == "failed"
    assert statement["result"]["failure"] == "predict-exit"
    assert (statement["predictions"], statement["scores"]) == (None, None)
    assert statement["lock"]["submission"]["digest"] == digest_file(evaluated.submission)


def test_receipt_of_attempt_without_lock(evaluated: Evaluated, tmp_path: Path) -> None:
    (evaluated.bundle / "input_data/outside").symlink_to("/etc")
    run = evaluated.run(tmp_path / "run")
    statement = json.loads((run / "receipt.json").read_text())["statement"]
    assert (statement["lock"], statement["result"]["failure"]) == (None, "folder-unreadable")
    assert sorted(statement["records"]) == ["files.json", "result.json"]


def test_no_receipt_of_a_cancelled_attempt(evaluated: Evaluated, tmp_path: Path) -> None:
    evaluation = evaluated.evaluation(tmp_path / "run")
    evaluation.step()
    evaluation.cancel()
    assert json.loads((tmp_path / "run/result.json").read_text())["verdict"] == "cancelled"
    assert not (tmp_path / "run/receipt.json").exists()


def test_receipt_is_there_before_the_verdict(
    evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed between the two leaves a receipt and no verdict, never the other way round."""
    evaluation = evaluated.evaluation(tmp_path / "run")
    write = evaluation.folder.write_json
    written = []

    def noting(name: str, value: Any) -> None:
        written.append((name, value.get("verdict")))
        write(name, value)

    monkeypatch.setattr(evaluation.folder, "write_json", noting)
    evaluation.finish()
    assert written[-3:] == [("files.json", None), ("receipt.json", None), ("result.json", "scored")]


def test_same_submission_twice(evaluated: Evaluated, tmp_path: Path) -> None:
    first, again = (evaluated.run(tmp_path / identity, identity) for identity in ("0001", "0002"))
    assert files_in(first / "predictions") == files_in(again / "predictions")
    assert files_in(first / "scores") == files_in(again / "scores")
    assert comparable(first) == comparable(again)


def test_same_submission_on_other_engine(evaluated: Evaluated, tmp_path: Path) -> None:
    first = evaluated.run(tmp_path / "0001", "0001")
    evaluated.engine.name = "other"
    evaluated.engine.build_result = ended(image="other-image")
    again = evaluated.run(tmp_path / "0002", "0002")
    locks = [json.loads((run / "lock.json").read_text()) for run in (first, again)]
    assert {name for name in {*locks[0], *locks[1]} if locks[0][name] != locks[1][name]} == {"engine"}
    assert comparable(first) == comparable(again)
    stages = [json.loads((run / "result.json").read_text())["stages"] for run in (first, again)]
    assert [stage["build"]["image"] for stage in stages] == ["image", "other-image"]


@pytest.mark.parametrize("result", [None, [], {}, {"failure": None}, {"failure": "code"}, {"failure": {}}])
def test_stated_result_invalid(result: Any) -> None:
    assert stated_result(result) == result


def test_documented_script_verifies_receipt(run: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/receipts.md").read_text()
    lines = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert lines
    assert lines[1].count("\n") <= 15
    (tmp_path / "check.py").write_text(lines[1])
    command = [sys.executable, "-W", "error", str(tmp_path / "check.py"), str(run / "receipt.json")]
    genuine = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (genuine.returncode, genuine.stdout) == (0, f"signed by {machine_public_key()}\n")
    text = (run / "receipt.json").read_text()
    (run / "receipt.json").write_text(text.replace('"accuracy": 1.0', '"accuracy": 1.1'))
    forged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert forged.returncode == 1
    assert "InvalidSignature" in forged.stderr


def comparable(run: Path) -> dict[str, Any]:
    """What of a statement does not depend on when, where and as which attempt it came about."""
    statement = json.loads((run / "receipt.json").read_text())["statement"]
    lock = {name: value for name, value in statement["lock"].items() if name not in ("engine", "host")}
    result = {name: statement["result"][name] for name in ("verdict", "scores", "failure")}
    stages = {name: (stage["end"], stage["exit_code"]) for name, stage in statement["result"]["stages"].items()}
    kept = {name: statement[name] for name in ("format", "predictions", "scores")}
    return {**kept, "lock": lock, "result": result, "stages": stages}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "metadata"}
