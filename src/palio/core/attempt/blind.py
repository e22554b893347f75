"""Hides the names of hidden inputs from submissions. `restore` maps predictions back to the real names.

A submission sees randomly named cases in random order, all files with the same times, owner and permissions, so that
only their content tells them apart. Only the platform keeps the mapping.
"""

import errno
import json
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from palio.core.bundle.case_names import CasesUnclearError, Hidden, Parts, name_parts
from palio.core.bundle.contents import contents_of
from palio.core.bundle.model import BlindPolicy
from palio.core.errors import PalioError
from palio.core.files.collect import copy_content
from palio.core.files.digest import UnfitFile, files_below
from palio.core.files.parallel import for_each_parallel
from palio.core.files.staging import reading
from palio.core.files.tree import TIME_NS

TOKEN_LENGTH = 32
_TOKEN = re.compile(rf"[0-9a-f]{{{TOKEN_LENGTH},}}")


@dataclass(frozen=True)
class Names:
    """Maps opaque names to real names, both as paths relative to the input folder.

    `hidden` maps each token, the opaque part of a name (32 hex digits), to the text in its place.
    """

    real: Mapping[str, str]
    hidden: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"files": dict(self.real), "hidden": dict(self.hidden)}))

    @classmethod
    def load(cls, path: Path) -> "Names":
        saved = json.loads(path.read_text())
        if set(saved) == {"files", "hidden"} and not isinstance(saved["files"], str):
            return cls(saved["files"], saved["hidden"])
        return cls(saved)  # a run of release 0.1, resumed


def replace_tokens(text: str, replacement: Mapping[str, str]) -> str:
    """Replaces each known token in the text."""

    def of_run(match: re.Match[str]) -> str:
        run, at, said = match[0], 0, ""
        while at < len(run):
            token = run[at : at + TOKEN_LENGTH]
            said += replacement.get(token, run[at])
            at += TOKEN_LENGTH if token in replacement else 1
        return said

    return _TOKEN.sub(of_run, text)


def stage_inputs(source: Path, destination: Path, policy: BlindPolicy | None) -> Names:
    """Copies the input folder to the new folder `destination`, with uniform times and permissions.

    With a policy, files that match its glob get opaque names; files of one case stay together
    (bundle/case_names.py). Other files keep their names unless they are in the folder of a case. Files are copied in
    the order of their new names so that inode numbers reveal nothing; links to the originals would. Files in
    digest.IGNORED_NAMES are skipped, as they are in the folder's digest. Raises PalioError "source-unreadable",
    "folder-unreadable" or "blind-unfit".
    """
    try:
        with reading(source):
            found = dict(files_below(source))
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=source, reason=fault) from fault

    def head(name: str, size_bytes: int) -> bytes:
        with reading(source), found[name].open("rb") as file:
            return file.read(size_bytes)

    names = draw_names(list(found), policy, head) if policy else Names({name: name for name in found})
    _fill(destination, source, names.real, _copy)
    return names


def draw_names(found: Sequence[str], policy: BlindPolicy, head: Callable[[str, int], bytes]) -> Names:
    """Draws opaque names for files. Raises PalioError "blind-unfit"."""
    try:
        planned = name_parts(found, policy, head)
    except CasesUnclearError as fault:
        raise PalioError("blind-unfit", reason=fault) from fault
    tokens: dict[Hidden, str] = defaultdict(lambda: secrets.token_hex(TOKEN_LENGTH // 2))
    names: dict[str, str] = {}
    for real, parts in planned.items():
        opaque = "".join(part if isinstance(part, str) else tokens[part] for part in parts)
        lower = _with_lower_suffix(opaque, parts)
        names[opaque if lower in names else lower] = real
    return Names(names, {token: part.text for part, token in tokens.items()})


def refuse_unfit(source: Path, policy: BlindPolicy) -> None:
    """Raises PalioError "blind-unfit" if the policy does not fit the folder or zip. Faults of other kinds show later,
    when it is read.
    """
    with suppress(UnfitFile, OSError):
        if source.exists() and (contents := contents_of(source)).names:
            draw_names(contents.names, policy, contents.head)


def _with_lower_suffix(opaque: str, parts: Parts) -> str:
    if len(parts) > 1 and isinstance(parts[-2], Hidden) and str(parts[-1]).startswith("."):
        return opaque[: -len(str(parts[-1]))] + str(parts[-1]).lower()
    return opaque


def stage_links(staged: Path, names: Names, destination: Path) -> Names:
    """Like `stage_inputs`, but links to the files of a folder that it staged earlier, under new opaque names.

    The links reveal no more than copies would: inode numbers are in that folder's random order. Two runs that compare
    them only learn which files are equal, which the content tells them anyway.
    """
    new = {token: secrets.token_hex(TOKEN_LENGTH // 2) for token in names.hidden}
    fresh = {replace_tokens(name, new) if name != real else real: name for name, real in names.real.items()}
    _fill(destination, staged, fresh, _link)
    hidden = {new[token]: text for token, text in names.hidden.items()}
    return Names({name: names.real[old] for name, old in fresh.items()}, hidden)


def _fill(
    destination: Path, source: Path, names: Mapping[str, str], place: Callable[[int, str, int, str], None]
) -> None:
    """Creates `destination` and fills it with the files of `names` from `source`, using `place`."""
    destination.mkdir(parents=True)
    ordered = sorted(names)
    folders = sorted({str(above) for name in ordered if "/" in name for above in PurePosixPath(name).parents} - {"."})
    for folder in folders:
        (destination / folder).mkdir()
    with _opened(source) as original, _opened(destination) as copy:
        for_each_parallel(lambda name: place(original, names[name], copy, name), ordered)
    for folder in (".", *folders):
        (destination / folder).chmod(0o755)
        os.utime(destination / folder, ns=(TIME_NS, TIME_NS))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(source: int, real: str, destination: int, name: str) -> None:
    """Uses descriptors for files and folders, because system calls dominate for thousands of small files."""
    original = os.open(real, os.O_RDONLY | os.O_CLOEXEC, dir_fd=source)
    try:
        copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=destination)
        try:
            copy_content(original, copy, os.fstat(original).st_size)
            os.fchmod(copy, 0o644)  # regardless of the umask
            os.utime(copy, ns=(TIME_NS, TIME_NS))
        finally:
            os.close(copy)
    finally:
        os.close(original)


def _link(source: int, real: str, destination: int, name: str) -> None:
    try:
        os.link(real, name, src_dir_fd=source, dst_dir_fd=destination)
    except OSError as error:  # another file system, or one without links or with none left
        if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP}:
            raise
        _copy(source, real, destination, name)
