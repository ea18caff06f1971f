"""Corrupted images: those of CIFAR-10-C that need no pictures from outside, that is all but frost.

Formulas and constants are those of https://github.com/hendrycks/robustness (`ImageNet-C/create_c/make_cifar_c.py`,
commit 8190fe3; Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261), for severities from 1 to 5. The
draws are others, and values are rounded instead of truncated, so figures aren't comparable with published ones;
docs/decisions/0076-corruptions-are-computed.md lists the differences.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics import nearest

SEVERITIES = (1, 2, 3, 4, 5)
_PART = 250  # images that are corrupted at once, from one stream of draws
_GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue, as in OpenCV
_LEAST_SIDE = 8  # pixels: blurs reach three pixels beyond the image

Pixels = npt.NDArray[np.uint8]  # (N, H, W, C)
Values = npt.NDArray[np.float64]  # (N, H, W, C), 0 to 1
Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Draws = np.random.RandomState  # its streams are the same in all versions of NumPy
_Corruption = Callable[[Values, int, Draws], Values]  # of images, with the index of the severity


def corrupted(images: Pixels, name: str, severity: int, seed: int = 0) -> Pixels:
    """Images (N, H, W, C) of 1 or 3 channels after a corruption of `CORRUPTIONS` with a severity from 1 to 5.

    The result depends on the image, its place among the images, and the seed. Raises UserError.
    """
    check_names([name])
    if severity not in SEVERITIES:
        raise UserError(f"a severity is an integer from 1 to 5, not {severity!r}")
    _, height, width, channels = images.shape
    if channels not in {1, 3} or min(height, width) < _LEAST_SIDE:
        raise UserError(
            f"images of {width}x{height} pixels with {channels} channels can't be corrupted",
            f"use images with 1 or 3 channels, and at least {_LEAST_SIDE} pixels per side",
        )
    return np.concatenate([_part(part, name, severity, seed, number) for number, part in enumerate(_parts(images))])


def check_names(names: Sequence[str], *, every: bool = False) -> tuple[str, ...]:
    """The names of corruptions, each once; those of all with `every`. Raises UserError for an unknown one."""
    if unknown := [name for name in names if name not in CORRUPTIONS]:
        near = nearest(unknown[0], CORRUPTIONS)
        raise UserError(
            f"there is no corruption `{unknown[0]}`",
            f"did you mean `{near}`?" if near else f"choose one of {', '.join(CORRUPTIONS)}",
        )
    return tuple(CORRUPTIONS) if every else tuple(dict.fromkeys(names))


def _parts(images: Pixels) -> Iterator[Pixels]:
    for start in range(0, max(1, len(images)), _PART):
        yield images[start : start + _PART]


def _part(images: Pixels, name: str, severity: int, seed: int, number: int) -> Pixels:
    digest = hashlib.sha256(f"{seed}/{name}/{severity}/{number}".encode()).digest()
    draws = Draws(np.frombuffer(digest, np.uint32))
    values = CORRUPTIONS[name](images / 255, severity - 1, draws)
    return _bytes(values.clip(0, 1))


def _bytes(values: Values) -> Pixels:
    pixels: Pixels = np.rint(255 * values).astype(np.uint8)
    return pixels


# ---- noise


def _gaussian_noise(x: Values, level: int, draws: Draws) -> Values:
    deviation = (0.04, 0.06, 0.08, 0.09, 0.10)[level]
    return x + draws.normal(scale=deviation, size=x.shape)


def _shot_noise(x: Values, level: int, draws: Draws) -> Values:
    photons = (500, 250, 100, 75, 50)[level]
    return draws.poisson(x * photons) / photons


def _impulse_noise(x: Values, level: int, draws: Draws) -> Values:
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[level]
    is_changed, is_salt = draws.uniform(size=x.shape) < share, draws.uniform(size=x.shape) < 0.5
    return np.where(is_changed, is_salt, x)


# ---- blur


def _defocus_blur(x: Values, level: int, _: Draws) -> Values:
    radius, deviation = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[level]
    place = np.arange(-3, 4)
    disk = (place**2 + place[:, None] ** 2 <= radius**2).astype(float)
    lens = _filtered(disk[None, ..., None] / disk.sum(), _bell(deviation, 1), "constant")[0, ..., 0]
    return _convolved(x, lens, "reflect")


def _glass_blur(x: Values, level: int, draws: Draws) -> Values:
    deviation, rounds = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[level]
    x = np.floor(255 * _gaussian(x, deviation)) / 255
    images, (height, width) = np.arange(len(x)), x.shape[1:3]
    for _ in range(rounds):
        for row in range(height - 1, 1, -1):
            for column in range(width - 1, 1, -1):
                right, down = draws.randint(-1, 1, size=(2, len(x)))
                # The published images copy the neighbour: the swap in their code has no effect on the neighbour itself.
                x[:, row, column] = x[images, row + down, column + right]
    return _gaussian(x, deviation)


def _motion_blur(x: Values, level: int, draws: Draws) -> Values:
    radius, deviation = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    return _moved(x, radius, deviation, draws.uniform(-45, 45, size=len(x)))


def _zoom_blur(x: Values, level: int, _: Draws) -> Values:
    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[level], 0.01)
    return (x + sum(_zoomed(x, factor) for factor in factors)) / (len(factors) + 1)


# ---- weather


def _snow(x: Values, level: int, draws: Draws) -> Values:
    mean, deviation, zoom, threshold, radius, blur, share = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[level]
    flakes = _zoomed(draws.normal(mean, deviation, (*x.shape[:3], 1)), zoom)
    flakes = np.where(flakes < threshold, 0, flakes).clip(0, 1)
    flakes = _moved(flakes, radius, blur, draws.uniform(-135, -45, size=len(x)))
    grey = (x * _GREY).sum(-1, keepdims=True) if x.shape[-1] == 3 else x
    pale = share * x + (1 - share) * np.maximum(x, 1.5 * grey + 0.5)
    return pale + flakes + flakes[:, ::-1, ::-1]


def _fog(x: Values, level: int, draws: Draws) -> Values:
    thickness, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[level]
    brightest = x.max((1, 2, 3), keepdims=True)
    height, width = x.shape[1:3]
    side = 1 << (max(height, width) - 1).bit_length()
    clouds = _plasma(len(x), side, decay, draws)[:, :height, :width, None]
    foggy: Values = (x + thickness * clouds) * brightest / (brightest + thickness)
    return foggy


def _brightness(x: Values, level: int, _: Draws) -> Values:
    """Raise V of HSV; hue and saturation stay."""
    value = x.max(-1, keepdims=True)
    brighter = (value + (0.05, 0.1, 0.15, 0.2, 0.3)[level]).clip(0, 1)
    raised: Values = np.where(value > 0, x * (brighter / np.where(value > 0, value, 1)), brighter)
    return raised


# ---- digital


def _contrast(x: Values, level: int, _: Draws) -> Values:
    mean: Reals = x.mean((1, 2), keepdims=True)
    return (x - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[level] + mean


def _elastic_transform(x: Values, level: int, draws: Draws) -> Values:
    strength, deviation, reach = (
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    )[level]
    count, height, width, _ = x.shape
    side = min(height, width)
    x = _sampled(x, *_affine(count, height, width, side * reach, draws), _mirrored)
    noise = draws.uniform(-1, 1, size=(2, count, height, width, 1))
    rows, columns = (
        side * strength * _gaussian(each, side * deviation, "symmetric", truncate=3)[..., 0] for each in noise
    )
    return _sampled(x, np.arange(height)[:, None] + rows, np.arange(width) + columns, _doubled)


def _pixelate(x: Values, level: int, _: Draws) -> Values:
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level]
    height, width = x.shape[1:3]

    def coarse(image: Image.Image) -> Image.Image:
        small = image.resize((int(share * width), int(share * height)), Image.Resampling.BOX)
        return small.resize((width, height), Image.Resampling.BOX)

    return _one_by_one(coarse, x)


def _jpeg_compression(x: Values, level: int, _: Draws) -> Values:
    quality = (80, 65, 58, 50, 40)[level]

    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _one_by_one(compressed, x)


CORRUPTIONS: dict[str, _Corruption] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "defocus_blur": _defocus_blur,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic_transform": _elastic_transform,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}


# ---- what they are made of


def _one_by_one(change: Callable[[Image.Image], Image.Image], x: Values) -> Values:
    pixels = _bytes(x)
    squeezed = pixels[..., 0] if x.shape[-1] == 1 else pixels
    changed = [np.asarray(change(Image.fromarray(image))) for image in squeezed]
    return np.stack(changed).reshape(x.shape) / 255 if changed else x


def _bell(deviation: float, radius: int) -> Reals:
    """The weights of a Gaussian, (2 * radius + 1,)."""
    place = np.arange(-radius, radius + 1)
    weights: Reals = np.exp(-(place**2) / (2 * deviation**2)) if radius else np.ones(1)
    return weights / float(weights.sum())


def _gaussian(x: Reals, deviation: float, mode: str = "edge", truncate: float = 4) -> Reals:
    """A Gaussian blur of images (N, H, W, C), as in `scipy.ndimage`."""
    return _filtered(x, _bell(deviation, int(truncate * deviation + 0.5)), mode)


def _filtered(x: Reals, weights: Reals, mode: str) -> Reals:
    """Images (N, H, W, C), convolved with the same weights along both axes."""
    return _convolved(_convolved(x, weights[:, None], mode), weights[None], mode)


def _convolved(x: Reals, kernel: Reals, mode: str) -> Reals:
    """Images (N, H, W, C), convolved with a symmetric kernel (h, w) of odd extents. `mode` is that of `numpy.pad`."""
    tall, wide = kernel.shape
    padded = np.pad(x, ((0, 0), (tall // 2,) * 2, (wide // 2,) * 2, (0, 0)), mode)  # type: ignore[call-overload]
    height, width = x.shape[1:3]
    total = np.zeros_like(x)
    for row, column in zip(*np.nonzero(kernel), strict=True):
        total += kernel[row, column] * padded[:, row : row + height, column : column + width]
    return total


def _moved(x: Values, radius: int, deviation: float, degrees: Reals) -> Values:
    """Blur images in a direction of their own, (N,), as ImageMagick's motion blur: half a Gaussian of whole pixels."""
    length = 2 * radius + 1
    weights = np.exp(-(np.arange(length) ** 2) / (2 * deviation**2))
    angle = np.radians(degrees)
    images, rows, columns = np.ogrid[: x.shape[0], : x.shape[1], : x.shape[2]]
    total = np.zeros_like(x)
    for step, weight in enumerate(weights / weights.sum()):
        down, right = (
            np.ceil(step * part - 0.5).astype(np.int64)[:, None, None] for part in (np.sin(angle), np.cos(angle))
        )
        from_rows, from_columns = (rows + down).clip(0, x.shape[1] - 1), (columns + right).clip(0, x.shape[2] - 1)
        total += weight * x[images, from_rows, from_columns]
    return total


