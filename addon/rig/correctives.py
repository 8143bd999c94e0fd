"""Pose correctives (``Body.posedirs``) as shape keys that the bones drive.

SMPL-X moves the unposed vertices by posedirs times (R - I) of every joint but the root, a skirt by
that of hips and knees, with R in the body's axes. A bone's rotation B in its own axes is Q R Q^T,
Q being the bone's rest axes seen from the engine's. The entries of B are products of its
quaternion's parts, such as B_01 = 2 (xy - wz). So each joint gets nine keys, one per product
``xx``, ``yy``, ``zz``, ``xy``, ``xz``, ``yz``, ``wx``, ``wy``, ``wz``, with the directions turned
into the bone's axes. The sum equals the engine's exactly. The drivers read the bone after
constraints and IK, and are *simple expressions*, which Blender evaluates without Python even with
auto-run disabled.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from ...engine.body import Body
from ...engine.core.types import JOINT_NAMES, FloatArray
from ..scene.axes import TO_BLENDER, points_to_blender

PREFIX = "pose"
PRODUCTS = ("xx", "yy", "zz", "xy", "xz", "yz", "wx", "wy", "wz")

_MIN_MOVE = 1e-7
"""Metres; keys that move less are skipped."""

_RANGE = 1.0  # products of parts of a unit quaternion


def product_directions(posedirs: FloatArray, rest_axes: FloatArray) -> FloatArray:
    """Displacements of the vertices for each product at 1.

    Args:
        posedirs: [V, 3, 9] one joint's columns: engine axes, (R - I) row by row.
        rest_axes: [3, 3] that joint's bone at rest, columns in Blender's axes.

    Returns:
        [9, V, 3] in Blender's axes, in the order of ``PRODUCTS``.
    """
    Q = rest_axes.T @ TO_BLENDER
    P = posedirs.reshape(len(posedirs), 3, 3, 3).astype(np.float64)
    P = np.einsum("ka,vcab,lb->klvc", Q, P, Q)  # of the entries of B - I
    return points_to_blender(
        2.0
        * np.stack(
            [
                -P[1, 1] - P[2, 2],
                -P[0, 0] - P[2, 2],
                -P[0, 0] - P[1, 1],
                P[0, 1] + P[1, 0],
                P[0, 2] + P[2, 0],
                P[1, 2] + P[2, 1],
                P[2, 1] - P[1, 2],
                P[0, 2] - P[2, 0],
                P[1, 0] - P[0, 1],
            ]
        )
    )


def add_correctives(
    obj: Any, body: Body, rest: FloatArray, armature: Any
) -> Generator[None, None, None]:
    """Add the shape keys and their drivers, one key per slice.

    Args:
        obj: the body object, in the armature's space.
        body: with pose correctives.
        rest: [V, 3] the body's vertices in metres, Blender's axes.
        armature: whose bones drive the keys.
    """
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    assert body.posedirs is not None
    for k, joint in enumerate(body.pose_joints):
        name = JOINT_NAMES[joint]
        axes = np.array(armature.data.bones[name].matrix_local.to_3x3())
        moves = product_directions(body.posedirs[:, :, 9 * k : 9 * k + 9], axes)
        for product, move in zip(PRODUCTS, moves):
            if np.abs(move).max() < _MIN_MOVE:
                continue
            key = obj.shape_key_add(name=f"{PREFIX} {name} {product}", from_mix=False)
            at = np.ascontiguousarray(rest + move, np.float32)
            key.points.foreach_set("co", at.ravel())
            key.slider_min, key.slider_max = -_RANGE, _RANGE
            _drive_by_product(key, armature, name, product)
            yield


def _drive_by_product(key: Any, armature: Any, bone: str, product: str) -> None:
    driver = key.driver_add("value").driver
    driver.type = "SCRIPTED"
    for part in dict.fromkeys(product):
        variable = driver.variables.new()
        variable.name = part
        variable.type = "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = armature, bone
        target.transform_type = f"ROT_{part.upper()}"
        target.rotation_mode = "QUATERNION"
        target.transform_space = "LOCAL_SPACE"
    driver.expression = " * ".join(product)
