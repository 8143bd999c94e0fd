"""Hats, headscarves, hairbands and headphones for one person's head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import noise
from ..core.interpolation import smoothstep
from ..core.types import FloatArray
from .accessory_headscarf import make_headscarf
from .accessory_shapes import (
    SimpleMesh,
    join_shapes,
    make_ball,
    make_grid,
    make_tube,
    revolve_profile,
    woven_texture,
)
from .asset_files import Garment, load_garment, load_texture
from .asset_pictures import UNDYED, dye_picture
from .dress import garment_vertices
from .hair_binding import HAT_TILT, bind_to_head, normalize
from .head_shape import HeadShape, head_shape
from .mesh_parts import Material, MeshPart, WornBody
from .tables import Color, parse_names

KINDS = parse_names(
    "beanie, cap, bucket, sun hat, fedora, headscarf, hairband, headphones, library"
)
THICKNESS = 0.007  # metres between the skull and a hat: pressed hair and cloth
COVERED = -10.0  # a height below everything: all hair is hidden


@dataclass(frozen=True)
class Hat:
    """How a hat looks.

    Attributes:
        kind: of :data:`KINDS`.
        color: [3] sRGB 0..1.
        second: [3] sRGB 0..1.
        asset: row of the library's hats, or -1.
        depth: 0..1 how far it is pulled down.
        seed: of folds.
    """

    kind: str
    color: tuple[float, float, float]
    second: tuple[float, float, float]
    asset: int
    depth: float
    seed: int


def rim_height(hat: Hat, head: HeadShape) -> float:
    """Rest height of a hat's rim at the temples."""
    return head.brow + float(np.interp(hat.depth, [0, 1], [0.030, 0.014]))


def hat_height(hat: Hat, head: HeadShape, wearer: WornBody) -> float | None:
    """Rest height above which it hides hair; None for what sits on the hair."""
    if hat.kind in ("hairband", "headphones"):
        return None
    if hat.kind == "headscarf":
        return COVERED
    if hat.kind == "library":
        low = float(np.quantile(_garment(hat, wearer)[0][:, 1], 0.25))
        return max(low, head.brow + 0.005)
    return rim_height(hat, head) + 0.006


def hat_parts(wearer: WornBody, hat: Hat, rest: FloatArray) -> list[MeshPart]:
    """Make the hat's parts, posed.

    Args:
        wearer: the person who wears it.
        hat: how it looks.
        rest: [V, 3] the body's vertices in the T-pose, metres.

    Raises:
        LikenessError: the library's hat cannot be read.
    """
    head = head_shape(rest, wearer.dress.body)
    if hat.kind == "library":
        return [_library_hat(hat, wearer)]
    if hat.kind == "headscarf":
        return [make_headscarf(wearer, np.array(hat.color), hat.seed, head)]
    make = {
        "beanie": _beanie,
        "cap": _cap,
        "bucket": _bucket,
        "sun hat": _sun_hat,
        "fedora": _fedora,
        "hairband": _hairband,
        "headphones": _headphones,
    }
    out = []
    for k, (shape, color, rough, kind) in enumerate(make[hat.kind](hat, head, wearer)):
        label = "other" if hat.kind == "headphones" else "hat"
        picture = woven_texture(color, hat.seed + k) if kind == "cloth" else _plain(color)
        grain = 0.0012 if kind == "cloth" else 0.0
        material = Material(kind, picture, rough, grain=grain, grain_depth=grain / 6)
        out.append(
            shape.part(hat.kind, label, bind_to_head(shape.vertices, wearer.posed), material)
        )
    return out


def _plain(color: FloatArray) -> NDArray[np.uint8]:
    return np.tile(np.rint(255 * np.array([*color, 1.0])).astype(np.uint8), (4, 4, 1))


Piece = tuple[SimpleMesh, FloatArray, float, str]


