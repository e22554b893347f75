"""`palio verify`: output, exit codes, and re-scoring on real engines."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.bundles import write_bundle, write_context
from tests.core.receipt.conftest import Evaluated

from palio.cli import main
from palio.core.receipt.key import fingerprint, machine_public_key, public_key

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]

Palio = Callable[..., tuple[int, str, str]]


@pytest.fixture
def palio(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Palio:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder signed by this machine."""
    return Evaluated(tmp_path).run(tmp_path / "run")


def test_verify_unchanged(palio: Palio, run: Path) -> None:
    mark = fingerprint(machine_public_key() or "")[:16]
    code, out, err = palio("verify", "run")
    assert (code, err) == (0, "")
    program = json.loads((run / "lock.json").read_text())["scoring_program"]["digest"]
    assert out.splitlines() == [
        "run/receipt.json",
        "  states      scored, {accuracy: 1.0}",
        f"  scorer      scoring program {program[:12]}, in python:3.11-slim",
        f"  signature   genuine, by this machine ({mark})",
        "  files       unchanged since they were signed",
    ]


def test_verify_only_the_receipt(palio: Palio, run: Path) -> None:
    Path("alone").mkdir()
    (run / "receipt.json").rename("alone/receipt.json")
    code, out, err = palio("verify", "alone/receipt.json")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "  files       none beside the receipt, so only the receipt was verified"


def test_verify_as_json(palio: Palio, run: Path) -> None:
    code, out, _ = palio("verify", run / "receipt.json", "--json")
    public = machine_public_key() or ""
    assert code == 0
    assert json.loads(out) == {
        "receipt": str(run / "receipt.json"),
        "genuine": True,
        "signer": {"known_as": "this machine", "public_key": public, "fingerprint": fingerprint(public)},
        "attempt": json.loads((run / "config.json").read_text())["identity"],
        "scorer": {
            "programs": [json.loads((run / "lock.json").read_text())["scoring_program"]["digest"]],
            "version": None,
            "rescored": "",
            "image": "python:3.11-slim",
        },
        "differences": [],
        "missing": [],
        "challenge": None,
        "scored_again": None,
        "failures": [],
    }


def test_verify_changed(palio: Palio, run: Path) -> None:
    receipt = run / "receipt.json"
    receipt.write_text(receipt.read_text().replace('"accuracy": 1.0', '"accuracy": 1.1'))
    (run / "predictions/answers.csv").unlink()
    shutil.rmtree(run / "scores")
    code, out, err = palio("verify", "run", "--challenge", "bundle")
    assert code == 12
    assert out.splitlines()[3:] == [
        "  signature   NOT GENUINE",
        "  files       3 differences",
        "  missing     scores/",
        "  challenge   not compared, because the files above changed",
    ]
    assert err.splitlines()[:4] == [
        "Failed. Action needed: the operator.",
        "run/receipt.json, or a file beside it, differs from what was signed: 3 differences.",
        '  | receipt.json: signature: expected "a signature of this statement by this key", found "another one"',
        "  | receipt.json: statement.result.scores.accuracy: expected 1.0, found 1.1",
    ]
    assert err.splitlines()[4].startswith("  | predictions/answers.csv: expected ")


def test_verify_changed_as_json(palio: Palio, run: Path) -> None:
    for number in range(60):
        (run / f"predictions/{number:02}.csv").write_text("")
    code, out, _ = palio("verify", "run", "--json")
    found = json.loads(out)
    assert (code, found["genuine"], len(found["differences"])) == (12, True, 60)
    assert found["differences"][0]["where"] == "predictions/00.csv"
    (failure,) = found["failures"]
    assert (failure["code"], len(failure["evidence"])) == ("receipt-changed", 51)
    assert failure["evidence"][-1] == "and 10 more; --json lists all"


