"""Press every button of the panel Motion, on a real avatar. Run by inside.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import browse, confirm, frame_view, panel, press, problem
from rig_scenarios import ENDS, places
from scenarios import Steps, avatars, fresh, largest_move, open_avatar, ours


def at_frame(armature: Any, frame: int) -> Any:
    """[4, 3] world positions of hands and feet at a frame."""
    bpy.context.scene.frame_set(frame)
    return places(armature, *ENDS)


def motion_buttons(ui: Any, avatar: str, motions: list[str], folder: str) -> Steps:
    """Import two motions from the file browser; switch, smooth, mix, trim and delete them in the
    list; export a motion and a pose, and import the motion again."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    armature, scene = found.armature, bpy.context.scene
    frame_view(ui, armature)
    out: dict[str, Any] = {"problems": []}
    for k, motion in enumerate(motions):
        yield from browse(ui, "likeness.import_motion", Path(motion), "import_motion" * (k == 0))
        out["problems"].append(problem())
        scene.frame_set(scene.frame_end // 2)
        yield from ui.shot(f"motion_{k}")
    names = [a.name for a in ours("addon.motion.motion_list").list_motions(armature)]
    out["list"] = names
    yield from panel(ui, "LIKENESS_PT_motion", "panel_motion")
    yield from press(ui, "likeness.use_motion", name=names[0])
    out["used"] = armature.animation_data.action.name
    before = at_frame(armature, 15)
    yield from confirm(ui, "likeness.smooth_motion", seconds=0.2)
    out["smoothed"] = largest_move(at_frame(armature, 15), before)
    yield from confirm(ui, "likeness.mix_motion", "mix_motion", name=names[1])
    yield from ui.shot("motion_mixed")
    yield from panel(ui, "LIKENESS_PT_motion", "panel_motion_mixed")
    out["mixed"] = ours("addon.motion.motion_list").is_mixed(armature)
    out["range of both"] = [scene.frame_start, scene.frame_end]
    yield from press(ui, "likeness.use_motion", name=names[0])
    yield from press(ui, "likeness.use_motion", name="")
    out["mix again"] = ours("addon.motion.motion_list").is_mixed(armature)
    yield from press(ui, "likeness.use_motion", name=names[1])
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 5, 15
    yield from confirm(ui, "likeness.trim_motion", "trim_motion")
    scene.use_preview_range = False
    out["trimmed"] = list(armature.animation_data.action.frame_range)
    saved = Path(folder) / "saved.npz"
    out["exported"] = yield from browse(ui, "likeness.export_motion", saved, "export_motion")
    yield from browse(ui, "likeness.export_pose", Path(folder) / "pose.npz", "export_pose")
    out["files"] = sorted(p.name for p in Path(folder).iterdir())
    before = at_frame(armature, 10)
    yield from browse(ui, "likeness.import_motion", saved, place="file")
    out["round trip"] = largest_move(at_frame(armature, 10), before)
    yield from confirm(ui, "likeness.delete_motion", "delete_motion", name=names[0])
    out["left"] = [a.name for a in ours("addon.motion.motion_list").list_motions(armature)]
    out["problems"].append(problem())
    return out


def retarget(ui: Any, avatar: str, motion: str) -> Steps:
    """Copy the motion of one avatar to another, with the dialog."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    first = found.armature.name
    yield from confirm(ui, "likeness.import_motion", "import_motion_dropped", filepath=motion)
    yield from press(ui, "likeness.duplicate_avatar")
    copy = next(a.armature for a in avatars() if a.armature.name != first)
    copy.animation_data_clear()
    yield from press(ui, "likeness.set_pose", name="tpose")
    end = bpy.context.scene.frame_end
    still = largest_move(at_frame(copy, end), at_frame(copy, 1))
    yield from confirm(ui, "likeness.retarget_armature", "retarget")
    failure = problem()
    copy = next(a.armature for a in avatars() if a.armature.name != first)
    moves = largest_move(at_frame(copy, end), at_frame(copy, 1))
    source = bpy.data.objects[first]
    frame_view(ui, copy)
    bpy.context.scene.frame_set(end // 2)
    yield from ui.shot("retargeted")
    away = places(copy, "left_wrist") - places(copy, "pelvis")
    there = places(source, "left_wrist") - places(source, "pelvis")
    return {"problem": failure, "still": still, "moves": moves, "apart": largest_move(away, there)}


def secondary_motion(ui: Any, avatar: str, motion: str) -> Steps:
    """Let hair and skirt swing with a motion, watch them play, and take that away again."""
    yield from fresh(ui)
    armature, scene = (yield from open_avatar(ui, avatar, fast=True)).armature, bpy.context.scene
    yield from confirm(ui, "likeness.import_motion", filepath=motion)
    frame_view(ui, armature)
    before = len(armature.data.bones)
    yield from press(ui, "likeness.add_secondary_motion", stiffness=1.5)
    out: dict[str, Any] = {"bones": len(armature.data.bones) - before, "problem": problem()}
    out["keys"], out["turns"] = swing_keys(armature)
    scene.frame_set(scene.frame_end // 2)
    yield from ui.shot("swing")
    yield from panel(ui, "LIKENESS_PT_motion", "panel_motion_swing")
    scene.frame_set(scene.frame_start)
    passed: list[int] = []

    def note(scene: Any, *_: Any) -> None:
        passed.append(scene.frame_current)

    bpy.app.handlers.frame_change_post.append(note)
    try:
        with ui.override():
            bpy.ops.screen.animation_play("INVOKE_DEFAULT", True)
        yield lambda: len(passed) > 3
        with ui.override():
            bpy.ops.screen.animation_cancel("INVOKE_DEFAULT", True, restore_frame=False)
    finally:
        bpy.app.handlers.frame_change_post.remove(note)
    out["played"] = len(passed)
    yield from press(ui, "likeness.remove_secondary_motion")
    out["left"] = [len(armature.data.bones) - before, swing_keys(armature)[0]]
    yield from panel(ui, "LIKENESS_PT_motion", "panel_motion_still")
    return out


def swing_keys(armature: Any) -> tuple[int, float]:
    """How many keys the bones of the swing have, and how far apart those of a rotation are."""
    actions = ours("addon.motion.actions")
    data = armature.animation_data
    bag = actions.find_channelbag(data.action, data.action_slot)
    prefix = f'pose.bones["{ours("addon.rig.swing_bones").PREFIX}'
    curves = [curve for curve in bag.fcurves if curve.data_path.startswith(prefix)]
    spans = [
        max(key.co[1] for key in curve.keyframe_points)
        - min(key.co[1] for key in curve.keyframe_points)
        for curve in curves
        if curve.data_path.endswith("rotation_quaternion")
    ]
    return sum(len(curve.keyframe_points) for curve in curves), max(spans, default=0.0)
