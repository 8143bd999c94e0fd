"""Parts and attributes of avatars."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon import scene_export
from ..addon.job_texts import JobTitle
from ..addon.part_items import PART_ITEMS, TINT_ITEMS
from ..addon.paths import user_folder
from ..addon.pose_library import add_library
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
from ..addon.scene.wardrobe_assets import LIBRARY_NAME, find_item, find_wearer, write_wardrobe
from ..addon.wardrobe_items import ITEMS, KIND_ITEMS
from ..addon.wardrobe_pictures import clear_item_icons, get_item_icon
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator, format_count
from .errors import report_errors
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


_shown: dict[str, list[tuple[str, str, str, int, int]]] = {}
"""Kind -> what the list shows: Blender needs its texts to stay."""


def _wardrobe_items(owner: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    """The wardrobe's items of the chosen kind, with their pictures; each keeps its number."""
    kind = owner.kind if owner is not None else "all"
    if kind not in _shown:
        _shown[kind] = [
            (*item, get_item_icon(item[0]), row)
            for row, item in enumerate(ITEMS)
            if kind in ("all", item[0].partition("=")[0])
        ]
    return _shown[kind]


def _use_kind(self: Any, context: Any) -> None:
    """Choose the first item of the kind, if the chosen one is of another."""
    if not self.item:
        self.item = _wardrobe_items(self, context)[0][0]


def stop() -> None:
    """Free the pictures of the wardrobe."""
    _shown.clear()
    clear_item_icons()


