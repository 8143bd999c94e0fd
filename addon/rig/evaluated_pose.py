"""Reading the displayed pose, constraints included, and setting bones to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
from mathutils import Matrix, Quaternion

from ...engine.core.types import LikenessError


def evaluate_armature(armature: Any) -> Any:
    """The armature, evaluated with all changes.

    Raises:
        LikenessError: The armature is not in the view layer, so Blender does not evaluate it.
    """
    armature.update_tag()  # Blender misses custom properties set by Python otherwise
    found = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if not found.is_evaluated:
        raise LikenessError(
            f"'{armature.name}' is not in the view layer.", "Enable its collection."
        )
    return found


def seen_matrices(armature: Any) -> dict[str, Matrix]:
    """Bone -> [4, 4] displayed matrix in armature space."""
    return {bone.name: bone.matrix.copy() for bone in evaluate_armature(armature).pose.bones}


def restore_seen(armature: Any, names: Iterable[str], seen: dict[str, Matrix]) -> None:
    """Rotate bones so that without constraints they match the matrices ``seen``."""
    for name in names:
        bone = armature.pose.bones[name]
        rest, at = bone.bone.matrix_local, seen[name]
        if bone.parent is not None:
            rest = bone.parent.bone.matrix_local.inverted() @ rest
            at = seen[bone.parent.name].inverted() @ at
        set_rotation(bone, (rest.inverted() @ at).to_quaternion())


def set_rotation(bone: Any, rotation: Quaternion) -> None:
    """Set a pose bone's rotation in its mode. Of q and -q the one closer to the current value is
    used, so that interpolation takes the short way."""
    if bone.rotation_mode == "QUATERNION":
        rotation = rotation.copy()
        rotation.make_compatible(bone.rotation_quaternion)
        bone.rotation_quaternion = rotation
    else:
        bone.matrix_basis = Matrix.LocRotScale(bone.location, rotation, bone.scale)


def place_root(bone: Any, matrix: Matrix) -> None:
    """Move a bone without parent to a matrix in armature space; its scale is kept."""
    basis = bone.bone.matrix_local.inverted() @ matrix
    bone.location = basis.translation
    set_rotation(bone, basis.to_quaternion())