@dataclass(frozen=True)
class _Block:
    """The shape under a hat: an oval about (0, z) with half axes a (across) and b (along).

    ``rim`` is the height of its rim at the temples, ``top`` that of the crown; ``tilt`` is how much
    lower the rim is behind, per metre.
    """

    z: float
    a: float
    b: float
    rim: float
    top: float
    tilt: float

    def placed(self, points: FloatArray) -> FloatArray:
        """Points (x, z in half axes, y in metres over the rim) on the head."""
        x, z = points[..., 0] * self.a, points[..., 2] * self.b
        y = self.rim + points[..., 1] + self.tilt * z
        return np.stack([x, y, self.z + z], -1)


def _fit_block(hat: Hat, head: HeadShape, wearer: WornBody) -> _Block:
    """An oval round the skull above the rim, grown until all of the skull is in it."""
    rim = rim_height(hat, head)
    body = wearer.dress.body
    rows = body.part_vertices("scalp", "face")
    points = head.vertices[rows]
    z = float(points[points[:, 1] > rim, 2].min() + points[points[:, 1] > rim, 2].max()) / 2
    inside = points[points[:, 1] > rim + HAT_TILT * (points[:, 2] - z) - 0.002]
    a, b = float(np.abs(inside[:, 0]).max()), float(np.abs(inside[:, 2] - z).max())
    reach = np.hypot(inside[:, 0] / a, (inside[:, 2] - z) / b).max()
    return _Block(
        z,
        a * reach + THICKNESS * 0.6,
        b * reach + THICKNESS * 0.6,
        rim,
        float(points[:, 1].max()) + THICKNESS,
        HAT_TILT,
    )


def _dome(block: _Block, extra: float, flat: float, sides: int = 96, rows: int = 22) -> FloatArray:
    """[rows, sides, 3] from the top down to the rim, in a block's coordinates.

    It stands ``extra`` metres above the block; ``flat`` is 2 for a ball, more for a flatter top.
    """
    height = block.top - block.rim + extra
    t = np.linspace(0.0, 1.0, rows)
    radius = np.sin(t * np.pi / 2) ** (2 / flat)
    y = height * (1 - radius**flat) ** (1 / flat)
    return revolve_profile(np.maximum(radius, 1e-3), y, sides)


