"""Motions out: poses and animations as SMPL-X files."""
# No postponed annotations here: Blender reads properties from them.

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ExportHelper

from ..addon.motion import motion_requests
from ..addon.scene.avatar_objects import get_chosen_avatar
from ..engine.core.types import LikenessError
from .avatar_operator import format_count, poll_avatars
from .job_operator import JobOperator


class _Export(JobOperator):
    """What the exports share."""

    changes_scene = False

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="File to save",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="File types to show", default="*.npz", options={"HIDDEN"}
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up",
        description="Axis that points up in the file",
        items=(("y", "Y", "As in Likeness and in most SMPL-X files"), ("z", "Z", "As in AMASS")),
        default="y",
    )
    space: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Space",
        description="Space of the position and direction in the file",
        items=(
            (
                "avatar",
                "Avatar",
                "The photo's camera is the origin: imports unchanged with 'As in the File'",
            ),
            ("world", "World", "World space, including the transform of the object"),
        ),
        default="avatar",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return poll_avatars(cls, context) and bool(super().poll(context))

    def ask(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = ExportHelper.invoke(self, context, event)
        return answer

    def frames(self, context: Any) -> range:
        """Frames to save; none for the current pose."""
        return range(0)

    def request(self, context: Any) -> Any:
        avatar = get_chosen_avatar(context)
        path = Path(bpy.path.abspath(self.filepath))
        return motion_requests.export_request(
            context, avatar, path, self.frames(context), self.space == "world", self.up
        )

    def done(self, context: Any, result: dict[str, Any]) -> None:
        frames = format_count(result["frames"], "frame", "frames")
        message = f"Saved {frames} in '{result['motion_file']}'"
        self.report({"INFO"}, message)  # type: ignore[attr-defined]


class ExportPose(_Export, bpy.types.Operator, ExportHelper):  # type: ignore[misc]
    """Save the avatar's current pose and expression as an SMPL-X file, including IK"""

    bl_idname = "likeness.export_pose"
    bl_label = "Export Pose"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"


class ExportMotion(_Export, bpy.types.Operator, ExportHelper):  # type: ignore[misc]
    """Save the avatar's animation as an SMPL-X and AMASS file, including IK"""

    bl_idname = "likeness.export_motion"
    bl_label = "Export Motion"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"
    frame_start: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start", description="First frame; that of the scene if not set", options={"SKIP_SAVE"}
    )
    frame_end: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="End", description="Last frame; that of the scene if not set", options={"SKIP_SAVE"}
    )
    frame_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Step", description="Save every n-th frame, at a lower frame rate", default=1, min=1
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        self.frame_start, self.frame_end = context.scene.frame_start, context.scene.frame_end
        return super().ask(context, event)

    def frames(self, context: Any) -> range:
        given = self.properties.is_property_set
        first = self.frame_start if given("frame_start") else context.scene.frame_start
        last = self.frame_end if given("frame_end") else context.scene.frame_end
        if last < first:
            raise LikenessError(
                f"The last frame {last} is before the first, {first}.", "Choose a later end."
            )
        return range(first, last + 1, self.frame_step)


def draw_export(layout: Any) -> None:
    layout.operator(ExportPose.bl_idname, text="Likeness Pose (.npz)")
    layout.operator(ExportMotion.bl_idname, text="Likeness Motion (.npz)")


CLASSES = (ExportPose, ExportMotion)
