"""A headscarf: cloth round head, neck and shoulders with an opening for the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..core import noise
from ..core.interpolation import smoothstep
from ..core.types import BoolArray, FloatArray
from .accessory_shapes import SimpleMesh, join_shapes, make_grid, make_tube, woven_texture
from .hair_binding import bind_hanging, build_surface, normalize
from .head_shape import HeadShape
from .mesh_parts import Material, MeshPart, WornBody


def make_headscarf(wearer: WornBody, color: FloatArray, seed: int, head: HeadShape) -> MeshPart:
    """Wrap cloth round head, neck and the top of the chest; the face is free.

    Args:
        wearer: the person who wears it.
        color: [3] sRGB 0..1 of the cloth.
        seed: of folds and weave.
        head: the person's head at rest.
    """
    opening = _Opening.of(head)
    grid_points = _wrapped(head, wearer)
    rows, columns = grid_points.shape[:2]
    # Finer, so that the opening's edge and the folds are smooth.
    wide = np.concatenate([grid_points[:, -3:], grid_points, grid_points[:, :3]], 1)
    t = np.linspace(0, columns, 3 * columns, endpoint=False) + 3
    fine = ndimage.map_coordinates
    s = np.linspace(0, rows - 1, 3 * rows)
    where = np.stack(np.meshgrid(s, t, indexing="ij"))
    points = np.stack([fine(wide[..., c], where, order=1) for c in range(3)], -1)
    for _ in range(3):
        points = ndimage.gaussian_filter1d(points, 1.5, axis=1, mode="wrap")
        points = ndimage.gaussian_filter1d(points, 1.5, axis=0, mode="nearest")
    flat = points.reshape(-1, 3)
    low = smoothstep(flat[:, 1], head.chin + 0.05, head.chin - 0.03)
    folds = noise.fractal_noise(flat * [1.0, 2.4, 1.0], seed, 0.05, 2)
    away = normalize(flat - [0.0, 0.0, head.centre[2]]) * [1.0, 0.2, 1.0]
    flat = flat + ((0.004 + 0.008 * low) * (folds + 0.4))[:, None] * away
    flat = head.trunk.outside(head.skin.outside(flat, 0.004), 0.012)
    shape = make_grid(flat.reshape(points.shape), (False, True))
    free = opening.has(shape.vertices[shape.f].mean(1))
    cloth = SimpleMesh(shape.vertices, shape.f[~free], shape.uv[~free] * [6.0, 4.0])
    rim = make_tube(opening.edge(shape.vertices), 0.0042, closed=True, sides=8, flat=0.7)
    cloth = join_shapes([cloth, rim])
    material = Material("cloth", woven_texture(color, seed), 0.75, grain=0.001, grain_depth=0.00012)
    moved = bind_hanging(cloth.vertices, head.vertices, wearer.posed)
    return cloth.part("headscarf", "hat", moved, material)


@dataclass(frozen=True)
class _Opening:
    """The oval through which a face looks out: its middle (x is 0) and half axes, before z."""

    y: float
    a: float
    b: float
    z: float

    @classmethod
    def of(cls, head: HeadShape) -> _Opening:
        top, low = head.brow + 0.036, head.chin + 0.004
        return cls((top + low) / 2, 0.84 * head.radius, (top - low) / 2, head.centre[2] + 0.005)

    def has(self, p: FloatArray) -> BoolArray:
        inside = (np.abs(p[:, 0]) / self.a) ** 2.4 + (np.abs(p[:, 1] - self.y) / self.b) ** 2.4 < 1
        out: BoolArray = inside & (p[:, 2] > self.z)
        return out

    def edge(self, cloth: FloatArray) -> FloatArray:
        """[96, 3] along the oval, at the depth of the cloth's vertices near it."""
        angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        c, s = np.cos(angle), np.sin(angle)
        r = (np.abs(c) ** 2.4 + np.abs(s) ** 2.4) ** (-1 / 2.4)
        flat = np.stack([self.a * r * c, self.y + self.b * r * s], 1)
        front = cloth[cloth[:, 2] > self.z - 0.02]
        near = cKDTree(front[:, :2]).query(flat, 4)[1]
        z = ndimage.gaussian_filter1d(front[near, 2].mean(1), 2.0, mode="wrap")
        return np.concatenate([flat, z[:, None]], 1)


def _wrapped(head: HeadShape, wearer: WornBody) -> FloatArray:
    """[36, 64, 3] points round head, neck and shoulders, from the crown down.

    They lie as far out as any of these; hollows (ears, nape) are bridged.
    """
    skin = build_surface(head.vertices, wearer.dress.body, "scalp", "face", "ear", "neck", "torso")
    rows, columns = 36, 64
    azimuth = np.arange(columns) * 2 * np.pi / columns
    polar = np.linspace(0.03, np.pi / 2, rows // 2)
    top = np.stack([polar, np.zeros_like(polar)], 1)
    down = np.linspace(0.012, head.centre[1] - head.chin + 0.13, rows - len(top))
    levels = np.concatenate([top, np.stack([np.full(len(down), np.pi / 2), down], 1)])
    level, turn = np.meshgrid(np.arange(rows), azimuth, indexing="ij")
    tilt, drop = levels[level.ravel(), 0], levels[level.ravel(), 1]
    rays = np.stack(
        [np.sin(tilt) * np.sin(turn.ravel()), np.cos(tilt), np.sin(tilt) * np.cos(turn.ravel())], 1
    )
    start = head.centre - np.stack([0 * drop, drop, 0.25 * drop], 1)
    reach = np.full(len(rays), 0.03)
    for _ in range(40):
        height, _ = skin.height(start + reach[:, None] * rays)
        lack = np.maximum(0.009 - height, 0.0)
        if lack.max() < 1e-4:
            break
        reach = np.minimum(reach + np.minimum(lack, 0.008), 0.17)
    reach = ndimage.maximum_filter(reach.reshape(rows, columns), (5, 5), mode=("nearest", "wrap"))
    reach = ndimage.gaussian_filter(reach, (1.5, 1.2), mode=("nearest", "wrap")).ravel()
    return np.asarray((start + reach[:, None] * rays).reshape(rows, columns, 3))
