"""How a challenge is shown: accent, cover, tags, organizers, prize, citation, discussion."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bundles import LOGO, YAML, write_bundle

from palio.core.bundle.check import check_bundle
from palio.core.bundle.codabench_export.export import export_codabench
from palio.core.bundle.difference import differences
from palio.core.bundle.model import Organizer, Presentation, Tags
from palio.core.bundle.read import read_bundle
from palio.core.bundle.zipped import bundle_folder
from palio.core.errors import PalioError

BLOCK = """\
palio:
  accent: "#0B6E4F"
  cover: cover.png
  tags: {modality: [CT, X-ray], task: classification}
  organizers:
    - {name: Ada, affiliation: Siena, link: "https://example.org/ada"}
    - {name: The committee}
  prize: A banner.
  citation: Ada et al., 2026.
  discussion: https://forum.example.org/palio
"""


def write(folder: Path, block: str) -> Path:
    root = write_bundle(folder, yaml=YAML.replace("palio:\n", block))
    (root / "cover.png").write_bytes(LOGO)
    return root


def refused(folder: Path, block: str) -> list[str]:
    with pytest.raises(PalioError) as error:
        read_bundle(write(folder, f"palio:\n  {block}\n"))
    return [line.partition(": ")[2] for line in error.value.failure.evidence if not line.startswith("warning")]


def test_presentation_read(tmp_path: Path) -> None:
    bundle = read_bundle(write(tmp_path / "b", BLOCK))
    assert bundle.presentation == Presentation(
        accent="#0b6e4f",
        cover=bundle.root / "cover.png",
        tags=Tags(modality=("CT", "X-ray"), task=("classification",)),
        organizers=(Organizer("Ada", "Siena", "https://example.org/ada"), Organizer("The committee")),
        prize="A banner.",
        citation="Ada et al., 2026.",
        discussion="https://forum.example.org/palio",
    )
    assert bundle.presentation.tags.all == ("CT", "X-ray", "classification")
    assert bundle.warnings == ()


def test_presentation_changes_no_rules(tmp_path: Path) -> None:
    """Also not those of a bundle from another platform, which has no other `palio:` block."""
    foreign = YAML[: YAML.index("palio:")]
    plain = write_bundle(tmp_path / "a", yaml=foreign)
    shown = write_bundle(tmp_path / "b", yaml=f'{foreign}palio: {{accent: "#2a58b0"}}\n')
    assert read_bundle(plain).phases[0].rules == read_bundle(shown).phases[0].rules
    assert [each.what for each in differences(read_bundle(plain), read_bundle(shown))] == ["accent"]


def test_cover_part_of_the_digest(tmp_path: Path) -> None:
    root = write(tmp_path / "b", BLOCK)
    before = read_bundle(root).digest
    (root / "cover.png").write_bytes(LOGO + b"\0")
    assert read_bundle(root).digest != before


def test_presentation_exported_and_read_again(tmp_path: Path) -> None:
    bundle = read_bundle(write(tmp_path / "b", BLOCK))
    export_codabench(bundle, tmp_path / "export.zip")
    with bundle_folder(tmp_path / "export.zip") as opened:
        assert differences(bundle, read_bundle(opened.folder)) == ()


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (
            'accent: "#ffcc00"',
            "palio.accent: says `#ffcc00`, whose contrast on a light page is 1.4:1; links need at least 4.5:1, so "
            'write a darker color such as "#876c00"',
        ),
        ("accent: red", 'palio.accent: says `red`; write a color such as "#2a58b0", in quotes'),
        ("discussion: javascript:alert(1)", "says `javascript:alert(1)`; write an address that starts with https://"),
        ("discussion: https://[x", "says `https://[x`; write an address that starts with https://"),
        ("cover: ../cover.png", "write a path inside the bundle, without a leading / and without .."),
        ("tags: {modality: [a, b, c, d, e, f, g]}", "palio.tags.modality: has 7 tags; write at most 6"),
        (
            "organizers: [{affiliation: Siena}]",
            "palio.organizers[0].name: is missing; write the name of a person or group",
        ),
    ],
)
def test_presentation_refused(tmp_path: Path, block: str, problem: str) -> None:
    (found,) = refused(tmp_path / "b", block)
    assert found.endswith(problem)


def svg(content: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{content}</svg>'.encode()
    )


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.write(LOGO)
        file.truncate(50 * 1024**2)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        (
            "cover.png",
            holding(b"no picture"),
            "is not an image, or is damaged; write a PNG, JPEG, GIF, WebP or SVG file",
        ),
        ("cover.jpg", holding(LOGO), "is a PNG file, but its name ends in .jpg; rename it"),
        ("cover.txt", holding(LOGO), "is `cover.txt`, which no browser shows as a picture"),
        ("cover.png", large, "has 50.0 MiB; each visitor loads it, so make it smaller: at most 2.00 MiB"),
        ("cover.svg", holding(svg("<script>alert(1)</script>")), "has the element <script>"),
        ("cover.svg", holding(svg("<g onload='alert(1)'/>")), "has the event handler onload"),
        (
            "cover.svg",
            holding(svg("<image xlink:href='https://example.org/a.png'/>")),
            "refers to `https://example.org/a.png`",
        ),
        ("cover.svg", holding(svg("<style>@import 'https://example.org'</style>")), "refers to something outside"),
        ("cover.svg", holding(b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>'), "declares entities"),
        ("cover.svg", holding(b"<html/>"), "is XML, but no SVG"),
        ("cover.svg", holding(b"<svg"), "is not an image, or is damaged"),
    ],
)
def test_hostile_cover_refused(tmp_path: Path, name: str, make: Callable[[Path], object], says: str) -> None:
    root = write(tmp_path / "b", f"palio:\n  cover: {name}\n")
    make(root / name)
    errors, _ = check_bundle(read_bundle(root))
    assert [(each.field, says in each.message) for each in errors] == [("palio.cover", True)]
    assert errors[0].line is not None


def test_harmless_svg_cover(tmp_path: Path) -> None:
    root = write(tmp_path / "b", "palio:\n  cover: cover.svg\n")
    (root / "cover.svg").write_bytes(svg("<defs><g id='a'/></defs><use href='#a'/><rect fill='url(#a)'/>"))
    assert check_bundle(read_bundle(root))[0] == ()


def test_damaged_logo_only_warned_of(tmp_path: Path) -> None:
    root = write(tmp_path / "b", "palio:\n")
    (root / "logo.png").write_text("a logo")
    errors, warnings = check_bundle(read_bundle(root))
    assert errors == ()
    assert [each.message for each in warnings if each.field == "image"] == [
        "is not an image, or is damaged; write a PNG, JPEG, GIF, WebP or SVG file. It is not shown"
    ]
