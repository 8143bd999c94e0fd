"""Noses and mouths in another shape: the face's own splats, moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import PARTS, Avatar, FloatArray, IntArray
from ..gaussians.binding import place_gaussians
from .attribute_splats import COMES, GOES_AFTER, AddedSplats, find_shown
from .face_marks import find_landmarks
from .items import ItemRequest


@dataclass(frozen=True)
class FaceShapeSettings:
    """How far a shape reaches; metres."""

    least: float = 0.00015  # by which a splat must move to be part of it
    beside: float = 0.008  # beside the wings of the nose where it ends
    above: float = 0.010  # above the root of the nose
    below: float = 0.006  # below its base
    behind: float = 0.006  # behind the wings
    lips: float = 0.010  # around the lips
    deep: float = 0.03  # behind the lips where a mouth ends
    under: tuple[float, float] = (0.0, 0.4)  # span of what comes below the old surface,
    open: tuple[float, float] = (1.0, 0.2)  # and of what it comes out of


S = register_settings("wardrobe.face_shapes", FaceShapeSettings())

_TIP, _BASE, _ROOT, _WINGS = 1, 2, 168, (129, 358)
_CORNERS, _TOP, _BOTTOM, _BETWEEN = (61, 291), 0, 17, (13, 14)
_SKIN = tuple(PARTS.index(name) for name in ("face", "skin", "beard"))


@dataclass(frozen=True)
class NoseShape:
    """How a nose changes.

    Attributes:
        wide: share by which its lower half gets wider.
        size: share by which all of it gets larger.
        up: metres by which the tip rises.
        out: metres by which the tip comes forward.
        bridge: metres by which the bridge comes forward.
    """

    wide: float = 0.0
    size: float = 0.0
    up: float = 0.0
    out: float = 0.0
    bridge: float = 0.0


@dataclass(frozen=True)
class MouthShape:
    """How a mouth changes.

    Attributes:
        full: share by which the lips get higher.
        wide: share by which it gets wider.
        out: metres by which the lips come forward.
    """

    full: float = 0.0
    wide: float = 0.0
    out: float = 0.0


NOSES: dict[str, NoseShape] = {
    "wide": NoseShape(wide=0.22),
    "narrow": NoseShape(wide=-0.22),
    "large": NoseShape(size=0.16),
    "small": NoseShape(size=-0.16),
    "long": NoseShape(up=-0.005, out=0.002),
    "upturned": NoseShape(up=0.004, out=0.001),
    "aquiline": NoseShape(bridge=0.0035, up=-0.002),
}
MOUTHS: dict[str, MouthShape] = {
    "full": MouthShape(full=0.40, out=0.0020),
    "thin": MouthShape(full=-0.38, out=-0.0015),
    "wide": MouthShape(wide=0.16),
    "small": MouthShape(wide=-0.16),
}


def fit_shape(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of a nose or a mouth in another shape.

    Args:
        avatar: with its attributes, without one of this category.
        request: of the category ``nose`` or ``mouth``.

    Raises:
        LikenessError: the body has no landmarks.
    """
    body: Body = avatar.body
    bound = avatar.gaussians
    rest = np.asarray(body.v_template, np.float64)
    marks = find_landmarks(body, rest)
    placed = place_gaussians(bound, body.v_template, body)
    points = np.asarray(placed.means, np.float64)
    if request.category == "nose":
        shift = _move_nose(points, marks, NOSES[request.item])
    else:
        shift = _move_mouth(points, marks, MOUTHS[request.item])
    allowed = np.isin(bound.part, _SKIN) & find_shown(avatar)
    moves = allowed & (np.linalg.norm(shift, axis=1) > S.least)
    rows: IntArray = np.nonzero(moves)[0]
    triangle, bary = bound.triangle[rows], bound.bary[rows]
    normals = np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[body.f[triangle]])
    outwards = (shift[rows] * normals).sum(1) >= 0.0
    wider = 1.0 + max(
        abs(getattr(NOSES.get(request.item), "wide", 0.0)),
        abs(getattr(MOUTHS.get(request.item), "full", 0.0)),
    )
    own = placed.take(rows)
    return AddedSplats(
        replace(
            own,
            means=(points[rows] + shift[rows]).astype(np.float32),
            scales=np.asarray(own.scales * [wider, wider, 1.0], np.float32),
        ),
        triangle,
        bary,
        np.where(outwards[:, None], COMES, S.under).astype(np.float32),
        moves,
        np.ones(len(rows), bool),
        np.ones(len(rows)),
        bound.part[rows].astype(np.int64),
        rows,
        np.where(outwards[:, None], GOES_AFTER, S.open).astype(np.float32),
    )


