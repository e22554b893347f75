"""Decides which parts of the names of hidden inputs become opaque, so that files of one case stay together.

A case is a file, a folder (`case1/flair.nii.gz`), or several files side by side (`case1_flair.nii.gz`). Parts that name
a case are hidden, the same part of one case always as the same opaque text. Parts that say which file of a case it is
(`flair`), and suffixes, stay. An organizer describes cases with patterns; without any, `_by_layout` decides, and
refuses where folders may be classes, because opaque folder names would still show which files share one.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from palio.core.bundle.dicom import HEAD_BYTES, series_of
from palio.core.bundle.model import BlindPolicy
from palio.core.bundle.suffixes import Suffixes
from palio.core.bundle.wording import quoted
from palio.core.errors import counted

_CASE = "{case}"
_MOST_WILDCARDS = 4  # matching takes time that is exponential in them
_MOST_HEADS = 50  # folders whose files are looked into
_MOST_ROLES = 4  # more files of a case that differ only by a number are a series
# Folders that say nothing about their files. Their names stay if all inputs are in them.
_CONTAINERS = frozenset(
    "cases data dcm dicom dicoms files image images imagests imagestr img imgs input inputs nifti patients png raw "  # noqa: SIM905
    "scans series slides subjects test testing volumes".split()
)
# Files of a case that are named so tell nothing about it. Needed only where there is one case to look at.
_ROLES = frozenset(
    "adc bold bval bvec cine ct dwi ed es flair image img label labels mask mr mri pd pet seg swi t1 t1c t1ce t1gd t1n "  # noqa: SIM905
    "t1w t2 t2f t2w us".split()
)
_NUMBER = re.compile(r"\d+")
_NUMBER_ALONE = re.compile(r"(?<![A-Za-z])\d+|\d{2,}")  # not the one of t1
_SIBLING = re.compile(r"(?P<case>.*\d.*)[_\-](?P<role>[A-Za-z][A-Za-z0-9]*)")


@dataclass(frozen=True)
class Hidden:
    """A part of a name that becomes opaque: `text`, in the names of one case or file."""

    of: str
    text: str


Parts = tuple[str | Hidden, ...]


class CasesUnclearError(ValueError):
    """The policy does not fit the files. The text is the end of a sentence that begins with `palio.blind`."""


def name_parts(names: Sequence[str], policy: BlindPolicy, head: Callable[[str, int], bytes]) -> dict[str, Parts]:
    """Returns the parts of the path of each file, in order. `head(name, n)` gives the first n bytes of a file.

    Joining the parts gives the path again. Raises CasesUnclearError.
    """
    hides = policy.hides()
    hidden = [name for name in names if hides(name)]
    if not hidden:
        found = f"{counted(len(names), 'file')}, the first is {quoted(min(names))}" if names else "there are none"
        raise CasesUnclearError(
            f".inputs is {quoted(policy.inputs)}, but matches no input ({found}); correct the pattern"
        )
    suffixes = Suffixes(PurePosixPath(name).name for name in hidden)
    parts = _by_pattern(hidden, policy.case, suffixes) if policy.case else _Layout(suffixes, head).parts(hidden)
    folders = {  # hidden folders take the other files in them along
        name[: len(name) - len(rest)]: prefix
        for name, own in parts.items()
        for prefix, rest in [_folder(name, own)]
        if rest
    }
    return {name: parts.get(name) or _beside(name, folders) for name in names}


def _folder(name: str, parts: Parts) -> tuple[Parts, str]:
    """The first folders of a path up to the last hidden folder, as parts, and the rest of the path."""
    end, at = 0, 0
    for number, part in enumerate(parts):
        at += len(part if isinstance(part, str) else part.text)
        if isinstance(part, Hidden) and "/" in name[at:] and part.of == name[:at]:
            end = number + 1
    done = sum(len(part if isinstance(part, str) else part.text) for part in parts[:end])
    return parts[:end], name[done:] if end else ""


def _beside(name: str, folders: Mapping[str, Parts]) -> Parts:
    for above in PurePosixPath(name).parents:
        if (prefix := folders.get(str(above))) is not None:
            rest = name[len(str(above)) :]
            return (*prefix, *_without(rest, (prefix[-1],)))
    return (name,)


# -- patterns of the organizer


def case_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern over paths: `{case}` stands for the name of the case, `*` and `?` for other text within a
    name, `**` also across folders. `{case}/` means all files in a folder. Raises ValueError with what to write instead.
    """
    if _CASE not in pattern:
        raise ValueError(f"has no {_CASE}; write it where the name of the case stands, as in {{case}}_*.nii.gz")
    if pattern.endswith("/"):
        pattern += "**"
    words = re.findall(r"\{case\}|\*\*/|\*+|\?|[^*?{]+|\{", pattern)
    if sum(word in {_CASE, "?"} or "*" in word for word in words) > _MOST_WILDCARDS:
        raise ValueError(f"has too many wildcards; use at most {_MOST_WILDCARDS} of {_CASE}, *, ** and ?")
    said, number = "", 0
    for word in words:
        if word == _CASE:
            said += "(?P=case)" if "(?P<case>" in said else "(?P<case>[^/]+)"
        elif "*" in word or word == "?":
            where = "after" if "(?P<case>" in said else "before"
            text = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(word, ".*")
            said, number = f"{said}(?P<{where}{number}>{text})", number + 1
        else:
            said += re.escape(word)
    return re.compile(said, re.IGNORECASE | re.DOTALL)


