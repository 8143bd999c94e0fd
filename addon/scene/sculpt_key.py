"""A sculpted rest shape: the shape key "Sculpt" of the body.

The splats follow the body's triangles, so Blender carries a sculpted shape into every pose and
expression by itself. The key's value fades it, and can be keyed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.core.types import FloatArray
from .axes import points_to_blender, points_to_engine

SCULPT_KEY = "Sculpt"
"""Name of the shape key; expressions never have it."""

_STILL = 1e-7  # metres


def set_sculpt(body: Any, moves: FloatArray | None) -> None:
    """Set the sculpted shape of a body object, at the full value; None or zeros: remove it.

    Args:
        body: the object.
        moves: [V, 3] metres from the rest shape, engine axes.
    """
    key = _find_key(body)
    if moves is None or np.abs(moves).max(initial=0.0) <= _STILL:
        if key is not None:
            body.shape_key_remove(key)
        return
    if body.data.shape_keys is None:
        body.shape_key_add(name="Basis", from_mix=False)
    if key is None:
        key = body.shape_key_add(name=SCULPT_KEY, from_mix=False)
    basis = _read_points(body.data.shape_keys.key_blocks[0])
    points = basis + points_to_blender(np.asarray(moves, np.float64))
    key.points.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())
    key.value = 1.0
    key.mute = False
    body.data.update_tag()


def get_sculpt(body: Any) -> FloatArray | None:
    """The moves [V, 3] float32 of a body's sculpted shape at its current value, metres, engine
    axes; None without one."""
    key = _find_key(body)
    if key is None or key.mute or not key.value:
        return None
    moves = key.value * (_read_points(key) - _read_points(body.data.shape_keys.key_blocks[0]))
    moves[np.abs(moves).max(1) <= _STILL] = 0.0
    return np.asarray(points_to_engine(moves), np.float32) if moves.any() else None


def is_faded_by_keys(body: Any) -> bool:
    """Whether a body's shape keys are animated, and the sculpted one is not at its full value: a
    new shape at the full value would fade as well."""
    key, animation = _find_key(body), getattr(body.data.shape_keys, "animation_data", None)
    keyed = animation is not None and animation.action is not None
    return key is not None and keyed and key.value != 1.0


def bake_sculpt(body: Any) -> None:
    """Add the sculpted shape of a body object to its rest shape and its expressions."""
    moves = get_sculpt(body)
    key = _find_key(body)
    if key is None:
        return
    body.shape_key_remove(key)
    if moves is None:
        return
    moved = points_to_blender(moves.astype(np.float64))
    for points in (body.data.vertices, *(key.points for key in body.data.shape_keys.key_blocks)):
        sculpted = (_read(points) + moved).astype(np.float32)
        points.foreach_set("co", sculpted.ravel())
    body.data.update()


def _find_key(body: Any) -> Any | None:
    keys = body.data.shape_keys
    return None if keys is None else keys.key_blocks.get(SCULPT_KEY)


def _read_points(key: Any) -> FloatArray:
    return _read(key.points)


def _read(points: Any) -> FloatArray:
    places = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", places)
    return places.reshape(-1, 3).astype(np.float64)
