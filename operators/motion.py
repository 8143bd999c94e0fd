"""Motions in and out: import, retarget, from a video, smooth, export."""
# No postponed annotations here: Blender reads properties from them.

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..addon.motion import actions, motion_requests, record
from ..addon.scene.avatar_objects import find_avatar, find_avatars, run_to_end
from ..engine.core.types import LikenessError
from .job_operator import JobOperator

_SLICE_SECONDS = 0.03

_PLACES = (
    (
        "stand",
        "Where the Avatar Stands",
        "The first frame stands where the avatar stands, faces as it does, feet on its floor",
    ),
    ("in_place", "In Place", "The same, without the way along the floor"),
    ("file", "As in the File", "Where the file says, in the space of the avatar's armature object"),
)
_RATES = (
    ("scene", "Scene's", "Resample the motion to the scene's frame rate"),
    ("motion", "Motion's", "Give the scene the motion's frame rate"),
)
_RANGES = (
    ("auto", "If New", "Make the scene's frame range the motion's while it is a new scene's 1-250"),
    ("always", "Always", "Make the scene's frame range the motion's"),
    ("never", "Never", "Leave the scene's frame range"),
)
_RESTS = (
    ("auto", "From the Bones", "Limbs are compared with where they point at rest: T, A or other"),
    ("t_pose", "T-Pose", "The source rests in a T-pose, whatever its bones say"),
    ("a_pose", "A-Pose", "The source rests in an A-pose, whatever its bones say"),
    ("first_frame", "First Frame", "The first frame is the pose to count from, not the rest pose"),
)
_UPS = (
    ("auto", "Auto", "The axis along which the body points; the notes tell which"),
    ("y", "Y", "As here and in most SMPL-X files"),
    ("z", "Z", "As in AMASS"),
    ("-y", "-Y", "As in the camera space of programs that find bodies in pictures"),
)


class _ActionOptions:
    """Properties of everything that makes an action."""

    place: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Place", description="Where the motion happens", items=_PLACES, default="stand"
    )
    rate: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Frame Rate", description="Whose frame rate counts", items=_RATES, default="scene"
    )
    start_frame: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="The scene's frame of the first key; the first of the scene if not set",
        default=1,
        options={"SKIP_SAVE"},
    )
    scene_range: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Scene Range",
        description="Whether the scene's frame range becomes the motion's",
        items=_RANGES,
        default="auto",
    )
    cyclic: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Make Cyclic",
        description="Blend the end into the beginning and repeat the action for ever",
    )
    nla: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Push Down to NLA",
        description="Put the action into a strip of its own in the NLA editor",
    )
    smooth: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smooth",
        description="Take out what is quicker than this many seconds; 0 leaves all as it is",
        default=0.0,
        min=0.0,
        max=2.0,
        soft_max=0.3,
        step=1,
        precision=3,
    )

    def wanted(self, context: Any, **motion: Any) -> motion_requests.MotionRequest:
        """What the properties ask for."""
        set_ = self.properties.is_property_set("start_frame")  # type: ignore[attr-defined]
        start = self.start_frame if set_ else context.scene.frame_start
        action = actions.ActionOptions(
            start, self.cyclic, self.nla, self.scene_range, self.rate == "motion"
        )
        return motion_requests.MotionRequest(
            {"place": self.place, "smooth": self.smooth, **motion}, action
        )

    def draw_action(self, layout: Any) -> None:
        """The properties of this class."""
        for name in ("place", "rate", "start_frame", "scene_range", "smooth", "cyclic", "nla"):
            layout.prop(self, name)


class _Skeletons:
    """Properties of what has bones with other names."""

    rest: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Source Rest",
        description="The pose that the source's rotations count from",
        items=_RESTS,
        default="auto",
    )
    bones: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bone Map",
        description="A file (.toml) that says which bone is which; empty: found by their names",
        subtype="FILE_PATH",
    )

    def skeleton_options(self) -> dict[str, Any]:
        """For the engine."""
        bones = bpy.path.abspath(self.bones) if self.bones else None
        return {"rest": self.rest, "bones": bones}


