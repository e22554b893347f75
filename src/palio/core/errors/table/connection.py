"""The command line's connection to a platform."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _S = Cause.USAGE, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "not-logged-in": FailureKind(
        _U,
        "You are not logged in to a platform: {reason}.",
        "Create a token on your account page there, then run `palio login URL`.",
    ),
    "server-unreachable": FailureKind(
        _S,
        "The platform at {url} cannot be reached: {reason}.",
        "Check the address and your network, then run the same command again. Parts that were uploaded are kept.",
    ),
    "certificate-refused": FailureKind(
        _S,
        "This machine does not trust the certificate of {url}: {reason}. Nothing was sent.",
        "If the platform's operator issued the certificate, ask them for the file of the authority that signed it and "
        "set REQUESTS_CA_BUNDLE to its path. Otherwise check the address, and tell the operator.",
    ),
    "certificates-unreadable": FailureKind(
        _U,
        "{variable} is set to {path}, which cannot be used as trusted certificates: {reason}.",
        "Set it to a file of certificates in PEM format, or unset it to trust the certificates that Palio comes with.",
    ),
    "server-unreadable": FailureKind(
        _S,
        "{url} does not respond as a Palio platform does: {reason}.",
        "Check the address that you gave to `palio login`. If it is right, tell the operator: the platform may be "
        "down, or a proxy in front of it may answer instead.",
    ),
}
