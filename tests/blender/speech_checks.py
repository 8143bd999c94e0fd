"""Checks of speaking avatars, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon import running
from likeness.addon.motion import live_face, sound
from likeness.addon.motion.actions import find_channelbag
from likeness.addon.motion.motion_list import list_motions
from likeness.addon.rig.control_names import FACE
from likeness.addon.scene.avatar_objects import build_scene
from likeness.addon.workers.jobs import WorkerJob
from likeness.engine.core.types import JOINT_INDEX, LikenessError


def speaks(folder: str, audio: str, lip_sync: str) -> dict[str, Any]:
    """A recording and a lip-sync file on an avatar that stands posed."""
    people.empty_scene()
    bpy.context.scene.render.fps = 24
    likeness.register()
    avatar = people.random_avatar(0, count=300)
    objects = build_scene(avatar, "Person")
    scene, rig = bpy.context.scene, objects.armature
    elbow = rig.pose.bones["left_elbow"]
    elbow.rotation_mode = "XYZ"
    elbow.rotation_euler = (0.3, 0.2, 0.1)
    before = [list(row) for row in elbow.matrix_basis], list(rig.pose.bones["pelvis"].location)
    said = bpy.ops.likeness.animate_from_audio(filepath=audio, language="xx")
    action = rig.animation_data.action
    curves = {c.data_path: c for c in find_channelbag(action, action.slots[0]).fcurves}
    jaw = curves[f'pose.bones["{FACE}"]["jawOpen"]']
    values = [point.co[1] for point in jaw.keyframe_points]
    after = [list(row) for row in elbow.matrix_basis], list(rig.pose.bones["pelvis"].location)
    strips = [s.name for s in scene.sequence_editor.strips if s.type == "SOUND"]
    out = {
        "said": list(said),
        "keys": len(values),
        "open": max(values),
        "moved": float(np.abs(np.array(before[0]) - np.array(after[0])).max()),
        "pelvis": before[1] == after[1],
        "paths": sorted({path.split("]")[0] for path in curves if FACE not in path}),
        "sync": scene.sync_mode,
        "strips": strips,
    }
    bpy.ops.likeness.animate_from_audio(filepath=audio, language="xx", head=0.0)
    out["strips_again"] = len([s for s in scene.sequence_editor.strips if s.type == "SOUND"])
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    bpy.ops.file.make_paths_relative()
    scene = bpy.context.scene
    out["relative"] = [s.sound.filepath for s in scene.sequence_editor.strips]
    scene.sync_mode = "NONE"
    sound.add_sound(scene, Path(audio), 30)
    out["sync_again"] = scene.sync_mode
    out["strips_saved"] = [s.frame_start for s in scene.sequence_editor.strips]
    last = {"length": 10} if bpy.app.version >= (5, 0, 0) else {"frame_end": 10}
    for channel in range(1, 129):
        if channel not in {s.channel for s in scene.sequence_editor.strips}:
            scene.sequence_editor.strips.new_effect(str(channel), "COLOR", channel, 1, **last)
    try:
        sound.add_sound(scene, Path(folder) / "other.wav", 1)
        out["full"] = ""
    except LikenessError as error:
        out["full"] = str(error)
    bpy.ops.likeness.animate_from_audio(filepath=lip_sync)
    out["motions"] = [a.name for a in list_motions(rig)]
    try:
        bpy.ops.likeness.animate_from_audio(filepath=str(Path(folder) / "missing.wav"))
        out["error"] = ""
    except RuntimeError as error:
        out["error"] = str(error)
    return out


def follows(folder: str, video: str) -> dict[str, Any]:
    """A video's face on an avatar: shown, recorded, and keyed."""
    people.empty_scene()
    bpy.context.scene.render.fps = 24
    likeness.register()
    avatar = people.random_avatar(0, count=300)
    objects = build_scene(avatar, "Person")
    rig = objects.armature
    said = bpy.ops.likeness.follow_face(filepath=video, record=True)
    data = rig.animation_data
    action = data.action if data is not None else None
    curves = [] if action is None else list(find_channelbag(action, action.slots[0]).fcurves)
    frames = {len(curve.keyframe_points) for curve in curves}
    face = live_face.prepare_recording(
        [
            {"seconds": t, "weights": [0.5] * 52, "head": [0, 0.4 * t, 0], "left_eye": [0.1, 0, 0],
             "right_eye": [0.1, 0, 0], "calibrating": False}
            for t in (0.0, 0.4, 1.0)
        ],
        ("jawOpen", "own"),
        20.0,
    )  # fmt: skip
    live_face.show_face(
        rig,
        {
            "weights": [0.25] * 52,
            "head": [0, 0.3, 0],
            "left_eye": [0, 0, 0],
            "right_eye": [0, 0, 0],
        },
    )
    bpy.context.view_layer.update()
    pose = objects.get_pose(avatar.body.expression_names)
    turn = pose.full_pose[JOINT_INDEX["neck"]] + pose.full_pose[JOINT_INDEX["head"]]
    return {
        "said": list(said),
        "action": None if action is None else action.name,
        "keys": sorted(frames),
        "head": [float(v) for v in face.full_pose[10, [12, 15], 1]],
        "expression": face.expression[10].tolist(),
        "count": len(face),
        "shown": [float(v) for v in turn],
        "jaw": float(pose.expression[list(avatar.body.expression_names).index("jawOpen")]),
        "live": live_face.is_live(),
        "streamed": _stream(rig, video),
        "failed": _fail(rig, video),
    }


def _fail(rig: Any, video: str) -> dict[str, Any]:
    """The worker ends with an error after it has followed the video."""
    wait = WorkerJob.wait

    def wait_and_fail(job: WorkerJob, *args: Any) -> None:
        wait(job, *args)
        job.error = LikenessError("The camera was unplugged.", "Plug it in.")

    WorkerJob.wait = wait_and_fail  # type: ignore[method-assign]
    try:
        bpy.ops.likeness.follow_face(filepath=video, record=True)
        error = ""
    except RuntimeError as failure:
        error = str(failure)
    finally:
        WorkerJob.wait = wait  # type: ignore[method-assign]
    action = rig.animation_data.action
    curves = find_channelbag(action, action.slots[0]).fcurves
    return {"error": error, "action": action.name, "keys": len(curves[0].keyframe_points)}


def _stream(rig: Any, video: str) -> dict[str, Any]:
    """What the operator's timer does with a window: show, record in between, stop."""
    job = running.begin_job("Following")
    seen, recorded, until = 0, 0, time.monotonic() + 60
    asked: list[bool] = []
    live_face.begin_session(False)
    try:
        running.start_worker(job, {"task": live_face.TASK, "source": video, "mirror": False})
        assert live_face.is_live()
        while job.job is not None and not job.job.finished and time.monotonic() < until:
            running.poll_job(job)
            seen += live_face.receive_faces(rig)
            if seen >= 10 and not live_face.is_recording() and not recorded:
                live_face.toggle_recording()
                recorded = 1
            if seen >= 14 and not asked:
                asked = [live_face.stop_once(), live_face.stop_once()]
            time.sleep(0.02)
        result = None if job.job is None else job.job.result
    finally:
        running.end_job(job)
    faces = live_face.take_recording()
    return {
        "seen": seen,
        "recorded": len(faces),
        "frames": (result or {}).get("frames"),
        "asked": asked,
    }
