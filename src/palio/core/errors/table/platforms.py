"""A platform, seen from the command line."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _S = Cause.USAGE, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "not-logged-in": FailureKind(
        _U,
        "You are not logged in to a platform: {reason}.",
        "Make a token on the account page there, then run `palio login URL`.",
    ),
    "server-unreachable": FailureKind(
        _S,
        "The platform at {url} cannot be reached: {reason}.",
        "Check the address and your network, then run the same command again; what was sent already is kept.",
    ),
    "server-unreadable": FailureKind(
        _S,
        "{url} does not answer as a platform of Palio's does: {reason}.",
        "Check the address that was given to `palio login`; if it is right, the operator sees more in the log there.",
    ),
}
