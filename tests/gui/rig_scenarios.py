"""Press every button of the panels Avatars, Pose and Expression, on a real avatar.

Run by inside.py.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from pressing import frame_view, look, panel, pose_mode, press, select_bones
from scenarios import Steps, avatars, fresh, largest_move, open_avatar, ours, select_object

HANDS = ("left_wrist", "right_wrist")
ENDS = (*HANDS, "left_ankle", "right_ankle")
DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")


def places(armature: Any, *names: str) -> Any:
    """[N, 3] where bones are in the world, as displayed."""
    bpy.context.view_layer.update()
    return np.array([armature.matrix_world @ armature.pose.bones[name].head for name in names])


def turn(ui: Any, axis: str, degrees: str) -> Steps:
    """Turn the selection about its own axis, with the keyboard: R X X 40 Enter."""
    x, y = ui.over_view()
    ui.press("R", (x, y))
    yield 0.1
    typed = [(DIGITS[int(digit)], digit) for digit in degrees]
    for key, text in [(axis, ""), (axis, ""), *typed, ("RET", "")]:
        ui.window.event_simulate(type=key, value="PRESS", x=x, y=y, unicode=text)
        ui.window.event_simulate(type=key, value="RELEASE", x=x, y=y)
        yield 0.1
    yield 0.3


def move(ui: Any, x: float, y: float, z: float) -> Steps:
    """Move the selected bones in the world."""
    with ui.override():
        bpy.ops.transform.translate("EXEC_DEFAULT", True, value=(x, y, z))
    yield 0.3


def pose_buttons(ui: Any, avatar: str) -> Steps:
    """Press the buttons of poses, mirror, reset, floor, IK, Follows, look-at and limits."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    armature, out = found.armature, {}
    frame_view(ui, armature)
    yield from panel(ui, "LIKENESS_PT_pose", "panel_pose")
    for name in ("photo", "tpose", "apose", "relaxed"):
        yield from press(ui, "likeness.set_pose", name=name)
        yield from ui.shot(f"pose_{name}")
        out[name] = places(armature, *HANDS).tolist()
    pose_mode(ui)
    select_bones(armature, "left_elbow")
    yield 0.3
    yield from turn(ui, "X", "70")
    yield from press(ui, "likeness.mirror_pose")
    yield from ui.shot("pose_mirrored")
    turned = [
        armature.pose.bones[n].matrix_basis.to_quaternion().angle
        for n in ("left_elbow", "right_elbow")
    ]
    select_bones(armature, "right_elbow")
    yield from press(ui, "likeness.reset_bones")
    turned.append(armature.pose.bones["right_elbow"].matrix_basis.to_quaternion().angle)
    out["elbows"] = turned
    armature.pose.bones["pelvis"].location.y += 0.3
    yield from press(ui, "likeness.feet_to_ground")
    yield from ui.shot("pose_ground")
    ankles = places(armature, *ENDS)[2:]
    out["ankle height"] = float(ankles[:, 2].min())
    seen = places(armature, *ENDS)
    for limb in ("left_hand", "right_hand", "left_foot", "right_foot"):
        yield from press(ui, "likeness.switch_ik", limb=limb, to="IK")
    yield from ui.shot("pose_ik")
    yield from panel(ui, "LIKENESS_PT_pose", "panel_pose_ik")
    out["jump to IK"] = largest_move(places(armature, *ENDS), seen)
    yield from press(ui, "likeness.switch_parent", control="left_hand_ik", to="HEAD")
    select_bones(armature, "left_hand_ik")
    yield from move(ui, 0.0, -0.2, 0.3)
    yield from ui.shot("pose_hand_up")
    out["raised"] = float((places(armature, *HANDS) - seen[:2])[0, 2])
    armature.pose.bones["left_hand_ik"]["stretch"] = 1.0
    yield from move(ui, 0.5, 0.0, 0.3)
    yield from ui.shot("pose_hand_stretched")
    hand, control = places(armature, "left_wrist", "left_hand_ik")
    out["stretched"] = float(np.linalg.norm(hand - control))
    yield from move(ui, -0.5, 0.0, -0.3)
    seen = places(armature, *ENDS)
    yield from press(ui, "likeness.switch_ik", limb="ALL", to="FK")
    yield from ui.shot("pose_fk")
    out["jump to FK"] = largest_move(places(armature, *ENDS), seen)
    for target in ("head_target", "eyes_target"):
        yield from press(ui, "likeness.look_at", target=target)
        select_bones(armature, target)
        yield from move(ui, 0.4, 0.0, 0.1)
        yield from ui.shot(f"pose_{target}")
        yield from press(ui, "likeness.look_at", target=target)
    out["limits"] = [ours("addon.rig.joint_limits").has_active_limits(armature)]
    yield from press(ui, "likeness.joint_limits")
    yield from ui.shot("pose_limits")
    out["limits"].append(ours("addon.rig.joint_limits").has_active_limits(armature))
    return out