class _OnAvatar(JobOperator):
    """A job whose result is an action of the avatar that was chosen when it began."""

    source_name = ""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if find_avatar(context.object) is None and not find_avatars(context.scene):
            cls.poll_message_set("There is no avatar in the scene")  # type: ignore[attr-defined]
            return False
        return bool(super().poll(context))

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        for note in result.get("notes", ()):
            self.report({"INFO"}, note)  # type: ignore[attr-defined]
        return motion_requests.import_motion_steps(
            context, result, self._armature, self._source, self._wanted
        )

    def ask_for_file(self, context: Any, confirm: str) -> set[str]:
        """Ask for a file and the options; of one that was dropped, only for the options."""
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
        """Keep what :meth:`done` needs; the avatar."""
        avatar = motion_requests.get_movable_avatar(context)
        self._armature, self._source, self._wanted = avatar.armature.name, source, wanted
        return avatar


class ImportMotion(_OnAvatar, _ActionOptions, _Skeletons, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Animate the avatar with a motion file: SMPL-X or AMASS (.npz, .npy), BVH, or Mixamo's FBX"""

    bl_idname = "likeness.import_motion"
    bl_label = "Import Motion"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The motion file",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="Which files are shown",
        default=";".join(f"*{suffix}" for suffix in motion_requests.SUFFIXES),
        options={"HIDDEN"},
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up", description="Which axis of an SMPL-X file points up", items=_UPS, default="auto"
    )
    mean_hands: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hands from Mean",
        description="The hands of an SMPL-X file count from the mean hand, not from the flat one; "
        "needs your SMPL-X model file",
    )
    smplx: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="SMPL-X Model",
        description="Your own SMPLX_NEUTRAL.npz, for mean hands and hands as components",
        subtype="FILE_PATH",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        return self.ask_for_file(context, "Import Motion")

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        self.draw_action(layout)
        suffix = Path(self.filepath).suffix.lower()
        if suffix not in (".bvh", ".fbx"):
            header, body = layout.panel("LIKENESS_motion_smplx", default_closed=True)
            header.label(text="SMPL-X")
            for name in ("up", "mean_hands", "smplx") if body is not None else ():
                body.prop(self, name)
        if suffix not in (".npz", ".npy"):
            header, body = layout.panel("LIKENESS_motion_skeleton", default_closed=True)
            header.label(text="Skeleton")
            for name in ("rest", "bones") if body is not None else ():
                body.prop(self, name)

    def request(self, context: Any) -> Any:
        path = Path(bpy.path.abspath(self.filepath))
        options: dict[str, Any] = {
            "up": self.up,
            "mean_hands": self.mean_hands,
            **self.skeleton_options(),
            "smplx": bpy.path.abspath(self.smplx) if self.smplx else None,
        }
        wanted = self.wanted(context, **options)
        avatar = self.for_avatar(context, str(path), wanted)
        return motion_requests.file_request(context, path, avatar, wanted)


class MotionFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Motion files dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_motion"
    bl_label = "Motion for Avatar"
    bl_import_operator = ImportMotion.bl_idname
    bl_file_extensions = ".npz;.npy;.bvh"

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return (
            context.area is not None
            and context.area.type == "VIEW_3D"
            and bool(find_avatars(context.scene))
        )


def _sources(operator: Any, context: Any, text: str) -> list[str]:
    """Armatures that an avatar can be given the motion of."""
    own = find_avatar(context.object)
    return [
        obj.name
        for obj in context.scene.objects
        if obj.type == "ARMATURE" and (own is None or obj != own.armature)
    ]


class RetargetArmature(_OnAvatar, _ActionOptions, _Skeletons, bpy.types.Operator):  # type: ignore[misc]
    """Give the avatar the motion of another armature in the scene: Rigify, Mixamo, another
    avatar, any person's; constraints and IK are included"""

    bl_idname = "likeness.retarget_armature"
    bl_label = "Retarget from Armature"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source",
        description="The armature to copy the motion from",
        search=_sources,
        options={"SKIP_SAVE"},
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        self.start_frame = context.scene.frame_start
        others = _sources(self, context, "")
        if len(others) == 1 and not self.source:
            self.source = others[0]
        answer: set[str] = context.window_manager.invoke_props_dialog(self, confirm_text="Retarget")
        return answer

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "source", icon="ARMATURE_DATA")
        layout.prop(self, "rest")
        layout.prop(self, "bones")
        self.draw_action(layout)

    def request(self, context: Any) -> Any:
        wanted = self.wanted(context, **self.skeleton_options())
        avatar = self.for_avatar(context, self.source, wanted)
        source = bpy.data.objects.get(self.source)
        return motion_requests.armature_request(context, source, avatar, wanted)


