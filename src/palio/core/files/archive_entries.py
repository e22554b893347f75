"""What the entries of an organizer's zip mean where a name is there twice or an entry is a link.

Codabench's own exports name a file twice. Of such entries the last one counts, as for Python's zipfile, with which
Codabench unpacks. A link that stays in the archive is replaced by what it points to, so that no link is ever written.
Not covered: links to the outside, broken ones and cycles; they stay links, which the archive's inspection refuses.
"""

import posixpath
import stat
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from zipfile import ZipInfo

from palio.core.errors import counted

_MOST_HOPS = 40  # links followed for one name, as Linux has it
MAX_LINK_BYTES = 4096


class TooManyLinkedError(ValueError):
    """An archive has too many entries behind its links."""


@dataclass(frozen=True)
class Member:
    """A file or folder of a safe archive, by the name under which it is unpacked; folders end in a slash."""

    name: str
    entry: ZipInfo

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")

    @property
    def is_executable(self) -> bool:
        return bool((self.entry.external_attr >> 16) & 0o111)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.entry.external_attr >> 16)


def last_of_each_name(members: Sequence[Member]) -> tuple[list[Member], list[str]]:
    """Returns the members of which each file's name is there once, and notes."""
    last = {member.name: member for member in members}
    same, different = dict[str, None](), dict[str, None]()
    for member in members if len(last) < len(members) else ():
        kept = last[member.name]
        if kept is not member and not member.is_folder:
            equal = (kept.entry.CRC, kept.entry.file_size) == (member.entry.CRC, member.entry.file_size)
            (same if equal else different)[member.name] = None
    for name in different:
        same.pop(name, None)
    notes = []
    if same:
        notes.append(f"{_files(same)} there more than once with the same content, such as {next(iter(same))}")
    if different:
        example = next(iter(different))
        notes.append(
            f"{_files(different)} there more than once with different content, such as {example}; the last one was "
            "used, as on Codabench"
        )
    return list(last.values()), notes


def _files(names: Mapping[str, None]) -> str:
    return counted(len(names), "file is", "files are")


def followed(
    members: Sequence[Member], target_of: Callable[[Member], str], most: int
) -> tuple[list[Member], list[str]]:
    """Returns the members with links replaced by what they point to, and notes.

    `target_of` reads where a link points. Links that cannot be followed are returned as they are. Raises
    TooManyLinkedError for more than `most` members behind links, because links to folders may multiply.
    """
    links = {member.name: target_of(member) for member in members if member.is_link}
    if not links:
        return list(members), []
    tree = _Tree(members, links)
    found, seen, example = list[Member](), 0, ""
    for member in members:
        if not member.is_link:
            found.append(member)
            continue
        below = list(islice(tree.behind(member.name, ()), most - seen + 1))
        seen += len(below)
        if seen > most:
            raise TooManyLinkedError
        if any(each.is_link for each in below):
            found.append(member)
        else:
            found += below
            example = example or member.name
    count = len(links) - sum(member.is_link for member in found)
    was = "link was" if count == 1 else "links were"
    return found, [f"{count:,} {was} followed, such as {example}"] if count else []


class _Tree:
    """The members by name, with every folder that is there only by what is in it."""

    def __init__(self, members: Sequence[Member], links: Mapping[str, str]) -> None:
        self._links = links
        self._members = {member.name.rstrip("/"): member for member in members}
        self._names = sorted(self._members)

    def behind(self, name: str, through: tuple[str, ...]) -> Iterator[Member]:
        """Yields what is at a link, under its name; the link itself if it cannot be followed."""
        link = self._members[name]
        at = self._resolved(name)
        if at is None or at in through or f"{name}/".startswith(f"{at}/"):
            yield link
        elif at in self._members and not self._members[at].is_folder:
            yield replace(self._members[at], name=name)
        else:
            yield from self._below(at, name, link, (*through, at))

    def _below(self, folder: str, name: str, link: Member, through: tuple[str, ...]) -> Iterator[Member]:
        first = bisect_left(self._names, f"{folder}/")
        there = folder in self._members  # an empty folder
        for at in range(first, len(self._names)):
            inner = self._names[at]
            if not inner.startswith(f"{folder}/"):
                break
            there = True
            member = self._members[inner]
            below = name + inner.removeprefix(folder)
            for each in self.behind(inner, through) if member.is_link else [member]:
                yield replace(each, name=below + each.name.removeprefix(inner))
        if not there:
            yield link

    def _resolved(self, name: str) -> str | None:
        """The path to which a link leads in the end, if it stays in the archive."""
        path = name
        for _ in range(_MOST_HOPS):
            parts = path.split("/")
            prefixes = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
            link = next((prefix for prefix in prefixes if prefix in self._links), None)
            if link is None:
                return path
            target = self._links[link]
            if not target or target.startswith("/") or "\\" in target:
                return None
            joined = posixpath.join(posixpath.dirname(link), target, path.removeprefix(link).lstrip("/"))
            path = posixpath.normpath(joined)
            if path == "." or path == ".." or path.startswith("../"):
                return None
        return None
