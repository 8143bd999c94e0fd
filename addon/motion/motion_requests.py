"""Requests to the worker about motions, and the import of its results."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...engine.core.types import LikenessError
from ...engine.motion.speech.cue_suffixes import CUE_SUFFIXES as CUE_SUFFIXES
from ...engine.workflows.options import SpeakOptions, TrackOptions
from .. import keys
from ..portrait import output_folder, scratch_file
from ..scene.avatar_objects import AvatarObjects, find_avatar, get_avatar_by_name, get_chosen_avatar
from .actions import ActionOptions, motion_name, write_action
from .motion_list import remember_motion
from .record import (
    describe_target,
    get_frame_rate,
    list_action_frames,
    record_avatar,
    record_fbx,
    record_skeleton,
)

SUFFIXES = (".npz", ".npy", ".bvh", ".csv", ".json", ".fbx")
VIDEO_GLOB = "*.mp4;*.mov;*.mkv;*.m4v;*.avi;*.webm;*.jpg;*.jpeg;*.png"
AUDIO_SUFFIXES = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".mp4", ".mov", ".mkv")
AUDIO_GLOB = ";".join(f"*{suffix}" for suffix in (*AUDIO_SUFFIXES, *CUE_SUFFIXES))

Request = Generator[float, None, dict[str, Any]]


@dataclass(frozen=True)
class MotionRequest:
    """Options for importing a motion.

    Attributes:
        motion: options of the engine (``motion.prepare_motion.MotionOptions``) as plain values.
        action: options of the action.
    """

    motion: Mapping[str, Any] = field(default_factory=dict)
    action: ActionOptions = field(default_factory=ActionOptions)

    def options(self, scene: Any) -> dict[str, Any]:
        """The worker's ``options``."""
        rate = None if self.action.scene_rate else get_frame_rate(scene)
        return {**self.motion, "frame_rate": rate, "loop": self.action.cyclic}


def get_movable_avatar(context: Any) -> AvatarObjects:
    """:func:`get_chosen_avatar`, if it can be posed.

    Raises:
        LikenessError: There is no choice, or the avatar is linked or lacks bones.
    """
    from ..rig.pose_tools import find_posing_problem

    avatar = get_chosen_avatar(context)
    why = find_posing_problem(avatar.armature)
    if why:
        raise LikenessError(f"'{avatar.armature.name}' cannot be animated.", f"{why}.")
    return avatar


