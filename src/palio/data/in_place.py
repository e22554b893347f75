"""Detects the data in a challenge's folders: the real images, the phantom, or neither."""

import hashlib
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Literal

from palio.core.attempt.lock import PHANTOM_NOTICE
from palio.core.errors import PalioError
from palio.core.files.staging import settle
from palio.data.layout import INPUTS, MANIFEST, REFERENCE, expected_files, found_files, read_manifest

PHANTOM_SENTENCE = "These are synthetic pictures, not MedNIST."


def data_in_place(challenge: Path) -> Literal["mednist", "phantom"] | None:
    """Returns `mednist` if exactly the images of manifest.csv are there, `phantom` if the phantom is complete.

    Reads every file and compares its SHA-256 (0.1 s for MedNIST).
    """
    settle(challenge)
    found = found_files(challenge)
    if is_phantom(challenge):
        note = hashlib.sha256(phantom_note(found).encode()).hexdigest()
        notes = [found.get(f"{folder}/{PHANTOM_NOTICE}") for folder in (INPUTS, REFERENCE)]
        return "phantom" if notes == [note, note] else None
    if not (challenge / MANIFEST).is_file():
        return None
    return "mednist" if found == expected_files(read_manifest(challenge / MANIFEST)) else None


def is_phantom(challenge: Path) -> bool:
    """Whether the data are synthetic pictures, complete or not. Anything that uses them says so in every heading."""
    return any((challenge / folder / PHANTOM_NOTICE).is_file() for folder in (INPUTS, REFERENCE))


def phantom_note(files: Mapping[str, str]) -> str:
    """The text of PHANTOM.txt for a phantom of these files (path in the challenge -> SHA-256)."""
    lines = sorted(f"{sha256} {path}\n" for path, sha256 in files.items() if not path.endswith(PHANTOM_NOTICE))
    return (
        f"{PHANTOM_SENTENCE}\n"
        "They were drawn by a program, for machines with neither the images nor a network. No score on them says\n"
        "anything about medical images. Keep nothing of your own here: the real images replace this folder.\n"
        f"SHA-256 of the list of all other files: {hashlib.sha256(''.join(lines).encode()).hexdigest()}\n"
    )


def refuse_foreign(challenge: Path, found: Iterable[str], ours: Container[str]) -> None:
    """Raises `target-not-empty` if the data folders contain files that Palio did not put there."""
    for top in (INPUTS, REFERENCE):
        foreign = [path for path in found if path.startswith(top) and path not in ours]
        if foreign:
            evidence = [f"unexpected file: {path}" for path in foreign[:10]]
            if len(foreign) > 10:
                evidence.append(f"and {len(foreign) - 10:,} more")
            raise PalioError("target-not-empty", path=challenge / top, evidence=evidence)
