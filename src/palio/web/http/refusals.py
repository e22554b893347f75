"""Why something that somebody may do in general cannot be done now: a limit, a date, a name that is taken."""

from collections.abc import Sequence


class RefusedError(Exception):
    """`status` is HTTP's: 409 for a state that is in the way, 429 for a limit, 422 for a value that cannot be used."""

    def __init__(
        self, code: str, message: str, next_step: str, status: int = 409, evidence: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step
        self.status = status
        self.evidence = tuple(evidence)
