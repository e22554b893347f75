"""Steps one attempt's evaluation until it finishes or is told to end: the work of every worker.

Does not import Django. `ControllerLine` gives orders, takes reports and interrupts waits: a worker process has pipes
for it.
"""

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from palio.core.attempt.input_copies import InputCopies
from palio.core.attempt.run_folder import RunFolder, Stage
from palio.core.attempt.waiting import WaitingNote
from palio.core.errors import Cause, Failure, PalioError
from palio.core.evaluate import Evaluation
from palio.web.controller.assignment import Assignment
from palio.web.controller.attempt_result import Outcome, broken
from palio.web.controller.engine_retry import LetGoError, RetryingEngine
from palio.web.controller.engines import Engines
from palio.web.storage.object_store import fetch_bounded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

POLL_S = 0.05
STORE_AWAY_S = 5.0  # before an unreachable file store is tried again
FETCH_S = 6 * 3600.0  # for one file; the attempt's deadline is usually earlier
_STORE_AWAY = {"store-unreachable", "store-refused"}  # until the operator fixes it

log = logging.getLogger("palio.controller")


class Order(StrEnum):
    """What a worker may be ordered to do, besides ending with a failure."""

    CANCEL = "cancel"
    LET_GO = "let-go"  # stop at once and leave everything to another worker


class ControllerLine(Protocol):
    """The connection between a worker and the controller."""

    def order(self) -> Order | Failure | None:
        """How the attempt is to end, once that is decided."""

    def wait(self, seconds: float) -> None:
        """Wait, and return early when an order arrives."""

    def reached(self, stage: Stage, files_of: Cause) -> None:
        """Report the stage of the evaluation, and whose files it reads from now on."""

    def ended(self, outcome: Outcome) -> None:
        """Report the result. Leftovers on the engine may still have to be removed."""


def evaluate(
    given: Assignment,
    engines: Engines,
    key: "Ed25519PrivateKey | None",
    line: ControllerLine,
    *,
    before_step: Callable[[], None] = lambda: None,
) -> None:
    """Return when the attempt is over and its resources are removed, or when it was let go.

    `before_step` is called before each step that may take long.
    """
    try:
        before_step()
        _fetch(given, line)
        evaluation, engine = _open(given, engines, key, line)
        note = WaitingNote(evaluation.folder.root)
        _step(evaluation, line, before_step, lambda: note.write(engine.waits))
    except LetGoError:
        pass
    except MemoryError:
        raise
    except PalioError as error:
        line.ended(Outcome.failed(error.failure))
    except Exception as error:
        log.exception("The evaluation of %s broke", given.identity)
        line.ended(Outcome.failed(broken(error)))


def _fetch(given: Assignment, line: ControllerLine) -> None:
    """Fetch the submission from the file store into the run folder's `.work`, where the evaluation expects it.

    Waits while the store cannot be used, as that is no fault of the attempt, until the attempt is to end.
    """
    if not given.store_url or given.collected is not None or line.order() is not None:
        return
    folder = RunFolder.open(given.folder)
    if folder.has("result.json") and folder.read_json("result.json")["verdict"]:  # only the cleanup is left
        return
    folder.make_work()
    digest, place, is_told = given.submission.digest, given.submission.path.parent, False
    while line.order() is None:
        try:
            fetch_bounded(given.store_url, digest, FETCH_S, place)
        except PalioError as error:
            if error.failure.code not in _STORE_AWAY:
                raise
            if not is_told:
                log.error("%s waits for its file: %s", given.identity, error)
            is_told = True
            line.wait(STORE_AWAY_S)
        else:
            return


def _open(
    given: Assignment, engines: Engines, key: "Ed25519PrivateKey | None", line: ControllerLine
) -> tuple[Evaluation, RetryingEngine]:
    def watch(evaluation: Evaluation) -> None:
        if evaluation.result.verdict is None:
            line.reached(evaluation.stage, evaluation.files_of)
        else:  # reported before the cleanup of the engine, which may take long
            line.ended(Outcome.of(evaluation))

    def pause(seconds: float) -> None:
        line.wait(seconds)
        if line.order() is not None:
            raise LetGoError

    engine = RetryingEngine(given.engine, engines, pause)
    evaluation = Evaluation(
        given.attempt(),
        engine,
        RunFolder.open(given.folder),
        key=key,
        any_kind=given.collected is not None or given.only_sample,
        collected=given.collected,
        copies=InputCopies(given.copies),
        substitutes=given.substitutes,
        only_sample=given.only_sample,
        watch=watch,
    )
    return evaluation, engine


def _step(
    evaluation: Evaluation, line: ControllerLine, before_step: Callable[[], None], after_step: Callable[[], None]
) -> None:
    try:
        while line.order() is None:
            before_step()
            if not evaluation.step():
                break
            after_step()
            line.wait(POLL_S)
    except LetGoError:
        pass
    except MemoryError:  # of this process: another worker continues from here
        raise
    except Exception as error:
        log.exception("The evaluation of %s broke", evaluation.attempt.identity)
        before_step()
        evaluation.fail(broken(error, evaluation.stage))
    order = line.order()
    if order is Order.LET_GO and evaluation.result.verdict is None:
        raise LetGoError
    before_step()
    if isinstance(order, Failure):
        evaluation.fail(order)
    elif order is not None:
        evaluation.cancel()
    line.ended(Outcome.of(evaluation))
