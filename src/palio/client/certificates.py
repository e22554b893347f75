"""Explains certificate errors: a refused certificate of the platform, or unreadable trusted certificates.

The library `requests` picks the trusted certificates: a file named in the environment, else its own.
"""

import os
import ssl
from pathlib import Path

from palio.core.errors import PalioError

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_UNREADABLE = {"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "BAD_BASE64_DECODE", "PEM_LIB"}
_REASONS = {
    "mismatch": "it is for another host name",
    "expired": "it has expired",
    "not yet valid": "it is not valid yet",
    "self-signed": "it is not signed by an authority that this machine trusts",
    "issuer": "it is not signed by an authority that this machine trusts",
}


def certificate_fault(error: OSError, url: str) -> PalioError | None:
    """Returns the failure if a certificate caused the error, so that retrying is pointless; else None."""
    innermost: BaseException = error
    while innermost.__context__ is not None:
        innermost = innermost.__context__
    if isinstance(innermost, ssl.SSLCertVerificationError):
        said = str(innermost.verify_message)
        reason = next((words for sign, words in _REASONS.items() if sign in said.lower()), said.rstrip("."))
        return PalioError("certificate-refused", url=url, reason=reason)
    variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return None
    path = Path(os.environ[variable])
    if not path.exists():
        return PalioError("certificates-unreadable", variable=variable, path=path, reason="the file does not exist")
    if isinstance(innermost, ssl.SSLError) and innermost.reason in _UNREADABLE:
        return PalioError("certificates-unreadable", variable=variable, path=path, reason="it has no certificates")
    return None
