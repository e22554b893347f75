"""Receipts, and the keys that they are signed with."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "receipt-missing": FailureKind(
        _U,
        "{path} holds no receipt.json.",
        "Name a receipt or a run folder; an attempt that was cancelled, or has not ended, has none.",
    ),
    "receipt-invalid": FailureKind(
        _S,
        "{path} cannot be read as a receipt of the form {format}.",
        "Get it again from where it came from: it is damaged, of another version of Palio, or no receipt at all.",
    ),
    "receipt-changed": FailureKind(
        _S,
        "{path}, or what lies beside it, is not what was signed: {count}.",
        "Believe nothing of what is listed; get the run folder again from where it came from.",
    ),
    "receipt-signer-unknown": FailureKind(
        _U,
        "What was signed is unchanged, but nothing says whose key it was signed with: {signer}. Anybody can make a key "
        "and sign with it.",
        "If you have the signer's public key from a source that you trust, compare by naming it with --key.",
    ),
    "receipt-signer-other": FailureKind(
        _S,
        "What was signed is unchanged, but the key that was given has not signed it: it was {signer}.",
        "Ask whoever showed you the receipt whose key that is.",
    ),
    "receipt-challenge-differs": FailureKind(
        _O,
        "{path} is not the challenge that the receipt names: {count}.",
        "Name the challenge as it was when the receipt was written, with the same data.",
    ),
    "receipt-scores-differ": FailureKind(
        _O,
        "The scoring program gives other scores than the receipt states: {count}.",
        "Run `palio check --run`, which shows whether it gives the same scores twice; if so, do not believe these.",
    ),
    "receipt-key-exposed": FailureKind(
        _S,
        "{path}, this machine's key, can be read by other users, so that what it signs could be theirs.",
        "If nobody else can have read it, run `chmod 600 {path}`; otherwise remove it, and a new key is made.",
    ),
    "receipt-key-unusable": FailureKind(
        _S,
        "{path} cannot be used as this machine's key: {reason}.",
        "Name a folder that this user may write, and where the key is kept from now on, in PALIO_HOME.",
    ),
}
