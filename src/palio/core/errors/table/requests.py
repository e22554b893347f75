"""Requests to a platform: what it cannot read, does not allow, or cannot answer at the moment."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _P, _S = Cause.USAGE, Cause.PARTICIPANT, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "request-unreadable": FailureKind(
        _U,
        "The request cannot be read: {reason}.",
        "From a page: go back, load it again and try once more. In the API: send JSON as /api/v1/openapi.json "
        "describes.",
    ),
    "request-invalid": FailureKind(
        _U,
        "The request has {count}.",
        "Fix what is listed; /api/v1/openapi.json describes what is allowed.",
        status=422,
    ),
    "request-too-large": FailureKind(
        _U,
        "The file is too large: at most {limit} is allowed.",
        "Make it smaller, or ask the operator to raise `max_upload_gib`.",
        status=413,
    ),
    "value-unknown": FailureKind(
        _U,
        "The value `{value}` is not one of {allowed}.",
        "Use one of these values.",
        status=422,
    ),
    "date-invalid": FailureKind(
        _U,
        "The value `{value}` of “{field}” is not a day.",
        "Write a day of the calendar as year, month and day, such as 2026-03-01.",
        status=422,
    ),
    "method-not-allowed": FailureKind(
        _U,
        "This address does not support {method}.",
        "Use {allowed}; /api/v1/openapi.json describes each.",
        status=405,
    ),
    "not-found": FailureKind(
        _U,
        "This does not exist, or you may not see it.",
        "Check the address, and which account you are signed in with.",
        status=404,
    ),
    "not-allowed": FailureKind(
        _U,
        "You may not do this.",
        "Sign in with an account that may, or ask an organizer of the challenge.",
        status=403,
    ),
    "not-signed-in": FailureKind(
        _U,
        "You have to be signed in to do this.",
        "Send a token as `Authorization: Bearer …`; create one on your account page.",
        status=401,
    ),
    "token-refused": FailureKind(
        _U,
        "The token is unknown, expired or revoked.",
        "Create a new token on your account page, then run `palio login`.",
        status=401,
    ),
    "token-scope-missing": FailureKind(
        _U,
        "This token lacks the scope `{scope}`.",
        "Create a token with that scope on your account page.",
        status=403,
    ),
    "metrics-token-refused": FailureKind(
        _U,
        "The page `/metrics` requires the token of the setting `metrics_token`. This request has a wrong one or none.",
        "Let Prometheus send `Authorization: Bearer …` with that token; docs/operate.md has the configuration.",
        status=401,
    ),
    "metrics-not-local": FailureKind(
        _U,
        "The page `/metrics` responds only to programs on its own machine, and not through a proxy.",
        "Ask it from that machine, or set `metrics_token` and send the token.",
        status=403,
    ),
    "form-expired": FailureKind(
        _U,
        "This form has expired, or was not sent from a page of this platform.",
        "Go back, load the page again and send the form once more.",
        status=403,
    ),
    "too-many-requests": FailureKind(
        _U,
        "You sent more than {limit} in a minute.",
        "Continue in {wait}, and pause between requests.",
        status=429,
    ),
    "too-many-attempts": FailureKind(
        _U,
        "There were too many attempts to sign in, sign up or reset a password.",
        "Wait a few minutes, then try again.",
        status=429,
    ),
    "key-invalid": FailureKind(
        _U,
        "The Idempotency-Key is longer than {limit} characters.",
        "Use a shorter random key.",
        status=422,
    ),
    "key-reused": FailureKind(
        _U,
        "This Idempotency-Key was already used for a different request.",
        "Use a new random key for each thing that you create.",
        status=422,
    ),
    "request-in-progress": FailureKind(
        _P,
        "The same request is still in progress.",
        "Ask again in a few seconds.",
        status=409,
    ),
    "downloads-busy": FailureKind(
        _S,
        "The platform is already sending as many archives as it can.",
        "Try again in a minute.",
    ),
    "database-busy": FailureKind(
        _S,
        "The platform is busy: its database did not respond in time.",
        "Try again in a few seconds. Nothing that the platform accepted is lost.",
    ),
    "database-unreachable": FailureKind(
        _S,
        "The platform's database cannot be reached or written to.",
        "Try again later; the operator has to fix this. Nothing that the platform accepted is lost.",
    ),
    "storage-full": FailureKind(
        _S,
        "The platform's disk is full.",
        "Try again later; the operator has to free some space. Nothing that the platform accepted is lost, and "
        "unfinished uploads are kept for a day.",
        status=507,
    ),
    "storage-unwritable": FailureKind(
        _S,
        "The platform cannot write files at the moment.",
        "Try again later; the operator has to fix this. Files that you have already uploaded are kept.",
    ),
    "internal-error": FailureKind(
        _S,
        "Something went wrong on the platform.",
        "Try again later. The operator finds the details in the platform's log. Nothing that the platform accepted is "
        "lost.",
        status=500,
    ),
}
