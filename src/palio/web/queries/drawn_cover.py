"""A cover for a challenge without one: a banner of tiles, like the flags of a palio, drawn from the challenge's name.

The same name always gives the same drawing. It has fixed colors, so it looks the same on light and dark pages.
"""

import colorsys
import hashlib
from collections.abc import Iterator
from functools import lru_cache

WIDTH, HEIGHT, TILE = 320, 120, 40


@lru_cache(512)
def drawn_cover(name: str, accent: str = "", *, is_banner: bool = False) -> str:
    """An SVG of 8:3, or of 8:1 for the top of a page. `accent` is #rrggbb for its hue, or empty."""
    width = HEIGHT * 8 if is_banner else WIDTH
    digest = hashlib.sha256(name.encode()).digest()
    hue = _hue(accent) if accent else digest[0] / 256
    saturation = 0.5 if not accent or _is_colored(accent) else 0.0
    ground, *tones = [_color(hue, lightness, saturation) for lightness in (0.2, 0.28, 0.37, 0.48)]
    light = _color((hue + 0.08 + digest[1] / 1024) % 1, 0.72, saturation)
    shapes = "".join(_tiles(digest, [*tones, *tones, light], width // TILE))
    return (
        f'<svg class="cover" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'preserveAspectRatio="xMidYMid slice" aria-hidden="true"><path fill="{ground}" d="M0 0h{width}v{HEIGHT}H0z"/>'
        f"{shapes}</svg>"
    )


def _tiles(digest: bytes, colors: list[str], columns: int) -> Iterator[str]:
    """One figure on most tiles, as paths: a quarter of a circle, a triangle, a disc or a half."""
    half, size = TILE // 2, TILE
    for place in range(columns * (HEIGHT // TILE)):
        column, row = place % columns, place // columns
        x, y = column * size, row * size
        byte = digest[2 + place % 29]
        color = colors[(byte >> 3) % len(colors)]
        figure = (
            f"M{x} {y}h{size}a{size} {size} 0 0 1-{size} {size}z",
            f"M{x + size} {y + size}h-{size}a{size} {size} 0 0 1 {size}-{size}z",
            f"M{x} {y}l{size} {size}h-{size}z",
            f"M{x + size} {y}l-{size} {size}h{size}z",
            f"M{x} {y + half}a{half} {half} 0 0 1 {size} 0a{half} {half} 0 0 1-{size} 0z",
            f"M{x} {y}h{size}v{half}h-{size}z",
            f"M{x} {y}h{half}v{size}h-{half}z",
            "",
        )[byte % 8]
        if figure:
            yield f'<path fill="{color}" d="{figure}"/>'


def _color(hue: float, lightness: float, saturation: float) -> str:
    return "#" + bytes(round(each * 255) for each in colorsys.hls_to_rgb(hue, lightness, saturation)).hex()


def _hls(color: str) -> tuple[float, float, float]:
    red, green, blue = (each / 255 for each in bytes.fromhex(color.removeprefix("#")))
    return colorsys.rgb_to_hls(red, green, blue)


def _hue(color: str) -> float:
    return _hls(color)[0]


def _is_colored(color: str) -> bool:
    return _hls(color)[2] > 0.1
