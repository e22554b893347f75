"""The phantom: synthetic pictures that replace the MedNIST images on machines with neither images nor network.

They have the six class names of MedNIST, so that the challenge and every submission run unmodified. They are not
medical images, and scores on them say nothing about any: each folder contains a PHANTOM.txt that says so, and so does
anything that uses them (`is_phantom`).
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from palio.core.attempt.lock import PHANTOM_NOTICE
from palio.core.files.staging import settle, staged
from palio.data.getting import Report
from palio.data.in_place import data_in_place, is_phantom, phantom_note, refuse_foreign
from palio.data.layout import INPUTS, REFERENCE, SPLITS, Image, expected_files, found_files, lay_out, seal, sizes

__all__ = ["CLASSES", "draw_phantom", "is_phantom"]

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")


def draw_phantom(challenge: Path, per_split_class: int = 100) -> Report:
    """Fills `challenge`/input_data and /reference_data with synthetic pictures, 64x64 grayscale JPEG.

    Six classes of `per_split_class` pictures per split, under opaque names. The pixels before compression depend only
    on split, class and number; the JPEG files also on the version of libjpeg. A complete phantom is left as it is, a
    broken one replaced; anything else in these folders is refused (`target-not-empty`), above all real images.
    """
    settle(challenge)
    if is_phantom(challenge) and data_in_place(challenge) == "phantom":
        count = {split: sum(1 for _ in (challenge / INPUTS / f"{split}-data").iterdir()) for split in SPLITS}
        return Report(challenge, "phantom", "in place", changed=False, images=count)
    if not is_phantom(challenge):
        refuse_foreign(challenge, found_files(challenge), ours={})

    contents = dict(_pictures(per_split_class))
    note = phantom_note(expected_files(list(contents)))
    with staged(challenge / INPUTS, challenge / REFERENCE) as (inputs, reference):
        lay_out(list(contents), lambda image, path: path.write_bytes(contents[image]), inputs, reference)
        for folder in (inputs, reference):
            (folder / PHANTOM_NOTICE).write_text(note)
            seal(folder / PHANTOM_NOTICE)
    return Report(challenge, "phantom", "drawn", changed=True, images=sizes(contents))


def _pictures(per_split_class: int) -> Iterator[tuple[Image, bytes]]:
    from PIL import Image as Pillow  # imported here because commands that only call `is_phantom` must start fast

    from palio.data.drawing import draw

    for split in SPLITS:
        for structure, label in enumerate(CLASSES):
            for number in range(per_split_class):
                key = f"palio phantom 1/{split}/{structure}/{number}"
                jpeg = io.BytesIO()
                Pillow.fromarray(draw(structure, key)).save(jpeg, "JPEG", quality=95)
                content = jpeg.getvalue()
                name = hashlib.sha256(key.encode()).hexdigest()[:16]
                yield Image(split, f"{name}.jpg", label, hashlib.sha256(content).hexdigest()), content
