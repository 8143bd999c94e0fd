"""What operators have in common that give an avatar an action from the worker's result."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon.motion import actions, motion_requests
from .avatar_operator import poll_avatars
from .job_operator import JobOperator

_PLACES = (
    (
        "stand",
        "At the Avatar",
        "Start at the avatar's position, facing the same way, with the feet on its floor",
    ),
    ("in_place", "In Place", "The same, without moving along the floor"),
    (
        "file",
        "As in the File",
        "Use the positions in the file, with the photo's camera at the origin",
    ),
)
_RATES = (
    ("scene", "Scene", "Resample the motion to the scene's frame rate"),
    ("motion", "Motion", "Set the scene to the motion's frame rate"),
)
_RANGES = (
    (
        "auto",
        "If Default",
        "Set the frame range to the motion's if it is still the default 1-250, or an earlier "
        "motion's",
    ),
    ("always", "Always", "Set the frame range to the motion's"),
    ("never", "Never", "Keep the frame range"),
)
OTHERS = (
    ("ease", "At Ease", "Let joints that the motion does not know hang at ease, the face neutral"),
    ("keep", "As It Is", "Keep the pose of joints that the motion does not know"),
    ("rest", "Rest Pose", "Return joints that the motion does not know to their rest pose"),
)


class ActionProperties:
    """Properties of operators that make an action."""

    place: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Place", description="Position of the motion", items=_PLACES, default="stand"
    )
    rate: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Frame Rate", description="Frame rate to use", items=_RATES, default="scene"
    )
    start_frame: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="Frame of the first key; the first frame of the scene if not set",
        default=1,
        options={"SKIP_SAVE"},
    )
    scene_range: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Scene Range",
        description="Whether to change the frame range of the scene",
        items=_RANGES,
        default="auto",
    )
    others: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Rest of Body",
        description="Joints and expressions that the motion does not know. Strips of the NLA leave "
        "them alone",
        items=OTHERS,
        default="ease",
    )
    cyclic: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Make Cyclic",
        description="Blend the end into the beginning, and repeat the action forever",
    )
    nla: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Push Down to NLA", description="Put the action into a new strip in the NLA editor"
    )
    smooth: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smooth",
        description="Remove movements shorter than this many seconds; 0 keeps everything",
        default=0.0,
        min=0.0,
        max=2.0,
        soft_max=0.3,
        step=1,
        precision=3,
    )

    def wanted(self, context: Any, **motion: Any) -> motion_requests.MotionRequest:
        """The request that the properties describe."""
        set_ = self.properties.is_property_set("start_frame")  # type: ignore[attr-defined]
        start = self.start_frame if set_ else context.scene.frame_start
        action = actions.ActionOptions(
            start, self.cyclic, self.nla, self.scene_range, self.rate == "motion", self.others
        )
        return motion_requests.MotionRequest(
            {"place": self.place, "smooth": self.smooth, **motion}, action
        )

    def draw_action(self, layout: Any) -> None:
        """Draw the properties of this class."""
        layout.prop(self, "place")
        layout.prop(self, "others")
        for name in ("rate", "start_frame", "scene_range", "smooth", "cyclic", "nla"):
            layout.prop(self, name)


class MotionJob(JobOperator):
    """A job whose result is an action on the avatar that was chosen at its start."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return poll_avatars(cls, context) and bool(super().poll(context))

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        for note in result.get("notes", ()):
            self.report({"INFO"}, note)  # type: ignore[attr-defined]
        return motion_requests.import_motion_steps(
            context, result, self._armature, self._source, self._wanted
        )

    def ask_for_file(self, context: Any, confirm: str) -> set[str]:
        """Ask for a file and the options; after a drop, only for the options."""
        self.start_frame = context.scene.frame_start
        if self.properties.is_property_set("filepath"):  # type: ignore[attr-defined]
            answer: set[str] = context.window_manager.invoke_props_dialog(
                self,
                title=Path(self.filepath).name,  # type: ignore[attr-defined]
                confirm_text=confirm,
            )
            return answer
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def for_avatar(self, context: Any, source: str, wanted: motion_requests.MotionRequest) -> Any:
        """Remember what :meth:`done` needs; returns the avatar."""
        avatar = motion_requests.get_movable_avatar(context)
        self._armature, self._source, self._wanted = avatar.armature.name, source, wanted
        return avatar
