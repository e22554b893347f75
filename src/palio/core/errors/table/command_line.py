"""Commands that were not understood, or that cannot be carried out."""

from palio.core.errors.kinds import Cause, FailureKind

_U = Cause.USAGE

KINDS: dict[str, FailureKind] = {
    "usage": FailureKind(_U, "{problem}", "{next_step}"),
    "target-not-empty": FailureKind(
        _U,
        "{path} already exists and is not empty; nothing in it is overwritten.",
        "Name another folder, or remove this one first.",
    ),
}
