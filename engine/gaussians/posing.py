"""An avatar's Gaussians in any pose: skinning, triangle frames, placing.

Its torch twin is :mod:`.posing_torch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..body import Body
from ..core.types import Avatar, FloatArray, Gaussians, LikenessError, Pose
from .binding import place_gaussians

Expression = FloatArray | Mapping[str, float]
"""Weights [E] of a body's expressions, or some by name; all others are zero."""


def expression_weights(body: Body, expression: Expression) -> FloatArray:
    """Return expression weights [E] from either form.

    Raises:
        LikenessError: the body lacks a name, or the number of weights differs.
    """
    if isinstance(expression, Mapping):
        return body.expression(**expression)
    weights = np.asarray(expression, np.float64)
    if weights.shape != (body.num_expression,):
        raise LikenessError(
            f"The expression has the shape {list(weights.shape)}, not [{body.num_expression}].",
            "Pass one weight for each of the body's expressions, or weights by name.",
        )
    return weights


def pose_avatar(
    avatar: Avatar, pose: Pose | None = None, expression: Expression | None = None
) -> Gaussians:
    """Pose an avatar's Gaussians.

    Args:
        avatar: the avatar.
        pose: the photo's when None.
        expression: replaces the pose's own, e.g. ``{"jawOpen": 0.5}``.

    Returns:
        N Gaussians in world space, float32, metres.

    Raises:
        LikenessError: the body lacks a named expression, or the number of weights differs.
    """
    taken = avatar.pose if pose is None else pose
    if expression is not None:
        taken = replace(taken, expression=expression_weights(avatar.body, expression))
    vertices, _ = avatar.body.vertices(taken)
    return place_gaussians(avatar.gaussians, vertices, avatar.body)
