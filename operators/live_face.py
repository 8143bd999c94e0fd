"""A face in a video or before a camera, on the avatar in real time; recorded on demand."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon.motion import actions, live_face, motion_requests
from ..addon.motion.motion_list import remember_motion
from ..addon.motion.record import get_frame_rate
from ..addon.scene.avatar_objects import get_avatar_by_name
from ..addon.scene.body_object import expression_names
from ..engine.core.types import LikenessError
from .avatar_operator import poll_avatars
from .job_operator import JobOperator

_SOURCES = (
    ("VIDEO", "Video", "The face in a video file, at the video's speed"),
    ("CAMERA", "Camera", "The face before a camera of this computer"),
)
_COMMANDS = (
    ("RECORD", "Record", "Begin a recording, or end it"),
    ("NEUTRAL", "Neutral", "Take the neutral face anew: look straight ahead, at rest"),
    ("STOP", "Stop", "Stop following; what was recorded becomes an action"),
)


class FollowFace(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Follow the face in a video or before a camera, and show it on the avatar in real time. Begin
    with a face at rest, looking straight ahead"""

    bl_idname = "likeness.follow_face"
    bl_label = "Follow Face"
    bl_options = {"REGISTER"}  # noqa: RUF012

    poll_seconds = 1 / 30

    source: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Source", description="Where the face comes from", items=_SOURCES, default="VIDEO"
    )
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Video", description="Video file", subtype="FILE_PATH"
    )
    camera: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Camera", description="Number of the camera, or its name on Windows", default="0"
    )
    mirror: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Mirror", description="Show the face as in a mirror"
    )
    record: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Record", description="Record from the beginning"
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return poll_avatars(cls, context) and bool(super().poll(context))

    def ask(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = context.window_manager.invoke_props_dialog(self, confirm_text="Follow")
        return answer

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.row().prop(self, "source", expand=True)
        layout.prop(self, "filepath" if self.source == "VIDEO" else "camera")
        layout.prop(self, "mirror")
        layout.prop(self, "record")

    def request(self, context: Any) -> dict[str, Any]:
        avatar = motion_requests.get_movable_avatar(context)
        self._armature = avatar.armature.name
        path = Path(bpy.path.abspath(self.filepath))
        if self.source == "VIDEO" and not path.is_file():
            raise LikenessError(f"'{path}' does not exist.", "Choose a video.")
        live_face.begin_session(self.record)
        self._name = path.stem if self.source == "VIDEO" else "Camera"
        source = str(path) if self.source == "VIDEO" else f"camera:{self.camera}"
        return {"task": live_face.TASK, "source": source, "mirror": self.mirror}

    def watch(self, context: Any) -> None:
        live_face.receive_faces(get_avatar_by_name(self._armature).armature)

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS" and live_face.stop_once():
            return {"RUNNING_MODAL"}  # keep the recording; a second Esc cancels
        return super().modal(context, event)

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        self.report({"INFO"}, f"{result['rate']:.0f} pictures a second")
        yield from self._key_recording(context)

    def rescue(self, context: Any) -> bool:
        if self._running.job is None:
            return False
        keyed = [action for action in self._key_recording(context) if action is not None]
        return bool(keyed)

    def _key_recording(self, context: Any) -> Generator[Any, None, None]:
        """Make an action of what was recorded, if anything was; the action comes last."""
        avatar = get_avatar_by_name(self._armature)
        live_face.receive_faces(avatar.armature)
        faces = live_face.take_recording()
        if not faces:
            return
        rate = get_frame_rate(context.scene)
        motion = live_face.prepare_recording(faces, expression_names(avatar.armature), rate)
        options = actions.ActionOptions(context.scene.frame_start, others="keep")
        action = yield from actions.write_action(
            avatar.armature, motion, self._name, options, context.scene
        )
        remember_motion(avatar.armature, action)
        yield action


class ControlLiveFace(bpy.types.Operator):  # type: ignore[misc]
    """Control the face that is followed"""

    bl_idname = "likeness.control_live_face"
    bl_label = "Control Live Face"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    command: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Command", description="What to do", items=_COMMANDS
    )

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        return next(text for key, _, text in _COMMANDS if key == properties.command)

    @classmethod
    def poll(cls, context: Any) -> bool:
        return live_face.is_live()

    def execute(self, context: Any) -> set[str]:
        if self.command == "RECORD":
            live_face.toggle_recording()
        else:
            live_face.send_to_worker(self.command.lower())
        return {"FINISHED"}


CLASSES = (FollowFace, ControlLiveFace)
