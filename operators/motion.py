"""Motions in: import, retarget, from a video."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon.motion import motion_requests
from ..addon.option_properties import option_property, read_options
from ..addon.scene.avatar_objects import find_avatar, find_avatars
from ..engine.workflows.options import TrackOptions
from .motion_job import ActionProperties, MotionJob
from .photo_options import PhotoOptions

_TRACKING = {
    "person": "person",
    "fov": "fov",
    "start": "begin_seconds",
    "end": "end_seconds",
    "resume": "resume",
}
"""Option of ``TrackOptions`` -> property."""

_RESTS = (
    ("auto", "From the Bones", "Take the rest pose from the bones: T-pose, A-pose or another"),
    ("t_pose", "T-Pose", "Assume a T-pose, regardless of the bones"),
    ("a_pose", "A-Pose", "Assume an A-pose, regardless of the bones"),
    ("first_frame", "First Frame", "Use the first frame as the rest pose"),
)
_UPS = (
    ("auto", "Auto", "Detect it from the body; the notes name the axis"),
    ("y", "Y", "As in Likeness and in most SMPL-X files"),
    ("z", "Z", "As in AMASS"),
    ("-y", "-Y", "As in the camera space of body trackers"),
)


class _Skeletons:
    """Properties of sources with their own skeleton."""

    rest: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Source Rest", description="Rest pose of the source", items=_RESTS, default="auto"
    )
    bones: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bone Map",
        description="File (.toml) that maps bones to joints; empty to detect them by name",
        subtype="FILE_PATH",
    )

    def skeleton_options(self) -> dict[str, Any]:
        """Options of the engine."""
        bones = bpy.path.abspath(self.bones) if self.bones else None
        return {"rest": self.rest, "bones": bones}


class ImportMotion(MotionJob, ActionProperties, _Skeletons, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Animate the avatar with a motion file: SMPL-X or AMASS (.npz, .npy), BVH, FBX from Mixamo, or
    a face capture of Live Link Face (.csv) or another ARKit app (.json)"""

    bl_idname = "likeness.import_motion"
    bl_label = "Import Motion"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".npz"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Motion file",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="File types to show",
        default=";".join(f"*{suffix}" for suffix in motion_requests.SUFFIXES),
        options={"HIDDEN"},
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up", description="Axis that points up in an SMPL-X file", items=_UPS, default="auto"
    )
    mean_hands: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hands from Mean",
        description="Hand poses are relative to the mean hand, not to the flat hand; needs your "
        "SMPL-X model file",
    )
    smplx: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="SMPL-X Model",
        description="Your SMPLX_NEUTRAL.npz, for mean hands and hand PCA components",
        subtype="FILE_PATH",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        return self.ask_for_file(context, "Import Motion")

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        self.draw_action(layout)
        suffix = Path(self.filepath).suffix.lower()
        if suffix not in (".bvh", ".fbx", ".csv", ".json"):
            header, body = layout.panel("LIKENESS_motion_smplx", default_closed=True)
            header.label(text="SMPL-X")
            for name in ("up", "mean_hands", "smplx") if body is not None else ():
                body.prop(self, name)
        if suffix not in (".npz", ".npy", ".csv", ".json"):
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
    bl_file_extensions = ".npz;.npy;.bvh;.csv;.json"

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return (
            context.area is not None
            and context.area.type == "VIEW_3D"
            and bool(find_avatars(context.scene))
        )


def _sources(operator: Any, context: Any, text: str) -> list[str]:
    """Armatures to copy a motion from."""
    own = find_avatar(context.object)
    return [
        obj.name
        for obj in context.scene.objects
        if obj.type == "ARMATURE" and (own is None or obj != own.armature)
    ]


class RetargetArmature(MotionJob, ActionProperties, _Skeletons, bpy.types.Operator):  # type: ignore[misc]
    """Copy the motion of another armature in the scene to the avatar: Rigify, Mixamo, another
    avatar or any humanoid, including constraints and IK"""

    bl_idname = "likeness.retarget_armature"
    bl_label = "Retarget from Armature"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    source: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Source",
        description="Armature to copy the motion from",
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


class AnimateFromVideo(MotionJob, ActionProperties, PhotoOptions, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Track a person in a video, and animate the avatar with it: body, hands and face"""

    bl_idname = "likeness.animate_from_video"
    bl_label = "Animate from Video"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".mp4"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Video file",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="File types to show",
        default=motion_requests.VIDEO_GLOB,
        options={"HIDDEN"},
    )
    person: option_property(  # type: ignore[valid-type]
        TrackOptions,
        "person",
        name="Person",
        description="Which of several people, counted from the left from 1; 0 for the largest",
    )
    fov: option_property(  # type: ignore[valid-type]
        TrackOptions,
        "fov",
        name="Field of View",
        description="Field of view along the longer side in degrees; 0 if unknown",
    )
    begin_seconds: option_property(  # type: ignore[valid-type]
        TrackOptions,
        "start",
        name="Start",
        description="Time to start at, in seconds",
        options={"SKIP_SAVE"},
    )
    end_seconds: option_property(  # type: ignore[valid-type]
        TrackOptions,
        "end",
        name="End",
        description="Time to stop at, in seconds; 0 for the end of the video",
        options={"SKIP_SAVE"},
    )
    resume: option_property(  # type: ignore[valid-type]
        TrackOptions,
        "resume",
        name="Resume",
        description="Continue an earlier, cancelled run on this video",
    )
    overlay: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Overlay",
        description="Also save the video with the body drawn over it, next to the motion file",
    )
    motion_file: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Motion File",
        description="File to save the motion in (.npz); empty for the avatar folder",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        return self.ask_for_file(context, "Animate")

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        self.draw_photo(layout)
        for name in ("begin_seconds", "end_seconds", "resume", "overlay"):
            layout.prop(self, name)
        layout.prop(self, "motion_file", placeholder="In the avatar folder")
        self.draw_action(layout)

    def request(self, context: Any) -> Any:
        media = Path(bpy.path.abspath(self.filepath))
        wanted = self.wanted(context)
        avatar = self.for_avatar(context, str(media), wanted)
        more = {"camera_pitch": self.known_pitch, "estimates": self.estimates}
        tracking = read_options(TrackOptions, self, _TRACKING, **more)
        kept = Path(bpy.path.abspath(self.motion_file)) if self.motion_file else None
        return motion_requests.track_request(
            context, media, avatar, wanted, tracking, self.overlay, kept
        )

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        self.report({"INFO"}, f"Saved as '{result['motion_file']}'")
        return super().done(context, result)


def draw_import(layout: Any) -> None:
    layout.operator(ImportMotion.bl_idname, text="Likeness Motion (.npz/.npy/.bvh/.fbx/.csv/.json)")


CLASSES = (ImportMotion, MotionFileHandler, RetargetArmature, AnimateFromVideo)
