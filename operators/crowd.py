"""Crowds: people of a folder in the scene by the hundred."""
# No postponed annotations here: Blender reads properties from them.

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon import gallery
from ..addon.folder_files import find_avatar_files, find_files
from ..addon.motion.record import get_frame_rate
from ..addon.option_properties import option_property, read_options
from ..addon.scene import crowd
from ..engine.core.types import LikenessError
from ..engine.workflows.options import CrowdOptions
from .avatar_operator import format_count
from .job_operator import JobOperator

_OPTIONS = {
    "count": "count",
    "splats": "splats",
    "layout": "arrangement",  # an operator's own ``layout`` is what it draws into
    "spacing": "spacing",
    "seed": "seed",
}
"""Option of ``CrowdOptions`` -> property; ``turn`` is in degrees there, and in radians here."""

_SHOWN = ("directory", "motions", "count", "splats", "arrangement", "spacing", "turn", "seed")
_MOTIONS = (".npz", ".npy", ".bvh")


class AddCrowd(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Add people of a folder at the 3D cursor, many times each, with shared meshes and motions of
    their own time. They need no extension, and cannot be posed by hand"""

    bl_idname = "likeness.add_crowd"
    bl_label = "Add Crowd"

    directory: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatars",
        description="Folder with avatars, such as a batch's results; its subfolders count, too",
        subtype="DIR_PATH",
    )
    motions: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Motions",
        description="Folder with motion files (.npz, .npy, .bvh), which people do in place and in "
        "a loop; people stand in poses if empty",
        subtype="DIR_PATH",
    )
    count: option_property(  # type: ignore[valid-type]
        CrowdOptions, "count", name="People", description="Number of people"
    )
    splats: option_property(  # type: ignore[valid-type]
        CrowdOptions,
        "splats",
        name="Splats",
        description="Upper limit of each person's splats; people that look small show fewer",
    )
    arrangement: option_property(  # type: ignore[valid-type]
        CrowdOptions,
        "layout",
        name="Arrangement",
        description="Where the people stand",
        items=[
            ("scattered", "Scattered", "At random, none in another's way"),
            ("grid", "Grid", "In rows"),
        ],
        default="scattered",
    )
    spacing: option_property(  # type: ignore[valid-type]
        CrowdOptions,
        "spacing",
        name="Spacing",
        description="Distance of neighbors",
        subtype="DISTANCE",
    )
    turn: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Turn",
        description="How far people turn away from the front, to either side",
        subtype="ANGLE",
        default=math.radians(CrowdOptions().turn),
        min=0.0,
        max=math.pi,
    )
    seed: option_property(  # type: ignore[valid-type]
        CrowdOptions, "seed", name="Seed", description="Another seed gives another crowd"
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for the options."""
        if not self.properties.is_property_set("directory"):
            self.directory = context.window_manager.likeness.gallery_folder
        return set(
            context.window_manager.invoke_props_dialog(self, width=360, confirm_text="Add Crowd")
        )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in _SHOWN:
            layout.prop(self, name)

    def request(self, context: Any) -> dict[str, Any]:
        options = self._options()
        avatars = find_avatar_files(self._folder(self.directory))
        motions = []
        if self.motions:
            motions = find_files(self._folder(self.motions), _MOTIONS, "motions")
        return {
            "task": "crowd",
            "avatars": [str(path) for path in crowd.draw_avatars(avatars, options)],
            "motions": [str(path) for path in motions],
            "output": str(self.scratch() / "crowd"),
            "splats": options.splats,
            "frame_rate": get_frame_rate(context.scene),
        }

    def _options(self) -> CrowdOptions:
        # Blender's half a turn, in single precision, is a little more than 180 degrees.
        turn = round(math.degrees(self.turn), 4)
        return read_options(CrowdOptions, self, _OPTIONS, turn=turn)

    def _folder(self, text: str) -> Path:
        folder = Path(bpy.path.abspath(text)) if text else None
        if folder is None or not folder.is_dir():
            raise LikenessError(f"The folder '{text}' does not exist.", "Choose another one.")
        return folder

    def done(self, context: Any, result: dict[str, Any]) -> Generator[None, None, None]:
        options = self._options()
        yield from crowd.add_crowd_steps(context, result["people"], options)
        for warning in result["warnings"]:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"Added {format_count(options.count, 'person', 'people')}")


class CrowdDetail(bpy.types.Operator):  # type: ignore[misc]
    """Let the people of crowds show as many splats as their size in the scene's camera needs"""

    bl_idname = "likeness.crowd_detail"
    bl_label = "Update Crowd Detail"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if crowd.list_members(context.scene):
            return True
        cls.poll_message_set("The scene has no crowd")
        return False

    def execute(self, context: Any) -> set[str]:
        levels = crowd.set_levels(context.scene)
        full = levels.get(1.0, 0)
        self.report({"INFO"}, f"{full} of {sum(levels.values())} show all their splats")
        return {"FINISHED"}


def stop() -> None:
    """Free the pictures of the gallery."""
    gallery.clear_gallery()


CLASSES = (AddCrowd, CrowdDetail)
