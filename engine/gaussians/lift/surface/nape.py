"""What holds hair beside the neck: it belongs to the head above and to the back below.

Bound to the nearest skin, loose hair is torn where the nearest skin changes, and skin that bends
throws what hangs far off it. It hangs instead from a rope of small triangles inside the neck, which
pass evenly from back to head: all hair at the height of one of them moves with it as one piece.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....body import Body
from ....body.extension import NAPE, BodyPiece, extend_body, piece_triangles
from ....core.geometry import triangle_frames
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, NUM_JOINTS, BoolArray, BoundGaussians, FloatArray, IntArray
from ...binding import bind_gaussians, place_gaussians


@dataclass(frozen=True)
class NapeSettings:
    """The rope inside the neck."""

    levels: int = 64  # triangles
    size: float = 0.008  # metres across a triangle
    beyond: float = 0.4  # of the neck's length that the rope reaches below it and above
    back: float = 0.05  # share of neck and head in what holds hair below the rope, at most
    off_skin: float = 0.01  # metres off the skin from which on texels are loose hair
    head: float = 0.95  # share of the head in what holds hair above it, at least


S = register_settings("lift.nape", NapeSettings())


def add_nape(body: Body) -> Body:
    """Return a body with the rope that holds hair, unless it has one."""
    if NAPE in body.part_names:
        return body
    back, neck, head = (JOINT_INDEX[name] for name in ("spine3", "neck", "head"))
    joints = np.asarray(body.J_template, np.float64)
    along = joints[head] - joints[neck]
    share = np.linspace(0.0, 1.0, S.levels)
    middle = joints[neck] + (share * (1.0 + 2.0 * S.beyond) - S.beyond)[:, None] * along
    # Below and above the neck it goes straight up and down, as the trunk and the skull do.
    middle[:, [0, 2]] = np.clip(
        middle[:, [0, 2]],
        np.minimum(joints[neck], joints[head])[[0, 2]],
        np.maximum(joints[neck], joints[head])[[0, 2]],
    )
    corners = S.size * np.array([[-0.5, 0.0, -0.4], [0.5, 0.0, -0.4], [0.0, 0.0, 0.6]])
    weights = np.zeros((S.levels, NUM_JOINTS))
    weights[:, neck] = 1.0 - np.abs(2.0 * share - 1.0)
    weights[:, back] = np.clip(1.0 - 2.0 * share, 0.0, 1.0)
    weights[:, head] = np.clip(2.0 * share - 1.0, 0.0, 1.0)
    piece = BodyPiece(
        name=NAPE,
        vertices=(middle[:, None] + corners).reshape(-1, 3),
        f=np.arange(3 * S.levels).reshape(-1, 3)[:, ::-1],
        weights=np.repeat(weights, 3, axis=0),
        vt=np.ones((1, 2)),
        ft=np.zeros((S.levels, 3), np.int64),
        corner=1.0,
    )
    return extend_body(body, piece)


class Nape:
    """The rope in the photo's pose.

    Attributes:
        body: whose rope it is.
        rows: [K] its triangles from below; empty without a rope.
        origin: [K, 3] their middles in the photo's pose, world space, metres.
        up: [K, 3] unit, the direction along the rope there.
    """

    def __init__(self, body: Body, vertices: FloatArray) -> None:
        self.body = body
        self.rows: IntArray = np.nonzero(piece_triangles(body, NAPE))[0]
        centre = np.full((len(self.rows), 3), 1.0 / 3.0)
        frames = triangle_frames(vertices, body.f, body.v_template, self.rows, centre)
        self.origin, self.up = frames.origin, frames.R[:, :, 2]

    def bind_hair(
        self, points: FloatArray, triangle: IntArray, bary: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Give hair beside the neck to the rope, each slice to the triangle at its own height.

        Hair above it goes with the head, and hair below it with the trunk and the arms.

        Args:
            points: [N, 3] hair, metres, the photo's pose, world space.
            triangle: [N] rows of ``body.f`` that hold it otherwise.
            bary: [N, 3] barycentric coordinates on them.

        Returns:
            triangle: [N] rows of ``body.f``.
            bary: [N, 3] barycentric coordinates on them.
        """
        if not len(self.rows) or not len(points):
            return triangle, bary
        height = points @ self.up.T - np.einsum("kd,kd->k", self.origin, self.up)
        level = np.abs(height).argmin(1)
        above, below = height[:, -1] > 0.0, height[:, 0] < 0.0
        weights = self.body.weights[self.body.f[triangle]].mean(1)
        head, neck, jaw = (weights[:, JOINT_INDEX[name]] for name in ("head", "neck", "jaw"))
        fine = above & (head > S.head) | below & (head + neck + jaw < S.back)
        triangle = np.where(fine, triangle, self.rows[level])
        return triangle, np.where(fine[:, None], bary, 1.0 / 3.0)

    def rebind_hair(
        self, bound: BoundGaussians, hair: BoolArray, vertices: FloatArray
    ) -> BoundGaussians:
        """Give bound hair that stands off the skin to the rope, in the same way.

        Args:
            bound: N Gaussians on ``body``.
            hair: [N] which of them are hair.
            vertices: [V, 3] in the photo's pose, world space, metres.
        """
        rows = np.nonzero(hair & (np.linalg.norm(bound.offset, axis=1) > S.off_skin))[0]
        if not len(rows) or not len(self.rows):
            return bound
        own = bound.take(rows)
        world = place_gaussians(own, vertices, self.body)
        triangle, bary = self.bind_hair(np.asarray(world.means, np.float64), own.triangle, own.bary)
        again = bind_gaussians(world, triangle, bary, own.layer, vertices, self.body)
        kept = np.ones(len(bound), bool)
        kept[rows] = False
        return BoundGaussians.concatenate([bound.take(kept), replace(again, part=own.part)])
