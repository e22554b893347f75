"""Draws one synthetic picture: 64x64, grayscale, one of six structures.

The structures are stripes, rings, checks, spokes, a zigzag and discs. Position, rotation, scale, phase, contrast,
polarity, brightness, shading and noise are random, so that neither the mean brightness nor any single pixel reveals the
class; only the structure does.

The same key gives the same pixels on every machine: random numbers come from SHAKE-256, and pictures use only sums,
products, quotients and square roots, which IEEE 754 rounds uniquely (unlike sines).
"""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SIZE_PX = 64
Plane = NDArray[np.float64]  # (64, 64)


class _Dice:
    """Random numbers that depend only on the key."""

    def __init__(self, key: str) -> None:
        self._stream = hashlib.shake_256(key.encode()).digest(512 + 3 * SIZE_PX**2)
        self._at = 0

    def uniform(self, low: float, high: float) -> float:
        word = int.from_bytes(self._stream[self._at : self._at + 4], "little")
        self._at += 4
        return low + (high - low) * (word / 2**32)

    def noise(self) -> Plane:
        """Mean 0, standard deviation 1, nearly normal: sums of three bytes."""
        planes = np.frombuffer(self._stream[-3 * SIZE_PX**2 :], np.uint8).reshape(3, SIZE_PX, SIZE_PX)
        noise: Plane = (planes.sum(axis=0, dtype=np.int64) - 382.5) / 128.0
        return noise


def draw(structure: int, key: str) -> NDArray[np.uint8]:
    """The picture of `structure` (0 to 5) for `key`: (64, 64) uint8."""
    dice = _Dice(key)
    # A random point on the unit circle without sine and cosine.
    t, quarter = dice.uniform(-1, 1), dice.uniform(0, 1) < 0.5
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    if quarter:
        cos, sin = -sin, cos
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float64)
    x -= dice.uniform(24, 40)
    y -= dice.uniform(24, 40)
    u, v = cos * x - sin * y, sin * x + cos * y
    pattern = _STRUCTURES[structure](u, v, dice)

    radius = dice.uniform(20, 30)  # the object ends here, softly
    window = np.clip((radius * radius - (u * u + v * v)) / (12 * radius) + 0.5, 0, 1)
    contrast = dice.uniform(50, 80) * (1 if dice.uniform(0, 1) < 0.5 else -1)
    shading = (dice.uniform(-20, 20) * x + dice.uniform(-20, 20) * y) / SIZE_PX
    picture: Plane = dice.uniform(105, 150) + contrast * window * pattern + shading + dice.uniform(4, 10) * dice.noise()
    pixels: NDArray[np.uint8] = np.clip(np.floor(picture + 0.5), 0, 255).astype(np.uint8)
    return pixels


def _wave(x: Plane) -> Plane:
    """A triangle wave of period 1 between -1 and 1."""
    fraction: Plane = x - np.floor(x)
    return 4 * np.abs(fraction - 0.5) - 1


def _stripes(u: Plane, _v: Plane, dice: _Dice) -> Plane:
    return _wave(u / dice.uniform(8, 13) + dice.uniform(0, 1))


def _rings(u: Plane, v: Plane, dice: _Dice) -> Plane:
    return _wave(np.sqrt(u * u + v * v) / dice.uniform(8, 13) + dice.uniform(0, 1))


def _checks(u: Plane, v: Plane, dice: _Dice) -> Plane:
    period = dice.uniform(11, 16)
    return np.sign(_wave(u / period + dice.uniform(0, 1)) * _wave(v / period + dice.uniform(0, 1)))


def _spokes(u: Plane, v: Plane, dice: _Dice) -> Plane:
    """The real part of (u + iv)^k / |u + iv|^k, which is the cosine of k times the angle."""
    size = np.sqrt(u * u + v * v) + 1e-9
    a, b = u / size, v / size
    re, im = a, b
    for _ in range(3 + int(dice.uniform(0, 3))):
        re, im = re * a - im * b, re * b + im * a
    return re


def _zigzag(u: Plane, v: Plane, dice: _Dice) -> Plane:
    bend = dice.uniform(5, 7) * _wave(v / dice.uniform(18, 24) + dice.uniform(0, 1))
    return _wave((u + bend) / dice.uniform(9, 13) + dice.uniform(0, 1))


def _discs(u: Plane, v: Plane, dice: _Dice) -> Plane:
    plane = np.zeros_like(u)
    for _ in range(4 + int(dice.uniform(0, 4))):
        du, dv = u - dice.uniform(-18, 18), v - dice.uniform(-18, 18)
        plane = np.maximum(plane, np.clip(dice.uniform(4, 7) - np.sqrt(du * du + dv * dv), 0, 1))
    return 2 * plane - 1


_STRUCTURES: tuple[Callable[[Plane, Plane, _Dice], Plane], ...] = (
    *(_stripes, _rings, _checks),
    *(_spokes, _zigzag, _discs),
)