def file_request(context: Any, path: Path, avatar: AvatarObjects, wanted: MotionRequest) -> Any:
    """The request of the task ``motion`` for a file; a generator for FBX, which Blender reads.

    Raises:
        LikenessError: The file does not exist.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise LikenessError(f"'{path}' {what}.", f"Choose one of: {', '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".fbx":
        return _fbx_request(context, path, avatar, wanted)
    return _request(context, path, "file", avatar, wanted)


def _request(
    context: Any, path: Path, kind: str, avatar: AvatarObjects, wanted: MotionRequest
) -> dict[str, Any]:
    return {
        "task": "motion",
        "motion": str(path),
        "kind": kind,
        "output": str(scratch_file("prepared.npz")),
        "target": describe_target(avatar),
        "options": wanted.options(context.scene),
    }


def _fbx_request(context: Any, path: Path, avatar: AvatarObjects, wanted: MotionRequest) -> Request:
    request = _request(context, scratch_file("skeleton.npz"), "skeleton", avatar, wanted)
    bones = wanted.motion.get("bones")
    yield from record_fbx(path, Path(request["motion"]), Path(bones) if bones else None)
    return request


def armature_request(
    context: Any, source: Any, avatar: AvatarObjects, wanted: MotionRequest
) -> Request:
    """The request of the task ``motion`` for the motion of an armature in the scene.

    Args:
        context: of Blender.
        source: the armature object, of an avatar or any other person.
        avatar: to animate.
        wanted: options.

    Raises:
        LikenessError: The source is not an armature of a person, or is the avatar's own.
    """
    from ...engine.motion.bone_maps import detect_bones, read_bone_map

    if source is None or source.type != "ARMATURE":
        raise LikenessError("The source armature is missing.", "Choose the armature to copy from.")
    if source == avatar.armature:
        raise LikenessError(
            f"'{source.name}' is the avatar itself.", "Choose another armature to copy from."
        )
    frames, rate = list_action_frames(source, context.scene), get_frame_rate(context.scene)
    other = find_avatar(source)
    if other is not None:
        request = _request(context, scratch_file("recording.npz"), "recording", avatar, wanted)
        yield from record_avatar(other, frames, rate, Path(request["motion"]))
        return request
    bones = wanted.motion.get("bones")
    names = [bone.name for bone in source.data.bones]
    found = detect_bones(names, read_bone_map(Path(bones)) if bones else None)
    used = [names[k] for k in found.bones.values()]
    request = _request(context, scratch_file("skeleton.npz"), "skeleton", avatar, wanted)
    yield from record_skeleton(source, frames, rate, Path(request["motion"]), used)
    return request


def track_request(
    context: Any,
    media: Path,
    avatar: AvatarObjects,
    wanted: MotionRequest,
    tracking: TrackOptions,
    overlay: bool,
    motion_file: Path | None,
) -> dict[str, Any]:
    """The request of the task ``track`` for a photo or video.

    Args:
        context: of Blender.
        media: the photo or video.
        avatar: to animate.
        wanted: options of the import.
        tracking: options of the tracking.
        overlay: also write the media with the body drawn over it.
        motion_file: to write; None for one in the user's avatar folder.

    Raises:
        LikenessError: The file does not exist.
    """
    if not media.is_file():
        raise LikenessError(f"'{media}' does not exist.", "Choose a video.")
    kept = motion_file or output_folder(context, media) / f"{media.stem}.npz"
    still = media.suffix.lower() in (".jpg", ".jpeg", ".png")
    drawn = kept.with_name(f"{kept.stem}-overlay{'.png' if still else '.mp4'}")
    return {
        "task": "track",
        "media": str(media),
        "output": str(kept),
        "overlay": str(drawn) if overlay else None,
        "options": {**asdict(tracking), "estimates": [str(p) for p in tracking.estimates]},
        "prepared": str(scratch_file("prepared.npz")),
        "target": describe_target(avatar),
        "motion": wanted.options(context.scene),
    }


def speak_request(
    context: Any, audio: Path, avatar: AvatarObjects, wanted: MotionRequest, speech: SpeakOptions
) -> dict[str, Any]:
    """The request of the task ``speak`` for a recording or a lip-sync file.

    Args:
        context: of Blender.
        audio: the file.
        avatar: to animate.
        wanted: options of the import.
        speech: options of the speech; its frame rate becomes the scene's unless that changes.

    Raises:
        LikenessError: The file does not exist.
    """
    if not audio.is_file():
        raise LikenessError(f"'{audio}' does not exist.", "Choose a recording.")
    motion = wanted.options(context.scene)
    values = asdict(speech)
    values["text_file"] = str(speech.text_file) if speech.text_file else None
    if motion["frame_rate"] is not None:  # no frame is interpolated: closed lips stay closed
        values["fps"] = min(max(float(motion["frame_rate"]), 10.0), 240.0)
    return {
        "task": "speak",
        "audio": str(audio),
        "output": str(output_folder(context, audio) / f"{audio.stem}.npz"),
        "options": values,
        "prepared": str(scratch_file("prepared.npz")),
        "target": describe_target(avatar),
        "motion": motion,
    }


def export_request(
    context: Any, avatar: AvatarObjects, path: Path, frames: range, world: bool, up: str
) -> Request:
    """The request of the task ``export_motion``; without frames for the current pose."""
    recording = scratch_file("recording.npz")
    rate = get_frame_rate(context.scene) / (frames.step if len(frames) > 1 else 1)
    yield from record_avatar(avatar, frames, rate, recording, world)
    return {"task": "export_motion", "recording": str(recording), "output": str(path), "up": up}


def import_motion_steps(
    context: Any, result: Mapping[str, Any], armature: str, source: str, wanted: MotionRequest
) -> Generator[None, None, None]:
    """Add a motion that the worker has prepared to an avatar, in slices.

    Args:
        context: of Blender.
        result: of the worker.
        armature: name of the avatar's armature.
        source: the file or object of the motion.
        wanted: options.

    Raises:
        LikenessError: The avatar is no longer in the scene, or the file cannot be read.
    """
    from ...engine.motion.prepare_motion import PreparedMotion

    motion = PreparedMotion.load(Path(result["prepared"]))
    yield
    avatar = get_avatar_by_name(armature)
    name = motion_name(Path(source))
    action = yield from write_action(avatar.armature, motion, name, wanted.action, context.scene)
    remember_motion(avatar.armature, action)
    action[keys.MOTION] = source
    action[keys.MOTION_NOTES] = json.dumps(list(result.get("notes", ())))


def read_notes(armature: Any) -> list[str]:
    """The notes of the armature's current action: decisions made on import."""
    data = armature.animation_data
    action = data.action if data is not None else None
    if action is None or keys.MOTION_NOTES not in action:
        return []
    try:
        notes = json.loads(action[keys.MOTION_NOTES])
    except (TypeError, ValueError):  # a foreign property of that name
        return []
    return [str(note) for note in notes] if isinstance(notes, list) else []