def _beanie(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    block = _fit_block(hat, head, wearer)
    slack = 0.016 + 0.03 * (hat.seed % 97) / 97
    points = _dome(block, slack, 2.3, 192, 30)
    angle = np.arctan2(points[..., 0], points[..., 2])
    ribs = 1 + 0.006 * np.cos(64 * angle) * smoothstep(points[..., 1], block.top - block.rim, 0.0)
    points[..., [0, 2]] *= ribs[..., None]
    shape = block.placed(points)
    shape += (
        0.0022
        * noise.fractal_noise(shape.reshape(-1, 3), hat.seed, 0.03, 3).reshape(shape.shape[:2])[
            ..., None
        ]
        * normalize(shape - head.centre)
    )
    profile = np.linspace(0, 1, 9)
    bulge = 1.012 + 0.038 * np.sin(np.pi * profile) ** 0.5
    cuff = revolve_profile(bulge, 0.042 - 0.046 * profile, 192)
    cuff[..., [0, 2]] *= (1 + 0.006 * np.cos(64 * np.arctan2(cuff[..., 0], cuff[..., 2])))[
        ..., None
    ]
    return [
        (make_grid(shape, (False, True)), np.array(hat.color), 0.9, "cloth"),
        (make_grid(block.placed(cuff), (False, True)), np.array(hat.color) * 0.93, 0.9, "cloth"),
    ]


def _cap(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    block = _fit_block(hat, head, wearer)
    points = _dome(block, 0.006, 2.2, 96, 20)
    seams = np.abs(np.sin(3 * np.arctan2(points[..., 0], points[..., 2])))
    points[..., [0, 2]] *= (1 - 0.006 * (seams < 0.06))[..., None]
    crown = make_grid(block.placed(points), (False, True))
    s = np.linspace(-1, 1, 33)[None]  # radians to the sides
    out = np.linspace(0.0, 1.0, 9)[:, None]
    wide = np.clip(1 - np.abs(s) ** 2.6, 0, 1) ** 0.8  # at its ends it meets the crown
    x = np.sin(s) * block.a * (1.0 + 0.02 * out)
    z = block.z + np.cos(s) * block.b + 0.072 * out * wide
    y = (
        block.rim
        + block.tilt * (np.cos(s) * block.b)
        + 0.004
        - wide * (0.015 * s**2 * out + 0.014 * out**1.3)
    )
    top = np.stack(np.broadcast_arrays(x, y, z), -1)
    below = top - [0.0, 0.0025, 0.0]
    visor = join_shapes([make_grid(top), make_grid(below[:, ::-1])])
    button = make_ball(
        block.placed(np.array([0.0, block.top - block.rim + 0.006, 0.0])),
        np.array([0.006, 0.003, 0.006]),
        12,
    )
    return [
        (join_shapes([crown, button]), np.array(hat.color), 0.8, "cloth"),
        (visor, np.array(hat.second), 0.75, "cloth"),
    ]


def _brimmed(
    hat: Hat, block: _Block, dome: FloatArray, width: float, fall: float, wave: float
) -> tuple[SimpleMesh, SimpleMesh]:
    """A crown and a brim around it (both sides)."""
    t = np.linspace(0.0, 1.0, 14)
    sides = dome.shape[1]
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = revolve_profile(1.0 + t * width / block.a, 0.001 - fall * t**1.2, sides)
    bend = (
        wave
        * t[:, None] ** 1.5
        * (np.cos(2 * angle + hat.seed % 7)[None] + 0.5 * np.cos(5 * angle + hat.seed % 11)[None])
    )
    ring[..., 1] += bend
    brim = block.placed(ring)
    lower = brim - [0.0, 0.002, 0.0]
    return make_grid(block.placed(dome), (False, True)), join_shapes(
        [make_grid(brim, (False, True)), make_grid(lower[::-1], (False, True))]
    )


def _bucket(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    block = _fit_block(hat, head, wearer)
    dome = _dome(block, 0.004, 3.6)
    crown, brim = _brimmed(hat, block, dome, 0.036, 0.034, 0.002)
    return [(join_shapes([crown, brim]), np.array(hat.color), 0.85, "cloth")]


def _sun_hat(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    block = _fit_block(hat, head, wearer)
    crown, brim = _brimmed(hat, block, _dome(block, 0.012, 3.0), 0.095, 0.022, 0.006)
    return [
        (join_shapes([crown, brim]), np.array(hat.color), 0.8, "cloth"),
        (_ribbon(block), np.array(hat.second), 0.6, "cloth"),
    ]


def _fedora(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    block = _fit_block(hat, head, wearer)
    dome = _dome(block, 0.028, 4.2)
    # Creased along the middle, pinched in front.
    pinch = smoothstep(dome[..., 2], 0.1, 0.8) * smoothstep(dome[..., 1], 0.03, 0.1)
    dome[..., 0] *= 1 - 0.28 * pinch
    dome[..., 1] -= (
        0.016 * np.exp(-((dome[..., 0] / 0.28) ** 2)) * smoothstep(dome[..., 1], 0.07, 0.11)
    )
    crown, brim = _brimmed(hat, block, dome, 0.058, 0.004, 0.003)
    return [
        (join_shapes([crown, brim]), np.array(hat.color), 0.85, "cloth"),
        (_ribbon(block), np.array(hat.second), 0.5, "cloth"),
    ]


def _ribbon(block: _Block) -> SimpleMesh:
    band = revolve_profile(np.full(5, 1.016), np.linspace(0.028, 0.001, 5), 96)
    return make_grid(block.placed(band), (False, True))


def _over_the_head(
    head: HeadShape, lift: float, lean: float, low: float, count: int = 40
) -> FloatArray:
    """[count, 3] an arc from ear to ear over the crown, ``lift`` metres above the skull."""
    angle = np.linspace(-low, np.pi + low, count)
    rays = np.stack([np.cos(angle), np.sin(angle), lean * np.maximum(np.sin(angle), 0)], 1)
    base = np.array([0.0, head.centre[1], head.centre[2] + 0.012])
    points = base + normalize(rays) * head.radius * 1.02
    for _ in range(4):
        height, normals = head.skin.height(points)
        points = points + (lift - height)[:, None] * normals
    return np.asarray(0.25 * np.roll(points, 1, 0) + 0.5 * points + 0.25 * np.roll(points, -1, 0))[
        1:-1
    ]


def _hairband(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    path = _over_the_head(head, 0.010, 0.25, 0.05)
    up = normalize(path - head.centre)
    width = np.interp(np.linspace(-1, 1, len(path)), [-1, 0, 1], [0.004, 0.009, 0.004])
    band = make_tube(path, width, sides=14, up=up, flat=0.30)
    return [(band, np.array(hat.color), 0.55, "cloth")]


def _headphones(hat: Hat, head: HeadShape, wearer: WornBody) -> list[Piece]:
    ears = head.vertices[wearer.dress.body.part_vertices("ear")]
    path = _over_the_head(head, 0.022, 0.0, 0.0)
    cups: list[SimpleMesh] = []
    pads: list[SimpleMesh] = []
    ends = []
    for side in (1.0, -1.0):
        ear = ears[ears[:, 0] * side > 0]
        middle = (ear.min(0) + ear.max(0)) / 2
        outer = side * float(np.abs(ear[:, 0]).max())
        t = np.linspace(0, 1, 7)
        for where, low, high, radius in ((pads, -0.016, 0.006, 0.034), (cups, 0.006, 0.024, 0.036)):
            x = outer + side * (low + (high - low) * t)
            size = radius * np.sqrt(np.clip(1.02 - np.abs(2 * t - 1) ** 6 * 0.35, 0, 1))
            at = np.stack([x, np.full(7, middle[1]), np.full(7, middle[2])], 1)
            where.append(make_tube(at, size, sides=28))
        ends.append(np.array([outer + side * 0.014, middle[1] + 0.034, middle[2]]))
    whole = np.concatenate([ends[0][None], path, ends[1][None]])
    k = np.linspace(0, len(whole) - 1, 60)
    smooth = np.stack([np.interp(k, np.arange(len(whole)), whole[:, c]) for c in range(3)], 1)
    for _ in range(6):
        smooth[1:-1] = 0.25 * smooth[:-2] + 0.5 * smooth[1:-1] + 0.25 * smooth[2:]
    band = make_tube(smooth, 0.010, sides=12, up=normalize(smooth - head.centre), flat=0.45)
    return [
        (join_shapes([band, *cups]), np.array(hat.color), 0.35, "plain"),
        (join_shapes(pads), np.array([0.06, 0.06, 0.065]), 0.7, "plain"),
    ]


def _garment(hat: Hat, wearer: WornBody) -> tuple[FloatArray, Garment]:
    assert wearer.library is not None
    garment = load_garment(wearer.library.hats[hat.asset])
    return garment_vertices(garment, wearer.rest()), garment


def _library_hat(hat: Hat, wearer: WornBody) -> MeshPart:
    points, garment = _garment(hat, wearer)
    return garment_part(garment, bind_to_head(points, wearer.posed), hat.color, hat.seed)


def garment_part(garment: Garment, points: FloatArray, color: Color | None, seed: int) -> MeshPart:
    """Make the mesh of a library's hat.

    Args:
        garment: the hat.
        points: [G, 3] its vertices, metres.
        color: [3] sRGB 0..1 in which its picture is dyed; None leaves it as it is.
        seed: of the weave of a hat without a picture.

    Raises:
        LikenessError: its picture cannot be read.
    """
    if garment.texture is None:
        picture = woven_texture(np.array(color or UNDYED), seed)
    elif color is None:
        picture = load_texture(garment.texture)
    else:
        rgba = load_texture(garment.texture).astype(np.float64)
        rgba[..., :3] = dye_picture(rgba, color)
        picture = rgba.astype(np.uint8)
    shape = SimpleMesh(points, garment.f, garment.uv)
    material = Material("cloth", picture, 0.8, grain=0.001, grain_depth=0.0001)
    return shape.part(garment.name, "hat", points, material)