def finger_rings(ui: Any, avatar: str) -> Steps:
    """Turn the controls of fingers and hand with the keyboard."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    armature = found.armature
    yield from press(ui, "likeness.set_pose", name="relaxed")
    pose_mode(ui)
    select_bones(armature, "left_fingers")
    look(ui, armature, "left_middle1", 0.5, "RIGHT")
    yield 0.3
    tips = [f"left_{finger}3" for finger in ("index", "middle", "ring", "pinky")]
    before = places(armature, *tips)
    yield from ui.shot("fingers_open")
    yield from turn(ui, "X", "60")
    closed = places(armature, *tips)
    yield from ui.shot("fingers_closed")
    select_bones(armature, "left_index_curl")
    yield from press(ui, "likeness.reset_bones")
    select_bones(armature, "left_fingers")
    yield from press(ui, "likeness.reset_bones")
    back = places(armature, *tips)
    select_bones(armature, "left_index_curl")
    yield from turn(ui, "X", "60")
    yield from ui.shot("fingers_index")
    index = places(armature, *tips)
    return {
        "closed": np.linalg.norm(closed - before, axis=1).tolist(),
        "back": largest_move(back, before),
        "index": np.linalg.norm(index - before, axis=1).tolist(),
    }


def face_buttons(ui: Any, avatar: str) -> Steps:
    """Press the buttons of expressions, mirror, keys, reset and the pose library."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    armature = found.armature
    look(ui, armature, "jaw", 0.8)
    face = armature.pose.bones["face"]
    yield from press(ui, "likeness.reset_expression", region="ALL")
    yield from ui.shot("face_neutral")
    yield from panel(ui, "LIKENESS_PT_expression", "panel_expression")
    out: dict[str, Any] = {}
    items = ours("addon.expression_items").expression_entries("Expressions")
    out["presets"] = len(items)
    yield from press(ui, "likeness.set_expression", name=items[1][0])
    yield from ui.shot("face_preset")
    out["set"] = max(ours("addon.scene.body_object").get_expression(armature).values())
    yield from press(ui, "likeness.reset_expression", region="ALL")
    face["mouthSmileLeft"] = 1.0
    yield from press(ui, "likeness.mirror_expression")
    yield from ui.shot("face_mirrored")
    out["mirrored"] = face["mouthSmileRight"]
    yield from press(ui, "likeness.key_expression")
    out["keyed"] = armature.animation_data.action is not None
    yield from press(ui, "likeness.reset_expression", region="MOUTH")
    out["reset"] = face["mouthSmileLeft"]
    yield from panel(ui, "LIKENESS_PT_library", "panel_library")
    yield from press(ui, "likeness.add_pose_library")
    yield from panel(ui, "LIKENESS_PT_library", "panel_library_added")
    out["libraries"] = [lib.name for lib in bpy.context.preferences.filepaths.asset_libraries]
    return out


def avatar_buttons(ui: Any, avatar: str) -> Steps:
    """Select, duplicate, mark and delete avatars; rebuild and delete lost parts."""
    yield from fresh(ui)
    found = yield from open_avatar(ui, avatar, fast=True)
    first = found.armature.name
    yield from press(ui, "likeness.duplicate_avatar")
    copy = next(a.armature.name for a in avatars() if a.armature.name != first)
    frame_view(ui, found.armature)
    yield from press(ui, "likeness.select_avatar", name=first)
    out: dict[str, Any] = {"active": bpy.context.object.name == first}
    yield from press(ui, "likeness.mark_avatar")
    yield from panel(ui, "LIKENESS_PT_avatars", "panel_avatars")
    out["assets"] = sum(c.asset_data is not None for c in bpy.data.collections)
    yield from press(ui, "likeness.select_avatar", name=copy)
    yield from press(ui, "likeness.delete_avatar")
    out["deleted"] = [a.armature.name for a in avatars()] == [first]
    select_object(bpy.data.objects[first])
    with ui.override():
        bpy.ops.object.delete("EXEC_DEFAULT", True)
    yield 0.3
    lost = ours("addon.scene.orphans").find_orphans(bpy.context.scene)
    out["lost"] = [orphan.title for orphan in lost]
    yield from ui.shot("orphan")
    yield from panel(ui, "LIKENESS_PT_avatars", "panel_orphan")
    yield from press(ui, "likeness.rebuild_rig", name=lost[0].name)
    out["rebuilt"] = [a.armature.name for a in avatars()] == [first]
    yield from ui.shot("orphan_rebuilt")
    with ui.override():
        bpy.ops.object.delete("EXEC_DEFAULT", True)
    bpy.data.orphans_purge()
    lost = ours("addon.scene.orphans").find_orphans(bpy.context.scene)
    yield from press(ui, "likeness.rebuild_rig", name=lost[0].name)
    yield from ui.shot("orphan_new_rig")
    out["new"] = len(avatars())
    with ui.override():
        bpy.ops.object.delete("EXEC_DEFAULT", True)
    yield from press(
        ui,
        "likeness.delete_orphan",
        name=ours("addon.scene.orphans").find_orphans(bpy.context.scene)[0].name,
    )
    yield from ui.shot("orphan_deleted")
    out["left"] = [o.name for o in bpy.context.scene.objects]
    return out


def upgrade(ui: Any, blend: str) -> Steps:
    """Upgrade the rig of a file of version 0.1."""
    yield from fresh(ui)
    with bpy.context.temp_override(window=ui.window):
        bpy.ops.wm.open_mainfile(filepath=blend)
    yield 1.0
    yield from ui.sidebar()
    found = avatars()[0]
    armature = found.armature
    yield from press(ui, "likeness.select_avatar", name=armature.name)
    yield from ui.shot("upgrade_before")
    yield from panel(ui, "LIKENESS_PT_pose", "panel_upgrade")
    before = places(armature, *ENDS)
    yield from press(ui, "likeness.upgrade_rig")
    yield from ui.shot("upgrade_after")
    return {
        "moved": largest_move(places(armature, *ENDS), before),
        "cog": largest_move(places(armature, "cog"), places(armature, "pelvis")),
        "again": ours("operators.pose").UpgradeRig.poll(bpy.context),
    }


def added_body(ui: Any) -> Steps:
    """Use Add > Armature > Likeness Body, also with a random shape."""
    yield from fresh(ui)
    yield from press(ui, "likeness.add_body")
    yield from press(ui, "likeness.add_body", shape="RANDOM", seed=3)
    yield from ui.shot("bodies")
    return [obj.type for obj in bpy.context.scene.objects]
