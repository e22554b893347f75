"""Receipts, and the keys that sign them."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "receipt-missing": FailureKind(
        _U,
        "{path} has no receipt.json.",
        "Name a receipt or a run folder. An attempt that was cancelled or has not finished has no receipt.",
    ),
    "receipt-invalid": FailureKind(
        _S,
        "{path} cannot be read as a receipt of the format {format}.",
        "Get it again from its source: it is damaged, written by another version of Palio, or not a receipt.",
    ),
    "receipt-changed": FailureKind(
        _S,
        "{path}, or a file beside it, differs from what was signed: {count}.",
        "Do not trust what is listed. Get the run folder again from its source.",
    ),
    "receipt-signer-unknown": FailureKind(
        _U,
        "Nothing was changed after signing, but nothing proves whose key signed it: {signer}. Anyone can create a key "
        "and sign with it.",
        "If you have the signer's public key from a source that you trust, compare it with --key.",
    ),
    "receipt-signer-other": FailureKind(
        _S,
        "Nothing was changed after signing, but the given key did not sign it. The key that did: {signer}.",
        "Ask the person who gave you the receipt whose key that is.",
    ),
    "receipt-challenge-differs": FailureKind(
        _O,
        "{path} is not the challenge that the receipt names: {count}.",
        "Name the challenge as it was when the receipt was written, with the same data.",
    ),
    "receipt-scores-differ": FailureKind(
        _O,
        "The scoring program computes other scores than the receipt states: {count}.",
        "Run `palio check --run` to see whether the program computes the same scores twice. If it does, do not trust "
        "the receipt.",
    ),
    "receipt-key-exposed": FailureKind(
        _S,
        "Other users can read {path}, this machine's key, and could sign with it.",
        "If nobody else can have read it, run `chmod 600 {path}`. Otherwise remove it; Palio then creates a new key.",
    ),
    "receipt-key-unusable": FailureKind(
        _S,
        "{path} cannot be used as this machine's key: {reason}.",
        "Set PALIO_HOME to a folder that this user may write to, and keep the key there from now on.",
    ),
}
