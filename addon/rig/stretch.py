"""Stretch of limbs in IK towards a control out of their reach.

Upper and lower bone grow by the same factor, and only along themselves. A hidden bone measures it:
it points from the start of the limb to what the limb has to reach. Blender's own stretch would
thicken the limb, and enlarge the hand or foot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from mathutils import Matrix

from ...engine.core.types import FloatArray
from .bone_names import RigBones, plain_name
from .control_bone import ControlBone
from .control_names import IK, LIMBS, STRETCH, ik_control
from .drivers import add_property, drive

GROW, KEEP_SIZE = "Stretch", "Keep Size"
"""Constraints of the upper bone, and of the hand or foot."""

_MIN_FACTOR = 1.001
"""Factor from which a limb counts as stretched."""


def reach_bone(limb: str) -> str:
    """``left_hand`` -> ``left_hand_reach``, the hidden bone that measures the stretch."""
    return f"{limb}_reach"


def make_reach_bone(
    limb: str, at: dict[str, FloatArray], length: float, parent: str
) -> ControlBone:
    """The hidden bone of a limb, as long as the limb.

    Args:
        limb: of ``LIMBS``.
        at: joint -> [3] its place at rest in metres, armature space.
        length: of the upper and the lower bone together, metres.
        parent: of the upper bone.
    """
    upper, _, last = (at[name] for name in LIMBS[limb])
    along = (last - upper) / np.linalg.norm(last - upper)
    return ControlBone(
        reach_bone(limb), upper, upper + length * along, np.array([0.0, -1.0, 0.0]), parent
    )


def bind_stretch(armature: Any, limb: str, target: str) -> None:
    """Add property and constraints of a limb.

    Args:
        armature: with the control bones.
        limb: of ``LIMBS``.
        target: bone that the end of the limb has to reach.
    """
    bones = armature.pose.bones
    upper, lower, last = (bones[name] for name in LIMBS[limb])
    control, reach = bones[ik_control(limb)], bones[reach_bone(limb)]
    text = "0: the limb keeps its length. 1: it stretches as far as this control is out of reach"
    path = add_property(control, STRETCH, 0.0, 1.0, (0.0, 1.0), text)
    ik = f'pose.bones["{control.name}"]["{IK}"]'
    aim = reach.constraints.new("STRETCH_TO")
    aim.target, aim.subtarget = armature, target
    aim.rest_length, aim.volume = reach.bone.length, "NO_VOLUME"
    longer = reach.constraints.new("LIMIT_SCALE")
    longer.owner_space = "LOCAL"
    longer.use_min_y, longer.min_y = True, 1.0
    grow = upper.constraints.new("COPY_SCALE")
    grow.name = GROW
    grow.target, grow.subtarget = armature, reach.name
    grow.use_x = grow.use_z = False
    grow.owner_space = grow.target_space = "LOCAL"
    drive(grow, "influence", armature, path, "value * ik", ik=ik)
    for bone in (lower, last):
        bone.bone.inherit_scale = "ALIGNED"  # along itself, wherever it points
    keep = last.constraints.new("COPY_SCALE")
    keep.name = KEEP_SIZE
    keep.target, keep.subtarget = armature, upper.parent.name
    drive(keep, "influence", armature, path, "value * ik > 0", ik=ik)


def find_stretched(armature: Any, limbs: Iterable[str], seen: dict[str, Matrix]) -> list[str]:
    """The limbs that are longer than at rest in the displayed matrices of the bones."""
    out = []
    for limb in limbs:
        upper = RigBones(armature)[LIMBS[limb][0]]
        size = seen[plain_name(upper.parent)].to_scale().y
        if seen[plain_name(upper)].to_scale().y > _MIN_FACTOR * size:
            out.append(limb)
    return out
