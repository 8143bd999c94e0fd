"""The labels of a person's pixels and surface, and where on the body each of them occurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....body import Body
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer

NamesArray = np.ndarray[Any, np.dtype[np.str_]]

LABELS = ("none", "skin", "hair", "upper", "lower", "shoes", "glasses", "object", "hat")
NONE, SKIN, HAIR, UPPER, LOWER, SHOES, GLASSES, OBJECT, HAT = range(len(LABELS))
WORN = (HAIR, UPPER, LOWER, SHOES, HAT)
"""Labels of what lies over the skin; glasses are not a surface of their own."""


@dataclass(frozen=True)
class LabelSettings:
    """Where on the body labels occur."""

    unlikely: float = 1e-3  # prior of a label where it is not expected
    crotch: float = -0.13  # standard height below which clothes are the legs'


S = register_settings("lift.labels", LabelSettings())


@dataclass(frozen=True)
class Places:
    """Where on the body each pixel lies; beside the body, what is nearest on the same limb.

    Attributes:
        rest: [H, W, 3] metres in the T-pose of the default build (y up, pelvis at 0).
        part: [H, W] index into ``Body.part_names``.
        on_body: [H, W] whether the body is drawn there.
        beside: [H, W] metres to the body's outline, 0 on the body.
        from_head: [H, W] metres to where the head is drawn.
        rest_behind: [H, W, 3] as ``rest``, of the trunk and legs without the arms before them.
        part_behind: [H, W] as ``part``, of the same; -1 where no arm is drawn.
        off_behind: [H, W] metres to where they are drawn.
    """

    rest: FloatArray
    part: IntArray
    on_body: BoolArray
    beside: FloatArray
    from_head: FloatArray
    rest_behind: FloatArray
    part_behind: IntArray
    off_behind: FloatArray

    def legs_of(self, pixels: BoolArray) -> FloatArray:
        """Return [H, W] 1 on the left leg, -1 on the right one, and 0 beside both.

        Args:
            pixels: [H, W] those that count.
        """
        return np.where(pixels & (self.rest[..., 1] < S.crotch), np.sign(self.rest[..., 0]), 0.0)


def standard_rest(body: Body) -> FloatArray:
    """Return the T-pose [V, 3] scaled by its joints' heights, so that people are comparable.

    The neck then stands 0.49 above the pelvis, the ankles 0.895 below it (metres).
    """
    rest: FloatArray = np.asarray(body.v_template, np.float64) - body.J_template[0]
    up = (body.J_template[12] - body.J_template[0])[1]
    down = -(body.J_template[[7, 8]] - body.J_template[0])[:, 1].mean()
    rest[:, 1] *= np.where(rest[:, 1] > 0, 0.49 / up, 0.895 / down)
    return rest


def find_places(
    buffer: MeshBuffer,
    trunk: MeshBuffer,
    group: IntArray,
    face_group: IntArray,
    body: Body,
    camera: Camera,
) -> Places:
    """Look up the body below, or beside, every pixel.

    Args:
        buffer: the body's z-buffer [H, W].
        trunk: the same without the arms.
        group: [H, W] limb of each pixel of the person, -1 outside.
        face_group: [F] limb of each triangle.
        body: the person's own.
        camera: of the grid.
    """
    on_body = buffer.face >= 0
    standard = standard_rest(body)
    rest, part = _look_up(buffer, on_body, standard, body)
    drawn = trunk.face >= 0
    arms = on_body & (buffer.face != trunk.face) & drawn.any()
    rest_behind, part_behind = _look_up(trunk, drawn, standard, body)
    rows, cols, distance = find_nearest(drawn)
    rest_behind, part_behind = rest_behind[rows, cols], part_behind[rows, cols]
    off_behind = distance * trunk.depth[rows, cols] / camera.K[0, 0]
    seen = np.where(on_body, face_group[buffer.face], -1)
    beside = np.zeros(on_body.shape)
    for g in np.unique(group[group >= 0]):
        source = seen == g
        if not source.any():
            source = on_body
        if not source.any():
            continue
        rows, cols, distance = find_nearest(source)
        here = (group == g) & ~on_body
        rest[here], part[here] = rest[rows, cols][here], part[rows, cols][here]
        metres = distance * buffer.depth[rows, cols] / camera.K[0, 0]
        beside[here] = metres[here]
    heads = np.isin(part, [body.part_names.index(n) for n in ("face", "scalp", "ear")]) & on_body
    from_head = np.full(on_body.shape, np.inf)
    if heads.any():
        depth = float(np.median(buffer.depth[heads]))
        from_head = find_nearest(heads)[2] * depth / camera.K[0, 0]
    part_behind = np.where(arms, part_behind, -1)
    return Places(rest, part, on_body, beside, from_head, rest_behind, part_behind, off_behind)


def _look_up(
    buffer: MeshBuffer, where: BoolArray, rest: FloatArray, body: Body
) -> tuple[FloatArray, IntArray]:
    """Places [H, W, 3] at ``rest`` [V, 3], and parts [H, W], of drawn pixels; 0 elsewhere."""
    out = np.zeros((*where.shape, 3))
    corners = rest[body.f[buffer.face[where]]]
    out[where] = np.einsum("nk,nkd->nd", buffer.bary[where], corners)
    return out, np.where(where, body.face_part[buffer.face], 0).astype(np.int64)


def ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """Ramp from 0 at ``low`` to 1 at ``high``, linear between and flat beyond.

    Args:
        x: [...] any shape, in the unit of ``low`` and ``high``.
        low: where the ramp is 0.
        high: where the ramp is 1; may be less than ``low``.

    Returns:
        [...] 0..1, of the shape of ``x``.
    """
    return np.asarray(np.clip((x - low) / (high - low), 0.0, 1.0))


def place_prior(rest: FloatArray, part: IntArray, body: Body) -> FloatArray:
    """Return how often [N, len(LABELS)] each label occurs at places of the body.

    Args:
        rest: [N, 3] as of :func:`standard_rest`.
        part: [N] index into ``body.part_names``.
        body: the body.
    """
    out = np.full((len(rest), len(LABELS)), S.unlikely)
    name = np.array(body.part_names)[part]
    y = rest[:, 1]
    ground = np.zeros(len(rest), bool)

    def put(where: BoolArray, **shares: FloatArray | float) -> None:
        for label, share in shares.items():
            column = LABELS.index(label)
            value = np.broadcast_to(share, len(rest))
            out[where, column] = value[where]
        ground[where] = True

    neckline = ramp(y, 0.30, 0.48)  # from the chest up
    waist = ramp(y, 0.12, -0.06)  # from the waist down
    calf, ankle = ramp(y, -0.35, -0.55), ramp(y, -0.80, -0.88)
    put(
        name == "torso",
        skin=0.05 + 0.25 * neckline,
        hair=0.005 + 0.10 * ramp(y, 0.0, 0.4),
        upper=0.9 - 0.85 * waist,
        lower=0.02 + 0.85 * waist,
    )
    reach = ramp(np.abs(rest[:, 0]), 0.25, 0.65)
    put(name == "arm", skin=0.40 + 0.1 * reach, upper=0.60 - 0.1 * reach, hair=0.04 * (1 - reach))
    put(name == "hand", skin=0.85, upper=0.12)
    put(
        name == "leg",
        skin=0.25 + 0.15 * calf,
        lower=0.6 - 0.15 * calf,
        upper=0.15 - 0.1 * calf,
        shoes=0.02 + 0.2 * ankle,
    )
    put(name == "foot", shoes=0.75, skin=0.2, lower=0.05)
    put(name == "neck", skin=0.65, hair=0.12, upper=0.23)
    put(name == "ear", skin=0.6, hair=0.4)
    put(name == "scalp", hair=0.8, skin=0.2, upper=0.01)
    put(~ground, skin=0.97, hair=0.03)  # the face and what is in it
    return np.asarray(out / out.sum(1, keepdims=True))
