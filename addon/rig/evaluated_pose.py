"""The pose as it is seen, constraints included, and bones set to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
from mathutils import Matrix, Quaternion

from ...engine.core.types import LikenessError


def evaluate_armature(armature: Any) -> Any:
    """The armature as Blender shows it now. What was changed since is worked out first.

    Raises:
        LikenessError: the view layer leaves it out, so that nothing is worked out for it.
    """
    armature.update_tag()  # custom properties that Python sets are not noticed otherwise
    found = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if not found.is_evaluated:
        raise LikenessError(
            f"'{armature.name}' is not in the view layer.", "Switch its collection on."
        )
    return found


def seen_matrices(armature: Any) -> dict[str, Matrix]:
    """Bone -> [4, 4] place and axes in the armature object's space."""
    return {bone.name: bone.matrix.copy() for bone in evaluate_armature(armature).pose.bones}


def restore_seen(armature: Any, names: Iterable[str], seen: dict[str, Matrix]) -> None:
    """Turn bones so that without constraints they stand as they were seen."""
    for name in names:
        bone = armature.pose.bones[name]
        rest, at = bone.bone.matrix_local, seen[name]
        if bone.parent is not None:
            rest = bone.parent.bone.matrix_local.inverted() @ rest
            at = seen[bone.parent.name].inverted() @ at
        set_rotation(bone, (rest.inverted() @ at).to_quaternion())


def set_rotation(bone: Any, rotation: Quaternion) -> None:
    """Set a pose bone's rotation in whatever mode it has; q and -q are told apart by what it had,
    so that keys beside one another do not go the long way round."""
    if bone.rotation_mode == "QUATERNION":
        rotation = rotation.copy()
        rotation.make_compatible(bone.rotation_quaternion)
        bone.rotation_quaternion = rotation
    else:
        bone.matrix_basis = Matrix.LocRotScale(bone.location, rotation, bone.scale)


def place_root(bone: Any, matrix: Matrix) -> None:
    """Put a bone without parent at a matrix of the armature object's space; keeps its scale."""
    basis = bone.bone.matrix_local.inverted() @ matrix
    bone.location = basis.translation
    set_rotation(bone, basis.to_quaternion())