def _by_pattern(names: Iterable[str], patterns: Sequence[str], suffixes: Suffixes) -> dict[str, Parts]:
    compiled = [case_pattern(pattern) for pattern in patterns]
    parts: dict[str, Parts] = {}
    for name in names:
        match = next(filter(None, (pattern.fullmatch(name) for pattern in compiled)), None)
        if match is None:
            listed = " or ".join(map(quoted, patterns))
            raise CasesUnclearError(
                f".case is {listed}, but the input {quoted(name)} does not match; correct the pattern, or add another "
                "one to a list"
            )
        parts[name] = _matched(name, match, suffixes)
    return parts


def _matched(name: str, match: re.Match[str], suffixes: Suffixes) -> Parts:
    """Hides the case wherever it stands, and what wildcards before it matched: its class or site, perhaps."""
    text, end = match["case"], match.end("case")
    if end == len(name):
        text, _ = suffixes.split(text)
        end = match.start("case") + len(text)
    identity = name[:end]
    parts: list[str | Hidden] = []
    at = 0
    for group, found in match.groupdict().items():
        if group.startswith("before") and found:
            parts += [name[at : match.start(group)], *_components(identity, found)]
            at = match.end(group)
    case = Hidden(identity, text)
    parts += [name[at : match.start("case")], case, *_without(name[end:], (case,))]
    return tuple(part for part in parts if part != "")


def _components(identity: str, text: str) -> list[str | Hidden]:
    return [part if part in {"/", ""} else Hidden(identity, part) for part in re.split("(/)", text)]


# -- no patterns


