"""An avatar's Gaussians in any pose: skinning, triangle frames, placing. Its torch twin is
:mod:`.posing_torch`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..body import Body
from ..core.types import Avatar, FloatArray, Gaussians, LikenessError, Pose
from .binding import place_gaussians

Expression = FloatArray | Mapping[str, float]
"""Weights [E] of a body's expressions, or some by name; those without one are zero."""


def expression_weights(body: Body, expression: Expression) -> FloatArray:
    """[E] from either form.

    Raises:
        LikenessError: a name that the body has not got, or another count of weights.
    """
    if isinstance(expression, Mapping):
        return body.expression(**expression)
    weights = np.asarray(expression, np.float64)
    if weights.shape != (body.num_expression,):
        raise LikenessError(
            f"The expression has the shape {list(weights.shape)}, not [{body.num_expression}].",
            "Give a weight for each of the body's expressions, or names with weights.",
        )
    return weights


def pose_avatar(
    avatar: Avatar, pose: Pose | None = None, expression: Expression | None = None
) -> Gaussians:
    """The avatar's Gaussians in world space, float32.

    Args:
        pose: as in the photo when left out.
        expression: takes the place of the pose's own, e.g. ``{"jawOpen": 0.5}``.
    """
    taken = avatar.pose if pose is None else pose
    if expression is not None:
        taken = replace(taken, expression=expression_weights(avatar.body, expression))
    vertices, _ = avatar.body.vertices(taken)
    return place_gaussians(avatar.gaussians, vertices, avatar.body)