def test_verify_unknown_signer(palio: Palio, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    Evaluated(tmp_path).run(tmp_path / "run", key=key)
    mark = fingerprint(public_key(key))
    code, out, err = palio("verify", "run")
    assert code == 2
    assert (
        f"  signature   genuine, by an unknown key ({mark[:16]})\n  files       unchanged since they were signed\n"
        in out
    )
    assert f"{mark}." in err
    assert "(receipt-signer-unknown)" in err


def test_verify_key_given(palio: Palio, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    Evaluated(tmp_path).run(tmp_path / "run", key=key)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    Path("theirs.pem").write_bytes(pem)
    for given in (public_key(key), "theirs.pem"):
        code, out, _ = palio("verify", "run", "--key", given)
        assert code == 0
        assert "genuine, by the given key" in out
    code, _, err = palio("verify", "run", "--key", machine_public_key() or "0" * 64)
    assert code == 12
    assert "(receipt-signer-other)" in err


@pytest.mark.parametrize("text", ["abc", "run", "bundle/competition.yaml"])
def test_verify_invalid_key(palio: Palio, run: Path, text: str) -> None:
    code, _, err = palio("verify", "run", "--key", text)
    assert code == 2
    assert f"--key {text} is not a public key: " in err


def test_verify_no_receipt(palio: Palio, run: Path) -> None:
    (run / "receipt.json").unlink()
    code, _, err = palio("verify", "run")
    assert code == 2
    assert "run has no receipt.json." in err


def test_verify_scores_without_predictions(palio: Palio, run: Path) -> None:
    shutil.rmtree(run / "predictions")
    code, _, err = palio("verify", "run", "--challenge", "bundle")
    assert code == 2
    assert "No predictions were found next to run/receipt.json" in err


# -- on real engines


@pytest.mark.parametrize("engine", ENGINES)
def test_verify_rescores(palio: Palio, engine: str, submission: Path) -> None:
    assert palio("run", submission, "-c", "bundle", "--engine", engine, "-o", "run")[0] == 0
    shutil.move("run/predictions", "elsewhere")
    arguments = ("verify", "run", "-c", "bundle", "--predictions", "elsewhere", "--engine", engine)
    code, out, err = palio(*arguments)
    assert (code, err) == (0, "")
    assert out.splitlines()[-2:] == ["  challenge   the same", "  re-scored   identical scores"]
    found = json.loads(palio(*arguments, "--json")[1])
    assert found["challenge"] == {"differences": [], "missing": []}
    assert found["scored_again"] == {"scores": {"accuracy": 1.0}, "differences": []}


@pytest.mark.parametrize("engine", ENGINES)
def test_verify_scores_differ(palio: Palio, engine: str, tmp_path: Path) -> None:
    """A scoring program that returns different scores each time."""
    lucky = (
        "import json, sys, time\n"
        'open(sys.argv[2] + "/scores.json", "w").write(json.dumps({"accuracy": time.time_ns()}))\n'
    )
    write_bundle(tmp_path / "bundle", score=lucky)
    Path("answers.csv").write_text("file,answer\n")
    assert palio("score", "answers.csv", "-c", "bundle", "--engine", engine, "-o", "run")[0] == 0
    code, out, err = palio("verify", "run", "-c", "bundle", "--engine", engine)
    assert code == 11
    assert out.splitlines()[-1] == "  re-scored   different scores"
    assert "The scoring program computes other scores than the receipt states: 1 difference." in err


@pytest.mark.parametrize("engine", ENGINES)
def test_run_twice_gives_the_same_results(palio: Palio, engine: str, submission: Path) -> None:
    for folder in ("first", "again"):
        assert palio("run", submission, "-c", "bundle", "--engine", engine, "-o", folder)[0] == 0
    first, again = statement("first"), statement("again")
    assert first["lock"] == again["lock"]
    for name in ("predictions", "scores"):
        assert first[name] == again[name]
    assert first["result"]["scores"] == again["result"]["scores"]
    assert Path("first/predictions/answers.csv").read_bytes() == Path("again/predictions/answers.csv").read_bytes()


@pytest.mark.docker
@pytest.mark.bubblewrap
def test_run_on_two_engines_gives_the_same_results(palio: Palio, submission: Path) -> None:
    for engine in ("docker", "bubblewrap"):
        code, _, err = palio("run", submission, "-c", "bundle", "--engine", engine, "-o", engine)
        assert code == 0, err
    one, other = statement("docker"), statement("bubblewrap")
    assert {name for name in one["lock"] if one["lock"][name] != other["lock"][name]} == {"engine", "image"}
    assert (one["predictions"], one["scores"]) == (other["predictions"], other["scores"])
    assert Path("docker/lock.json").read_text() != Path("bubblewrap/lock.json").read_text()


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle")
    context = write_context(tmp_path / "context")
    subprocess.run(["zip", "-q", "-r", tmp_path / "s.zip", "."], cwd=context, check=True)
    return tmp_path / "s.zip"


def statement(run: str) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads(Path(run, "receipt.json").read_text())
    return dict(receipt["statement"])
