"""Parts and attributes of avatars."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon import scene_export
from ..addon.part_items import PART_ITEMS
from ..addon.scene.avatar_objects import (
    AvatarObjects,
    find_avatar,
    get_active_avatar,
    get_avatar_by_name,
)
from ..addon.scene.frame_recorder import record_frames
from ..addon.scene.part_selection import list_parts, select_part
from ..addon.scene.splat_exchange import exchange_splats_steps
from ..addon.scene.splat_object import get_sliders
from ..addon.wardrobe_pictures import clear_item_icons, get_item_icon
from .avatar_operator import AvatarOperator, format_count
from .job_operator import JobOperator
from .sliced_operator import SlicedOperator


def _part_items(owner: Any, context: Any) -> list[tuple[str, str, str]]:
    """The parts that the active avatar has."""
    avatar = find_avatar(context.object) if context is not None else None
    parts = list_parts(avatar.splats) if avatar is not None else []
    return [item for item in PART_ITEMS if item[0] in parts]


class SelectPart(SlicedOperator, AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
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

    def steps(self, context: Any) -> Generator[None, None, int]:
        avatar = get_active_avatar(context)
        return (yield from select_part(avatar, self.part, context, self.extend))

    def describe(self, count: int) -> str:
        return f"Selected {format_count(count, 'splat', 'splats')}"


ITEMS = (
    ("hair=bald", "Bald", "No hair: the head below it is completed"),
    ("hair=shaved", "Shaved", "Hair cut close to the skin"),
    ("hair=trimmed", "Trimmed", "The hair of the photo, cut shorter"),
    ("hair=buzz", "Buzz Cut", "Very short hair all over the head"),
    ("hair=crop", "Crop", "Short hair, combed forward"),
    ("hair=fade", "Fade", "Short hair with shorn sides"),
    ("hair=side-part", "Side Part", "Short hair with a parting"),
    ("hair=slick-back", "Slicked Back", "Short hair combed back"),
    ("hair=curly-crop", "Short Curls", "Short curly hair"),
    ("hair=afro", "Afro", "Dense curls that stand off the head"),
    ("hair=bob", "Bob", "Straight hair down to the chin"),
    ("hair=fringed-bob", "Bob with Fringe", "Straight hair down to the chin, with a fringe"),
    ("hair=long", "Long Hair", "Long straight hair"),
    ("hair=wavy", "Wavy Hair", "Long hair in waves"),
    ("hair=fringed-long", "Long Hair with Fringe", "Long straight hair with a fringe"),
    ("hair=curls", "Curls", "Curly hair down to the shoulders"),
    ("hair=ponytail", "Ponytail", "Hair tied behind"),
    ("hair=bun", "Bun", "Hair tied to a knot behind"),
    ("hat=beanie", "Beanie", "A knitted hat"),
    ("hat=cap", "Cap", "A cap with a visor"),
    ("hat=bucket", "Bucket Hat", "A soft hat with a short brim"),
    ("hat=sun-hat", "Sun Hat", "A straw hat with a wide brim"),
    ("hat=fedora", "Fedora", "A felt hat with a ribbon"),
    ("hat=hairband", "Hairband", "A band over the hair"),
    ("glasses=round", "Round Glasses", "Glasses with round rims"),
    ("glasses=oval", "Oval Glasses", "Glasses with oval rims"),
    ("glasses=rectangle", "Rectangular Glasses", "Glasses with rectangular rims"),
    ("glasses=square", "Square Glasses", "Glasses with square rims"),
    ("glasses=cat-eye", "Cat-Eye Glasses", "Glasses with raised corners"),
    ("glasses=aviator", "Aviator Glasses", "Glasses with large, drop-shaped rims"),
    ("glasses=sun-round", "Round Sunglasses", "Round glasses with dark lenses"),
    ("glasses=sun-oval", "Oval Sunglasses", "Oval glasses with dark lenses"),
    ("glasses=sun-rectangle", "Rectangular Sunglasses", "Rectangular glasses with dark lenses"),
    ("glasses=sun-square", "Square Sunglasses", "Square glasses with dark lenses"),
    ("glasses=sun-cat-eye", "Cat-Eye Sunglasses", "Cat-eye glasses with dark lenses"),
    ("glasses=sun-aviator", "Aviator Sunglasses", "Aviator glasses with dark lenses"),
    ("headphones=over-ear", "Headphones", "Headphones over the ears"),
    ("earrings=stud", "Ear Studs", "Small stones on the earlobes"),
    ("earrings=hoop", "Hoop Earrings", "Rings on the earlobes"),
    ("earrings=drop", "Drop Earrings", "Hanging stones on the earlobes"),
    ("necklace=chain", "Chain", "A fine chain around the neck"),
    ("necklace=pendant", "Pendant", "A chain with a stone"),
    ("necklace=pearls", "Pearls", "A string of pearls"),
    ("scarf=plain", "Plain Scarf", "A scarf of one color"),
    ("scarf=stripes", "Striped Scarf", "A scarf of two colors"),
    ("beard=stubble", "Stubble", "A beard of some days"),
    ("beard=short", "Short Beard", "A trimmed beard"),
    ("beard=full", "Full Beard", "A long beard"),
    ("beard=goatee", "Goatee", "A beard on the chin and the upper lip"),
    ("beard=moustache", "Moustache", "A beard on the upper lip"),
)
"""Enum items of the wardrobe: what the worker takes, the name, the description."""

_shown: list[tuple[str, str, str, int, int]] = []
"""What the list shows: Blender needs its texts to stay."""


def _wardrobe_items(owner: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    """The wardrobe with its pictures."""
    if not _shown:
        _shown.extend((*item, get_item_icon(item[0]), row) for row, item in enumerate(ITEMS))
    return _shown


def stop() -> None:
    """Free the pictures of the wardrobe."""
    _shown.clear()
    clear_item_icons()


_NO_LENGTH = ("hair=bald", "hair=shaved", "hair=bun")


class WearOperator(JobOperator):
    """An edit of the active avatar's attributes in the worker; a mixin for operators."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        avatar = find_avatar(context.object)
        problem = "Select part of an avatar first"
        if avatar is not None:
            problem = cls.find_problem(avatar)
        if problem:
            cls.poll_message_set(problem)  # type: ignore[attr-defined]
        return not problem

    @classmethod
    def find_problem(cls, avatar: AvatarObjects) -> str:
        """Why the operator cannot run on this avatar; empty if it can."""
        if list_parts(avatar.splats):
            return ""
        return "This avatar's file does not say what its splats show. Build the avatar again"

    def edit(self) -> dict[str, list[str]]:
        """The keys ``add`` and ``remove`` of the worker's request."""
        raise NotImplementedError

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        avatar = get_active_avatar(context)
        self._avatar = avatar.armature.name
        scratch = self.scratch()
        now = [context.scene.frame_current]
        yield from record_frames(context, [avatar], now, scratch, camera=False, graded=False)
        poses = scratch / "poses.npz"
        scene_export.write_photo_pose(avatar, poses)
        return {
            "task": "wear",
            "folder": str(scratch),
            "poses": str(poses),
            "output": str(scratch / "scene.npz"),
            **self.edit(),
        }

    def done(self, context: Any, result: dict[str, Any]) -> Generator[None, None, None]:
        objects = get_avatar_by_name(self._avatar)
        yield from exchange_splats_steps(objects, Path(result["scene"]))


