"""Tests a bundle by running its scoring program on answers whose outcome is known in advance."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.renaming import renamed_and_restored
from palio.core.attempt.run_folder import Result, RunFolder, Verdict, new_identity
from palio.core.bundle.model import Bundle, Phase, SubmissionKind
from palio.core.bundle.pick_phase import pick_task
from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.submission.kinds import SubmissionFile, read_submission


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    outcome: str


def run_self_test(bundle: Bundle, phase: Phase, engine: Engine, work: Path) -> Iterator[Check]:
    """Yields each check as it finishes. `work` is an empty folder that the caller removes."""
    truth = _reference_as_answers(phase, work / "truth.zip")
    first = _score(bundle, phase, engine, truth, work / "first")
    yield Check("the reference data as predictions", first.verdict is Verdict.SCORED, _outcome(first))
    if first.verdict is Verdict.SCORED:
        again = _score(bundle, phase, engine, truth, work / "again")
        same = again.scores == first.scores
        yield Check(
            "the same predictions again", same, "the same scores" if same else f"different scores: {_outcome(again)}"
        )
        yield from _through_opaque_names(bundle, phase, engine, first, work)
    nothing = work / "nothing.csv"
    nothing.write_text("")
    refused = _score(bundle, phase, engine, nothing, work / "nothing")
    passed = refused.verdict is Verdict.FAILED and refused.failure is not None and refused.failure.stage == "score"
    yield Check("an empty file, which must be refused", passed, _outcome(refused))


def _through_opaque_names(bundle: Bundle, phase: Phase, engine: Engine, scored: Result, work: Path) -> Iterator[Check]:
    """Whether predictions with the right names still score as much when inputs have opaque names."""
    policy, task = phase.rules.blind, pick_task(phase)
    if policy is None or task.input_data is None:
        return
    name = "the same predictions from a submission that sees opaque names"
    try:
        same = renamed_and_restored(RunFolder.open(work / "first").predictions, task, policy, work / "restored")
    except PalioError as error:
        yield Check(name, False, f"{error.failure.message} ({error.failure.code})")
        return
    if same:
        yield Check(name, True, "the same predictions")
        return
    restored = _score(bundle, phase, engine, _zipped(work / "restored", work / "restored.zip"), work / "restored-run")
    passed = restored.scores == scored.scores
    yield Check(name, passed, "the same scores" if passed else f"names got lost, so {_outcome(restored)}")


def _score(bundle: Bundle, phase: Phase, engine: Engine, answers: Path, folder: Path) -> Result:
    identity = new_identity()
    submission: SubmissionFile = read_submission(answers, SubmissionKind.RESULTS)
    attempt = Attempt(identity, submission, bundle, phase, pick_task(phase), label=answers.name)
    return Evaluation(attempt, engine, RunFolder.create(folder, identity), any_kind=True).finish()


def _reference_as_answers(phase: Phase, target: Path) -> Path:
    """Returns the reference data as a zip, which it may already be."""
    reference = pick_task(phase).reference_data
    if reference is None or reference.is_file():
        return reference or target
    return _zipped(reference, target)


def _zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return target


def _outcome(result: Result) -> str:
    if result.failure:
        return f"{result.failure.message} ({result.failure.code})"
    return ", ".join(f"{key} {value:g}" for key, value in (result.scores or {}).items())
