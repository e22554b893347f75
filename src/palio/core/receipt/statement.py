"""The content of a receipt, and the bytes that are signed.

    format       the version of the fields         lock         lock.json: digests, limits, engine, versions
    attempt      its identity                      result       result.json, with only the code of a failure
    predictions  digest of the collected files     scores       digest of the scoring program's output
    records      digests of lock.json, result.json and files.json, byte for byte

The signature covers the canonical encoding of the statement: JSON with sorted keys, no spaces, UTF-8, and numbers as
Python writes them. That encoding is never parsed; readers use receipt.json.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from palio.core.attempt.run_folder import RunFolder, json_text
from palio.core.files.digest import digest_file
from palio.core.receipt import files
from palio.core.receipt.key import sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "receipt.json"
FORMAT = "palio-receipt/1"


def canonical(statement: object) -> bytes:
    """Encodes equal statements to equal bytes. Raises ValueError for numbers that are not finite.

    Keys are sorted by code point, floats are the shortest digits that read back the same, and lone surrogates, which
    file names may contain, are encoded like any other character.
    """
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def write_receipt(folder: RunFolder, result: Mapping[str, object], key: "Ed25519PrivateKey") -> None:
    """Writes files.json and receipt.json for the result.json that the caller writes next."""
    listed = files.list_files(files.tops(folder.root))
    folder.write_json(files.NAME, files.files_as_json(listed))
    statement = _state(folder, json_text(result), listed)
    folder.write_json(NAME, {"statement": statement, "signature": sign(canonical(statement), key)})


def stated_result(result: Any) -> Any:
    """Reduces a failure to its code, because message and evidence may name what the receipt's readers must not see."""
    failure = result.get("failure") if isinstance(result, dict) else None
    return result | {"failure": failure["code"]} if isinstance(failure, dict) and "code" in failure else result


def _state(folder: RunFolder, result_text: str, listed: files.Files) -> dict[str, object]:
    there = [name for name in files.RECORDS if (folder.root / name).is_file()]  # no lock.json if it failed earlier
    records = {name: digest_file(folder.root / name) for name in there}
    records["result.json"] = hashlib.sha256(result_text.encode()).hexdigest()
    return {
        "format": FORMAT,
        "attempt": folder.read_json("config.json")["identity"],
        "lock": folder.read_json("lock.json") if "lock.json" in there else None,
        "result": stated_result(json.loads(result_text)),
        files.PREDICTIONS: files.digest_below(files.PREDICTIONS, listed),
        files.SCORES: files.digest_below(files.SCORES, listed),
        "records": records,
    }
