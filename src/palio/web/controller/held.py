"""An attempt in the controller's hands: a thread that steps its evaluation, and never touches the database."""

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core.attempt import Attempt
from palio.core.errors import Failure, PalioError
from palio.core.evaluate import Evaluation
from palio.core.input_copies import InputCopies
from palio.core.run_folder import RunFolder, Stage
from palio.web.controller.engines import Engines
from palio.web.controller.outcome import Outcome, broken
from palio.web.controller.patient import LetGoError, PatientEngine
from palio.web.controller.slots import Share

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

POLL_S = 0.05

log = logging.getLogger("palio.controller")


@dataclass(frozen=True)
class Assignment:
    """All that a thread needs to know. `collected`: predictions of an earlier attempt, which alone are scored."""

    attempt: Attempt
    folder: Path
    engine: str
    share: Share
    copies: InputCopies
    collected: Path | None = None


class Held:
    """`stages` says where it has been and since when; `outcome` is set once, at the end, if there was one."""

    def __init__(
        self,
        assignment: Assignment,
        engines: Engines,
        key: "Ed25519PrivateKey | None",
        changed: threading.Event,
    ) -> None:
        self.assignment = assignment
        self.outcome: Outcome | None = None
        self.stages: list[tuple[Stage, datetime]] = []
        self._engines, self._key, self._changed = engines, key, changed
        self._wish: Failure | str | None = None  # how it is to end, once somebody has decided that it has to
        self._is_let_go = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"palio-{assignment.attempt.identity}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Asks for its end as cancelled, unless it has ended by itself."""
        self._ask("cancelled")

    def fail(self, failure: Failure) -> None:
        """Asks for its end with this failure, unless it has ended by itself."""
        self._ask(failure)

    def let_go(self) -> None:
        """Asks the thread to end and to leave everything as it is, for another process."""
        self._is_let_go = True
        self._woken.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _ask(self, wish: Failure | str) -> None:
        if self._wish is None:
            self._wish = wish
            self._woken.set()

    # -- in its thread

    def _run(self) -> None:
        try:
            self.outcome = self._evaluate()
        except LetGoError:
            pass
        except PalioError as error:
            self.outcome = Outcome.failed(error.failure)
        except Exception as error:
            log.exception("The evaluation of %s broke", self.assignment.attempt.identity)
            self.outcome = Outcome.failed(broken(error))
        self._changed.set()

    def _evaluate(self) -> Outcome:
        given = self.assignment
        evaluation = Evaluation(
            given.attempt,
            PatientEngine(given.engine, self._engines, self._pause),
            RunFolder.open(given.folder),
            key=self._key,
            any_kind=given.collected is not None,
            collected=given.collected,
            copies=given.copies,
        )
        try:
            while not self._is_let_go and self._wish is None and evaluation.step():
                self._note(evaluation.stage)
                self._woken.wait(POLL_S)
        except LetGoError:
            pass
        except Exception as error:
            log.exception("The evaluation of %s broke", given.attempt.identity)
            evaluation.fail(broken(error, evaluation.stage))
        if self._is_let_go and evaluation.result.verdict is None:
            raise LetGoError
        if isinstance(self._wish, Failure):
            evaluation.fail(self._wish)
        elif self._wish is not None:
            evaluation.cancel()
        return Outcome.of(evaluation)

    def _note(self, stage: Stage) -> None:
        if not self.stages or self.stages[-1][0] is not stage:
            self.stages.append((stage, datetime.now(UTC)))
            self._changed.set()

    def _pause(self, seconds: float) -> None:
        if self._woken.wait(seconds):
            raise LetGoError
