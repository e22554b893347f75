"""Finds the files of each case in an organizer's folder: images side by side or in a folder, and their masks."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from palio.core.bundle.case_names import case_pattern
from palio.core.bundle.suffixes import Suffixes

_JOINTS = "_-."


@dataclass(frozen=True)
class Found:
    """The files of a case below a folder, sorted, and the name that they share."""

    name: str
    files: tuple[str, ...]


class CaseFiles:
    """Files below a folder, to be found by the name of a case: its path or last part, with or without suffix; the name
    of a folder; or the beginning of names, before `_`, `-` or a dot.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = sorted(files)
        self.suffixes = Suffixes(PurePosixPath(name).name for name in self.files)
        self._by_key: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name in self.files:
            path = PurePosixPath(name)
            stem = self.suffixes.split(path.name)[0]
            folder = "" if str(path.parent) == "." else f"{path.parent}/"
            self._add("file", name, name, path.name)
            self._add("stem", name, folder + stem, stem)
            for above in path.parents:
                if str(above) != ".":
                    self._add("folder", name, str(above), above.name)
            for at, character in enumerate(stem):
                if at and character in _JOINTS:
                    self._add("prefix", name, folder + stem[:at], stem[:at])

    def _add(self, kind: str, name: str, *keys: str) -> None:
        for key in dict.fromkeys(keys):
            self._by_key[kind][key].append(name)

    def of(self, names: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
        """Returns the files of each name, and a sentence for each name without files or with several candidates."""
        found: dict[str, tuple[str, ...]] = {}
        problems: list[str] = []
        known = frozenset(names)
        for name in names:
            for kind in ("file", "stem", "folder", "prefix"):
                files = self._by_key[kind].get(name, [])
                if kind == "prefix":  # p1_2_flair.png is of p1_2, if there is such a case
                    files = [file for file in files if not self._has_longer(file, name, known)]
                if files:
                    break
            places = {self._place(file, name, kind) for file in files}
            if not files:
                problems.append(f"{name} has no file")
            elif len(places) > 1:
                problems.append(f"{name} may be {' or '.join(sorted(files)[:2])}; write its path")
            else:
                found[name] = tuple(files)
        return found, problems

    def _has_longer(self, file: str, name: str, known: frozenset[str]) -> bool:
        stem = self.suffixes.split(PurePosixPath(file).name)[0]
        cuts = (stem[:at] for at in range(len(PurePosixPath(name).name) + 1, len(stem) + 1))
        return any(cut in known for cut in cuts)

    def _place(self, file: str, name: str, kind: str) -> str:
        """Where the case is: files of one case have one place."""
        if kind == "folder":
            parts = file.split("/")
            last = PurePosixPath(name).name
            return "/".join(parts[: parts.index(last) + 1])
        return file.rpartition("/")[0]


def by_pattern(files: Iterable[str], pattern: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Groups files by a pattern with `{case}` (core/bundle/case_names.py). Returns the files of each case, by its path,
    and the files that do not match. Raises ValueError.
    """
    compiled = case_pattern(pattern)
    cases: dict[str, list[str]] = defaultdict(list)
    others = []
    for file in sorted(files):
        if match := compiled.fullmatch(file):
            cases[file[: match.end("case")]].append(file)
        else:
            others.append(file)
    return {name: tuple(found) for name, found in cases.items()}, others


def split_masks(files: Iterable[str], suffix: str) -> tuple[list[str], dict[str, str]]:
    """Separates masks, whose stems end with `suffix` (such as _mask), from images. Returns images, and mask -> name of
    its case: the path without suffix, or the folder of a mask that is named only by the suffix (seg.nii.gz).
    """
    files = list(files)
    suffixes = Suffixes(PurePosixPath(name).name for name in files)
    images, masks = [], {}
    for file in files:
        folder, _, base = file.rpartition("/")
        stem, _ = suffixes.split(base)
        alone = suffix.strip(_JOINTS)
        if stem == alone and folder:
            masks[file] = folder
        elif stem.endswith(suffix) and stem != suffix:
            name = stem.removesuffix(suffix)
            # in a case's folder, p1/p1_seg.nii.gz belongs to all of p1/
            masks[file] = folder if folder.rpartition("/")[2] == name else f"{folder}/{name}".lstrip("/")
        else:
            images.append(file)
    return images, masks


def opaque_files(files: Sequence[str], name: str, token: str, suffixes: Suffixes) -> dict[str, str]:
    """New paths for the files of a case, in which `token` stands for its name. What tells the files apart stays."""
    word = PurePosixPath(suffixes.split(PurePosixPath(name).name)[0]).name
    if len(files) == 1:
        return {files[0]: token + suffixes.split(PurePosixPath(files[0]).name)[1].lower()}
    folders = [file.split("/") for file in files]
    inside = all(word in parts[:-1] for parts in folders)
    pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])")
    new = {}
    for file, parts in zip(files, folders, strict=True):
        if inside:
            rest = "/".join(parts[parts.index(word) + 1 :])
            new[file] = f"{token}/{pattern.sub(token, rest)}"
        else:
            base = pattern.sub(token, parts[-1])
            new[file] = base if token in base else f"{token}_{base}"
    return new
