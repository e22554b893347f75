"""Challenge digests by the rule of Palio 0.1, so that its receipts can still be compared with a challenge.

Locks of 0.1 have no `digest_rule`. Their digests cover names, sizes and contents of files, except for tools' leftovers,
but not execute bits and empty folders.
"""

from collections.abc import Iterator
from pathlib import Path

from palio.core.bundle.model import Bundle, Task
from palio.core.bundle.read import named_paths
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile, digest_entries, files_below


def first_rule_digests(bundle: Bundle, task: Task) -> dict[str, object]:
    """What such a lock states about the challenge, except names. Raises PalioError "folder-unreadable"."""
    named = {name: file for top, path in named_paths(bundle).items() for name, file in _files(top, path)}
    return {
        "bundle": {"title": bundle.title, "digest": digest_entries(named.items())},
        "input_data": _digest(task.input_data),
        "reference_data": _digest(task.reference_data),
        "scoring_program": _digest(task.scoring_program),
    }


def _digest(path: Path | None) -> dict[str, str] | None:
    if path is None or not path.exists():
        return None
    try:
        return {"digest": digest_entries(files_below(path) if path.is_dir() else [(path.name, path)])}
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=path, reason=fault) from fault


def _files(top: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        yield from ((f"{top}/{name}", file) for name, file in files_below(path))
    else:
        yield top, path
