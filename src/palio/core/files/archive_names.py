"""The names of a zip's entries, whichever program and system wrote them, and what no file system should hold.

Accepted: back-slashes between folders, which some Windows programs write; UTF-8 that is not marked as such, which macOS
writes; old code pages, read as code page 437, because a zip does not say which one it was. Not covered: names that
these programs spell differently on purpose, such as accents as separate characters.
"""

import stat
import zipfile
from dataclasses import dataclass

MAX_NAME_BYTES = 255
MAX_DEPTH = 32
_MARKED_UTF8 = 0x800


@dataclass(frozen=True)
class EntryName:
    """The name of an entry with slashes; folders end in one. `odd` tells how it was read, if not plainly."""

    text: str
    odd: str = ""

    @property
    def is_folder(self) -> bool:
        return self.text.endswith("/")


WINDOWS = "names with Windows back-slashes were read as folders"
OLD_CODE_PAGE = "names that are neither marked as UTF-8 nor UTF-8 were read as code page 437"


def entry_name(entry: zipfile.ZipInfo) -> EntryName:
    name, is_old = entry.filename, False
    if not entry.flag_bits & _MARKED_UTF8 and not name.isascii():
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            is_old = True
    if is_old:  # a back-slash may be the second half of a character there
        return EntryName(name, OLD_CODE_PAGE)
    return EntryName(name.replace("\\", "/"), WINDOWS) if "\\" in name else EntryName(name)


def entry_fault(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Why an entry must not be unpacked under this name."""
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "an absolute or Windows path"
    if "\\" in name:
        return "a back-slash in a name of an old code page; zip the files with names in UTF-8"
    if ".." in parts:
        return "leaves the folder (..)"
    if any(part in ("", ".") for part in parts):
        return "an empty part in its name"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in name):
        return "control characters in its name"
    if len(parts) > MAX_DEPTH or any(len(part.encode(errors="replace")) > MAX_NAME_BYTES for part in parts):
        return "nested too deeply, or a name that is too long"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link; put the file itself there" if stat.S_ISLNK(mode) else "neither a file nor a folder"
    return None
