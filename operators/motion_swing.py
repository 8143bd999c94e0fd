"""Secondary motion of long hair and skirts."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from typing import Any

import bpy

from ..addon.motion import swing
from ..addon.option_properties import option_property, read_options
from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, get_chosen_avatar
from ..addon.scene.steps import run_to_end
from ..engine.workflows.options import SwingOptions
from .avatar_operator import AvatarOperator, format_count
from .sliced_operator import SlicedOperator

_OPTIONS = ("amount", "stiffness", "damping", "gravity")


class AddSecondaryMotion(SlicedOperator, bpy.types.Operator):  # type: ignore[misc]
    """Let long hair and the skirt swing with the avatar's motion, as keys over the scene's frame range"""  # noqa: E501

    bl_idname = "likeness.add_secondary_motion"
    bl_label = "Add Secondary Motion"

    amount: option_property(  # type: ignore[valid-type]
        SwingOptions,
        "amount",
        name="Amount",
        description="How far hair and skirt swing; 1 is as weight and speed have it",
    )
    stiffness: option_property(  # type: ignore[valid-type]
        SwingOptions,
        "stiffness",
        name="Stiffness",
        description="Swings per second: lower is heavier and slower",
    )
    damping: option_property(  # type: ignore[valid-type]
        SwingOptions,
        "damping",
        name="Damping",
        description="How soon they come to rest; at 1 they do not swing back",
    )
    gravity: option_property(  # type: ignore[valid-type]
        SwingOptions,
        "gravity",
        name="Gravity",
        description="How far they hang down where the body leans",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if find_avatar(context.object) is None:
            cls.poll_message_set("Select part of an avatar first")
            return False
        return True

    def steps(self, context: Any) -> Generator[None, None, int]:
        options = read_options(SwingOptions, self, {name: name for name in _OPTIONS})
        return (yield from swing.bake_swing(get_chosen_avatar(context), options, context))

    def describe(self, count: int) -> str:
        return f"Keyed {format_count(count, 'bone', 'bones')} of hair and skirt"


class RemoveSecondaryMotion(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove the bones and keys by which hair and skirt swing"""

    bl_idname = "likeness.remove_secondary_motion"
    bl_label = "Remove Secondary Motion"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        return "" if swing.has_swing(avatar.armature) else "Hair and skirt do not swing"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        run_to_end(swing.clear_swing(avatar, context))


CLASSES = (AddSecondaryMotion, RemoveSecondaryMotion)
