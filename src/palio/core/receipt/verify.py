"""Is a receipt genuine, whose is it, and is everything beside it as it was signed? All that differs is named at once.

Covered: every byte of receipt.json, of the records and of every other file in the run folder, as far as it is there.
Not covered: whether the signer told the truth (`rederive` helps), and files that are changed while they are checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import Failure, PalioError, counted
from palio.core.files.staging import reading
from palio.core.receipt.beside import look_beside
from palio.core.receipt.difference import Difference, differences
from palio.core.receipt.key import fingerprint, machine_public_key
from palio.core.receipt.reading import Receipt

_SHOWN = 50  # differences, where a person reads them


@dataclass(frozen=True)
class Verification:
    """`differences` are what is not as it was signed; `missing` is what could not be checked as it is not there.

    `signer` says in words whose key it is: the one that was given or, if none was, this machine's; None if neither.
    """

    receipt: Receipt
    signer: str | None
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]


def verify_receipt(receipt: Receipt, *, given: str | None = None, predictions: Path | None = None) -> Verification:
    """Checks a receipt and what lies beside it.

    `given` is the public key that has to be the signer's; without it, this machine's. `predictions` is a folder that is
    taken instead of the one beside the receipt. Raises PalioError "source-unreadable" and those of `machine_key`.
    """
    with reading(receipt.path.parent):
        beside = look_beside(receipt, predictions)
    return Verification(
        receipt=receipt,
        signer=_signer(receipt.signature.public_key, given),
        differences=(*_within(receipt), *beside.differences),
        missing=beside.missing,
    )


def refusals(verification: Verification, *, given: str | None = None) -> Iterator[Failure]:
    """Why not to believe the receipt, the gravest first; nothing if it can be believed."""
    receipt, found = verification.receipt, verification.differences
    if found:
        evidence = [str(difference) for difference in found[:_SHOWN]]
        if len(found) > _SHOWN:
            evidence.append(f"and {len(found) - _SHOWN:,} more, which --json lists")
        count = counted(len(found), "difference")
        yield PalioError("receipt-changed", path=receipt.path, count=count, evidence=evidence).failure
    if receipt.genuine and verification.signer is None:
        code = "receipt-signer-unknown" if given is None else "receipt-signer-other"
        yield PalioError(code, signer=fingerprint(receipt.signature.public_key)).failure


def _signer(public: str, given: str | None) -> str | None:
    if given is not None:
        return "the key given" if public == given else None
    return "this machine" if public == machine_public_key() else None


def _within(receipt: Receipt) -> Iterator[Difference]:
    """What shows by itself that the receipt was changed."""
    if not receipt.genuine:
        yield Difference("receipt.json: signature", "one of this statement by this key", "another")
    expected = fingerprint(receipt.signature.public_key)
    yield from differences("receipt.json: signature.fingerprint", expected, receipt.signature.fingerprint)
    if receipt.respelled:
        yield receipt.respelled
