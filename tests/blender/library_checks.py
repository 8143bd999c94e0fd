"""Checks of named expressions and of the pose assets, run inside Blender by ``inside.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import people
from likeness import operators
from likeness.addon import pose_library, properties
from likeness.addon.motion.bone_pose import axis_angles, get_rest_axes
from likeness.addon.rig.control_names import FACE
from likeness.addon.scene.avatar_objects import build_scene, find_avatar
from likeness.addon.scene.body_object import get_expression, set_expression
from likeness.engine.body.body_file import load_body
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.poses import build_pose, named_expressions, named_poses
from likeness.panels import expression as expression_panel


def _person() -> Any:
    """The default body's rest joints under a small body, in an empty scene."""
    people.empty_scene()
    avatar = people.random_avatar(3, count=100)
    own = load_body(asset_path("body"))
    return avatar, build_scene(
        replace(avatar, body=replace(avatar.body, J_template=own.J_template)), "Person"
    )


def _state(armature: Any) -> dict[str, Any]:
    """All that a pose asset could change."""
    return {
        bone.name: [*bone.rotation_quaternion, *bone.location, *bone.scale]
        for bone in armature.pose.bones
    }


def _posed(armature: Any, pose: Pose) -> None:
    from likeness.addon.motion.bone_pose import apply_pose

    apply_pose(pose, armature)


def applied(blend: str) -> dict[str, Any]:
    """Every asset applied to a rig that stands otherwise: errors of what it names, and the
    largest change of anything else."""
    _, objects = _person()
    armature = objects.armature
    axes = get_rest_axes(armature)
    with bpy.data.libraries.load(blend) as (inside, wanted):
        wanted.actions = list(inside.actions)
    rng = np.random.default_rng(0)
    out: dict[str, Any] = {"names": [], "poses": 0.0, "faces": 0.0, "others": 0.0}
    for entry in [*named_poses().values(), *named_expressions().values()]:
        action = bpy.data.actions[entry.label]
        out["names"].append(action.name)
        start = Pose(rng.normal(0, 0.4, (55, 3)), rng.normal(0, 1, 3), np.zeros(52))
        _posed(armature, start)
        faces = rng.uniform(0, 1, 52)
        set_expression(armature, ARKIT_EXPRESSIONS, faces)
        before = _state(armature)
        armature.pose.apply_pose_from_action(action, evaluation_time=1.0)
        after = _state(armature)
        joints = getattr(entry, "joints", {})
        weights = {} if joints else entry.all_weights()
        quaternions = np.array([armature.pose.bones[n].rotation_quaternion for n in JOINT_NAMES])
        seen = axis_angle_to_matrix(axis_angles(quaternions, axes))
        for name, value in joints.items():
            R = axis_angle_to_matrix(np.asarray(value)).T @ seen[JOINT_INDEX[name]]
            off = np.linalg.norm(R - R.T) / np.sqrt(8)  # the sine of the angle between them
            out["poses"] = max(out["poses"], float(off if np.trace(R) > 1 else 3.0))
        now = get_expression(armature)
        for name, was in zip(ARKIT_EXPRESSIONS, faces):
            if name in weights:
                out["faces"] = max(out["faces"], abs(now[name] - weights[name]))
            else:
                out["others"] = max(out["others"], abs(now[name] - was))
        for name, values in before.items():
            kept = slice(4, None) if name in joints else slice(None)
            moved = np.abs(np.array(values[kept]) - after[name][kept]).max()
            out["others"] = max(out["others"], float(moved))
    expected = build_pose("sit", load_body(asset_path("body"))).full_pose
    armature.pose.apply_pose_from_action(bpy.data.actions["Sit"], evaluation_time=1.0)
    quaternions = np.array([armature.pose.bones[n].rotation_quaternion for n in JOINT_NAMES])
    body = [j for j in range(55) if not 22 <= j <= 24]
    turned = axis_angles(quaternions, axes)[body] - expected[body]
    out["sit"] = float(np.abs(turned).max())
    return out


def assets(blend: str) -> list[dict[str, Any]]:
    """What the library's file says of its assets."""
    people.empty_scene()
    with bpy.data.libraries.load(blend, assets_only=True) as (inside, wanted):
        wanted.actions = list(inside.actions)
    out = []
    for action in bpy.data.actions:
        data, preview = action.asset_data, action.preview
        pixels = np.array(preview.image_pixels_float)
        out.append(
            {
                "name": action.name,
                "catalog": data.catalog_id,
                "author": data.author,
                "license": data.license,
                "description": data.description,
                "tags": [tag.name for tag in data.tags],
                "size": list(preview.image_size),
                "contrast": float(pixels.std()),
                "slots": [s.target_id_type for s in action.slots],
                "others": len(bpy.data.objects) + len(bpy.data.armatures),
            }
        )
    return out


