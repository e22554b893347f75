"""The digest of 10,000 files of 50 kB, as locks and receipts have it, and that of one file of 200 MB, as the submit
page has it, against `sha256sum` of the same files.

All read from memory, as right after a job has written them. `sha256sum` may lack the processor's own instructions for
SHA-256, which Python's OpenSSL has; a ratio well below 1 says that. The page's package runs in Node.js, which has the
JavaScript engine of Chromium, in blocks of the page's size; without Node.js, there is no line for it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import palio.web
from benchmarks.measuring import Comparison, side_by_side
from palio.core.files.tree import digest_copy
from palio.core.receipt.files import list_files

FILES, FILE_BYTES = 10_000, 50_000
UPLOAD_BYTES = 200_000_000
PACKAGE = Path(palio.web.__file__).parent / "static/vendor/noble-hashes"
NODE = """
import { open } from "node:fs/promises";
import { sha256 } from "./sha2.js";

const file = await open(process.argv[2]);
const hashing = sha256.create(), block = new Uint8Array(4 * 1024 * 1024);
for (let read; (read = (await file.read(block)).bytesRead); ) hashing.update(block.subarray(0, read));
console.log(Buffer.from(hashing.digest()).toString("hex"));
"""


def measure(runs: int = 5) -> list[Comparison]:
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-"))
    try:
        for number in range(FILES):
            (home / f"{number:05}.csv").write_bytes(number.to_bytes(4, "big") * (FILE_BYTES // 4))
        what = f"{FILES:,} files of {FILE_BYTES // 1000} kB"
        baseline = ("sha256sum", lambda _: _sha256sum(home))
        return [
            side_by_side(f"the digest of {what}", baseline, ("digest_copy", lambda _: _digest(home)), runs=runs),
            side_by_side(f"a receipt's list of {what}", baseline, ("list_files", lambda _: _list(home)), runs=runs),
            *_in_the_browser(runs),
        ]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _in_the_browser(runs: int) -> list[Comparison]:
    """Whole processes of `sha256sum` and Node.js."""
    node = shutil.which("node")
    if node is None:
        print("The submit page's SHA-256 is not measured: Node.js is not installed.", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="palio-benchmark-") as name:
        home = Path(name)
        shutil.copytree(PACKAGE, home, dirs_exist_ok=True)
        (home / "package.json").write_text('{"type": "module"}')
        (home / "hash.js").write_text(NODE)
        upload = home / "upload"
        upload.write_bytes(os.urandom(UPLOAD_BYTES))
        theirs, ours = ["sha256sum", str(upload)], [node, str(home / "hash.js"), str(upload)]
        digests = {subprocess.check_output(command, text=True).split()[0] for command in (theirs, ours)}
        if len(digests) != 1:
            raise RuntimeError(f"the package and sha256sum disagree: {digests}")
        return [
            side_by_side(
                f"the submit page's digest of {UPLOAD_BYTES // 10**6} MB",
                ("sha256sum", lambda _: _run(theirs)),
                ("@noble/hashes in Node.js", lambda _: _run(ours)),
                runs=runs,
            )
        ]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _sha256sum(folder: Path) -> None:
    files = sorted(path.name for path in folder.iterdir())
    subprocess.run(["sha256sum", *files], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _digest(folder: Path) -> None:
    digest_copy(folder, executable=True)


def _list(folder: Path) -> None:
    if len(list_files({"predictions": folder})) != FILES:
        raise RuntimeError("not everything was listed")


if __name__ == "__main__":
    print(*measure(), sep="\n")
