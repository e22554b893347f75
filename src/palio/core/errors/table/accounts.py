"""Accounts of a platform and their tokens."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _S = Cause.USAGE, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "account-inactive": FailureKind(
        _S,
        "The account {user} is deactivated.",
        "Activate it first.",
        status=409,
    ),
    "account-own": FailureKind(
        _S,
        "You cannot deactivate your own account.",
        "Ask another operator.",
        status=409,
    ),
    "token-name-invalid": FailureKind(
        _U,
        "A token's name must have 1 to {limit} visible characters.",
        "Name the token after the computer or the program that will use it.",
        status=422,
    ),
    "token-scope-unknown": FailureKind(
        _U,
        "There is no scope `{scope}`.",
        "Choose from {scopes}.",
        status=422,
    ),
    "token-without-scope": FailureKind(
        _U,
        "A token needs at least one scope.",
        "Choose from {scopes}.",
        status=422,
    ),
    "token-days-invalid": FailureKind(
        _U,
        "A token cannot be valid for {days} days.",
        "Choose 1 to {limit} days, or no expiry date.",
        status=422,
    ),
    "tokens-too-many": FailureKind(
        _U,
        "You have {limit} valid tokens, the most that are allowed.",
        "Revoke one first.",
        status=429,
    ),
}