def _zoomed(x: Values, factor: float) -> Values:
    """The centre of images, enlarged bilinearly to their size, as in `scipy.ndimage.zoom`."""
    count, height, width, channels = x.shape
    tall = _enlargement(height, factor) @ x.reshape(count, height, width * channels)
    wide: Values = _enlargement(width, factor) @ tall.reshape(count * height, width, channels)
    return wide.reshape(x.shape)


def _enlargement(side: int, factor: float) -> Reals:
    """The weights (new, old) of the pixels along an axis; the corners of the cut stay corners before it is trimmed."""
    cut = int(np.ceil(side / factor))
    large = round(cut * factor)
    places = (side - cut) // 2 + np.linspace(0, cut - 1, large)[(large - side) // 2 :][:side]
    weights: Reals = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side)))
    return weights


def _sampled(x: Values, rows: Reals, columns: Reals, inside: Callable[[Integers, int], Integers]) -> Values:
    """Images (N, H, W, C) at places (N, H, W), bilinearly. `inside` maps whole places outside an axis into it."""
    images = np.arange(len(x))[:, None, None]
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top)[..., None], (columns - left)[..., None]

    def at(below: int, beside: int) -> Values:
        return x[images, inside(top + below, x.shape[1]), inside(left + beside, x.shape[2])]

    upper, lower = ((1 - right) * at(below, 0) + right * at(below, 1) for below in (0, 1))
    return (1 - down) * upper + down * lower


