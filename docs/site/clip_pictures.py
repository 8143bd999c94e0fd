"""What clips.py is made of: commands, pictures, texels and cameras."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

IMAGES = Path(__file__).resolve().parents[1] / "images"
PAPER = "#e9e7e3"
INK = "#26323d"
MAX_BYTES = 700_000


def save_clip(frames: Sequence[Image.Image], name: str, rate: float) -> None:
    """Write a looping animated WebP, at the best quality that stays below ``MAX_BYTES``."""
    path = IMAGES / f"{name}.webp"
    for quality in (85, 80, 74, 68, 60, 50, 40):
        frames[0].save(
            path,
            save_all=True,
            append_images=list(frames[1:]),
            duration=round(1000 / rate),
            loop=0,
            quality=quality,
            method=6,
        )
        if path.stat().st_size <= MAX_BYTES:
            break
    print(f"{path.name}: {len(frames)} frames, {path.stat().st_size / 1000:.0f} kB, q {quality}")


def save_picture(picture: Image.Image, name: str) -> None:
    """Write a JPEG picture."""
    path = IMAGES / f"{name}.jpg"
    picture.convert("RGB").save(path, quality=88, optimize=True)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB")


def grid(frames: Sequence[Image.Image], columns: int, height: int) -> Image.Image:
    """Pictures of one size in rows, scaled to a height."""
    width = round(frames[0].width * height / frames[0].height)
    out = Image.new("RGB", (columns * width, -(-len(frames) // columns) * height), PAPER)
    for k, frame in enumerate(frames):
        out.paste(frame.resize((width, height), 3), (k % columns * width, k // columns * height))
    return out


def pick(frames: Sequence[Any], count: int) -> list[int]:
    """``count`` indices at even distances."""
    return [round(x) for x in np.linspace(0, len(frames) - 1, count + 2)[1:-1]]


def label(frame: Image.Image, text: str, row: int = 0) -> Image.Image:
    """A copy with a line of text at its lower left corner; ``row`` counts upwards."""
    out = frame.convert("RGB")
    at = 10, out.height - 30 - 24 * row
    font = ImageFont.load_default(18)
    ImageDraw.Draw(out).text(at, text, INK, font, stroke_width=3, stroke_fill=PAPER)
    return out


def beside(*frames: Image.Image) -> Image.Image:
    """Pictures side by side."""
    out = Image.new("RGB", (sum(f.width for f in frames), frames[0].height), PAPER)
    across = 0
    for frame in frames:
        out.paste(frame, (across, 0))
        across += frame.width
    return out


def ease(count: int, low: float = 0.0, high: float = 1.0) -> list[float]:
    """``count`` values from one to the other, slow at both ends."""
    steps = (1.0 - np.cos(np.linspace(0.0, np.pi, count))) / 2.0
    return [float(x) for x in low + (high - low) * steps]


def photo_view(avatar: Any, size: int, above: float = 0.0) -> Any:
    """The photo's camera, for a smaller square picture; ``above``: pixels more of what is above."""
    scale = size / avatar.camera.width
    K = np.diag([scale, scale, 1.0]) @ avatar.camera.K + above * np.eye(3)[[1]].T * [0, 0, 1]
    return replace(avatar.camera, K=K, width=size, height=size)


def to_image(pixels: Any) -> Image.Image:
    """A picture of [H, W, 3] values 0..1."""
    return Image.fromarray((np.asarray(pixels)[..., :3] * 255 + 0.5).astype(np.uint8))


def soft(values: Any, low: float, high: float, width: float) -> Any:
    """1 between two bounds, 0 outside, smooth over a width."""
    inside = np.minimum(values - low, high - values) / width
    return np.nan_to_num(np.clip(0.5 + 0.5 * inside, 0.0, 1.0)).astype(np.float32)


def place_texels(corners: Any, uv: Any, side: int) -> Any:
    """[side, side, 3] where each texel lies on a mesh; NaN where none does."""
    out = np.full((side, side, 3), np.nan, np.float32)
    for places, flat in zip(corners, uv * side - 0.5):
        low = np.maximum(np.floor(flat.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(flat.max(0)).astype(int), side - 1) + 1
        across, up = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        edges = np.stack([flat[1] - flat[0], flat[2] - flat[0]], 1)
        if abs(np.linalg.det(edges)) < 1e-9:
            continue
        b = np.stack([across, up], -1) - flat[0]
        b = b @ np.linalg.inv(edges).T
        within = (b > -0.5).all(-1) & (b.sum(-1) < 1.5)
        share = np.concatenate([1.0 - b.sum(-1, keepdims=True), b], -1)
        out[up[within], across[within]] = share[within] @ places
    return out


def run(*words: Any) -> None:
    """One of the extension's commands, as its page has it."""
    subprocess.run([sys.executable, "-m", "likeness", *map(str, words)], check=True)


def draw_motion(avatar: Path, folder: Path, *words: Any, size: int = 360) -> list[Image.Image]:
    """The frames of ``likeness render``."""
    sides = ("--width", size, "--height", size)
    run("render", avatar, "-o", folder, "--background", PAPER, *sides, *words)
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def say(sentence: str, scratch: Path, name: str = "hello") -> Path:
    """The motion of a sentence that espeak-ng speaks."""
    wav, motion = scratch / f"{name}.wav", scratch / f"{name}.npz"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", wav, sentence], check=True)
    run("speak", wav, "-o", motion, "--text", sentence, "--seed", 3)
    return motion