class AnimateFromVideo(_OnAvatar, _ActionOptions, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Find the movements of a person in a video, and give them to the avatar: body, hands, face"""

    bl_idname = "likeness.animate_from_video"
    bl_label = "Animate from Video"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".mp4"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The video",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="Which files are shown",
        default=motion_requests.VIDEO_GLOB,
        options={"HIDDEN"},
    )
    person: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Person",
        description="Which of several, from the left; 0: the largest",
        default=0,
        min=0,
    )
    fov: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Field of View",
        description="Along the video's longer side, in degrees, if you know it; 0: a usual lens",
        default=0.0,
        min=0.0,
        max=150.0,
    )
    begin_seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="From",
        description="Begin the video there, in seconds",
        default=0.0,
        min=0.0,
        options={"SKIP_SAVE"},
    )
    end_seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="To",
        description="Leave the video there, in seconds; 0: at its end",
        default=0.0,
        min=0.0,
        options={"SKIP_SAVE"},
    )
    resume: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Go On Where Stopped",
        description="Use what an earlier, cancelled run has found in this video",
        default=True,
    )
    overlay: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Overlay",
        description="Also write the video with the body drawn over it, beside the motion file",
    )
    motion_file: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Motion File",
        description="Where to keep what was found (.npz); empty: in the folder of your avatars",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        return self.ask_for_file(context, "Animate")

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in (
            "person",
            "fov",
            "begin_seconds",
            "end_seconds",
            "resume",
            "overlay",
            "motion_file",
        ):
            layout.prop(self, name)
        self.draw_action(layout)

    def request(self, context: Any) -> Any:
        media = Path(bpy.path.abspath(self.filepath))
        wanted = self.wanted(context)
        avatar = self.for_avatar(context, str(media), wanted)
        tracking = {
            "person": self.person - 1 if self.person else None,
            "fov": self.fov or None,
            "start": self.begin_seconds,
            "end": self.end_seconds or None,
            "resume": self.resume,
        }
        kept = Path(bpy.path.abspath(self.motion_file)) if self.motion_file else None
        return motion_requests.track_request(
            context, media, avatar, wanted, tracking, self.overlay, kept
        )

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        self.report({"INFO"}, f"Kept as {result['motion_file']}")
        return super().done(context, result)


class SmoothMotion(bpy.types.Operator):  # type: ignore[misc]
    """Take jitter out of the avatar's action; nothing comes late, and cuts stay"""

    bl_idname = "likeness.smooth_motion"
    bl_label = "Smooth Motion"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    seconds: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Seconds",
        description="Take out what is quicker than this",
        default=0.05,
        min=0.005,
        max=2.0,
        soft_max=0.3,
        step=1,
        precision=3,
    )
    keep_feet: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Feet", description="Hold the foot on the floor where it was", default=True
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None or not _animated(avatar.armature):
            cls.poll_message_set("The active avatar has no action")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        """All at once: without a window, and when the redo panel changes something."""
        try:
            count = run_to_end(self._steps(context))
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self._done(context, count)

    def invoke(self, context: Any, event: Any) -> set[str]:
        if context.window is None:
            return self.execute(context)
        self._slices = self._steps(context)
        self._timer = context.window_manager.event_timer_add(0.001, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type != "TIMER":  # nothing may change the action meanwhile
            return {"RUNNING_MODAL"}
        end = time.perf_counter() + _SLICE_SECONDS
        try:
            while time.perf_counter() < end:
                next(self._slices)
        except StopIteration as done:
            self.cancel(context)
            return self._done(context, done.value)
        except LikenessError as error:
            self.cancel(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        context.window_manager.event_timer_remove(self._timer)

    def _steps(self, context: Any) -> Generator[None, None, int]:
        avatar = motion_requests.get_target_avatar(context)
        sigma = self.seconds * record.get_frame_rate(context.scene)
        return (
            yield from actions.smooth_action(
                avatar.armature, sigma, self.keep_feet, record.describe_target(avatar)
            )
        )

    def _done(self, context: Any, count: int) -> set[str]:
        context.scene.frame_set(context.scene.frame_current)
        self.report({"INFO"}, f"{count} curves smoothed")
        return {"FINISHED"}


def _animated(armature: Any) -> bool:
    data = armature.animation_data
    return data is not None and data.action is not None


class _Export(JobOperator):
    """Properties of both exports."""

    changes_scene = False

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The file to write",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="Which files are shown", default="*.npz", options={"HIDDEN"}
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up",
        description="Which axis points up in the file",
        items=(("y", "Y", "As here and in most SMPL-X files"), ("z", "Z", "As in AMASS")),
        default="y",
    )
    space: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Space",
        description="Where the place and direction in the file count from",
        items=(
            ("avatar", "Avatar", "The armature object's: comes back exactly 'As in the File'"),
            ("world", "World", "The scene's: the object's own place and turn are included"),
        ),
        default="avatar",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if find_avatar(context.object) is None and not find_avatars(context.scene):
            cls.poll_message_set("There is no avatar in the scene")  # type: ignore[attr-defined]
            return False
        return bool(super().poll(context))

    def ask(self, context: Any, event: Any) -> set[str]:
        answer: set[str] = ExportHelper.invoke(self, context, event)
        return answer

    def frames(self, context: Any) -> range:
        """What to write; none for the present pose."""
        return range(0)

    def request(self, context: Any) -> Any:
        avatar = motion_requests.get_target_avatar(context)
        path = Path(bpy.path.abspath(self.filepath))
        return motion_requests.export_request(
            context, avatar, path, self.frames(context), self.space == "world", self.up
        )

    def done(self, context: Any, result: dict[str, Any]) -> None:
        self.report({"INFO"}, f"{result['frames']} frames in {result['motion_file']}")  # type: ignore[attr-defined]


class ExportPose(_Export, bpy.types.Operator, ExportHelper):  # type: ignore[misc]
    """Write the avatar's present pose and expression as an SMPL-X file, IK included"""

    bl_idname = "likeness.export_pose"
    bl_label = "Export Pose"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"


class ExportMotion(_Export, bpy.types.Operator, ExportHelper):  # type: ignore[misc]
    """Write what the avatar does, frame by frame, as an SMPL-X and AMASS file, IK included"""

    bl_idname = "likeness.export_motion"
    bl_label = "Export Motion"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"
    frame_start: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start", description="First frame; the scene's if not set", options={"SKIP_SAVE"}
    )
    frame_end: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="End", description="Last frame; the scene's if not set", options={"SKIP_SAVE"}
    )
    frame_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Step",
        description="Write one frame in so many, at a lower frame rate",
        default=1,
        min=1,
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        self.frame_start, self.frame_end = context.scene.frame_start, context.scene.frame_end
        return super().ask(context, event)

    def frames(self, context: Any) -> range:
        given = self.properties.is_property_set
        first = self.frame_start if given("frame_start") else context.scene.frame_start
        last = self.frame_end if given("frame_end") else context.scene.frame_end
        if last < first:
            raise LikenessError(f"Frame {last} is before frame {first}.", "Choose a later end.")
        return range(first, last + 1, self.frame_step)


def draw_import(layout: Any) -> None:
    layout.operator(ImportMotion.bl_idname, text="Likeness Motion (.npz/.npy/.bvh/.fbx)")


def draw_export(layout: Any) -> None:
    layout.operator(ExportPose.bl_idname, text="Likeness Pose (.npz)")
    layout.operator(ExportMotion.bl_idname, text="Likeness Motion (.npz)")


CLASSES = (
    ImportMotion,
    MotionFileHandler,
    RetargetArmature,
    AnimateFromVideo,
    SmoothMotion,
    ExportPose,
    ExportMotion,
)