def written(folder: str) -> dict[str, Any]:
    """The library made anew, with pictures of one colour."""
    from likeness.engine.poses import thumbnails

    thumbnails.read_thumbnail = lambda name: np.full((16, 16, 3), 0.5, np.float32)
    path = Path(folder) / "a.blend"
    pose_library.write_library(path)
    return {
        "files": sorted(p.name for p in Path(folder).iterdir()),
        "catalogs": (Path(folder) / pose_library.CATALOGS_FILE).read_text(encoding="utf-8"),
        "left": len(bpy.data.actions) + len(bpy.data.objects),
    }


def operated(library: str) -> dict[str, Any]:
    """What the panel's operators do."""
    from likeness.addon import pose_library

    pose_library.library_folder = lambda: Path(library)
    properties.register()
    operators.register()
    _, objects = _person()
    bpy.context.view_layer.objects.active = objects.body
    armature = objects.armature
    ops = bpy.ops.likeness
    set_expression(armature, ARKIT_EXPRESSIONS, np.zeros(52))
    set_expression(armature, ("eyeLookUpLeft", "browInnerUp"), np.array([0.5, 0.4]))
    out: dict[str, Any] = {}
    ops.set_expression(name="smile", strength=0.5)
    out["half"] = get_expression(armature)
    ops.set_expression(name="blink", mode="ADD")
    ops.set_expression(name="viseme_aa", mode="REPLACE")
    out["spoken"] = get_expression(armature)
    ops.mirror_expression(source="Left")
    out["even"] = get_expression(armature)
    ops.reset_expression(region="BROWS")
    out["brows"] = get_expression(armature)
    bpy.context.scene.frame_set(7)
    ops.key_expression()
    bag = armature.animation_data.action.layers[0].strips[0].channelbags[0]
    out["keys"] = [len(bag.fcurves), [p.co.x for p in bag.fcurves[0].keyframe_points]]
    armature.animation_data_clear()
    ops.reset_expression(region="ALL")
    out["reset"] = max(get_expression(armature).values())
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    ops.set_expression(name="blink")
    bag = armature.animation_data.action.layers[0].strips[0].channelbags[0]
    out["auto"] = sorted(curve.data_path for curve in bag.fcurves)
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = False
    armature.animation_data_clear()
    ops.set_pose(name="arms_crossed")
    wrist = armature.pose.bones["left_wrist"].head
    out["wrist"] = list(wrist - armature.pose.bones["pelvis"].head)
    out["drawn"] = _drawn(expression_panel.ExpressionPanel)
    bpy.context.window_manager.likeness.expression_filter = "blink"
    out["filtered"] = _drawn(expression_panel.ExpressionPanel)
    out["menus"] = {
        menu.bl_idname: len(_drawn(menu))
        for menu in (
            expression_panel.ExpressionMenu,
            expression_panel.VisemeMenu,
            expression_panel.NamedPoseMenu,
        )
    }
    out["offered"] = _drawn(expression_panel.LibraryPanel)
    del armature.pose.bones[FACE]["jawOpen"]
    out["refused"] = _error(ops.set_expression, name="laugh")
    libraries = bpy.context.preferences.filepaths.asset_libraries
    out["before"] = len(libraries)
    ops.add_pose_library()
    ops.add_pose_library()
    out["libraries"] = [[entry.name, entry.path] for entry in libraries][out["before"] :]
    out["found"] = find_avatar(bpy.context.object) is not None
    out["hints"] = _hints(armature)
    operators.unregister()
    properties.unregister()
    return out


def _hints(armature: Any) -> list[int]:
    """Lines that the library's panel draws with the face's bone selected, another, none."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    lines = []
    for chosen in (FACE, "left_elbow", ""):
        for bone in armature.pose.bones:
            (bone if hasattr(bone, "select") else bone.bone).select = bone.name == chosen
        bpy.context.view_layer.update()
        lines.append(len(_drawn(expression_panel.LibraryPanel)))
    return lines


class _Layout:
    """Takes down what a panel draws."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def __getattr__(self, kind: str) -> Any:
        if kind in ("row", "column", "box", "split"):
            return lambda **_: self
        if kind == "panel":
            return lambda *_, **__: (self, self)

        def draw(*words: Any, **_: Any) -> Any:
            self._said.append(" ".join(str(w) for w in (kind, *words) if isinstance(w, str)))
            return SimpleNamespace()

        return draw


def _drawn(panel: Any) -> list[str]:
    said: list[str] = []
    stands_in = type("Drawn", (), {n: v for n, v in vars(panel).items() if not n.startswith("__")})
    for base in panel.__mro__:
        for name in ("entries", "draw", "operator", "catalog"):
            if name in vars(base) and not hasattr(stands_in, name):
                setattr(stands_in, name, vars(base)[name])
    itself = stands_in()
    itself.layout = _Layout(said)
    itself.draw(bpy.context)
    return said


def _error(operator: Any, **arguments: Any) -> str:
    try:
        operator(**arguments)
    except RuntimeError as error:
        return str(error)
    return ""