class AddItem(WearOperator, bpy.types.Operator):  # type: ignore[misc]
    """Put hair, a hat, glasses, jewellery, a scarf or a beard on the avatar, fitted to it. It
    replaces one of the same kind"""

    bl_idname = "likeness.add_item"
    bl_label = "Add Item"

    item: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Item", description="What to put on", items=_wardrobe_items
    )
    use_color: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Custom Color", description="Choose the color; otherwise it is the usual one"
    )
    color: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Color",
        description="Color of the item",
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        default=(0.35, 0.1, 0.12),
    )

    length: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Length",
        description="Length of the hair, from the shortest to the longest of its style",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.5,
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for item and color."""
        return set(context.window_manager.invoke_props_dialog(self, width=280))

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.template_icon_view(self, "item", show_labels=True, scale=6.0, scale_popup=4.0)
        layout.use_property_split = True
        layout.prop(self, "item")
        if self.item.startswith("hair=") and self.item not in _NO_LENGTH:
            layout.prop(self, "length")
        layout.prop(self, "use_color")
        row = layout.row()
        row.enabled = self.use_color
        row.prop(self, "color")

    def title(self) -> str:
        return f"Adding {dict(item[:2] for item in ITEMS)[self.item]}"

    def edit(self) -> dict[str, list[str]]:
        text = self.item
        if text.startswith("hair="):
            text += f",length={self.length:.3f}"
        if self.use_color:
            text += ",color=#" + "".join(f"{round(255 * part):02x}" for part in self.color)
        return {"add": [text]}


class RemoveItem(WearOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove what was put on the avatar, with its slider"""

    bl_idname = "likeness.remove_item"
    bl_label = "Remove Item"

    attribute: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Attribute", description="Name of the slider", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def find_problem(cls, avatar: AvatarObjects) -> str:
        return "" if get_sliders(avatar.splats) else "Nothing was put on this avatar"

    def edit(self) -> dict[str, list[str]]:
        return {"remove": [self.attribute]}


CLASSES = (SelectPart, AddItem, RemoveItem)
