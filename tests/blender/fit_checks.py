"""Checks of the question about a fit and of the scene in which it is corrected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
from likeness.addon import fit_preview, keys, running
from likeness.addon.compat import get_hide_owner
from likeness.addon.scene import fit_adjustment
from likeness.engine.core.types import JOINT_INDEX, Observation, Portrait, Track
from likeness.engine.pipeline.track import TrackedPortrait
from likeness.engine.workflows.fit_check import save_shown_fit
from people import random_avatar
from PIL import Image
from shared import block_names


def tracked(folder: Path) -> TrackedPortrait:
    """A synthetic person, as tracking would leave it."""
    avatar = random_avatar(3)
    height, width = avatar.camera.height, avatar.camera.width
    landmarks = np.random.default_rng(0).uniform(5, [width - 5, height - 5], (33, 2))
    landmarks[15] = -20.0, 40.0  # out of the picture
    seen = Observation(
        landmarks, np.ones(33), np.zeros((33, 3)), np.ones((height, width), np.float32)
    )
    path = folder / "photo.png"
    photo = Portrait(np.full((height, width, 3), 0.5, np.float32), path, (width, height))
    track = Track(np.zeros(0), avatar.pose, avatar.camera, "full", np.ones(55), None, None)
    return TrackedPortrait(photo, seen, track, avatar.body, "assumed")


class Asking:
    """A job that waits with a question."""

    picture = ""

    def __init__(self, fit: Path) -> None:
        self.question: dict[str, Any] | None = {
            "kind": "fit",
            "fit": str(fit),
            "picture": str(fit),
            "people": 2,
            "person": 1,
            "warnings": [],
        }
        self.answers: list[dict[str, Any]] = []
        self.log: list[str] = []

    def answer(self, content: dict[str, Any]) -> None:
        self.answers.append(json.loads(json.dumps(content)))

    def kill(self) -> None:
        pass


def _placed(view: Any) -> Any:
    """Location, direction and distance of a 3D view."""
    return np.array([*view.view_location, *view.view_rotation, view.view_distance])


def correct(folder: str) -> dict[str, Any]:
    """Enter, drag a ball, refit; enter again, turn a bone, use the pose; each leaves no trace."""
    bpy.ops.wm.read_homefile(app_template="")
    likeness.register()
    person = tracked(Path(folder))
    fit = Path(folder) / "fit.npz"
    save_shown_fit(person, fit)
    out: dict[str, Any] = {}
    under_way = running.begin_job("Test")
    job = under_way.job = Asking(fit)
    under_way.part = "work"
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    home, before = bpy.context.scene.name, block_names()
    out["enter"] = sorted(bpy.ops.likeness.adjust_fit())
    scene = fit_adjustment.find_fit_scene()
    balls = [o for o in scene.objects if keys.FIT_LANDMARK in o]
    out["balls"] = sorted(o[keys.FIT_LANDMARK] for o in balls)
    out["shown"] = bpy.context.scene == scene
    bpy.context.view_layer.update()
    out["untouched"] = fit_adjustment.read_moved_landmarks(scene)
    try:
        out["nothing"] = sorted(bpy.ops.likeness.refit())
    except RuntimeError as error:
        out["nothing"] = str(error)
    ball = next(o for o in balls if o[keys.FIT_LANDMARK] == "left_elbow")
    camera, depth = person.track.camera, -ball.location[1] * -1
    ball.location.x += 0.05
    bpy.context.view_layer.update()
    out["expected"] = (person.observation.pose[13] + [0.05 * camera.K[0, 0] / depth, 0.0]).tolist()
    bpy.ops.likeness.refit()
    out["refit"] = job.answers[-1]
    out["trace"] = [block_names() == before, bpy.context.scene.name == home]

    bpy.ops.likeness.adjust_fit()
    scene = fit_adjustment.find_fit_scene()
    armature = next(o for o in scene.objects if o.type == "ARMATURE")
    pose = fit_adjustment.read_shown_pose(scene)
    out["pose error"] = float(np.abs(pose.full_pose - person.track.pose.full_pose).max())
    out["transl error"] = float(np.abs(pose.transl - person.track.pose.transl).max())
    seen = [b for b in armature.pose.bones if not get_hide_owner(b).hide]
    out["bones"] = sorted(bone.name for bone in seen)
    bone = armature.pose.bones["left_elbow"]
    bone.rotation_quaternion = (1.0, 0.0, 0.0, 0.0)
    bpy.ops.likeness.use_this_pose()
    told = np.array(job.answers[-1]["pose"]["full_pose"])
    out["elbow"] = told[JOINT_INDEX["left_elbow"]].tolist()
    out["others"] = float(
        np.abs(np.delete(told - person.track.pose.full_pose, JOINT_INDEX["left_elbow"], 0)).max()
    )
    out["trace again"] = [block_names() == before, bpy.context.scene.name == home]

    area = next(a for a in bpy.context.screen.areas if a.type == "VIEW_3D")
    view = area.spaces.active.region_3d
    view.view_location, view.view_distance = (1.0, 2.0, 3.0), 7.0
    view.view_rotation = (0.8, 0.6, 0.0, 0.0)
    was = _placed(view)
    own = bpy.data.objects.new("Own Camera", bpy.data.cameras.new("Own Camera"))
    bpy.context.scene.collection.objects.link(own)
    area.spaces.active.use_local_camera, area.spaces.active.camera = True, own
    before = block_names()
    with bpy.context.temp_override(area=area):
        bpy.ops.likeness.adjust_fit()
    out["view"] = [view.view_perspective]
    out["local"] = [area.spaces.active.use_local_camera]
    view.view_rotation, view.view_distance = (0.6, 0.0, 0.8, 0.0), 3.0
    bpy.ops.likeness.leave_adjusting()
    out["view"] += [view.view_perspective, float(np.abs(_placed(view) - was).max())]
    out["local"] += [area.spaces.active.use_local_camera, area.spaces.active.camera.name]
    out["back"] = [block_names() == before, len(job.answers)]
    bpy.ops.likeness.choose_person(index=2)
    bpy.ops.likeness.accept_fit()
    out["said"] = job.answers[-2:]
    picture = Path(folder) / "picture.png"
    Image.fromarray(np.full((60, 30, 3), 200, np.uint8)).save(picture)
    icons = [fit_preview.get_icon(picture), fit_preview.get_icon(picture)]
    out["icon"] = [icons[0] == icons[1], fit_preview.get_icon(picture / "none")]
    running.end_job(under_way)
    out["polls"] = [bpy.ops.likeness.accept_fit.poll(), bpy.ops.likeness.adjust_fit.poll()]
    likeness.unregister()
    return out
