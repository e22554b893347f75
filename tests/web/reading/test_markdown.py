"""A bundle's pages as HTML, whoever has written them."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle

from palio.core.bundle.read import read_bundle
from palio.web.reading.markdown import render_file, render_text
from palio.web.reading.readers import read_whole


def rendered(folder: Path, text: str, name: str = "overview.md") -> str:
    write_bundle(folder)
    (folder / name).write_text(text)
    (folder / "pages").mkdir(exist_ok=True)
    for picture in ("plot.png", "pages/map.svg", "input_data/scan.png", "notes.txt"):
        (folder / picture).write_text("x")
    bundle = read_bundle(folder)
    return str(render_file(bundle, bundle.root / name, lambda file: f"/files/{file}", lambda index: f"/page/{index}"))


def test_render_headings_and_tables(tmp_path: Path) -> None:
    assert rendered(tmp_path, "# Title\n\n~~old~~ **new**\n\n| a |\n|:-:|\n| 1 |\n") == (
        "<h2>Title</h2>\n<p><s>old</s> <strong>new</strong></p>\n"
        '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n'
        "</thead>\n<tbody>\n<tr>\n<td>1</td>\n</tr>\n</tbody>\n</table></div>\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src="plot.png" onerror="alert(1)">',
        "[x](javascript:alert(1))",
        '<a href="java&#10;script:alert(1)">x</a>',
        '<iframe src="https://example.org"></iframe>',
        '<form action="/accounts/logout/"><button>x</button></form>',
        '<p style="position:fixed" onclick="x()">x</p>',
        "<svg><script>alert(1)</script></svg>",
        '<math><mtext></p><img src=x onerror="alert(1)"></math>',
        '<style>@import "https://example.org/x.css";</style>',
        '<div hx-get="/accounts/logout/" hx-trigger="load" data-confirm="x">x</div>',
        '<meta http-equiv="refresh" content="0;url=https://example.org">',
        "<base href=https://example.org/>",
    ],
)
def test_render_removes_active_content(tmp_path: Path, text: str) -> None:
    html = rendered(tmp_path, text).lower()
    signs = (
        "<script",
        '="java',
        "alert(1)<",
        "onerror",
        "onclick",
        "<iframe",
        "<form",
        "style",
        "hx-",
        "<meta",
        "<base",
        "data-",
    )
    assert not [sign for sign in signs if sign in html]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("![a](plot.png)", '<p><img src="/files/plot.png" alt="a"></p>\n'),
        ("![a](pages/map.svg)", '<p><img src="/files/pages/map.svg" alt="a"></p>\n'),
        ("![a](https://example.org/x.png)", '<p><img alt="a"></p>\n'),
        ("![a](//example.org/x.png)", '<p><img alt="a"></p>\n'),
        ("![a](data:image/png;base64,AAAA)", '<p><img alt="a"></p>\n'),
        ("![a](input_data/scan.png)", '<p><img alt="a"></p>\n'),
        ("![a](notes.txt)", '<p><img alt="a"></p>\n'),
        ("![a](../../etc/passwd.png)", '<p><img alt="a"></p>\n'),
        ("[a](overview.md)", '<p><a href="/page/0" rel="nofollow noopener noreferrer">a</a></p>\n'),
        ("[a](#part)", '<p><a href="#part" rel="nofollow noopener noreferrer">a</a></p>\n'),
        ("[a](/accounts/logout/)", '<p><a rel="nofollow noopener noreferrer">a</a></p>\n'),
        ("[a](reference_data/answers.csv)", '<p><a rel="nofollow noopener noreferrer">a</a></p>\n'),
        (
            "[a](https://example.org/)",
            '<p><a href="https://example.org/" rel="nofollow noopener noreferrer">a</a></p>\n',
        ),
    ],
)
def test_render_picture_and_link_targets(tmp_path: Path, text: str, html: str) -> None:
    assert rendered(tmp_path, text) == html


def test_bundle_pictures(tmp_path: Path) -> None:
    rendered(tmp_path, "![a](plot.png) ![b](input_data/scan.png)")
    assert read_whole(str(tmp_path), False)["pictures"] == ["logo.png", "plot.png"]


def test_render_announcement_without_pictures() -> None:
    assert render_text("![a](https://example.org/x.png) *b*") == '<p><img alt="a"> <em>b</em></p>\n'
