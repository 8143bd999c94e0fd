"""The jitter of an action, smoothed."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from typing import Any

import bpy

from ..addon.motion import actions, record
from ..addon.scene.avatar_objects import find_avatar, get_chosen_avatar
from .avatar_operator import format_count
from .sliced_operator import SlicedOperator


class SmoothMotion(SlicedOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove jitter from the avatar's action, without delay; cuts are kept"""

    bl_idname = "likeness.smooth_motion"
    bl_label = "Smooth Motion"

    seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Seconds",
        description="Remove movements shorter than this",
        default=0.05,
        min=0.005,
        max=2.0,
        soft_max=0.3,
        step=1,
        precision=3,
    )
    keep_feet: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Feet", description="Keep the standing foot in place", default=True
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None or not _animated(avatar.armature):
            cls.poll_message_set("The active avatar has no action")
            return False
        return True

    def steps(self, context: Any) -> Generator[None, None, int]:
        avatar = get_chosen_avatar(context)
        sigma = self.seconds * record.get_frame_rate(context.scene)
        count = yield from actions.smooth_action(
            avatar.armature, sigma, self.keep_feet, record.describe_target(avatar)
        )
        context.scene.frame_set(context.scene.frame_current)
        return count

    def describe(self, count: int) -> str:
        return f"Smoothed {format_count(count, 'curve', 'curves')}"


def _animated(armature: Any) -> bool:
    data = armature.animation_data
    return data is not None and data.action is not None


CLASSES = (SmoothMotion,)
