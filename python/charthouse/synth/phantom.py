"""Draw a parametric chest phantom: not a model of anatomy, a picture with something to find."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from charthouse.synth.studies import FEATURES

Pixels = NDArray[np.float32]


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Pixels, Pixels]:
    """Coordinates from -1 to 1, left to right and top to bottom."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


@lru_cache(maxsize=4)
def _stamp(size: int) -> NDArray[np.uint8]:
    """The word burned into the corner, about a third of the picture wide."""
    font = ImageFont.load_default(size=max(8, size // 18))
    left, top, right, bottom = font.getbbox("SYNTHETIC")
    text = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2), 0)
    ImageDraw.Draw(text).text((1 - left, 1 - top), "SYNTHETIC", fill=255, font=font)
    if text.width > size // 2:
        text = text.resize((size // 2, max(4, text.height * (size // 2) // text.width)))
    return np.asarray(text)


def _blob(x: Pixels, y: Pixels, at: tuple[float, float], radius: tuple[float, float]) -> Pixels:
    """A soft-edged ellipse, 1 inside and 0 outside."""
    distance = ((x - at[0]) / radius[0]) ** 2 + ((y - at[1]) / radius[1]) ** 2
    return np.asarray(1 / (1 + np.exp(np.minimum(9 * (distance - 1), 30))))


def _texture(rng: np.random.Generator, size: int, cells: int) -> Pixels:
    """Smooth random texture, about -1 to 1, with ``cells`` cells across."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def draw_chest(
    rng: np.random.Generator, size: int, content: NDArray[np.float64], view: str
) -> Image.Image:
    """One picture of ``size`` pixels each way.

    Args:
        rng: Randomness of this picture: position, exposure, noise.
        size: Width and height in pixels.
        content: Shape ``(len(FEATURES),)``, about N(0, 1) each; more is more disease.
        view: ViewPosition; lateral views are drawn from the side.
    """
    has = dict(zip(FEATURES, content.tolist(), strict=True))
    amount = {name: float(np.log1p(np.exp(1.6 * value)) / 1.6) for name, value in has.items()}
    x0, y0 = _grid(size)
    angle, zoom = rng.normal(0, 0.03), rng.normal(1.0, 0.04)
    dx, dy = rng.normal(0, 0.03, 2)
    x = ((x0 - dx) * np.cos(angle) - (y0 - dy) * np.sin(angle)) / zoom
    y = ((x0 - dx) * np.sin(angle) + (y0 - dy) * np.cos(angle)) / zoom

    height = 0.66 - 0.05 * has["low_volume"]
    if view == "LATERAL":
        lungs = _blob(x, y, (0.02, -0.08), (0.46, height))
        heart = _blob(x, y, (-0.22, 0.32), (0.22 + 0.035 * has["heart"], 0.24))
        spine = _blob(x, y, (0.52, 0.0), (0.09, 0.95))
        fluid_at = [(0.22, 0.52)]
        focus = (0.1, float(rng.uniform(-0.3, 0.3)))
    else:
        lungs = np.maximum(
            _blob(x, y, (-0.38, -0.06), (0.29, height)), _blob(x, y, (0.38, -0.06), (0.28, height))
        )
        wide = 0.27 + 0.06 * has["heart"] + (0.03 if view == "AP" else 0.0)
        heart = _blob(x, y, (0.09, 0.30), (wide, 0.27))
        spine = _blob(x, y, (0.0, 0.0), (0.09, 0.95))
        fluid_at = [(-0.42, 0.5), (0.42, 0.5)]
        side = 1.0 if rng.random() < 0.5 else -1.0
        focus = (0.38 * side, float(rng.uniform(-0.25, 0.3)))

    picture = 0.06 + 0.60 * _blob(x, y, (0.0, 0.1), (0.86, 1.15)) + 0.12 * spine
    picture -= 0.42 * lungs
    central = np.exp(-(x**2) / 0.2 - (y - 0.02) ** 2 / 0.18)
    haze = (0.65 + 0.5 * _texture(rng, size, max(4, size // 24))) * central
    picture += lungs * haze * 0.19 * amount["edema"]
    patch = np.exp(-(((x - focus[0]) / 0.17) ** 2) - ((y - focus[1]) / 0.15) ** 2)
    patch *= 0.8 + 0.4 * _texture(rng, size, 9)
    picture += lungs * patch * 0.16 * amount["opacity"]
    for place, at in enumerate(fluid_at):
        level = at[1] - 0.14 * amount["effusion"] * (1.0 if place == 0 else 0.7)
        rise = 0.5 * (x - at[0]) ** 2
        edge = 1 + np.exp(np.clip(-22 * (y + rise - level), -30, 30))
        picture += lungs * 0.30 * min(1.0, amount["effusion"]) / edge
    picture = np.maximum(picture, heart * (0.58 + 0.08 * picture))
    picture += 0.16 * _devices(x, y, has["devices"], rng)

    exposure, contrast = rng.normal(0, 0.035), rng.normal(1.0, 0.06)
    picture = (picture - 0.4) * contrast + 0.4 + exposure
    picture += rng.normal(0, 0.022, (size, size)).astype(np.float32)
    gray = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    stamp = _stamp(size)
    corner = gray[-stamp.shape[0] - 2 : -2, 2 : 2 + stamp.shape[1]]
    np.maximum(corner, stamp, out=corner)
    return Image.fromarray(gray)


def _devices(x: Pixels, y: Pixels, score: float, rng: np.random.Generator) -> Pixels:
    """Tubes and lines, more of them with a higher score."""
    lines = np.zeros_like(x)
    bend = rng.uniform(-0.04, 0.04)
    if score > -0.4:  # central line
        path = 0.30 - 0.28 * np.clip((y + 0.8) / 0.7, 0, 1) + bend
        lines = np.maximum(lines, (np.abs(x - path) < 0.02) & (y > -0.8) & (y < 0.05))
    if score > 0.5:  # endotracheal tube
        lines = np.maximum(lines, (np.abs(x + 0.02 + bend) < 0.025) & (y < -0.25))
    if score > 1.3:  # feeding tube
        path = 0.03 + 0.12 * np.clip(y - 0.2, 0, 1) + bend
        lines = np.maximum(lines, np.abs(x - path) < 0.015)
    return lines.astype(np.float32)