def _mirrored(places: Integers, side: int) -> Integers:
    """Places outside an axis, mirrored at the outermost pixels, which aren't repeated."""
    return side - 1 - np.abs(places % (2 * side - 2) - side + 1)


def _doubled(places: Integers, side: int) -> Integers:
    """Places outside an axis, mirrored at its border: the outermost pixels are repeated."""
    turned = places % (2 * side)
    return np.minimum(turned, 2 * side - 1 - turned)


def _affine(count: int, height: int, width: int, reach: float, draws: Draws) -> tuple[Reals, Reals]:
    """The places that random affine maps take to the pixels, (N, H, W) each: three points move by up to `reach`."""
    centre, arm = np.array([height // 2, width // 2], float), min(height, width) // 3
    points = centre + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = points + draws.uniform(-reach, reach, size=(count, 3, 2))
    corners = np.concatenate([moved, np.ones((count, 3, 1))], axis=-1)
    back = np.linalg.solve(corners, np.broadcast_to(points, (count, 3, 2)))  # (N, 3, 2)
    rows, columns = np.mgrid[:height, :width].astype(float)
    pixels = np.stack([rows, columns, np.ones_like(rows)], axis=-1)  # (H, W, 3)
    sources = np.einsum("hwk,nkd->nhwd", pixels, back)
    return sources[..., 0], sources[..., 1]


def _plasma(count: int, side: int, decay: float, draws: Draws) -> Reals:
    """Clouds (N, side, side) from 0 to 1 by the diamond-square algorithm, for a power of two."""
    clouds = np.zeros((count, side, side))
    step, roughness = side, 100.0

    def rough(total: Reals) -> Reals:
        return total / 4 + roughness * draws.uniform(-roughness, roughness, size=total.shape)

    while step >= 2:
        half = step // 2
        corners = clouds[:, ::step, ::step]
        total = corners + np.roll(corners, -1, axis=1)
        clouds[:, half::step, half::step] = rough(total + np.roll(total, -1, axis=2))
        centres = clouds[:, half::step, half::step]
        beside = centres + np.roll(centres, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
        clouds[:, ::step, half::step] = rough(beside)
        below = centres + np.roll(centres, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
        clouds[:, half::step, ::step] = rough(below)
        step, roughness = half, roughness / decay
    clouds -= clouds.min((1, 2), keepdims=True)
    scaled: Reals = clouds / clouds.max((1, 2), keepdims=True)
    return scaled