_NO_LENGTH = ("hair=bald", "hair=shaved", "hair=bun")
_NO_COLOR = ("nose=", "mouth=", "wrinkles=")


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

    def wearer(self, context: Any) -> AvatarObjects:
        """The avatar that is edited."""
        return get_active_avatar(context)

    def edit(self) -> dict[str, Any]:
        """The keys ``add``, ``remove``, ``tints`` and ``edited`` of the worker's request."""
        raise NotImplementedError

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        avatar = self.wearer(context)
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
    """Put hair, a hat, glasses, jewellery, a scarf or a beard on the avatar, fitted to it, or give
    it other brows, another nose or mouth, or age lines. It replaces one of the same kind"""

    bl_idname = "likeness.add_item"
    bl_label = "Add Item"

    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Kind",
        description="Which part of the wardrobe is listed",
        items=KIND_ITEMS,
        update=_use_kind,
    )
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

    thickness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Thickness",
        description="How thick the brows are, from plucked to bushy",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.5,
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for item and color, among those of one kind: all of them are more than a screen."""
        if not self.properties.is_property_set("kind"):
            self.kind = self.item.partition("=")[0]
        return set(context.window_manager.invoke_props_dialog(self, width=280))

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "kind")
        layout.template_icon_view(self, "item", show_labels=True, scale=6.0, scale_popup=5.0)
        layout.prop(self, "item")
        if self.item.startswith("hair=") and self.item not in _NO_LENGTH:
            layout.prop(self, "length")
        if self.item.startswith("brows=") and self.item != "brows=none":
            layout.prop(self, "thickness")
        if self.item.startswith(_NO_COLOR):
            return
        layout.prop(self, "use_color")
        row = layout.row()
        row.enabled = self.use_color
        row.prop(self, "color")

    def title(self) -> JobTitle:
        return JobTitle("Adding {name}", dict(item[:2] for item in ITEMS)[self.item], is_label=True)

    def edit(self) -> dict[str, list[str]]:
        text = self.item
        if text.startswith("hair="):
            text += f",length={self.length:.3f}"
        if text.startswith("brows="):
            text += f",thickness={self.thickness:.3f}"
        if self.use_color and not text.startswith(_NO_COLOR):
            text += f",color={_hex_color(self.color)}"
        return {"add": [text]}


class PutOn(WearOperator, bpy.types.Operator):  # type: ignore[misc]
    """Put this item of the asset browser on the nearest avatar, fitted to it. It replaces one of
    the same kind, and the empty goes"""

    bl_idname = "likeness.put_on"
    bl_label = "Put On Nearest Avatar"

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super(WearOperator, cls).poll(context) or not find_item(context.object):
            return False
        avatar = find_wearer(context.object, context.scene)
        problem = "The scene has no avatar" if avatar is None else cls.find_problem(avatar)
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def wearer(self, context: Any) -> AvatarObjects:
        self._empty, self._item = context.object.name, find_item(context.object)
        avatar = find_wearer(context.object, context.scene)
        if avatar is None:
            raise LikenessError("The scene has no avatar.", "Import or build one.")
        return avatar

    def edit(self) -> dict[str, list[str]]:
        return {"add": [self._item]}

    def done(self, context: Any, result: dict[str, Any]) -> Generator[None, None, None]:
        yield from super().done(context, result)
        empty = bpy.data.objects.get(self._empty)
        if empty is not None:
            bpy.data.objects.remove(empty)


class AddWardrobe(bpy.types.Operator):  # type: ignore[misc]
    """Add hair, hats, glasses and the rest of the wardrobe to the asset browser, with pictures.
    Drop one beside an avatar and press Put On Nearest Avatar"""

    bl_idname = "likeness.add_wardrobe"
    bl_label = "Wardrobe in Asset Browser"
    bl_options = {"REGISTER"}  # noqa: RUF012  (preferences are not part of undo)

    @report_errors
    def execute(self, context: Any) -> set[str]:
        folder = user_folder("wardrobe")
        write_wardrobe(folder)
        entry, new = add_library(context, folder, LIBRARY_NAME)
        context.preferences.is_dirty = True
        what = "Added the asset library" if new else "Blender already lists the asset library"
        self.report({"INFO"}, f"{what} '{entry.name}': {entry.path}")
        return {"FINISHED"}


_FACIAL = {"skin", "brows", "lips", "eyeshadow", "blush"}

_tints: list[tuple[str, str, str, int]] = []
"""What the list shows: Blender needs its texts to stay."""


def _tint_items(owner: Any, context: Any) -> list[tuple[str, str, str, int]]:
    """What the active avatar has of it; each has its number, so that a choice stays one."""
    avatar = find_avatar(context.object) if context is not None else None
    parts = set(list_parts(avatar.splats)) if avatar is not None else set()
    _tints[:] = [
        (*item, row)
        for row, item in enumerate(TINT_ITEMS)
        if item[0] in parts or (item[0] in _FACIAL and "face" in parts)
    ]
    return _tints


class TintPart(WearOperator, bpy.types.Operator):  # type: ignore[misc]
    """Give hair, skin, make-up or a garment another color, with a slider. Light, folds and strands
    stay"""

    bl_idname = "likeness.tint_part"
    bl_label = "Tint Part"

    part: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Part", description="What gets another color", items=_tint_items
    )
    color: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        name="Color",
        description="Color that most of the part gets, in the photo's light",
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        default=(0.35, 0.1, 0.12),
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for part and color."""
        return set(context.window_manager.invoke_props_dialog(self, width=280))

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "part")
        layout.prop(self, "color")

    def title(self) -> JobTitle:
        return JobTitle(
            "Tinting {name}", dict(item[:2] for item in TINT_ITEMS)[self.part], is_label=True
        )

    def edit(self) -> dict[str, list[str]]:
        return {"tints": [f"{self.part}={_hex_color(self.color)}"]}


def _hex_color(color: Any) -> str:
    """A color as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


class RemoveItem(WearOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove what was put on the avatar, or its other color, with the slider"""

    bl_idname = "likeness.remove_item"
    bl_label = "Remove Item"

    attribute: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Attribute", description="Name of the slider", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def find_problem(cls, avatar: AvatarObjects) -> str:
        return "" if get_sliders(avatar.splats) else "This avatar has no attributes"

    def edit(self) -> dict[str, list[str]]:
        return {"remove": [self.attribute]}


CLASSES = (SelectPart, AddItem, PutOn, AddWardrobe, TintPart, RemoveItem)
