"""The command line was not understood, or cannot be obeyed."""

from palio.core.errors.kinds import Cause, FailureKind

_U = Cause.USAGE

KINDS: dict[str, FailureKind] = {
    "usage": FailureKind(_U, "{problem}", "{next_step}"),
    "target-not-empty": FailureKind(
        _U,
        "{path} already exists and is not empty, and nothing there is overwritten.",
        "Name another folder, or remove this one first.",
    ),
}
