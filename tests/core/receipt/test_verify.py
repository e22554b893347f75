"""Whatever is changed in or beside a receipt is found and named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.receipt.conftest import Evaluated
from tests.fakes import ended

from palio.core.attempt.run_folder import json_text
from palio.core.errors import PalioError
from palio.core.receipt.key import public_key, sign
from palio.core.receipt.reading import read_receipt
from palio.core.receipt.statement import canonical
from palio.core.receipt.verify import Verification, refusals, verify_receipt


def verify(run: Path, **more: Any) -> Verification:
    return verify_receipt(read_receipt(run), **more)


def named(run: Path, **more: Any) -> list[str]:
    return [difference.where for difference in verify(run, **more).differences]


def change(path: Path, key: str, value: object) -> None:
    """Sets one field of a file, named by its dotted path."""
    content = json.loads(path.read_text())
    inner = content
    *folders, last = key.split(".")
    for name in folders:
        inner = inner[name]
    inner[last] = value
    path.write_text(json_text(content))


def test_verify_unchanged(run: Path) -> None:
    verification = verify(run)
    assert (verification.receipt.genuine, verification.signer) == (True, "this machine")
    assert (verification.differences, verification.missing) == ((), ())
    assert list(refusals(verification)) == []
    assert verify(run / "receipt.json") == verification


def test_verify_failed_attempt(evaluated: Evaluated, tmp_path: Path) -> None:
    evaluated.program("score", lambda job, output: ended(exit_code=3))
    assert named(evaluated.run(tmp_path / "failed")) == []


def test_verify_what_a_participant_read(run: Path) -> None:
    change(run / "participant/result.json", "verdict", "failed")
    assert named(run) == ["participant/result.json"]


# -- whose it is


def test_verify_unknown_signer(evaluated: Evaluated, tmp_path: Path) -> None:
    run = evaluated.run(tmp_path / "run", key=Ed25519PrivateKey.generate())
    verification = verify(run)
    assert (verification.receipt.genuine, verification.signer, verification.differences) == (True, None, ())
    (failure,) = refusals(verification)
    assert (failure.code, failure.cause) == ("receipt-signer-unknown", "usage")


def test_verify_key_given(evaluated: Evaluated, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    run = evaluated.run(tmp_path / "run", key=key)
    assert verify(run, given=public_key(key)).signer == "the given key"
    other = public_key(Ed25519PrivateKey.generate())
    verification = verify(run, given=other)
    assert verification.signer is None
    assert [failure.code for failure in refusals(verification, given=other)] == ["receipt-signer-other"]


def test_verify_changed_and_signed_again(run: Path) -> None:
    """All fits together, and only the key tells."""
    content = json.loads((run / "receipt.json").read_text())
    content["statement"]["attempt"] = "ffff"
    content["signature"] = sign(canonical(content["statement"]), Ed25519PrivateKey.generate())
    (run / "receipt.json").write_text(json_text(content))
    assert [failure.code for failure in refusals(verify(run))] == ["receipt-signer-unknown"]


# -- what was changed in the receipt


@pytest.mark.parametrize(
    ("key", "value", "also"),
    [
        ("statement.attempt", "ffff", "receipt.json: statement.attempt"),
        ("statement.lock.bundle.digest", "0" * 64, "receipt.json: statement.lock.bundle.digest"),
        ("statement.lock.limits.score.cpus", 2.0, "receipt.json: statement.lock.limits.score.cpus"),
        ("statement.lock.engine.guarantees", [{}], "receipt.json: statement.lock.engine.guarantees"),
        ("statement.lock.blind", 1, "receipt.json: statement.lock.blind"),
        ("statement.lock.more", None, "receipt.json: statement.lock.more"),
        ("statement.lock", None, "receipt.json: statement.lock"),
        ("statement.result.verdict", "failed", "receipt.json: statement.result.verdict"),
        ("statement.result.scores.accuracy", 1, "receipt.json: statement.result.scores.accuracy"),
        ("statement.result.stages.score.exit_code", 1, "receipt.json: statement.result.stages.score.exit_code"),
        ("statement.predictions", "0" * 64, "predictions/"),
        ("statement.scores", None, "scores/"),
        ("statement.records", {}, "files.json"),
        ("signature.fingerprint", "0" * 64, "receipt.json: signature.fingerprint"),
        ("signature.value", "0" * 128, "receipt.json: signature"),
        ("signature.public_key", "0" * 64, "receipt.json: signature.fingerprint"),
    ],
)
def test_verify_names_field_of_the_receipt(run: Path, key: str, value: object, also: str) -> None:
    change(run / "receipt.json", key, value)
    found = named(run)
    assert ("receipt.json: signature" in found) is (key != "signature.fingerprint")
    assert also in found
    assert verify(run).receipt.genuine is (key == "signature.fingerprint")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"accuracy": 1.0', '"accuracy": 1.00', '        "accuracy": 1.00'),
        ('  "signature"', '\t"signature"', '\t"signature": {'),
        ('"Vowels"', '"\\u0056owels"', '        "title": "\\u0056owels",'),
        ('"phase":', '"phase": "Other", "phase":', '      "phase": "Other", "phase": "Final",'),
    ],
)
def test_verify_equivalent_line_named(run: Path, old: str, new: str, line: str) -> None:
    text = (run / "receipt.json").read_text()
    (run / "receipt.json").write_text(text.replace(old, new, 1))
    (difference,) = verify(run).differences
    assert difference.found == line
    assert difference.where == f"receipt.json: line {text[: text.index(old)].count(chr(10)) + 1}"


@pytest.mark.parametrize(
    ("damage", "evidence"),
    [
        (lambda text: text[:-10], "line "),
        (lambda text: "\ufeff" + text, "line 1, column 1: Unexpected UTF-8 BOM"),
        (lambda text: text.replace("palio-receipt/1", "palio-receipt/2"), "statement.format: Input should be 'palio-"),
        (lambda text: text.replace('"Ed25519"', '"Ed448"'), "signature.algorithm: Input should be 'Ed25519'"),
        (lambda text: text.replace('"accuracy": 1.0', '"accuracy": NaN'), "NaN is not a JSON number"),
        (lambda text: text.replace('"accuracy": 1.0', '"accuracy": 1e999'), "Out of range float values"),
        (lambda text: text.replace('"accuracy": 1.0', '"accuracy": ' + "1" * 5000), "Exceeds the limit"),
        (lambda text: "[" * 100_000, "maximum recursion depth exceeded"),
        (lambda text: "[]", "the file: Input should be"),
        (lambda text: " " * 5_000_000, "the file is larger than 4,194,304 bytes"),
    ],
)
def test_read_receipt_damaged(run: Path, damage: Callable[[str], str], evidence: str) -> None:
    path = run / "receipt.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(PalioError) as caught:
        read_receipt(run)
    assert (caught.value.failure.code, caught.value.exit_code) == ("receipt-invalid", 12)
    assert evidence in caught.value.failure.evidence[0]


def test_read_receipt_in_other_digits(run: Path) -> None:
    """Hexadecimal digits have one spelling, or a changed byte would go unseen."""
    content = json.loads((run / "receipt.json").read_text())
    change(run / "receipt.json", "signature.value", content["signature"]["value"].upper())
    with pytest.raises(PalioError) as caught:
        read_receipt(run)
    assert caught.value.failure.evidence[0].startswith("signature.value: ")


def test_read_receipt_missing(tmp_path: Path) -> None:
    with pytest.raises(PalioError, match=r"has no receipt\.json") as caught:
        read_receipt(tmp_path)
    assert caught.value.exit_code == 2


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_found(run: Path, data: st.DataObject) -> None:
    paths = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    at, flipped = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    path.write_bytes(content[:at] + bytes([content[at] ^ flipped]) + content[at + 1 :])
    name = path.relative_to(run).as_posix()
    try:
        found = named(run)
    except PalioError as error:
        assert (name, error.failure.code) == ("receipt.json", "receipt-invalid")
        assert error.failure.evidence
    else:
        # A field of the receipt may also be named by the file with which it no longer agrees.
        assert any(where.startswith(name) for where in found)
    finally:
        path.write_bytes(content)


# -- what was changed beside it


@pytest.mark.parametrize(
    "name", ["config.json", "predict.log", "predictions/answers.csv", "predictions/metadata", "scores/scores.json"]
)
def test_verify_names_changed_file(run: Path, name: str) -> None:
    with (run / name).open("a") as file:
        file.write(" ")
    assert named(run) == [name]


@pytest.mark.parametrize(
    ("name", "key", "value", "where"),
    [
        ("lock.json", "engine.name", "docker", "lock.json: engine.name"),
        ("lock.json", "leaderboard.columns", [], "lock.json: leaderboard.columns"),
        ("result.json", "scores.accuracy", 0.5, "result.json: scores.accuracy"),
        ("result.json", "verdict", "failed", "result.json: verdict"),
        ("result.json", "failure", {"code": "predict-exit"}, "result.json: failure"),
    ],
)
def test_verify_names_changed_field(run: Path, name: str, key: str, value: object, where: str) -> None:
    change(run / name, key, value)
    assert named(run) == [where]


def test_verify_expected_and_found(run: Path) -> None:
    change(run / "result.json", "scores.accuracy", 0.5)
    (run / "predictions/answers.csv").write_text("\x1b[2J")
    (run / "predictions/\x1b[2J\u202e.csv").write_text("")
    (failure,) = refusals(verify(run))
    assert failure.evidence[0] == "result.json: scores.accuracy: expected 1.0, found 0.5"
    assert failure.evidence[1].startswith("predictions/\\x1b[2J\\u202e.csv: expected nothing, found ")
    assert failure.evidence[2].startswith("predictions/answers.csv: expected ")
    assert "differs from what was signed: 3 differences." in failure.message


def test_verify_failure_unstated_fields(evaluated: Evaluated, tmp_path: Path) -> None:
    evaluated.program("predict", lambda job, output: ended(exit_code=3))
    run = evaluated.run(tmp_path / "run")
    change(run / "result.json", "failure.message", "Other words.")
    assert named(run) == ["result.json"]


def test_verify_missing_and_added_files(run: Path) -> None:
    (run / "predictions/answers.csv").rename(run / "predictions/others.csv")
    (run / "scores/.DS_Store").write_text("")
    assert named(run) == ["predictions/answers.csv", "predictions/others.csv", "scores/.DS_Store"]


def test_verify_names_record_that_is_new(evaluated: Evaluated, tmp_path: Path) -> None:
    (evaluated.bundle / "input_data/outside").symlink_to("/etc")
    run = evaluated.run(tmp_path / "run")
    (run / "lock.json").write_text("{}")
    assert named(run) == ["lock.json"]


def test_verify_list_untrusted(run: Path) -> None:
    (run / "files.json").write_text("{}")
    (run / "predictions/answers.csv").write_text("")
    assert named(run) == ["files.json", "predictions/"]


def test_verify_alone(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    shutil.copy(run / "receipt.json", alone)
    (alone / "holiday.jpg").write_text("none of its business")
    verification = verify(alone)
    assert verification.differences == ()
    assert verification.missing == ("lock.json", "result.json", "files.json", "predictions/", "scores/")


def test_verify_without_some_of_the_run_folder(run: Path) -> None:
    shutil.rmtree(run / "predictions")
    (run / "score.log").unlink()
    verification = verify(run)
    assert (verification.differences, verification.missing) == ((), ("predictions/", "score.log"))


def test_verify_predictions_elsewhere(run: Path, tmp_path: Path) -> None:
    elsewhere = (run / "predictions").rename(tmp_path / "elsewhere")
    assert verify(run, predictions=elsewhere).missing == ()
    assert named(run, predictions=elsewhere) == []
    (elsewhere / "metadata").unlink()  # the platform's own word, which a participant may not have
    assert named(run, predictions=elsewhere) == []
    (elsewhere / "answers.csv").write_text("")
    assert named(run, predictions=elsewhere) == ["predictions/answers.csv"]


def test_verify_link_out_of_run_folder(run: Path, tmp_path: Path) -> None:
    (run / "predictions/answers.csv").rename(tmp_path / "answers.csv")
    (run / "predictions/answers.csv").symlink_to(tmp_path / "answers.csv")
    (difference,) = verify(run).differences
    assert "answers.csv is a link to the outside" in str(difference)


@pytest.mark.parametrize("name", ["lock.json", "result.json", "files.json", "config.json"])
def test_verify_hostile_run_folder(run: Path, name: str) -> None:
    (run / name).write_text('{"a":' * 100_000)
    assert named(run) == [name]
    (run / name).write_bytes(b"\xff")
    assert named(run) == [name]
