"""Press the buttons of speech and of the face that is followed. Run by inside.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from pressing import browse, call, confirm, look, panel, press, problem
from scenarios import Steps, avatars, fresh, open_avatar, ours, running


def jaw(armature: Any) -> float:
    """How far the jaw is open."""
    return float(armature.pose.bones["face"]["jawOpen"])


def speech_buttons(ui: Any, avatar: str, voice: str) -> Steps:
    """Let an avatar speak a recording, chosen in the file browser and dropped."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    look(ui, found.armature, "jaw", 0.8)
    seen = yield from browse(
        ui, "likeness.animate_from_audio", Path(voice), "animate_from_audio", language="xx"
    )
    out: dict[str, Any] = {"problems": [problem()], "asked": sorted(seen)}
    scene, armature = bpy.context.scene, avatars()[0].armature
    jaws = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        jaws.append(jaw(armature))
    out["open"], out["shut"] = max(jaws), min(jaws)
    scene.frame_set(scene.frame_start + jaws.index(max(jaws)))
    yield from ui.shot("speaking")
    out["sounds"] = [s.name for s in scene.sequence_editor.strips if s.type == "SOUND"]
    yield from panel(ui, "LIKENESS_PT_motion", "panel_spoken")
    dropped = {"filepath": voice, "language": "xx", "sound": False}
    yield from confirm(ui, "likeness.animate_from_audio", "audio_dropped", **dropped)
    out["problems"].append(problem())
    out["motions"] = [a.name for a in ours("addon.motion.motion_list").list_motions(armature)]
    return out


def live_buttons(ui: Any, avatar: str, video: str) -> Steps:
    """Follow a face in a video: take the neutral face, record, stop."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    armature = found.armature
    look(ui, armature, "jaw", 0.8)
    live = ours("addon.motion.live_face")
    out: dict[str, Any] = {"before": control_polls(), "commands": []}
    call(ui, "likeness.follow_face", filepath=video)
    yield 0.5
    yield from ui.shot("follow_face")
    ui.press("RET")
    yield lambda: live.is_live() or problem() is not None
    first = armature.pose.bones["head"].rotation_quaternion.copy()
    yield lambda: armature.pose.bones["head"].rotation_quaternion != first or not live.is_live()
    out["shown"] = live.is_live()
    for command in ("NEUTRAL", "RECORD"):
        call(ui, "likeness.control_live_face", command=command)
        yield 0.5
        out["commands"].append(live.is_recording())
    yield from ui.shot("following")
    yield from panel(ui, "LIKENESS_PT_motion", "panel_following")
    yield 1.0
    call(ui, "likeness.control_live_face", command="STOP")
    yield lambda: running() is None
    yield 0.5
    out["problem"] = problem()
    armature = avatars()[0].armature
    motions = ours("addon.motion.motion_list").list_motions(armature)
    out["motions"] = [action.name for action in motions]
    out["length"] = motions[0].frame_range[1] - motions[0].frame_range[0] if motions else 0.0
    yield from ui.shot("followed")
    call(ui, "likeness.follow_face", filepath=video + ".gone", run_now=True)
    yield 0.5
    out["missing"] = problem()
    yield from press(ui, "likeness.dismiss_problem")
    return out


def control_polls() -> bool:
    """Whether a face can be controlled."""
    return bool(bpy.ops.likeness.control_live_face.poll())
