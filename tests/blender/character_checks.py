"""Characters as users have them, made from the default body inside Blender by ``inside.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import people
from likeness.addon.characters import read_character
from likeness.addon.motion.bone_pose import apply_pose
from likeness.addon.scene.armature import create_armature
from likeness.addon.scene.body_object import create_body, set_expression
from likeness.engine.body.body_file import load_body
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_NAMES, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from mixamo import MIXAMO

COLOURS = {
    "lips": (0.42, 0.10, 0.10),
    "eye": (0.9, 0.9, 0.9),
    "mouth": (0.1, 0.02, 0.02),
    "scalp": (0.03, 0.02, 0.01),
}
SKIN, SHIRT = (0.60, 0.36, 0.25), (0.05, 0.12, 0.40)


def truth(seed: int, posed: bool) -> tuple[np.ndarray, Pose]:
    """Betas and a pose with a smile."""
    body = load_body(asset_path("body"))
    rng = np.random.default_rng(seed)
    betas = np.concatenate([rng.normal(0, 1.0, 50), rng.normal(0, 0.7, body.num_betas - 50)])
    pose = Pose(
        np.zeros((55, 3)),
        np.array([0.1, 1.0, 0.2]),
        body.expression(mouthSmileLeft=0.5, mouthSmileRight=0.5),
    )
    if posed:
        pose = pose.with_joints(
            left_shoulder=[0.1, 0.1, -0.9],
            right_shoulder=[0.0, 0.2, 0.7],
            left_elbow=[0.0, -0.5, 0.0],
            right_elbow=[0.0, 0.9, 0.0],
            left_hip=[-0.3, 0.0, 0.1],
            left_knee=[0.4, 0.0, 0.0],
            head=[0.1, 0.2, 0.0],
        )
    return betas, pose


def paint(
    obj: object, colours: list[tuple[str, tuple[float, float, float]]], slot: np.ndarray
) -> None:
    for name, colour in colours:
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (
            *colour,
            1.0,
        )
        obj.data.materials.append(material)
    obj.data.polygons.foreach_set("material_index", slot.astype(np.int32))


def make(seed: int, posed: bool, shirt: bool) -> object:
    """The character in an empty scene; returns its armature."""
    people.empty_scene()
    betas, pose = truth(seed, posed)
    body = load_body(asset_path("body")).personalised(betas)
    scene = bpy.context.scene.collection
    rig = create_armature(body.J_template, "Rig", scene, bpy.context)
    thing = create_body(body, "Figure", rig, scene)
    set_expression(rig, body.expression_names, pose.expression)
    slot = np.zeros(len(body.f))
    for k, part in enumerate(COLOURS, 1):
        slot[body.face_part == body.part_names.index(part)] = k
    paint(thing, [("Flesh", SKIN), *COLOURS.items()], slot)
    things = [thing]
    if shirt:
        wide = body.v_template + 0.008 * vertex_normals(
            np.asarray(body.v_template, np.float64), body.f
        )
        worn = np.isin(body.face_part, [body.part_names.index(n) for n in ("torso", "leg")])
        tailored = replace(
            body,
            v_template=wide,
            f=body.f[worn],
            ft=body.ft[worn],
            face_part=body.face_part[worn],
            exprdirs=np.zeros((*wide.shape, 0)),
            expression_names=(),
        )
        cloth = create_body(tailored, "Jumpsuit", rig, scene)
        paint(cloth, [("Shirt", SHIRT)], np.zeros(int(worn.sum())))
        things.append(cloth)
    for obj in things:
        obj.hide_render = False
        obj.hide_set(False)
    apply_pose(pose, rig)
    for name in JOINT_NAMES:
        rig.data.bones[name].name = f"mixamorig:{MIXAMO[name]}"
    bpy.context.view_layer.update()
    return rig


def write(
    path: str,
    seed: int,
    posed: bool = True,
    shirt: bool = True,
    size: float = 1.0,
    yaw: float = 0.0,
) -> None:
    """A character's file, ``size`` times as large and turned by ``yaw`` degrees."""
    rig = make(seed, posed, shirt)
    rig.scale = (size,) * 3
    rig.rotation_euler = (0.0, 0.0, np.radians(yaw))
    bpy.context.view_layer.update()
    if path.endswith(".blend"):
        bpy.ops.wm.save_as_mainfile(filepath=path)
    elif path.endswith(".glb"):
        bpy.ops.export_scene.gltf(
            filepath=path,
            export_animations=False,
            export_rest_position_armature=False,
            export_morph=True,
        )
    else:
        bpy.ops.wm.obj_export(filepath=path, apply_modifiers=True)


def write_and_read(files: list[str], seed: int) -> dict[str, dict]:
    """A character in several kinds of files, and what the reader says of each."""
    for path in files:
        write(path, seed)
    return {path: read(path) for path in files}


def read_bad(files: list[str]) -> dict[str, dict]:
    """What the reader says of each file; the first is one without a mesh."""
    write_cube(files[0], empty=True)
    return {path: read(path) for path in files}


def read(path: str) -> dict:
    """What the reader says of a file, with a folder beside it for what it finds."""
    folder = f"{path}-out"
    Path(folder).mkdir()
    try:
        read_character(Path(path), Path(folder))
    except LikenessError as error:
        return {
            "error": error.message,
            "remedy": error.remedy,
            "files": sorted(p.name for p in Path(folder).iterdir()),
        }
    return {"error": None, "files": sorted(p.name for p in Path(folder).iterdir())}


def write_cube(path: str, empty: bool = False) -> None:
    """A file with a cube, or without any mesh."""
    people.empty_scene()
    if not empty:
        bpy.ops.mesh.primitive_cube_add()
    else:
        bpy.ops.object.camera_add()
    if path.endswith(".blend"):
        bpy.ops.wm.save_as_mainfile(filepath=path)
    else:
        bpy.ops.export_scene.gltf(filepath=path)
