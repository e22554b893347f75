"""Substitutes: images that an operator names to be used in place of images that this machine does not have.

Old bundles name images that nobody can pull any more. The table `[images]` of palio.toml, `PALIO_IMAGES` and
`palio run --image` map them. A name may have `*` for any characters; a full name comes before a pattern, and a longer
pattern before a shorter one. A substitute never has a substitute itself, so there are no loops.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from palio.core.dockerfile.image_names import ImageName, ImageNameError
from palio.core.errors import PalioError, counted

TABLE = "images"  # in palio.toml
VARIABLE = "PALIO_IMAGES"
MOST = 1000
_ANY = "*"
_FAMILIAR = re.compile(r"docker\.io/(?:library/)?")


@dataclass(frozen=True)
class Substitutes:
    """Pairs of a name or pattern and its substitute; later ones replace earlier ones."""

    pairs: tuple[tuple[str, str], ...] = ()

    def of(self, image: str) -> str | None:
        """The substitute of `image`, or None."""
        return next((new for _, new in self._matching(image)), None)

    def _matching(self, image: str) -> list[tuple[str, str]]:
        """What fits, the best first."""
        latest_first = reversed([(old, new) for old, new in self.pairs if _fits(old, image)])
        return sorted(latest_first, key=lambda pair: (_ANY in pair[0], -len(pair[0])))

    def __or__(self, other: Self) -> "Substitutes":
        """Those of `other` replace those here of the same name."""
        return Substitutes((*self.pairs, *other.pairs))

    def as_json(self) -> list[list[str]]:
        return [list(pair) for pair in self.pairs]

    @classmethod
    def of_json(cls, content: Iterable[Iterable[str]]) -> Self:
        return cls(tuple((old, new) for old, new in content))


NONE = Substitutes()


def read_substitutes(table: Mapping[str, object]) -> tuple[Substitutes, list[str]]:
    """Returns the substitutes of a table and what is wrong with it, as sentences."""
    if len(table) > MOST:
        return Substitutes(), [f"it has {len(table):,} rows; at most {MOST:,} are allowed"]
    pairs: list[tuple[str, str]] = []
    problems = []
    for old, new in table.items():
        if fault := _fault(old, new):
            problems.append(f"`{old[:80]}`: {fault}")
        else:
            pairs.append((old, str(new)))
    return Substitutes(tuple(pairs)), problems or chains(Substitutes(tuple(pairs)))


def chains(found: Substitutes) -> list[str]:
    """Substitutes that have a substitute themselves, as sentences."""
    problems = []
    for old, new in found.pairs:
        if (further := found.of(new)) is None:
            continue
        if _same(new, further):
            problems.append(f"`{old}`: `{new}` would replace itself. Name another image, or a narrower pattern")
        else:
            problems.append(
                f"`{old}`: `{new}` has a substitute itself, `{further}`. Name the image to use: `{further}`"
            )
    return problems


def read_words(text: str) -> tuple[Substitutes, list[str]]:
    """Reads `OLD=NEW,OLD=NEW`, as in an environment variable."""
    table: dict[str, object] = {}
    problems = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        old, equals, new = word.partition("=")
        if not equals:
            problems.append(f"`{word[:80]}` is not OLD=NEW, such as codalab/codalab-legacy:py37=python:3.11-slim")
        table[old.strip()] = new.strip()
    if problems:
        return Substitutes(), problems
    return read_substitutes(table)


def refuse(problems: Iterable[str]) -> None:
    """Raises PalioError "configuration-invalid" if there are any."""
    if listed := list(problems):
        raise PalioError("configuration-invalid", count=counted(len(listed), "problem"), evidence=listed)


def _fault(old: str, new: object) -> str | None:
    if not isinstance(new, str):
        return f"{new!r} is not text. Write the name of an image, such as `python:3.11-slim`"
    try:
        ImageName.read(old.replace(_ANY, "x"))
    except ImageNameError as error:
        return f"this name cannot be used: {error}; `*` stands for any characters"
    try:
        ImageName.read(new)
    except ImageNameError as error:
        return f"its substitute cannot be used: {error}"
    return None


def _fits(old: str, image: str) -> bool:
    if _ANY not in old:
        return _same(old, image)
    pattern = re.compile("".join(".*" if part == _ANY else re.escape(part) for part in re.split(r"(\*)", old)))
    full = _full(image)
    return any(pattern.fullmatch(name) for name in (image, full, _FAMILIAR.sub("", full, count=1)))


def _same(one: str, other: str) -> bool:
    return _full(one) == _full(other)


def _full(name: str) -> str:
    try:
        return str(ImageName.read(name))
    except ImageNameError:
        return name
