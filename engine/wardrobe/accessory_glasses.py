"""Glasses that sit on one person's nose and ears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.types import JOINT_INDEX, FloatArray
from .accessory_shapes import (
    SimpleMesh,
    join_shapes,
    make_ball,
    make_grid,
    make_tube,
    plain_texture,
)
from .hair_binding import BodySurface, bind_to_head, build_surface
from .mesh_parts import Material, MeshPart, WornBody
from .tables import parse_colors

SHAPES = {
    "round": (0.046, 0.045, 2.0),
    "oval": (0.051, 0.036, 2.2),
    "rectangle": (0.053, 0.033, 4.5),
    "square": (0.051, 0.041, 3.4),
    "cat-eye": (0.053, 0.038, 2.8),
    "aviator": (0.056, 0.048, 2.4),
}
"""Width and height of a lens in metres, and how square it is (a superellipse's exponent)."""

BETWEEN = 0.018  # metres between the lenses
CLEAR = 0.0012  # metres that the frame keeps off the skin
WRAP = 1.4  # how much the front bends back towards the temples, per metre


@dataclass(frozen=True)
class GlassesLook:
    """How a pair of glasses looks.

    Attributes:
        shape: of :data:`SHAPES`.
        rim: ``full``, ``half`` or ``none``.
        thickness: of the rim, metres.
        metal: whether the frame is metal; else plastic.
        color: [3] sRGB 0..1 of the frame.
        tint: [3] sRGB 0..1 of the lenses.
        alpha: of the lenses, 0..1.
        gradient: whether only their upper part is tinted.
        size: factor.
    """

    shape: str
    rim: str
    thickness: float
    metal: bool
    color: tuple[float, float, float]
    tint: tuple[float, float, float]
    alpha: float
    gradient: bool
    size: float


def random_glasses(rng: np.random.Generator) -> GlassesLook:
    """Choose glasses at random: mostly clear ones; one in eight are sunglasses."""
    sun = rng.random() < 0.13
    metal = rng.random() < 0.42
    rim = str(rng.choice(["full", "half", "none"], p=[0.76, 0.14, 0.10]))
    tones = parse_colors(
        """
        0.05 0.05 0.05, 0.09 0.06 0.05, 0.3 0.17 0.09, 0.1 0.12 0.2, 0.45 0.07 0.1, 0.75 0.72 0.68,
        0.55 0.42 0.3
        """
    )
    metals = [(0.83, 0.68, 0.42), (0.78, 0.78, 0.80), (0.25, 0.25, 0.27), (0.80, 0.60, 0.52)]
    table = metals if metal else tones
    tints = [(0.06, 0.06, 0.07), (0.14, 0.09, 0.05), (0.05, 0.09, 0.08)]
    thin = metal or rim != "full"
    return GlassesLook(
        shape=str(rng.choice(list(SHAPES))),
        rim=rim,
        thickness=round(
            float(rng.uniform(0.0011, 0.0017) if thin else rng.uniform(0.0022, 0.0042)), 5
        ),
        metal=metal,
        color=table[rng.integers(len(table))],
        tint=tints[rng.integers(len(tints))] if sun else (0.10, 0.11, 0.12),
        alpha=round(float(rng.uniform(0.72, 0.95) if sun else rng.uniform(0.02, 0.06)), 3),
        gradient=bool(sun and rng.random() < 0.4),
        size=round(float(rng.uniform(0.94, 1.06)), 3),
    )


def lens_outline(shape: str, size: float, count: int = 72) -> FloatArray:
    """[count, 2] the left lens about its middle, x outwards, y up, counter-clockwise from +x."""
    width, height, square = SHAPES[shape]
    angle = np.arange(count) * 2 * np.pi / count
    c, s = np.cos(angle), np.sin(angle)
    r = (np.abs(c) ** square + np.abs(s) ** square) ** (-1 / square)
    x, y = 0.5 * size * width * r * c, 0.5 * size * height * r * s
    low = np.clip(-2 * y / (size * height), 0, 1)
    if shape == "cat-eye":
        y = y + 0.16 * size * height * np.clip(2 * x / (size * width), -0.5, 1) * (y > -0.008)
    if shape == "aviator":  # cut away below, on the nose's side
        x = x + 0.0045 * low - 0.10 * x * low
    elif square < 4:  # a little narrower below
        x = x - 0.06 * x * low
    return np.stack([x, y], 1)


def glasses_parts(wearer: WornBody, look: GlassesLook, rest: FloatArray) -> list[MeshPart]:
    """Make frame and lenses, rigid on the head.

    Args:
        wearer: the person who wears them.
        look: how they look.
        rest: [V, 3] the body's vertices in the T-pose, metres.
    """
    body = wearer.dress.body
    eye = body.shaped(wearer.betas)[1][JOINT_INDEX["left_eye_smplhf"]]
    scale = look.size * float(np.clip(eye[0] / 0.0302, 0.9, 1.12))
    flat = lens_outline(look.shape, scale)
    centre = np.array([0.5 * BETWEEN + 0.5 * np.ptp(flat[:, 0]), float(eye[1]) - 0.004])
    radius = look.thickness / 2
    skin = build_surface(rest, body, "face", "lips", "eyelid", "scalp", "eye")
    rims = [_bent(centre + flat, side) for side in (1.0, -1.0)]
    bridge = _bridge(rims[0], look, scale)
    # The front moves ahead until it clears nose, brows and lids.
    trial = np.concatenate([*rims, bridge, *[0.8 * r + 0.2 * r.mean(0) for r in rims]])
    ahead = float(rest[body.part_vertices("eyelid"), 2].max()) + 0.004
    for _ in range(24):
        height, _ = skin.height(trial + np.array([0, 0, ahead]))
        lack = float((radius + CLEAR - height).max())
        if lack <= 0.0:
            break
        ahead += max(lack, 0.0004)
    move = np.array([0.0, 0.0, ahead])
    frame = [make_tube(bridge + move, radius, sides=10)]
    for rim, side in zip(rims, (1.0, -1.0)):
        frame += _rim(rim + move, look, side)
        frame.append(_temple(rim + move, look, side, rest, wearer))
        if look.metal or look.rim != "full":
            frame.append(_pad(rim + move, side, skin))
    lenses = join_shapes([_lens(rim + move, side) for rim, side in zip(rims, (1.0, -1.0))])
    metal = Material(
        "plain",
        plain_texture(np.array(look.color)),
        0.28 if look.metal else 0.32,
        1.0 if look.metal else 0.0,
    )
    glass = Material("plain", _glass(look), 0.05)
    shape = join_shapes(frame)
    return [
        shape.part("glasses", "glasses", bind_to_head(shape.vertices, wearer.posed), metal),
        lenses.part("lenses", "glasses", bind_to_head(lenses.vertices, wearer.posed), glass),
    ]


def _bent(flat: FloatArray, side: float) -> FloatArray:
    """[K, 3] a lens outline bent round the face, of the left (1) or the right (-1) eye."""
    x, y = flat[:, 0], flat[:, 1]
    return np.stack([side * x, y, -WRAP * x**2 - 0.08 * (y - y.mean())], 1)


def _bridge(rim: FloatArray, look: GlassesLook, scale: float) -> FloatArray:
    """[9, 3] from the left lens over the nose to the right one."""
    y = rim[:, 1]
    high = y.mean() + 0.30 * np.ptp(y) / 2
    inner = rim[np.argmin(rim[:, 0] + 4 * np.abs(y - high))]
    t = np.linspace(1, -1, 13)
    arch = 1 - t**2
    return np.stack([t * inner[0], inner[1] + 0.0022 * arch, inner[2] + 0.0025 * arch], 1)


def _rim(rim: FloatArray, look: GlassesLook, side: float) -> list[SimpleMesh]:
    if look.rim == "none":
        return []
    radius = look.thickness / 2
    depth = 1.0 if look.metal else 0.75
    if look.rim == "half":
        return [make_tube(rim[: len(rim) // 2 + 1], radius, sides=8)]
    return [make_tube(rim, radius, closed=True, sides=10, up=np.array([0.0, 0.0, 1.0]), flat=depth)]


def _temple(
    rim: FloatArray, look: GlassesLook, side: float, rest: FloatArray, wearer: WornBody
) -> SimpleMesh:
    """From the lens's upper outer corner over the ear, and down behind it."""
    body = wearer.dress.body
    ears = rest[body.part_vertices("ear")]
    ear = ears[ears[:, 0] * side > 0]
    top = float(ear[:, 1].max())
    root = float(np.quantile(ear[:, 2], 0.6))
    high = rim[:, 1].mean() + 0.36 * np.ptp(rim[:, 1])
    corner = rim[np.argmax(side * rim[:, 0] - 3 * np.abs(rim[:, 1] - high))]
    out = side * 0.0045
    hinge = corner + np.array([out, 0.0, -0.003])
    skin = build_surface(rest, body, "face", "scalp")
    over = skin.outside(np.array([[side * 0.05, top + 0.001, root]]), 0.003)[0]
    knee = over + np.array([0.0, -0.003, -0.010])
    end = over + np.array([-side * 0.004, -0.030, -0.024])
    t = np.linspace(0, 1, 14)[:, None]
    # Temples bow out past the cheekbones.
    bow = side * 0.004 * np.sin(np.pi * t) * [1.0, 0.0, 0.0]
    path = np.concatenate(
        [
            corner[None],
            hinge + (over - hinge) * t + bow,
            knee[None],
            ((knee + end) / 2 + [0, 0, -0.001])[None],
            end[None],
        ]
    )
    radius = look.thickness / 2
    path[2:] = skin.outside(path[2:], radius * 1.8 + CLEAR)
    return make_tube(
        path, radius * (1.0 if look.metal else 0.62), sides=8, flat=1.0 if look.metal else 2.2
    )


def _pad(rim: FloatArray, side: float, skin: BodySurface) -> SimpleMesh:
    """A nose pad on a short arm."""
    low = rim[:, 1].mean() - 0.15 * np.ptp(rim[:, 1])
    inner = rim[np.argmin(side * rim[:, 0] + 3 * np.abs(rim[:, 1] - low))]
    seat = skin.outside((inner + np.array([-side * 0.0025, -0.002, -0.006]))[None], 0.0022)[0]
    arm = make_tube(np.stack([inner, (inner + seat) / 2 + [0, 0, -0.001], seat]), 0.0004, sides=6)
    return join_shapes([make_ball(seat, np.array([0.0011, 0.0042, 0.0026]), 10), arm])


def _lens(rim: FloatArray, side: float) -> SimpleMesh:
    """A lens inside its rim; v runs from its top down."""
    middle = rim.mean(0)
    share = np.linspace(1.0, 0.0, 5)[:, None, None]
    rings = middle + (rim - middle)[None] * share
    # The middle bulges with the wrap, as the rim does.
    rings[..., 2] = middle[2] + (rings[..., 2] - middle[2]) + 0.0012 * (1 - share[..., 0] ** 2)
    shape = make_grid(rings if side > 0 else rings[:, ::-1], (False, True))
    top, height = rim[:, 1].max(), np.ptp(rim[:, 1])
    points = shape.vertices[shape.f]
    v = np.clip((top - points[..., 1]) / height, 0.01, 0.99)
    uv = np.stack([np.full(v.shape, 0.5), v], -1)
    return SimpleMesh(shape.vertices, shape.f, uv)


def _glass(look: GlassesLook) -> NDArray[np.uint8]:
    """[64, 4, 4] the lenses' colour from top to bottom."""
    v = np.linspace(0, 1, 64)[:, None]
    alpha = look.alpha * (1 - 0.75 * v if look.gradient else np.ones_like(v))
    rgba = np.concatenate([np.tile(look.tint, (64, 1)), alpha], 1)
    return np.asarray(np.rint(255 * np.tile(rgba[:, None], (1, 4, 1))), np.uint8)
