"""Finds hidden inputs whose content says their name, such as a `.nii.gz` that was compressed as `patient7.nii`."""

from collections.abc import Mapping

from palio.core.bundle.case_names import Hidden, Parts
from palio.core.bundle.contents import Contents

_FILES = 20  # that are looked into
_HEAD_BYTES = 4096
_SHORTEST = 4  # shorter texts may be there by chance


def file_with_own_name(contents: Contents, parts: Mapping[str, Parts]) -> str | None:
    """Returns the first of some hidden inputs whose first bytes contain a hidden part of its own name, or None.

    Texts inside of compressed data are not found. Raises UnfitFile.
    """
    hidden = {
        name: [part.text.encode() for part in own if isinstance(part, Hidden) and len(part.text) >= _SHORTEST]
        for name, own in parts.items()
    }
    named = [name for name, texts in hidden.items() if texts]
    for name in named[:: len(named) // _FILES + 1]:
        head = contents.head(name, _HEAD_BYTES)
        if any(text in head for text in hidden[name]):
            return name
    return None
