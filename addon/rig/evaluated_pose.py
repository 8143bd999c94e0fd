"""Reading the displayed pose, constraints included, and setting bones to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
from mathutils import Matrix, Quaternion, Vector

from ...engine.core.types import LikenessError
from .bone_names import RigBones, plain_name
from .control_names import FOLLOW, HIPS, NECK


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
    bones = evaluate_armature(armature).pose.bones
    return {plain_name(bone): bone.matrix.copy() for bone in bones}


def restore_seen(armature: Any, names: Iterable[str], seen: dict[str, Matrix]) -> None:
    """Rotate bones so that without constraints and added rotation they match ``seen``."""
    for name in names:
        if name == "head" and NECK in RigBones(armature):
            RigBones(armature)[NECK].matrix_basis = Matrix()
        bone = RigBones(armature)[name]
        rest, at = (m.to_3x3().normalized() for m in (bone.bone.matrix_local, seen[name]))
        if bone.parent is not None:
            rest = bone.parent.bone.matrix_local.to_3x3().inverted() @ rest
            carrier = seen[plain_name(bone.parent)].to_3x3().normalized()  # may be stretched
            at = carrier.inverted() @ at
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


def carry_matrix(bone: Any, seen: dict[str, Matrix]) -> Matrix:
    """[4, 4] what parents make of a bone: its matrix in armature space without its own transform.

    Args:
        bone: without constraints, but for the pelvis, which follows the centre of gravity and
            the hips.
        seen: displayed matrices, of the parents at least.
    """
    rest: Matrix = bone.bone.matrix_local
    follow = bone.constraints.get(FOLLOW)
    carrier = bone.parent
    if follow is not None:
        carrier = bone.id_data.pose.bones[follow.targets[0].subtarget]
    if carrier is None:
        return rest
    return seen[plain_name(carrier)] @ carrier.bone.matrix_local.inverted() @ rest


def place_bone(bone: Any, matrix: Matrix, seen: dict[str, Matrix]) -> None:
    """Move a bone to a matrix in armature space; its scale is kept.

    Args:
        bone: as in :func:`carry_matrix`.
        matrix: [4, 4] to reach.
        seen: displayed matrices, of the parents at least.
    """
    basis = carry_matrix(bone, seen).inverted() @ matrix @ _added_turn(bone).inverted()
    bone.location = basis.translation
    set_rotation(bone, basis.to_quaternion())


def _added_turn(bone: Any) -> Matrix:
    """[4, 4] what the control of the hips adds to the pelvis; the identity for other bones."""
    hips = RigBones(bone.id_data).get(HIPS)
    if hips is None or plain_name(bone) != "pelvis":
        return Matrix()
    axes = bone.bone.matrix_local.to_3x3().inverted() @ hips.bone.matrix_local.to_3x3()
    return (axes @ hips.matrix_basis.to_3x3() @ axes.inverted()).to_4x4()


def move_bone(bone: Any, move: Vector, seen: dict[str, Matrix]) -> None:
    """Move a bone by a vector in armature space; arguments as in :func:`place_bone`."""
    bone.location += carry_matrix(bone, seen).to_3x3().inverted() @ move