class _Layout:
    def __init__(self, suffixes: Suffixes, head: Callable[[str, int], bytes]) -> None:
        self._suffixes = suffixes
        self._head = head

    def parts(self, names: Sequence[str], above: str = "", shown: Parts = ()) -> dict[str, Parts]:
        """`above` is a folder that all `names` are in, with its slash, and `shown` its parts."""
        folders: dict[str, list[str]] = defaultdict(list)
        for name in names:
            first, slash, _ = name[len(above) :].partition("/")
            folders[above + first + slash if slash else ""].append(name)
        files = folders.pop("", [])
        if len(folders) == 1 and not files and not self._is_one_case(next(iter(folders)), names, above):
            ((folder, inside),) = folders.items()
            own = folder[len(above) : -1]
            part = own if own.lower() in _CONTAINERS else Hidden(folder[:-1], own)
            return self.parts(inside, folder, (*shown, part, "/"))
        return {
            **self._side_by_side(files, above, shown),
            **(self._in_folders(folders, above, shown) if folders else {}),
        }

    def _is_one_case(self, folder: str, names: Sequence[str], above: str) -> bool:
        """Whether the only folder is a case, and not what contains all cases."""
        nested = any("/" in name[len(folder) :] for name in names)
        if not nested and self._is_series(names):
            return True
        return folder[len(above) : -1].lower() not in _CONTAINERS and any(map(self._has_role, names))

    def _side_by_side(self, names: Sequence[str], above: str, shown: Parts) -> dict[str, Parts]:
        """Each file is a case, unless each case has files of the same roles: `p1_left.png` and `p1_right.png`."""
        stems = {name: self._suffixes.split(name[len(above) :]) for name in names}
        roles: dict[str, set[str]] = defaultdict(set)
        matches = {name: _SIBLING.fullmatch(stem) for name, (stem, _) in stems.items()}
        for match in matches.values():
            if match:
                roles[match["case"]].add(match["role"])
        sets = {frozenset(own) for own in roles.values()}
        if (
            (len(roles) > 1 or all(map(self._has_role, names)))
            and len(sets) == 1
            and len(*sets) > 1
            and all(matches.values())
        ):
            return {
                name: (*shown, Hidden(above + match["case"], match["case"]), name[len(above) + match.end("case") :])
                for name, match in matches.items()
                if match
            }
        return {name: (*shown, Hidden(name, stem), *([end] if end else [])) for name, (stem, end) in stems.items()}

    def _in_folders(self, folders: Mapping[str, Sequence[str]], above: str, shown: Parts) -> dict[str, Parts]:
        inside = {folder: {name: name[len(folder) :] for name in names} for folder, names in folders.items()}
        known = Counter(rest for files in inside.values() for rest in set(files.values()))
        templates = {
            name: self._template(folder, rest, above, known)
            for folder, files in inside.items()
            for name, rest in files.items()
        }
        recurring = Counter(key for names in folders.values() for key in {_key(templates[name]) for name in names})
        if len(folders) == 1:
            recurring.update(_key(parts) for name, parts in templates.items() if self._has_role(name))
        is_case = sum(recurring[_key(parts)] > 1 for parts in templates.values()) * 2 > len(templates)
        everything = [name for names in folders.values() for name in names]
        longest = max((_run(names, folder) for folder, names in folders.items()), default=0)
        alone = max((_run(names, folder, _NUMBER_ALONE) for folder, names in folders.items()), default=0)
        is_series = longest > _MOST_ROLES or 1 < alone >= len(folders)
        if is_series and self._is_series(everything):
            return self._of_series(everything, is_case and self._same_series_names(folders), folders, shown, above)
        if is_case and is_series:
            folder, each = quoted(min(folders)[:-1]), f"{above}{_CASE}/"
            raise CasesUnclearError(
                f' cannot tell whether folders such as {folder} are cases or classes; write `case: "{each}"` if each '
                f'folder is one case, or `case: "{above}**/{_CASE}"` if each file is one, such as '
                f"{quoted(min(everything))}"
            )
        if is_case:
            return {
                name: self._in_case(folder, name, templates[name], recurring, shown, above)
                for folder, names in folders.items()
                for name in names
            }
        return {name: (*shown, *self._alone(name, above)) for name in everything}

    def _template(self, folder: str, rest: str, above: str, known: Mapping[str, int]) -> Parts:
        """The path within a folder, in which parts of the folder's own name are hidden."""
        own = folder[len(above) : -1]
        case = Hidden(folder[:-1], own)
        if known[rest] > 1 and own.lower() not in rest.lower():
            return (rest,)
        numbered = [word for word in re.split(r"[^A-Za-z0-9]+", own) if _NUMBER.search(word)]
        words = tuple(Hidden(folder[:-1], word) for word in sorted(numbered, key=len, reverse=True) if word != own)
        return _without(rest, (case, *words))

    def _in_case(
        self, folder: str, name: str, template: Parts, recurring: Mapping[str, int], shown: Parts, above: str
    ) -> Parts:
        case = Hidden(folder[:-1], folder[len(above) : -1])
        if recurring[_key(template)] > 1:
            return (*shown, case, "/", *template)
        return (*shown, case, "/", *self._alone(name, folder, shared=True))

    def _alone(self, name: str, above: str, *, shared: bool = False) -> Parts:
        """The path below `above`, of which only suffixes stay. Files share opaque folders only if `shared`."""
        *folders, file = name[len(above) :].split("/")
        parts: list[str | Hidden] = []
        at = above
        for folder in folders:
            at += folder
            parts += [Hidden(at if shared else name, folder), "/"]
            at += "/"
        stem, suffix = self._suffixes.split(file)
        return (*parts, Hidden(name, stem), *([suffix] if suffix else []))

    def _has_role(self, name: str) -> bool:
        stem = self._suffixes.split(name.rpartition("/")[2])[0]
        return not _ROLES.isdisjoint(re.split(r"[^a-z0-9]+", stem.lower()))

    # -- DICOM: the files of one series in one folder

    def _is_series(self, names: Sequence[str]) -> bool:
        """Whether each folder with files contains one DICOM series. Reads the first and last file of some folders."""
        by_folder: dict[str, list[str]] = defaultdict(list)
        for name in names:
            by_folder[name.rpartition("/")[0]].append(name)
        if "" in by_folder:
            return False
        step = len(by_folder) // _MOST_HEADS + 1
        for files in list(by_folder.values())[::step]:
            first, last = (series_of(self._head(name, HEAD_BYTES)) for name in (min(files), max(files)))
            if first is None or first != last:
                return False
        return True

    def _same_series_names(self, folders: Mapping[str, Sequence[str]]) -> bool:
        """Whether the folders have subfolders, or none, of equal names, such as T1 and T2."""
        below = {
            frozenset(name[len(folder) :].rpartition("/")[0] for name in names) for folder, names in folders.items()
        }
        runs = max(_run([f"{name}/" for name in own], "") for own in below)
        return len(below) == 1 and (below == {frozenset({""})} or runs <= _MOST_ROLES)

    def _of_series(
        self, names: Sequence[str], top: bool, folders: Mapping[str, Sequence[str]], shown: Parts, above: str
    ) -> dict[str, Parts]:
        """Series are kept together; the folders above them only if these are cases (`top`)."""
        counts = Counter(name[len(folder) :] for folder, inside in folders.items() for name in inside)
        parts: dict[str, Parts] = {}
        for name in names:
            series, _, file = name.rpartition("/")
            components = series[len(above) :].split("/")
            own: list[str | Hidden] = []
            at = above
            for number, component in enumerate(components):
                at += component
                is_role = top and number > 0
                own += [component if is_role else Hidden(at if top else series, component), "/"]
                at += "/"
            folder = f"{above}{components[0]}/"
            if counts[name[len(folder) :]] > 1 and all(len(digits) <= 6 for digits in _NUMBER.findall(file)):
                own.append(file)
            else:
                own += self._alone(name, f"{series}/")
            parts[name] = (*shown, *own)
        return parts


