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
    "certificate-refused": FailureKind(
        _S,
        "The certificate that {url} shows is not taken on this machine: {reason}. Nothing was sent.",
        "If the platform's operator has made it, ask them for the file of the authority that signed it, and set "
        "REQUESTS_CA_BUNDLE to its path. Else check the address, and tell the operator.",
    ),
    "certificates-unreadable": FailureKind(
        _U,
        "{variable} names {path} for the certificates to trust, and {reason}.",
        "Let it name a file of certificates in PEM form, or unset it to trust those that Palio comes with.",
    ),
    "server-unreadable": FailureKind(
        _S,
        "{url} does not answer as a platform of Palio's does: {reason}.",
        "Check the address that was given to `palio login`; if it is right, the operator sees more in the log there.",
    ),
}
