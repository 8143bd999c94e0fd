"""Long hair for synthetic avatars; no bpy, so that the engine's tests have it as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from likeness.engine.body.extension import NAPE, piece_triangles
from likeness.engine.core.types import JOINT_INDEX, PARTS, Avatar, Gaussians
from likeness.engine.gaussians.binding import bind_gaussians
from likeness.engine.gaussians.lift.surface.nape import add_nape


def with_hair(avatar: Avatar, count: int = 1500, on_skin: bool = False) -> Avatar:
    """The same person with a curtain of hair from the ears to below the shoulders.

    Args:
        avatar: without hair.
        count: of its splats.
        on_skin: the lower part hangs from the nearest skin, not from the nape.
    """
    rng, body = np.random.default_rng(5), add_nape(avatar.body)
    jaw = body.J_template[JOINT_INDEX["jaw"]]
    neck = body.J_template[JOINT_INDEX["neck"]]
    turn = rng.uniform(0.5, 2 * np.pi - 0.5, count)
    height = jaw[1] + rng.uniform(-0.3, 0.08, count)
    points = np.stack([neck[0] + 0.1 * np.sin(turn), height, neck[2] + 0.1 * np.cos(turn)], -1)
    rope = np.flatnonzero(piece_triangles(body, NAPE))
    level = body.v_template[body.f[rope]].mean(1)[:, 1]
    triangle = rope[np.abs(height[:, None] - level).argmin(1)]
    if on_skin:
        middle = avatar.body.v_template[avatar.body.f].mean(1)
        nearest = np.linalg.norm(middle - points[:, None], axis=2).argmin(1)
        triangle = np.where(height < neck[1], nearest, triangle)
    quats = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
    world = Gaussians(
        points, quats, np.tile([0.01, 0.01, 0.001], (count, 1)), np.full(count, 0.9),
        np.full((count, 3), 0.2),
    )  # fmt: skip
    third = np.full((count, 3), 1 / 3)
    zeros = np.zeros(count, int)
    hair = bind_gaussians(world, triangle, third, zeros, body.v_template, body)
    hair = replace(hair, part=np.full(count, PARTS.index("hair"), np.uint8))
    skin = replace(
        avatar.gaussians, part=np.full(len(avatar.gaussians), PARTS.index("skin"), np.uint8)
    )
    both = type(hair).concatenate([skin, hair])
    return replace(avatar, body=body, gaussians=both, lod_start=None)  # levels are of the first
