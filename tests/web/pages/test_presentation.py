"""What a bundle says of its presentation, on the pages of its challenge."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image
from tests.bundles import YAML, write_bundle
from tests.web.world import World

from palio.core.bundle.color import DARK_PAPER, LIGHT_PAPER, READABLE, contrast
from palio.core.errors import PalioError
from palio.web.verbs.publish import publish

Browser = Callable[..., Client]
BLOCK = """\
palio:
  accent: "#0b6e4f"
  organizers: [{name: Ada <b>, affiliation: Siena, link: "https://example.org/ada"}]
  prize: A banner.
  citation: Ada et al., 2026.
  discussion: https://forum.example.org/palio
"""


def published(world: World, folder: Path, block: str = BLOCK) -> None:
    publish(write_bundle(folder, yaml=YAML.replace("palio:\n", block)), actor=world.alice, slug="mednist")


def test_overview_shows_presentation(world: World, browser: Browser, tmp_path: Path) -> None:
    published(world, tmp_path / "b")
    text = browser().get("/c/mednist/").text
    assert '<a href="https://example.org/ada" rel="nofollow noopener noreferrer">Ada &lt;b&gt;</a>' in text
    for words in ("<small>Siena</small>", "A banner.", "Ada et al., 2026."):
        assert words in text
    assert '<a href="https://forum.example.org/palio" rel="noopener noreferrer">Discussion' in text


def test_accent_as_style_sheet(world: World, browser: Browser, tmp_path: Path) -> None:
    assert "accent.css" not in browser().get("/c/mednist/").text
    assert browser().get("/c/mednist/versions/1/files/-accent.css").status_code == 404
    published(world, tmp_path / "b")
    assert (
        '<link rel="stylesheet" href="/c/mednist/versions/2/files/-accent.css">'
        in browser().get("/c/mednist/phases/").text
    )
    answer = browser().get("/c/mednist/versions/2/files/-accent.css")
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    light, dark = (part.partition(";")[0].strip() for part in answer.text.split("--accent:")[1:])
    assert light == "#0b6e4f"
    assert contrast(light, LIGHT_PAPER) >= READABLE
    assert contrast(dark, DARK_PAPER) >= READABLE


@pytest.mark.parametrize(
    ("data", "who", "shown"),
    [("public", None, True), ("held-out", None, False), ("held-out", "bob", True), ("held-out", "alice", True)],
)
def test_sample_pictures(
    world: World, browser: Browser, tmp_path: Path, data: str, who: str | None, shown: bool
) -> None:
    yaml = YAML.replace("palio:\n", "palio:\n  sample: {input: cases}\n").replace("data: held-out", f"data: {data}")
    if f"data: {data}" not in yaml:
        yaml = yaml.replace("palio:\n", f"palio:\n  data: {data}\n")
    folder = write_bundle(tmp_path / "b", yaml=yaml)
    (folder / "cases").mkdir()
    Image.new("RGB", (400, 300), "red").save(folder / "cases" / "a.png")
    (folder / "cases" / "b.txt").write_text("b")
    publish(folder, actor=world.alice, slug="mednist")
    client = browser(who and getattr(world, who))
    assert ("/c/mednist/versions/2/files/-sample-0.png" in client.get("/c/mednist/").text) is shown
    answer = client.get("/c/mednist/versions/2/files/-sample-0.png")
    assert answer.status_code == (200 if shown else 404)
    assert client.get("/c/mednist/versions/2/files/-sample-1.png").status_code == 404
    if shown:
        assert answer.headers["Content-Type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).size == (192, 144)


def test_hostile_cover_not_published(world: World, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "b", yaml=YAML.replace("palio:\n", "palio:\n  cover: c.svg\n"))
    (folder / "c.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    with pytest.raises(PalioError) as refused:
        publish(folder, actor=world.alice, slug="mednist")
    assert any("is an SVG that has the element <script>" in line for line in refused.value.failure.evidence)


def test_styleguide_only_in_debug(world: World, browser: Browser, settings: Any) -> None:
    assert browser().get("/styleguide/").status_code == 404
    settings.STYLEGUIDE = True
    answer = browser().get("/styleguide/")
    assert answer.status_code == 200
    assert "style=" not in answer.text
