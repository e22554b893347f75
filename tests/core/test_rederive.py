import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.core.receipt.conftest import Evaluated
from tests.errors import code_of
from tests.fakes import ended

from palio.core.attempt.run_folder import json_text
from palio.core.bundle.read import read_bundle
from palio.core.engine import Job
from palio.core.errors import Failure
from palio.core.files.digest import digest_entries, files_below
from palio.core.receipt.key import sign
from palio.core.receipt.reading import read_receipt
from palio.core.receipt.statement import canonical
from palio.core.rederive import Rederivation, rederive, refusals


class Again(Evaluated):
    """A run, and what comes of deriving its scores once more."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.home = home
        self.folder = self.run(home / "run")
        self.engine.calls.clear()

    def rederive(self) -> Rederivation:
        work = self.home / "work"
        work.mkdir()
        predictions = self.folder / "predictions"
        return rederive(read_receipt(self.folder), read_bundle(self.bundle), self.engine, predictions, work)

    def failures(self) -> list[Failure]:
        return list(refusals(self.rederive(), read_bundle(self.bundle)))


@pytest.fixture
def again(tmp_path: Path) -> Again:
    return Again(tmp_path)


def test_rederive(again: Again) -> None:
    rederivation = again.rederive()
    assert (rederivation.unlike, rederivation.missing, rederivation.scores) == ((), (), ())
    assert rederivation.result
    assert rederivation.result.scores == {"accuracy": 1.0}
    assert list(refusals(rederivation, read_bundle(again.bundle))) == []
    assert [call for call in again.engine.calls if "start" in call] == ["start score-image", "start score"]


def test_rederive_scores_what_the_platform_wrote_too(again: Again) -> None:
    seen = {}

    def score(job: Job, output: Path) -> None:
        results = next(mount.source for mount in job.mounts if mount.target == "/app/input/res")
        seen["metadata"] = (results / "metadata").read_text()
        (output / "scores.json").write_text('{"accuracy": 1.0}')

    again.program("score", score)
    assert again.failures() == []
    assert seen == {"metadata": "exitCode: 0\nelapsedTime: 1.500\n"}


def test_rederive_gives_other_scores(again: Again) -> None:
    def score(job: Job, output: Path) -> None:
        (output / "scores.json").write_text('{"accuracy": 0.9999999999999999}')

    again.program("score", score)
    (failure,) = again.failures()
    assert (failure.code, failure.cause) == ("receipt-scores-differ", "organizer")
    assert failure.evidence == ("scores: accuracy: expected 1.0, found 0.9999999999999999",)


def test_rederive_fails(again: Again) -> None:
    again.program("score", lambda job, output: ended(exit_code=3))
    (failure,) = again.failures()
    assert (failure.code, failure.cause) == ("score-exit", "organizer")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("reference_data/answers.csv", ["challenge: reference_data.digest"]),
        ("input_data/one.txt", ["challenge: input_data.digest"]),
        ("scoring_program/score.py", ["challenge: bundle.digest", "challenge: scoring_program.digest"]),
        ("overview.md", ["challenge: bundle.digest"]),
    ],
)
def test_rederive_on_another_challenge(again: Again, name: str, fields: list[str]) -> None:
    with (again.bundle / name).open("a") as file:
        file.write("\n")
    rederivation = again.rederive()
    assert [difference.where for difference in rederivation.unlike] == fields
    assert rederivation.result is None
    assert again.engine.calls == []
    (failure,) = refusals(rederivation, read_bundle(again.bundle))
    assert (failure.code, failure.cause) == ("receipt-challenge-differs", "organizer")


def test_rederive_on_a_challenge_without_that_phase(again: Again) -> None:
    yaml = again.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("name: Final", "name: Other"))
    found = [difference.where for difference in again.rederive().unlike]
    assert found == ["challenge: bundle.digest", "challenge: phase"]


def as_of_palio_0_1(again: Again) -> None:
    """Signs the receipt with the digests that Palio 0.1 would have stated."""
    bundle = read_bundle(again.bundle)
    files = [(name, bundle.root / name) for name in ("competition.yaml", "overview.md", "logo.png", "terms.md")]
    files += [(f"scoring_program/{name}", path) for name, path in files_below(bundle.root / "scoring_program")]
    path = again.folder / "receipt.json"
    content = json.loads(path.read_text())
    lock = content["statement"]["lock"]
    del lock["digest_rule"]
    lock["bundle"]["digest"] = digest_entries(files)
    for name in ("input_data", "reference_data", "scoring_program"):
        lock[name]["digest"] = digest_entries(files_below(bundle.root / name))
    content["signature"] = sign(canonical(content["statement"]), Ed25519PrivateKey.generate())
    path.write_text(json_text(content))


def test_rederive_a_receipt_of_palio_0_1(again: Again) -> None:
    as_of_palio_0_1(again)
    (again.bundle / "scoring_program/score.py").chmod(0o755)  # which its digests do not cover
    assert again.failures() == []


def test_rederive_palio_0_1_receipt_on_other_challenge(again: Again) -> None:
    as_of_palio_0_1(again)
    (again.bundle / "scoring_program/score.py").write_text("")
    found = [difference.where for difference in again.rederive().unlike]
    assert found == ["challenge: bundle.digest", "challenge: scoring_program.digest"]


def test_rederive_with_another_execute_bit(again: Again) -> None:
    (again.bundle / "scoring_program/score.py").chmod(0o755)
    found = [difference.where for difference in again.rederive().unlike]
    assert found == ["challenge: bundle.digest", "challenge: scoring_program.digest"]


def test_rederive_without_hidden_inputs(again: Again) -> None:
    for path in (again.bundle / "input_data").iterdir():
        path.unlink()
    (again.bundle / "input_data").rmdir()
    rederivation = again.rederive()
    assert (rederivation.unlike, rederivation.missing, rederivation.scores) == ((), ("input_data",), ())
    assert rederivation.result


def test_rederive_failed_attempt(again: Again) -> None:
    again.program("predict", lambda job, output: ended(exit_code=3))
    again.folder = again.run(again.home / "failed")
    again.engine.calls.clear()
    assert again.failures() == []
    assert again.engine.calls == []


def test_rederive_statement_incomplete(again: Again) -> None:
    path = again.folder / "receipt.json"
    statement = json.loads(path.read_text())["statement"] | {"lock": {"phase": "Final"}}
    signature = sign(canonical(statement), Ed25519PrivateKey.generate())
    path.write_text(json_text({"statement": statement, "signature": signature}))
    assert code_of(again.rederive) == "receipt-invalid"
