"""The embedded dataset: small color pictures of ten shapes.

Each picture is a pure function of (split, index). Only operations that IEEE 754 rounds exactly (+ - * / sqrt,
comparisons) compute it, so the pictures have the same bytes on every machine. A few constants are sines and cosines,
whose last digits may differ between machines; rounded to float32, they don't.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cifar_dsl.training.datasets.dataset import Dataset

SIZE = 32  # height and width of a picture in pixels
CHUNK = 100  # pictures drawn at once, a multiple of the number of classes; their arrays fit the CPU cache

_Words = npt.NDArray[np.uint64]
_Floats = npt.NDArray[np.floating[Any]]  # all float32


def shapes(n_train: int = 10_000, n_test: int = 2_000) -> Dataset:
    """Draw the dataset "shapes": (N, 32, 32, 3) pictures of ten shapes in clutter.

    The class of picture i is i modulo 10, so a split whose size is a multiple of ten is balanced. The amount of clutter
    separates architectures: after ten epochs of Adam, three plain convolutions reach a test accuracy of about 0.68, and
    three residual blocks with batch normalization about 0.95.
    """
    x_train, y_train = _split(0, n_train)
    x_test, y_test = _split(1, n_test)
    return Dataset(
        name="shapes",
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=tuple(_SHAPES),
        origin="drawn procedurally",
    )


def _split(split: int, n: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    index = np.arange(n)
    images = np.empty((n, SIZE, SIZE, 3), np.uint8)
    for start in range(0, n, CHUNK):
        images[start : start + CHUNK] = _draw(split, index[start : start + CHUNK])
    return images, (index % len(_SHAPES)).astype(np.int64)


class _Stream:
    """Random numbers for n pictures at once. The k-th number of a picture depends only on its key and k.

    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) as a counter-based generator. The streams of numpy.random may change
    between releases.
    """

    _GAMMA = 0x9E3779B97F4A7C15

    def __init__(self, split: int, index: npt.NDArray[np.int64]) -> None:
        self._keys = self._mix(index.astype(np.uint64) * np.uint64(2) + np.uint64(split))
        self._drawn = 0

    @classmethod
    def _mix(cls, words: _Words) -> _Words:
        words = (words + np.uint64(1)) * np.uint64(cls._GAMMA)
        words ^= words >> np.uint64(30)
        words *= np.uint64(0xBF58476D1CE4E5B9)
        words ^= words >> np.uint64(27)
        words *= np.uint64(0x94D049BB133111EB)
        words ^= words >> np.uint64(31)
        return words

    def words(self, count: int) -> _Words:
        """The next `count` random words of each picture: (n, count) uint64."""
        counters = np.arange(self._drawn, self._drawn + count, dtype=np.uint64)
        self._drawn += count
        return self._mix(self._keys[:, None] + counters)

    def uniform(self, low: float, high: float, *shape: int) -> _Floats:
        """The next random numbers of each picture, uniform over [low, high): (n, *shape) float32."""
        words = self.words(math.prod(shape)).reshape(-1, *shape)
        return ((words >> np.uint64(11)) * (2.0**-53 * (high - low)) + low).astype(np.float32)

    def direction(self) -> tuple[_Floats, _Floats]:
        """The next random direction of each picture: cosine and sine, (n, 1, 1) each."""
        return _unit_vector(self.uniform(0, 1, 1, 1))


def _unit_vector(turns: _Floats) -> tuple[_Floats, _Floats]:
    # Taylor series of a quarter of the angle, doubled twice: np.cos and np.sin differ between machines.
    t = (turns - 0.5) * (math.pi / 2)
    t2 = t * t
    cosine = 1 - t2 / 2 * (1 - t2 / 12 * (1 - t2 / 30))
    sine = t * (1 - t2 / 6 * (1 - t2 / 20))
    for _ in range(2):
        cosine, sine = cosine * cosine - sine * sine, 2 * cosine * sine
    return cosine, sine


# Signed distances from an outline at the points (x, y), (n, 32, 32) each, in units of the shape's radius: negative
# inside; corners are mitered.
# (Inigo Quilez, "2D distance functions", iquilezles.org.)


def _length(x: _Floats, y: _Floats) -> _Floats:
    return np.sqrt(x * x + y * y)


def _box(x: _Floats, y: _Floats, half_width: float, half_height: float) -> _Floats:
    return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)


def _sides(x: _Floats, y: _Floats, n: int, inradius: float) -> list[_Floats]:
    """Distances from the n lines through the sides of a regular polygon."""
    return [x * np.float32(across) + y * np.float32(along) - inradius for across, along in normals(n)]


def normals(n: int) -> list[tuple[float, float]]:
    """Cosine and sine of n equal turns."""
    return [(math.cos(turn), math.sin(turn)) for turn in (math.tau * k / n for k in range(n))]


def _polygon(x: _Floats, y: _Floats, n: int, inradius: float) -> _Floats:
    distance: _Floats = np.maximum.reduce(_sides(x, y, n, inradius))
    return distance


def _disk(x: _Floats, y: _Floats) -> _Floats:
    return _length(x, y) - 0.9


def _ring(x: _Floats, y: _Floats) -> _Floats:
    radius = _length(x, y)
    distance: _Floats = np.maximum(0.4 - radius, radius - 0.96)
    return distance


def _square(x: _Floats, y: _Floats) -> _Floats:
    return _box(x, y, 0.8, 0.8)


def _triangle(x: _Floats, y: _Floats) -> _Floats:
    return _polygon(x, y, 3, 0.58)


def _pentagon(x: _Floats, y: _Floats) -> _Floats:
    return _polygon(x, y, 5, 0.8)


def _star(x: _Floats, y: _Floats) -> _Floats:
    # A pentagram contains the points that lie outside of at most one of the pentagon's five sides.
    largest, second = np.full_like(x, -np.inf), np.full_like(x, -np.inf)
    for side in _sides(x, y, 5, 0.42):
        second = np.maximum(second, np.minimum(largest, side))
        largest = np.maximum(largest, side)
    return second


def _cross(x: _Floats, y: _Floats) -> _Floats:
    return np.minimum(_box(x, y, 1.0, 0.33), _box(x, y, 0.33, 1.0))


def _crescent(x: _Floats, y: _Floats) -> _Floats:
    distance: _Floats = np.maximum(_length(x, y) - 1.0, 0.75 - _length(x - 0.5, y))
    return distance


def _heart(x: _Floats, y: _Floats) -> _Floats:
    lobes = np.minimum(_length(x - 0.35, y + 0.2), _length(x + 0.2, y - 0.35)) - 0.55
    return np.minimum(lobes, _box(x + 0.2, y + 0.2, 0.55, 0.55))


def _arrow(x: _Floats, y: _Floats) -> _Floats:
    head = np.maximum(0.6 * x + 0.8 * np.abs(y) - 0.6, -x)
    return np.minimum(head, _box(x + 0.5, y, 0.5, 0.28))


_SHAPES: dict[str, Callable[[_Floats, _Floats], _Floats]] = {
    "disk": _disk,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "pentagon": _pentagon,
    "star": _star,
    "cross": _cross,
    "crescent": _crescent,
    "heart": _heart,
    "arrow": _arrow,
}


# A picture, from back to front: textured ground, clutter, the lighter shape, a thin stroke, noise. Colors are values
# from 0 to 1, (n, 3, 1, 1), or (n, 3, 32, 32) with one per pixel. Lengths are in pixels.

_AXIS = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2  # pixel centres, from the picture's centre
_X, _Y = _AXIS[None, None, :], _AXIS[None, :, None]


def _draw(split: int, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    random = _Stream(split, index)
    ground = random.uniform(0.05, 0.5, 3, 1, 1)
    canvas = ground + (_other_color(random, ground, 0.0, 0.3) - ground) * _texture(random)
    for _ in range(2):
        _paint(canvas, _stroke(random, length=16, thickness=3.0), _other_color(random, ground, 0.15, 0.5))
    color = ground + random.uniform(0.15, 0.5, 3, 1, 1)
    _paint(canvas, _shape(random, index), color + 0.2 * (_texture(random) - 0.5))
    _paint(canvas, _stroke(random, length=24, thickness=1.2), _other_color(random, ground, 0.15, 0.5))
    canvas += random.uniform(0.02, 0.1, 1, 1, 1) * _noise(random)
    pixels = np.floor(np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels.transpose(0, 2, 3, 1)


def _paint(canvas: _Floats, distance: _Floats, color: _Floats) -> None:
    """Paint `color` on the canvas, (n, 3, 32, 32), where `distance` is negative; outlines are anti-aliased."""
    coverage = np.clip(0.5 - distance, 0, 1)[:, None]
    canvas += coverage * (color - canvas)


def _other_color(random: _Stream, color: _Floats, low: float, high: float) -> _Floats:
    """A random color that differs from `color` by `low` to `high`, at most 0.5, in each channel."""
    step = random.uniform(low, high, 3, 1, 1)
    step = np.where(random.uniform(0, 1, 3, 1, 1) < 0.5, step, -step)
    moved = color + step
    return np.where((moved < 0) | (moved > 1), color - step, moved)


def _texture(random: _Stream) -> _Floats:
    """Smooth blotches blended with stripes, values from 0 to 1: (n, 1, 32, 32)."""
    knots = 5
    place = np.arange(SIZE, dtype=np.float32) * ((knots - 1) / (SIZE - 1))
    before = np.minimum(place.astype(np.intp), knots - 2)
    part = place - before.astype(np.float32)
    lattice = random.uniform(0, 1, knots, knots)
    rows = lattice[:, before] + (lattice[:, before + 1] - lattice[:, before]) * part[:, None]
    blotches = rows[:, :, before] + (rows[:, :, before + 1] - rows[:, :, before]) * part
    cosine, sine = random.direction()
    phase = (cosine * _X + sine * _Y) / random.uniform(4, 12, 1, 1) + random.uniform(0, 1, 1, 1)
    stripes = np.abs(2 * (phase - np.floor(phase)) - 1)
    share = random.uniform(0, 0.5, 1, 1)
    return (blotches + share * (stripes - blotches))[:, None]


def _stroke(random: _Stream, length: float, thickness: float) -> _Floats:
    """Distance from a random straight stroke with round ends: (n, 32, 32)."""
    cosine, sine = random.direction()
    x = _X - random.uniform(-SIZE / 2, SIZE / 2, 1, 1)
    y = _Y - random.uniform(-SIZE / 2, SIZE / 2, 1, 1)
    half = random.uniform(0, length / 2, 1, 1)
    along = np.maximum(np.abs(cosine * x + sine * y) - half, 0)
    return _length(along, cosine * y - sine * x) - random.uniform(thickness / 3, thickness, 1, 1)


def _shape(random: _Stream, index: npt.NDArray[np.int64]) -> _Floats:
    """Distance from the outline of the picture's shape, placed at random: (n, 32, 32)."""
    radius = random.uniform(6.5, 11.5, 1, 1)
    reach = SIZE / 2 - 0.8 * radius  # the picture's edge may cut off a corner
    cosine, sine = random.direction()
    right = (_X - reach * random.uniform(-1, 1, 1, 1)) / radius
    down = (_Y - reach * random.uniform(-1, 1, 1, 1)) / radius
    x, y = cosine * right + sine * down, cosine * down - sine * right
    distance = np.empty_like(x)
    for label, outline in enumerate(_SHAPES.values()):
        mine = index % len(_SHAPES) == label
        distance[mine] = outline(x[mine], y[mine])
    return distance * radius


def _noise(random: _Stream) -> _Floats:
    """Independent numbers, uniform over [-1, 1): (n, 3, 32, 32), four from each random word."""
    words = random.words(3 * SIZE * SIZE // 4)[:, :, None] >> np.arange(0, 64, 16, dtype=np.uint64)
    return ((words & np.uint64(0xFFFF)).astype(np.float32) / 2**15 - 1).reshape(-1, 3, SIZE, SIZE)
