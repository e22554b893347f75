"""Re-scores the predictions of a receipt: compares the challenge's digests, then runs its scoring program again.

Covered: the challenge, its data and its rules are those of the receipt, and these predictions get exactly these scores.
Not covered: whether the submission made these predictions, which takes another run; and scoring programs whose scores
vary, which show up as different scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from palio.core.attempt.lock import lock
from palio.core.attempt.run_folder import Result, RunFolder, new_identity
from palio.core.bundle.model import Bundle, Phase, SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.dockerfile.substitutes import NONE as NO_SUBSTITUTES
from palio.core.dockerfile.substitutes import Substitutes
from palio.core.engine import Engine
from palio.core.errors import Failure, PalioError, counted
from palio.core.evaluate import Attempt, Evaluation
from palio.core.receipt.difference import Difference, differences
from palio.core.receipt.first_rule import first_rule_digests
from palio.core.receipt.reading import Receipt
from palio.core.receipt.statement import FORMAT
from palio.core.submission.kinds import SubmissionFile

# The part of lock.json about the challenge. The bundle's digest covers the rules, which are in competition.yaml.
_CHALLENGE = ("bundle", "phase", "task", "input_data", "reference_data", "scoring_program", "digest_rule", "tasks")


@dataclass(frozen=True)
class Rederivation:
    """`unlike` lists how the challenge differs from the receipt's. If it does not, `result` is the new scoring."""

    unlike: tuple[Difference, ...]
    missing: tuple[str, ...]
    result: Result | None = None
    scores: tuple[Difference, ...] = ()


class _LockedSubmission(BaseModel):
    kind: SubmissionKind
    digest: str
    name: str


class _Locked(BaseModel):
    phase: str
    submission: _LockedSubmission


def rederive(
    receipt: Receipt,
    bundle: Bundle,
    engine: Engine,
    predictions: Path,
    work: Path,
    substitutes: Substitutes = NO_SUBSTITUTES,
) -> Rederivation:
    """Scores the verified `predictions` again. `work` is an empty folder that the caller removes.

    Raises PalioError "receipt-invalid" for an incomplete statement, and errors of the bundle's data.
    """
    try:
        locked = _Locked.model_validate(receipt.statement.lock)
    except ValidationError as error:
        raise PalioError("receipt-invalid", path=receipt.path, format=FORMAT, evidence=[str(error)]) from error
    submission = SubmissionFile(Path(locked.submission.name), locked.submission.kind, locked.submission.digest)
    phase = _phase(bundle, locked.phase)
    attempt = Attempt(new_identity(), submission, bundle, phase, phase.tasks[0], submission.name)
    unlike, missing = _compare(receipt, attempt, engine)
    stated = receipt.statement.result.get("scores")
    if unlike or stated is None:
        return Rederivation(unlike, missing)
    result = _score(attempt, engine, predictions, work / "run", substitutes)
    found = differences("scores", stated, dict(result.scores)) if result.scores is not None else ()
    return Rederivation(unlike, missing, result, tuple(found))


def refusals(rederivation: Rederivation, bundle: Bundle) -> Iterator[Failure]:
    """Yields why the scores were not reproduced; nothing if they were."""
    if unlike := rederivation.unlike:
        evidence = [str(difference) for difference in unlike]
        count = counted(len(unlike), "difference")
        yield PalioError("receipt-challenge-differs", path=bundle.root, count=count, evidence=evidence).failure
    if rederivation.result and rederivation.result.failure:
        yield rederivation.result.failure
    if scores := rederivation.scores:
        evidence = [str(difference) for difference in scores]
        count = counted(len(scores), "difference")
        yield PalioError("receipt-scores-differ", stage="score", count=count, evidence=evidence).failure


def _phase(bundle: Bundle, name: str) -> Phase:
    """Returns the named phase, else any phase: it is another challenge then, and comparing shows how it differs."""
    try:
        return pick_phase(bundle, name)
    except PalioError:
        return pick_phase(bundle, None)


def _compare(receipt: Receipt, attempt: Attempt, engine: Engine) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Hidden inputs may be missing, because scoring does not need them."""
    stated = receipt.statement.lock or {}
    now = lock(
        bundle=attempt.bundle, phase=attempt.phase, task=attempt.task, submission=attempt.submission, engine=engine
    )
    if "digest_rule" not in stated:
        now |= {**first_rule_digests(attempt.bundle, attempt.task), "digest_rule": None}
    missing = [name for name in ("input_data",) if now[name] is None and stated.get(name) is not None]
    compared = [name for name in _CHALLENGE if name not in missing]
    stated, now = (content | {"tasks": _without_inputs(content.get("tasks"))} for content in (stated, now))
    unlike = differences(
        "challenge", {name: stated.get(name) for name in compared}, {name: now[name] for name in compared}
    )
    return tuple(unlike), tuple(missing)


def _without_inputs(tasks: Any) -> Any:
    """The tasks of a phase that has several, each without its inputs, which scoring does not need."""
    if not isinstance(tasks, list):
        return None
    return [{key: value for key, value in dict(task).items() if key != "input_data"} for task in tasks]


def _score(attempt: Attempt, engine: Engine, predictions: Path, folder: Path, substitutes: Substitutes) -> Result:
    run = RunFolder.create(folder, attempt.identity)
    return Evaluation(attempt, engine, run, any_kind=True, collected=predictions, substitutes=substitutes).finish()