def find_nose_field(points: FloatArray, marks: FloatArray) -> FloatArray:
    """Return how surely [N] places of a face lie on its nose, 0..1.

    Args:
        points: [N, 3] at rest, metres.
        marks: [478, 3] landmarks at rest, metres.
    """
    tip, base, root = marks[_TIP], marks[_BASE], marks[_ROOT]
    wings = marks[list(_WINGS)]
    middle, half = float(tip[0]), float(np.abs(wings[:, 0] - tip[0]).mean())
    x, y, z = points.T
    # Its sides draw apart towards the base.
    side = half * np.interp((root[1] - y) / (root[1] - tip[1]), [0.0, 1.0], [0.45, 1.0])
    weight = smoothstep(np.abs(x - middle), side + S.beside, 0.8 * side)
    weight *= smoothstep(y, root[1] + S.above, root[1] - 0.01)
    weight *= smoothstep(y, base[1] - S.below, base[1] + 0.002)
    weight *= smoothstep(z, wings[:, 2].mean() - S.behind, wings[:, 2].mean() + S.behind)
    return np.asarray(weight)


def _move_nose(points: FloatArray, marks: FloatArray, shape: NoseShape) -> FloatArray:
    """[N, 3] metres by which places of a face move."""
    tip, base, root = marks[_TIP], marks[_BASE], marks[_ROOT]
    wings = marks[list(_WINGS)]
    middle, half = float(tip[0]), float(np.abs(wings[:, 0] - tip[0]).mean())
    x, y = points[:, 0], points[:, 1]
    down = (root[1] - y) / (root[1] - tip[1])  # 0 at the root, 1 at the tip
    weight = find_nose_field(points, marks)
    low = smoothstep(down, 0.25, 0.9)
    high = np.exp(-0.5 * ((down - 0.45) / 0.2) ** 2)
    centre = np.array([middle, 0.5 * (base[1] + tip[1]), wings[:, 2].mean()])
    out = shape.size * (points - centre) * [1.0, 0.7, 1.0]
    out[:, 0] += shape.wide * low * (x - middle)
    near = low * smoothstep(np.linalg.norm(points - tip, axis=1), 0.030, 0.004)
    out[:, 1] += shape.up * near
    out[:, 2] += shape.out * near
    out[:, 2] += shape.bridge * high * smoothstep(np.abs(x - middle), 0.6 * half, 0.0)
    return np.asarray(weight[:, None] * out)


def _move_mouth(points: FloatArray, marks: FloatArray, shape: MouthShape) -> FloatArray:
    """[N, 3] metres by which places of a face move."""
    corners, between = marks[list(_CORNERS)], marks[list(_BETWEEN)].mean(0)
    middle = corners[:, 0].mean()
    half = 0.5 * float(np.ptp(corners[:, 0]))
    x, y, z = points.T
    u = np.abs(x - middle) / half
    line = between[1] + np.clip(u, 0.0, 1.0) ** 2 * (corners[:, 1].mean() - between[1])
    # Lips end in points: nothing but the skin around them moves with the corners.
    tall = np.sqrt(np.clip(1.0 - u**2, 0.0, 1.0))
    top = (marks[_TOP, 1] - between[1]) * tall
    bottom = (between[1] - marks[_BOTTOM, 1]) * tall
    above = y - line
    reach = np.where(above > 0.0, top, bottom)
    weight = smoothstep(np.abs(above) - reach, S.lips, 0.0)
    weight *= smoothstep(u, 1.0 + S.lips / half, 1.0)
    weight *= smoothstep(z, between[2] - S.deep, between[2] - 0.6 * S.deep)
    out = np.zeros_like(points)
    out[:, 0] = shape.wide * (x - middle)
    out[:, 1] = shape.full * np.clip(above, -bottom, top)
    out[:, 2] = shape.out * tall
    return np.asarray(weight[:, None] * out)
