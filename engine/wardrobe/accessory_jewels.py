"""Earrings, necklaces and scarves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import noise
from ..core.interpolation import smoothstep
from ..core.types import JOINT_INDEX, FloatArray
from .accessory_shapes import (
    SimpleMesh,
    join_shapes,
    make_ball,
    make_grid,
    make_tube,
    plain_texture,
)
from .hair_binding import BodySurface, bind_hanging, bind_to_head, build_surface
from .head_shape import head_shape
from .mesh_parts import Material, MeshPart, WornBody

METALS = ((0.86, 0.70, 0.40), (0.82, 0.82, 0.84), (0.85, 0.62, 0.52))
CLOTH = 0.008  # metres by which chains and scarves clear the trunk, which is mostly dressed


@dataclass(frozen=True)
class Jewels:
    """Earrings and a necklace.

    Attributes:
        earring: ``stud``, ``hoop``, ``drop`` or "" for none.
        earring_size: metres.
        necklace: ``chain``, ``pendant``, ``pearls`` or "" for none.
        drop: metres by which the necklace hangs lower in front.
        metal: [3] sRGB 0..1.
        gem: [3] sRGB 0..1.
    """

    earring: str
    earring_size: float
    necklace: str
    drop: float
    metal: tuple[float, float, float]
    gem: tuple[float, float, float]


@dataclass(frozen=True)
class Scarf:
    """A scarf.

    Attributes:
        color: [3] sRGB 0..1.
        second: [3] sRGB 0..1 of its stripes.
        thickness: metres.
        hanging: metres of the end on the chest, 0 for none.
        pattern: ``plain`` or ``stripes``.
        seed: of folds.
    """

    color: tuple[float, float, float]
    second: tuple[float, float, float]
    thickness: float
    hanging: float
    pattern: str
    seed: int


def earring_parts(wearer: WornBody, look: Jewels, rest: FloatArray) -> list[MeshPart]:
    """Make one earring for each lobe, rigid on the head.

    Args:
        wearer: the person who wears them.
        look: how they look.
        rest: [V, 3] the body's vertices in the T-pose, metres.
    """
    body = wearer.dress.body
    ears = rest[body.part_vertices("ear")]
    metal, gems = [], []
    size = look.earring_size
    for side in (1.0, -1.0):
        ear = ears[ears[:, 0] * side > 0]
        lobe = ear[ear[:, 1] < ear[:, 1].min() + 0.006]
        outer = lobe[np.argmax(side * lobe[:, 0] + 0.3 * lobe[:, 2])]
        hole = outer + np.array([side * 0.0004, 0.0008, 0.0])
        if look.earring == "stud":
            gems.append(make_ball(hole + np.array([side * size * 0.35, 0, 0]), size / 2))
            metal.append(make_ball(hole, np.array([0.0008, 0.62, 0.62]) * [1, size, size], 16))
        elif look.earring == "hoop":
            angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            ring = np.stack([0.1 * side * (1 - np.cos(angle)), np.cos(angle) - 1, np.sin(angle)], 1)
            wire = float(np.clip(size * 0.06, 0.0007, 0.0014))
            metal.append(
                make_tube(
                    hole + [side * 0.0006, 0, 0] + ring * size / 2,
                    wire,
                    closed=True,
                    sides=8,
                    up=np.array([1.0, 0.1, 0.0]),
                )
            )
        else:
            hook = hole + np.array(
                [
                    [0, 0, -0.001],
                    [side * 0.0015, 0.001, 0.0005],
                    [side * 0.002, -0.004, 0.001],
                    [side * 0.002, -0.009, 0.001],
                ]
            )
            metal.append(make_tube(hook, 0.0006, sides=6))
            gems.append(
                make_ball(hook[-1] + [0, -size * 0.55, 0], np.array([0.28, 0.6, 0.28]) * size)
            )
    parts = [_worn("earrings", join_shapes(metal), look.metal, 0.25, 1.0, wearer)]
    if gems:
        parts.append(_worn("gems", join_shapes(gems), look.gem, 0.12, 0.0, wearer))
    return parts


def _worn(
    name: str,
    shape: SimpleMesh,
    color: tuple[float, float, float],
    rough: float,
    metal: float,
    wearer: WornBody,
) -> MeshPart:
    material = Material("plain", plain_texture(np.array(color)), rough, metal)
    return shape.part(name, "jewellery", bind_to_head(shape.vertices, wearer.posed), material)


def _round_the_neck(
    wearer: WornBody, rest: FloatArray, behind: float, before: float, margin: FloatArray, count: int
) -> FloatArray:
    """[count, 3] a loop that lies on neck, shoulders and chest, from the front leftwards.

    Args:
        wearer: the person who wears it.
        rest: [V, 3] the body's vertices in the T-pose, metres.
        behind: height at the nape, metres.
        before: height in front, metres.
        margin: [count] distance from the skin, metres.
        count: points of the loop.
    """
    body = wearer.dress.body
    joints = body.shaped(wearer.betas)[1]
    neck = joints[JOINT_INDEX["neck"]]
    angle = np.arange(count) * 2 * np.pi / count
    front = (1 + np.cos(angle)) / 2
    y = behind + (before - behind) * front**1.4
    rays = np.stack([np.sin(angle), np.zeros(count), np.cos(angle)], 1)
    neck_skin = build_surface(rest, body, "neck", "torso")
    start = np.array([0.0, 0.0, float(neck[2]) + 0.012])
    out = start + 0.028 * rays
    out[:, 1] = y
    # From the inside outwards, until it clears the skin; on the slope of the shoulders and the
    # chest gravity pulls it out.
    for _ in range(60):
        height, _ = neck_skin.height(out)
        lack = np.maximum(margin - height, 0.0)
        if lack.max() < 1e-4:
            break
        out = out + np.minimum(lack, 0.01)[:, None] * rays
    for _ in range(4):
        out[:] = 0.25 * np.roll(out, 1, 0) + 0.5 * out + 0.25 * np.roll(out, -1, 0)
        out = neck_skin.outside(out, margin)
    return np.asarray(out)


def necklace_parts(wearer: WornBody, look: Jewels, rest: FloatArray) -> list[MeshPart]:
    """Make a chain on neck and chest, perhaps with a pendant; or pearls.

    Args:
        wearer: the person who wears it.
        look: how it looks.
        rest: [V, 3] the body's vertices in the T-pose, metres.
    """
    neck = wearer.dress.body.shaped(wearer.betas)[1][JOINT_INDEX["neck"]]
    pearls = look.necklace == "pearls"
    radius = 0.0034 if pearls else 0.0010
    count = 132 if pearls else 220
    angle = np.arange(count) * 2 * np.pi / count
    ahead = (1 + np.cos(angle)) / 2
    margin = radius + 0.0008 + (CLOTH if look.drop > 0.05 else 0.001) * ahead**2
    nape = float(neck[1]) + 0.016
    loop = _round_the_neck(wearer, rest, nape, nape - 0.02 - look.drop, margin, count)
    posed = wearer.posed
    if pearls:
        apart = np.cumsum(np.linalg.norm(np.roll(loop, -1, 0) - loop, axis=1))
        number = int(apart[-1] / (2 * radius))
        at = np.linspace(0, apart[-1], number, endpoint=False)
        closed = np.concatenate([loop, loop[:1]])
        s = np.concatenate([[0.0], apart])
        middles = np.stack([np.interp(at, s, closed[:, c]) for c in range(3)], 1)
        shape = join_shapes([make_ball(middle, radius, 10) for middle in middles])
        material = Material("plain", plain_texture(np.array([0.90, 0.87, 0.81])), 0.2)
        return [
            shape.part("pearls", "jewellery", bind_hanging(shape.vertices, rest, posed), material)
        ]
    links = 1 + 0.35 * np.cos(np.arange(count) * np.pi)
    chain = make_tube(loop, radius * links, closed=True, sides=6)
    metal = Material("plain", plain_texture(np.array(look.metal)), 0.25, 1.0)
    parts = [chain.part("chain", "jewellery", bind_hanging(chain.vertices, rest, posed), metal)]
    if look.necklace == "pendant":
        low = loop[0] + [0.0, -0.011, 0.0015]
        skin = build_surface(rest, wearer.dress.body, "neck", "torso")
        low = skin.outside(low[None], float(margin[0]) + 0.002)[0]
        stone = make_ball(low, np.array([0.0065, 0.0085, 0.0022]), 18)
        gem = Material("plain", plain_texture(np.array(look.gem)), 0.15)
        parts.append(
            stone.part("pendant", "jewellery", bind_hanging(stone.vertices, rest, posed), gem)
        )
    return parts


def scarf_parts(wearer: WornBody, look: Scarf, rest: FloatArray) -> list[MeshPart]:
    """Make two loops of folded cloth round the neck, perhaps with an end on the chest.

    Args:
        wearer: the person who wears it.
        look: how it looks.
        rest: [V, 3] the body's vertices in the T-pose, metres.
    """
    body = wearer.dress.body
    head = head_shape(rest, body)
    neck = body.shaped(wearer.betas)[1][JOINT_INDEX["neck"]]
    rng = np.random.default_rng([look.seed, 41])
    skin = build_surface(rest, body, "neck", "torso")
    shapes = []
    count, sides = 96, 28
    for up, drop, share in ((0.048, 0.030, 1.0), (0.026, 0.062, 0.9)):
        radius = look.thickness * share
        margin = np.full(count, radius * 0.72 + 0.003)
        loop = _round_the_neck(
            wearer, rest, float(neck[1]) + up, float(neck[1]) + up - drop, margin, count
        )
        loop[:, 1] += 0.004 * np.sin(np.arange(count) * 2 * np.pi / count * 2 + rng.uniform(0, 6))
        under_chin = head.chin - radius * 0.8
        loop[:, 1] = np.minimum(loop[:, 1], np.where(loop[:, 2] > neck[2] + 0.03, under_chin, 9.0))
        shapes.append(
            make_tube(loop, _folds(count, sides, radius, rng), closed=True, sides=sides, flat=1.25)
        )
        front = loop[int(rng.integers(4, 9))]
    if look.hanging > 0.0:
        shapes.append(_end(front, look, skin, rng))
    shape = join_shapes([SimpleMesh(s.vertices, s.f, s.uv * [3.0, 9.0]) for s in shapes])
    points = bind_hanging(shape.vertices, rest, wearer.posed)
    rows = build_surface(wearer.posed.vertices, body, "face", "neck", "lips")
    points = rows.outside(points, 0.002)
    material = Material("cloth", _scarf_cloth(look), 0.9, grain=0.0016, grain_depth=0.0003)
    return [shape.part("scarf", "scarf", points, material)]


def _folds(count: int, sides: int, radius: float, rng: np.random.Generator) -> FloatArray:
    """[count, sides] radii of a rope of cloth whose folds wind and come and go along it."""
    t = np.arange(count)[:, None] * 2 * np.pi / count
    a = np.arange(sides)[None] * 2 * np.pi / sides
    deep = np.zeros((count, sides))
    for lobes, size in ((3, 0.13), (5, 0.10), (8, 0.05)):
        wind = int(rng.integers(-2, 3))
        phase = rng.uniform(0, 6) + 0.7 * np.sin(t * int(rng.integers(1, 4)) + rng.uniform(0, 6))
        deep += size * np.cos(lobes * a + wind * t + phase)
    bulky = 1 + 0.10 * np.sin(2 * t + rng.uniform(0, 6)) + 0.06 * np.sin(5 * t + rng.uniform(0, 6))
    return np.asarray(radius * bulky * (0.92 - np.abs(deep) + 0.5 * deep))


def _end(front: FloatArray, look: Scarf, skin: BodySurface, rng: np.random.Generator) -> SimpleMesh:
    """Make an end that hangs from the loops over the chest.

    It is a pleated band, thick enough to be seen from the side.
    """
    rows, columns = 28, 40
    t = np.linspace(0, 1, rows)[:, None]
    a = np.arange(columns)[None] * 2 * np.pi / columns
    width = look.thickness * np.interp(t, [0, 0.25, 1], [0.9, 1.25, 1.5])
    x = front[0] + 0.01 * t + width * np.cos(a)
    pleat = 0.0035 * np.cos(7 * np.cos(a) + rng.uniform(0, 6)) * smoothstep(t, 0.0, 0.3)
    y = front[1] - look.hanging * t + 0.0 * a
    depth = 0.007 * np.sin(a) + pleat
    middle = np.stack(
        [front[0] + 0.01 * t[:, 0] + 0 * t[:, 0], y[:, 0], np.full(rows, front[2])], 1
    )
    for k in range(1, rows):  # it slides down the chest
        middle[k, 2] = middle[k - 1, 2] - 0.004
        middle[k] = skin.outside(middle[k][None], CLOTH + 0.014)[0]
        middle[k, 1] = y[k, 0]
    z = middle[:, 2:3] + depth
    points = np.stack(np.broadcast_arrays(x, y, z), -1)
    flat = skin.outside(points.reshape(-1, 3), CLOTH).reshape(points.shape)
    return make_grid(flat[:, ::-1], (False, True))


def _scarf_cloth(look: Scarf) -> NDArray[np.uint8]:
    """[256, 256, 4] knitted cloth; it repeats."""
    y, x = np.mgrid[0:256, 0:256] * 2 * np.pi / 256
    knit = 1 + 0.09 * np.cos(32 * x + 3 * np.sin(32 * y)) * np.cos(16 * y)
    rgb = np.tile(np.array(look.color), (256, 256, 1))
    if look.pattern == "stripes":
        band = (np.sin(2 * y) > 0.25)[..., None]
        rgb = np.where(band, np.array(look.second), rgb)
    place = np.stack([np.cos(x), np.sin(x), np.cos(y) + np.sin(y)], -1).reshape(-1, 3)
    uneven = 1 + 0.06 * noise.fractal_noise(place, look.seed, 0.5, 3).reshape(256, 256)
    rgb = np.clip(rgb * (knit * uneven)[..., None], 0, 1)
    rgba = np.concatenate([rgb, np.ones((256, 256, 1))], -1)
    return np.asarray(np.rint(255 * rgba), np.uint8)


def random_jewels(rng: np.random.Generator, female: bool) -> Jewels:
    """Draw earrings for three in ten women and one man in 25, a necklace for one in eight."""
    earring = ""
    if rng.random() < (0.30 if female else 0.04):
        earring = str(rng.choice(["stud", "hoop", "drop"], p=[0.45, 0.33, 0.22]))
    necklace = ""
    if rng.random() < (0.18 if female else 0.06):
        kinds = ["chain", "pendant", "pearls"]
        necklace = str(rng.choice(kinds, p=[0.4, 0.45, 0.15] if female else [0.8, 0.2, 0.0]))
    spans = {"stud": (0.004, 0.007), "hoop": (0.014, 0.042), "drop": (0.010, 0.022)}
    low, high = spans.get(earring, (0.0, 0.0))
    gems = (
        (0.90, 0.90, 0.92),
        (0.88, 0.85, 0.79),
        (0.55, 0.06, 0.10),
        (0.06, 0.25, 0.45),
        (0.05, 0.35, 0.22),
        (0.08, 0.08, 0.09),
    )
    return Jewels(
        earring,
        round(float(rng.uniform(low, high)), 4),
        necklace,
        round(float(rng.uniform(0.015, 0.075)), 4),
        METALS[rng.integers(len(METALS))],
        gems[rng.integers(len(gems))],
    )


def random_scarf(
    rng: np.random.Generator, color: tuple[float, float, float], second: tuple[float, float, float]
) -> Scarf:
    """Choose a scarf of these colours at random."""
    return Scarf(
        color,
        second,
        round(float(rng.uniform(0.017, 0.026)), 4),
        round(float(rng.uniform(0.16, 0.34)), 3) if rng.random() < 0.65 else 0.0,
        str(rng.choice(["plain", "stripes"], p=[0.65, 0.35])),
        int(rng.integers(2**31)),
    )
