"""Verifies that a receipt is genuine, who signed it, and that the files next to it are as signed. Lists all
differences.

Covered: every byte of receipt.json, of the records and of every other existing file in the run folder. Not covered:
whether the signer told the truth (`rederive` helps), and files that change during the check.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import Failure, PalioError, counted
from palio.core.files.staging import reading
from palio.core.receipt.beside import compare_with_files
from palio.core.receipt.difference import Difference, differences
from palio.core.receipt.key import fingerprint, machine_public_key
from palio.core.receipt.reading import Receipt

_SHOWN = 50  # differences shown to people


@dataclass(frozen=True)
class Verification:
    """`differences` lists what is not as signed; `missing` lists what could not be checked because it is absent.

    `has_files`: whether any file was there to compare. `signer` says whose key it is: the given key, else this
    machine's, else None.
    """

    receipt: Receipt
    signer: str | None
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]
    has_files: bool = True


def verify_receipt(receipt: Receipt, *, given: str | None = None, predictions: Path | None = None) -> Verification:
    """Verifies a receipt and the files next to it.

    `given` is the expected public key, by default this machine's. `predictions` replaces the folder next to the
    receipt. Raises PalioError "source-unreadable" and those of `machine_key`.
    """
    with reading(receipt.path.parent):
        files = compare_with_files(receipt, predictions)
    return Verification(
        receipt=receipt,
        signer=_signer(receipt.signature.public_key, given),
        differences=(*_within(receipt), *files.differences),
        missing=files.missing,
        has_files=files.has_files,
    )


def refusals(verification: Verification, *, given: str | None = None) -> Iterator[Failure]:
    """Yields why not to trust the receipt, the most serious reason first; nothing if it can be trusted."""
    receipt, found = verification.receipt, verification.differences
    if found:
        evidence = [str(difference) for difference in found[:_SHOWN]]
        if len(found) > _SHOWN:
            evidence.append(f"and {len(found) - _SHOWN:,} more; --json lists all")
        count = counted(len(found), "difference")
        yield PalioError("receipt-changed", path=receipt.path, count=count, evidence=evidence).failure
    if receipt.genuine and verification.signer is None:
        code = "receipt-signer-unknown" if given is None else "receipt-signer-other"
        yield PalioError(code, signer=fingerprint(receipt.signature.public_key)).failure


def _signer(public: str, given: str | None) -> str | None:
    if given is not None:
        return "the given key" if public == given else None
    return "this machine" if public == machine_public_key() else None


def _within(receipt: Receipt) -> Iterator[Difference]:
    """Yields what the receipt itself reveals about changes to it."""
    if not receipt.genuine:
        yield Difference("receipt.json: signature", "a signature of this statement by this key", "another one")
    expected = fingerprint(receipt.signature.public_key)
    yield from differences("receipt.json: signature.fingerprint", expected, receipt.signature.fingerprint)
    if receipt.respelled:
        yield receipt.respelled
