"""A pose chosen by name: of a file or the library, with an expression by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..core.types import Avatar, LikenessError, Pose
from ..motion.pose_file import load_pose
from ..poses import build_pose, named_expressions


def parse_expression(asked: str | Mapping[str, float]) -> dict[str, float]:
    """Weights of an expression, from a text or a mapping.

    The text is ``NAME[=V],...`` with expressions of the body, and of the library by name; a
    mapping by the body's names is returned as it is. Later parts win; V of a named expression is
    its strength.

    Raises:
        LikenessError: a part is neither.

    >>> parse_expression("jawOpen=0.5, mouthSmileLeft=1")
    {'jawOpen': 0.5, 'mouthSmileLeft': 1.0}
    >>> parse_expression("open_mouth=0.5,tongueOut=1")
    {'jawOpen': 0.35, 'tongueOut': 1.0}
    """
    if not isinstance(asked, str):
        return dict(asked)
    weights: dict[str, float] = {}
    for part in asked.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        named = named_expressions().get(name)
        try:
            amount = float(value) if equals or named is None else 1.0
        except ValueError:
            amount = math.nan
        if not name or not math.isfinite(amount):
            raise LikenessError(
                f"'{part.strip()}' is not an expression weight.",
                "Write NAME=VALUE, as jawOpen=0.5, or the name of an expression: "
                f"{', '.join(named_expressions())}.",
            )
        if named is None:
            weights[name] = amount
        else:
            weights |= {n: amount * w for n, w in named.weights.items()}
    return weights


def resolve_pose(
    avatar: Avatar,
    pose: str | Path | None = None,
    expression: str | Mapping[str, float] | None = None,
    frame: int = 0,
) -> Pose:
    """A pose of a file or of the library, with an expression; both default to the photo's.

    Args:
        avatar: the avatar.
        pose: a pose or motion file (a name with a suffix), or a name such as ``wave``. A file
            about the face alone leaves the body as in the photo.
        expression: as for :func:`parse_expression`.
        frame: of a motion file, from 0.

    Raises:
        LikenessError: the file, frame, pose or expression does not exist.
    """
    posed = avatar.pose
    if pose is not None and Path(pose).suffix:
        posed = load_pose(
            Path(pose), avatar.body.num_expression, frame, avatar.body.expression_names, avatar.pose
        )
    elif pose is not None:
        posed = build_pose(str(pose), avatar.body, avatar.pose)
    if expression is not None:
        weights = parse_expression(expression)
        posed = replace(posed, expression=avatar.body.expression(**weights))
    return posed