def _key(parts: Parts) -> str:
    return "".join(part if isinstance(part, str) else "\0" for part in parts)


def _run(names: Iterable[str], folder: str, number: re.Pattern[str] = _NUMBER) -> int:
    """The most names that are equal but for numbers."""
    kinds = Counter(number.sub("#", name[len(folder) :]) for name in names if number.search(name[len(folder) :]))
    return max(kinds.values(), default=0)


def _without(text: str, hidden: Sequence[str | Hidden]) -> Parts:
    """Splits text so that the words of `hidden` in it, in any case, are hidden. The first of several words wins.

    Without regular expressions, because compiling one for each case would take seconds.
    """
    parts: list[str | Hidden] = [text]
    for word in hidden:
        if isinstance(word, Hidden):
            parts = [new for part in parts for new in (_cut(part, word) if isinstance(part, str) else (part,))]
    return tuple(part for part in parts if part != "")


def _cut(text: str, word: Hidden) -> Iterator[str | Hidden]:
    low, wanted, start, at = text.lower(), word.text.lower(), 0, 0
    while wanted and len(low) == len(text) and (at := low.find(wanted, at)) >= 0:
        end = at + len(wanted)
        if _is_word(text[at - 1 : at]) or _is_word(text[end : end + 1]):
            at += 1
            continue
        yield text[start:at]
        yield Hidden(word.of, text[at:end])
        start = at = end
    yield text[start:]


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
