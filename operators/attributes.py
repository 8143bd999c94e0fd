"""Parts and attributes of avatars."""
# No postponed annotations here: Blender reads properties from them.

from typing import Any

import bpy

from ..addon.scene.avatar_objects import AvatarObjects, find_avatar
from ..addon.scene.part_selection import list_parts, select_part
from .avatar_operator import AvatarOperator, format_count

_PARTS = (
    ("skin", "Skin", "Skin of the body and the hands"),
    ("face", "Face", "Face with ears, eyelids and lips"),
    ("eyes", "Eyes", "Eyeballs"),
    ("mouth", "Mouth", "Teeth, tongue and the inside of the mouth"),
    ("hair", "Hair", "Hair of the head"),
    ("beard", "Beard", "Beard and moustache"),
    ("upper", "Upper Clothes", "Clothes of trunk and arms"),
    ("lower", "Lower Clothes", "Trousers and stockings"),
    ("skirt", "Skirt", "Skirt, dress or coat below the waist"),
    ("shoes", "Shoes", "Shoes"),
    ("hat", "Hat", "Hat"),
    ("glasses", "Glasses", "Glasses"),
    ("held", "Held Things", "What the hands hold"),
    ("headphones", "Headphones", "Headphones"),
    ("earrings", "Earrings", "Earrings"),
    ("necklace", "Necklace", "Necklace"),
    ("scarf", "Scarf", "Scarf"),
)
"""Enum items of all parts but the unknown one."""


def _part_items(owner: Any, context: Any) -> list[tuple[str, str, str]]:
    """The parts that the active avatar has."""
    avatar = find_avatar(context.object) if context is not None else None
    parts = list_parts(avatar.splats) if avatar is not None else []
    return [item for item in _PARTS if item[0] in parts]


class SelectPart(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Select the splats of one part in Edit Mode, to hide, color or delete them with Blender's
    own tools"""

    bl_idname = "likeness.select_part"
    bl_label = "Select Part"

    part: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Part", description="What the splats show", items=_part_items
    )
    extend: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Extend", description="Keep what is selected", options={"SKIP_SAVE"}
    )

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        if list_parts(avatar.splats):
            return ""
        return "This avatar's file does not say what its splats show. Build the avatar again"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        count = select_part(avatar.splats, self.part, context, self.extend)
        self.report({"INFO"}, f"Selected {format_count(count, 'splat', 'splats')}")


CLASSES = (SelectPart,)
