"""Gets the 1,800 images of the MedNIST challenge from a folder, an archive or the network, each checked by SHA-256.

Only the manifest decides which images are used, how they are named and what they show; names and folders of the source
do not matter. So the original six class folders, the archive, and a copy of the challenge's own folders all give the
identical result.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from palio.core.errors import PalioError, counted
from palio.core.files.staging import settle, staged
from palio.data.download import Progress, cache_folder, fetch
from palio.data.in_place import is_phantom, refuse_foreign
from palio.data.layout import (
    INPUTS,
    MANIFEST,
    REFERENCE,
    Image,
    expected_files,
    found_files,
    lay_out,
    read_manifest,
)
from palio.data.layout import sizes as split_sizes
from palio.data.sources import small_files

# The archive that MONAI's MedNISTDataset downloads.
MEDNIST_URL = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/MedNIST.tar.gz"
MEDNIST_MD5 = "0bc7306e7427e00ad1c5526a6677552d"
ATTRIBUTION = (
    "MedNIST was gathered from TCIA, the RSNA Bone Age Challenge and the NIH Chest X-ray dataset, and is made "
    "available by Dr. Bradley J. Erickson M.D., Ph.D. (Department of Radiology, Mayo Clinic) under CC BY-SA 4.0."
)
_OFFLINE = (
    "Download it on another machine, copy the file here and run `palio data get mednist --from MedNIST.tar.gz`. "
    "Or draw synthetic pictures instead: `palio data get mednist --phantom`."
)
_FOLDER = Path("challenges", "mednist")
_CHECKOUT = Path(__file__).resolve().parents[3]  # if this file is part of a checkout
_PACKAGE = Path(__file__).resolve().parents[1]  # if it was installed from a wheel, which includes the challenge


@dataclass(frozen=True)
class Report:
    """What is in place now. `changed` is false if it already was; `images` counts images by split."""

    challenge: Path
    data: Literal["mednist", "phantom"]
    source: str
    changed: bool
    images: dict[str, int]

    def as_json(self) -> dict[str, object]:
        return vars(self) | {"challenge": str(self.challenge)}


def find_challenge(start: Path) -> Path | None:
    """The folder challenges/mednist at or above `start`, else in the checkout or package that this code runs from."""
    for folder in (start, *start.absolute().parents, _CHECKOUT, _PACKAGE):
        if (folder / _FOLDER / MANIFEST).is_file():
            return folder / _FOLDER
    return None


def get_mednist(
    challenge: Path,
    source: Path | None = None,
    *,
    url: str | None = None,
    md5: str = MEDNIST_MD5,
    progress: Progress | None = None,
) -> Report:
    """Fills `challenge`/input_data and /reference_data with the images of its manifest.csv.

    A challenge without a manifest gets the one shipped with Palio. Without a `source` (a folder, .tar.gz or .zip), the
    archive at `url` is downloaded and cached (`url` defaults to the environment's PALIO_MEDNIST_URL, then MEDNIST_URL).
    Data that is already correct is left untouched; partial or changed data is replaced completely. Raises
    `data-mismatch`
    if the source lacks images, `target-not-empty` if foreign files are in the way, and the errors of
    `fetch` and
    `staged`.
    """
    settle(challenge)
    manifest = challenge / MANIFEST
    if not manifest.is_file():
        manifest = _shipped_manifest(challenge)
    images = read_manifest(manifest)
    expected = expected_files(images)
    old = found_files(challenge)
    if old == expected and manifest.parent == challenge:
        return Report(challenge, "mednist", "in place", changed=False, images=split_sizes(images))
    if not is_phantom(challenge):
        refuse_foreign(challenge, old, ours=expected)

    wanted = {image.sha256 for image in images}
    if wanted <= set(old.values()):  # only lists or copies are missing
        source = challenge / INPUTS
    elif source is None:
        source = fetch(
            url or os.environ.get("PALIO_MEDNIST_URL") or MEDNIST_URL,
            cache_folder() / "MedNIST.tar.gz",
            md5=md5,
            next_step=_OFFLINE,
            progress=progress,
        )
    contents, names = _gather(source, wanted)
    if missing := [image for image in images if image.sha256 not in contents]:
        raise _mismatch(source, manifest, images, missing, names)

    with staged(challenge / INPUTS, challenge / REFERENCE, challenge / MANIFEST) as (inputs, reference, new_manifest):
        lay_out(images, lambda image, path: path.write_bytes(contents[image.sha256]), inputs, reference)
        if manifest.parent != challenge:
            new_manifest.write_bytes(manifest.read_bytes())
    return Report(challenge, "mednist", str(source), changed=True, images=split_sizes(images))


def _shipped_manifest(challenge: Path) -> Path:
    shipped = find_challenge(challenge)
    if shipped is None:
        raise PalioError(
            "usage",
            problem=f"{challenge} has no {MANIFEST}, and Palio's own was not found.",
            next_step=f"Use --to with a folder that has the challenge's {MANIFEST}.",
        )
    return shipped / MANIFEST


def _gather(source: Path, wanted: Iterable[str]) -> tuple[dict[str, bytes], set[str]]:
    """The wanted contents by SHA-256, and `folder/name` of every file examined."""
    missing = set(wanted)
    contents: dict[str, bytes] = {}
    names: set[str] = set()
    for name, content in small_files(source):
        names.add("/".join(PurePosixPath(name).parts[-2:]))
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in missing:
            contents[sha256] = content
            missing.remove(sha256)
            if not missing:
                break
    return contents, names


def _mismatch(
    source: Path, manifest: Path, images: Sequence[Image], missing: Sequence[Image], names: set[str]
) -> PalioError:
    changed = [image for image in missing if image.name in names]
    absent = [image for image in missing if image.name not in names]
    evidence = [f"changed: {image.name}" for image in changed[:5]]
    evidence += [f"missing: {image.name}, {image.label}, SHA-256 {image.sha256}" for image in absent[:5]]
    if hidden := len(missing) - len(evidence):
        evidence.append(f"and {hidden:,} more")
    parts = [f"{len(list_):,} {word}" for list_, word in ((absent, "missing"), (changed, "changed")) if list_]
    return PalioError(
        "data-mismatch",
        source=source,
        manifest=manifest,
        count=f"of {counted(len(images), 'image')}, {' and '.join(parts)}",
        evidence=evidence,
    )
