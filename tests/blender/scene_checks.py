"""Checks of the scene, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import people
from likeness.addon.motion.bone_pose import apply_pose, read_bone_pose
from likeness.addon.scene.armature import create_armature
from likeness.addon.scene.avatar_objects import (
    AvatarObjects,
    build_scene,
    find_avatar,
    find_avatars,
)
from likeness.addon.scene.blend_writer import blend_from_avatar
from likeness.addon.scene.body_object import create_body, set_expression
from likeness.addon.scene.origin import template_origin
from likeness.addon.scene.read_back import body_vertices
from likeness.addon.scene.render_setup import render_png, set_up_render
from likeness.addon.scene.splat_object import MODIFIER_NAME, set_input
from likeness.engine.body.body_file import load_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix, quaternion_to_matrix
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    Avatar,
    FloatArray,
    LikenessError,
    Pose,
)
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.lift.face.lids import separate_eyes
from likeness.engine.gaussians.lod import order_by_importance, simplify_avatar
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.scene.mesh import CORNERS, stored_order
from PIL import Image


def raw(objects: AvatarObjects) -> None:
    """Splats as the engine poses them: not softened."""
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 0.0)


def splat_errors(
    objects: AvatarObjects, avatar: Avatar, pose: Pose, count: int | None = None
) -> dict[str, float]:
    """Largest distance of means in metres, and of the splats' unit axes, from the engine's.

    With ``count``, of the level of so many.
    """
    order = stored_order(avatar)
    if count is not None:
        avatar, order = simplify_avatar(avatar, count), order[order < count]
    posed = pose_avatar(avatar, pose)
    corners = people.splat_corners(objects).astype(np.float64)
    axes = quaternion_to_matrix(posed.quats[order].astype(np.float64))[:, :, :2]
    edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)  # [N, 3, 2]
    pattern = (CORNERS[1:] - CORNERS[0]).astype(np.float64).T  # columns in sigma units
    found = edges @ np.linalg.inv(pattern) / posed.scales[order][:, None, :2]
    vertices, _ = avatar.body.vertices(pose)
    sound = ~folded(vertices, avatar.body.f)[avatar.body.f[avatar.gaussians.triangle[order]]].any(1)
    return {
        "mean": float(np.abs(corners.mean(1) - posed.means[order])[sound].max()),
        "axes": float(np.abs(found - axes)[sound].max()),
        "sound": float(sound.mean()),
    }


def folded(vertices: FloatArray, f: FloatArray) -> FloatArray:
    """[V] where a surface is folded on itself, so that the normals of its faces nearly cancel.

    Blender weighs them by a quick arc cosine that is 1e-4 wrong; a fold blows that up.
    """
    corners = vertices[f]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    together, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for k in range(3):
        to = np.stack([corners[:, (k + s) % 3] - corners[:, k] for s in (1, 2)], 1)
        to /= np.linalg.norm(to, axis=2, keepdims=True)
        angle = np.arccos(np.clip((to[:, 0] * to[:, 1]).sum(1), -1, 1))
        np.add.at(together, f[:, k], angle[:, None] * normals)
        np.add.at(weight, f[:, k], angle)
    return np.linalg.norm(together, axis=1) < 0.25 * weight


def poses(count: int, skirt: bool = False) -> list[dict[str, float]]:
    """Errors of body, splats and bones in the photo's and ``count`` random poses."""
    people.empty_scene()
    avatar = people.random_avatar(0)
    if skirt:
        avatar = people.with_skirt(avatar)
    objects = build_scene(avatar, "Person")
    raw(objects)
    rng = np.random.default_rng(1)
    out = []
    for pose in (avatar.pose, *(people.random_pose(avatar, rng) for _ in range(count))):
        objects.set_pose(pose, avatar.body.expression_names)
        vertices, _ = avatar.body.vertices(pose)
        back = objects.get_pose(avatar.body.expression_names)
        turns = axis_angle_to_matrix(pose.full_pose) - axis_angle_to_matrix(back.full_pose)
        out.append(
            {
                "body": float(np.abs(people.body_vertices(objects) - vertices).max()),
                **splat_errors(objects, avatar, pose),
                "joints": float(np.abs(turns).max()),
                "transl": float(np.abs(back.transl - pose.transl).max()),
                "expression": float(np.abs(back.expression - pose.expression).max()),
            }
        )
    return out


def blinks() -> list[dict[str, float]]:
    """Errors of the default body and of splats around its eyes: open, half closed, closed, a wink,
    and actions that limit one another."""
    people.empty_scene()
    body = load_body(asset_path("body"))
    body = separate_eyes(body.personalised(np.zeros(body.num_betas)))
    eyes = body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    away = np.linalg.norm(body.v_template[body.f].mean(1)[:, None] - eyes, axis=2).min(1)
    triangle = np.nonzero(away < 0.035)[0]
    avatar = people.random_avatar(0, len(triangle))
    splats = replace(
        avatar.gaussians,
        triangle=triangle.astype(np.int32),
        offset=0.1 * avatar.gaussians.offset,  # lids hover within millimetres
        scales=0.1 * avatar.gaussians.scales,
    )
    pose = Pose(np.zeros((NUM_JOINTS, 3)), np.zeros(3), np.zeros(body.num_expression))
    avatar = replace(avatar, body=body, gaussians=splats, pose=pose)
    objects = build_scene(avatar, "Eyes")
    raw(objects)
    out = []
    shut = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    for weights in (
        {},
        dict.fromkeys(shut, 0.5),
        shut,
        {"eyeBlinkLeft": 1.0},
        {**shut, "eyeLookDownLeft": 1.0, "eyeWideRight": 0.8},
        {"eyeBlinkLeft": 0.7, "eyeBlinkRight": -0.3, "eyeLookDownLeft": 1.0, "eyeSquintRight": 1.0},
        {"tongueOut": 0.9, "mouthClose": 1.0},
        {"mouthFunnel": 0.9, "mouthClose": 1.0},
        {"tongueOut": 0.4, "mouthClose": 1.0, "jawOpen": 0.6},
    ):
        shown = replace(pose, expression=body.expression(**weights))
        objects.set_pose(shown, body.expression_names)
        error = float(np.abs(people.body_vertices(objects) - body.vertices(shown)[0]).max())
        out.append({"body": error, **splat_errors(objects, avatar, shown)})
    return out


def moved_armature() -> dict[str, float]:
    """The armature object moved, turned and scaled: everything has to come along."""
    people.empty_scene()
    avatar = people.random_avatar(2)
    objects = build_scene(avatar, "Person")
    raw(objects)
    objects.armature.location = (0.0, 0.0, 0.0)
    before = people.splat_corners_in_world(objects)
    objects.armature.location = (1.0, 0.0, 0.0)
    objects.armature.rotation_euler = (0.0, 0.0, np.pi / 2)
    objects.armature.scale = (2.0, 2.0, 2.0)
    after = people.splat_corners_in_world(objects)
    x, y, z = np.moveaxis(2.0 * before, -1, 0)
    expected = np.stack([1.0 - y, x, z], -1)  # a quarter turn about z: x -> y, y -> -x
    return {"error": float(np.abs(after - expected).max())}


def turned_about_feet() -> dict[str, float]:
    """The object moved, turned and scaled: the engine's vertices, turned about the feet."""
    people.empty_scene()
    avatar = people.random_avatar(2)
    objects = build_scene(avatar, "Person")
    photo, joints = avatar.body.vertices(avatar.pose)
    feet = np.array([joints[0, 0], photo[:, 1].min(), joints[0, 2]])
    out = {}
    for name, pose in (
        ("photo", avatar.pose),
        ("posed", people.random_pose(avatar, np.random.default_rng(3))),
    ):
        objects.set_pose(pose, avatar.body.expression_names)
        objects.armature.location = (1.0, 0.5, -0.25)
        objects.armature.rotation_euler = (0.0, 0.0, np.pi / 2)
        objects.armature.scale = (2.0, 2.0, 2.0)
        bpy.context.view_layer.update()
        seen = body_vertices(objects, bpy.context.evaluated_depsgraph_get())
        # a quarter turn about the engine's y: z -> x, x -> -z
        x, y, z = np.moveaxis(2.0 * (avatar.body.vertices(pose)[0] - feet), -1, 0)
        wanted = np.stack([z, y, -x], -1) + np.array([1.0, -0.25, -0.5])
        out[name] = float(np.abs(seen - wanted).max())
        back = objects.get_pose(avatar.body.expression_names)
        out[f"{name}_transl"] = float(np.abs(back.transl - pose.transl).max())
    return out


def before_origins(folder: str) -> dict[str, float]:
    """A file of an older version: armature space is the photo's, the object is moved."""
    people.empty_scene()
    avatar = people.random_avatar(2)
    armature = create_armature(
        avatar.body.J_template, "Person", bpy.context.scene.collection, bpy.context
    )
    body = create_body(avatar.body, "Person Body", armature, bpy.context.scene.collection)
    armature.location = (0.5, 2.0, 1.0)
    apply_pose(avatar.pose, armature)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "old.blend"))
    armature, body = bpy.data.objects["Person"], bpy.data.objects["Person Body"]
    old = SimpleNamespace(armature=armature, body=body)
    pose = people.random_pose(avatar, np.random.default_rng(3))
    set_expression(armature, avatar.body.expression_names, pose.expression)
    apply_pose(pose, armature)
    bpy.context.view_layer.update()
    seen = body_vertices(old, bpy.context.evaluated_depsgraph_get())
    wanted = avatar.body.vertices(pose)[0] + np.array([0.5, 1.0, -2.0])
    back = read_bone_pose(armature, np.zeros(0))
    return {
        "place": float(np.abs(seen - wanted).max()),
        "transl": float(np.abs(back.transl - pose.transl).max()),
    }


def standing_place() -> dict[str, Any]:
    """Where an imported person stands."""
    people.empty_scene()
    avatar = people.random_avatar(11)
    objects = build_scene(avatar, "Person")
    pelvis = objects.armature.matrix_world @ objects.armature.pose.bones["pelvis"].head
    points = body_vertices(objects, bpy.context.evaluated_depsgraph_get())
    lowest = points[:, 1].min()
    objects.armature.data.pose_position = "REST"
    resting = body_vertices(objects, bpy.context.evaluated_depsgraph_get())
    distance = (objects.camera.location - pelvis).length
    return {
        "pelvis": list(pelvis[:2]),
        "floor": float(lowest),
        "origin": list(objects.armature.matrix_world.translation),
        "rest": [float(resting[:, 1].min()), *objects.armature.data.bones["pelvis"].head_local[:2]],
        "distance": distance,
        "photo_distance": float(np.linalg.norm(avatar.body.vertices(avatar.pose)[1][0])),
    }


def objects_and_names() -> dict[str, Any]:
    """What is in the scene, and that it is found again."""
    people.empty_scene()
    avatar = people.random_avatar(3)
    first, second = build_scene(avatar, "Person"), build_scene(avatar, "Person")
    first.armature.data.pose_position = "REST"
    bpy.context.view_layer.update()
    # Blender lists bones along the tree; the order of SMPL-X is that of the names.
    bones = [bone for bone in first.armature.data.bones if bone.name in JOINT_INDEX]
    bones = sorted(bones, key=lambda bone: JOINT_INDEX[bone.name])
    heads = np.array([b.head_local for b in bones]) - template_origin(first.armature)
    lengths = [b.length for b in bones]
    found = find_avatars(bpy.context.scene)
    return {
        "bones": [b.name for b in bones],
        "parents": [b.parent.name if b.parent else None for b in bones],
        "heads": heads.tolist(),
        "joints": avatar.body.J_template.tolist(),
        "shortest": min(lengths),
        "collections": {
            c.name: len(c.bones_recursive) for c in first.armature.data.collections_all
        },
        "keys": [k.name for k in first.body.data.shape_keys.key_blocks[1:]],
        "expressions": list(avatar.body.expression_names),
        "parts_find_avatar": [
            find_avatar(o).armature.name == first.armature.name
            for o in (first.armature, first.body, first.splats, first.camera)
        ],
        "two": [a.armature.name for a in found],
        "own_camera": second.camera.name != first.camera.name
        and find_avatar(second.splats).camera.name == second.camera.name,
        "one_group": len(bpy.data.node_groups) == 1,
        "materials": sorted(m.name for m in bpy.data.materials),
        "stranger": find_avatar(bpy.data.objects.new("Cube", None)) is None,
    }


def unreadable_photo(folder: str) -> dict[str, Any]:
    """An import that fails at its last step has to leave nothing."""
    people.empty_scene()
    photo = Path(folder) / "photo.jpg"
    photo.write_bytes(b"no picture")
    try:
        build_scene(people.random_avatar(12), "Person", photo)
    except LikenessError as error:
        said = str(error)
    kinds = ("objects", "meshes", "armatures", "cameras", "collections", "shape_keys")
    return {"said": said, "left": [k for k in kinds if len(getattr(bpy.data, k))]}


def mirrored_rolls() -> dict[str, float]:
    """Blender flips poses from left to right by names and rest axes: these must be mirrored."""
    people.empty_scene()
    joints = make_synthetic_body().J_template  # as symmetric as the default body's average person
    collection = bpy.context.scene.collection
    bones = create_armature(joints, "Person", collection, bpy.context).data.bones
    worst = 0.0
    for bone in bones:
        if bone.name.startswith("left_"):
            left = np.array(bone.matrix_local.to_3x3())
            right = np.array(bones["right_" + bone.name[5:]].matrix_local.to_3x3())
            mirrored = np.diag([-1.0, 1.0, 1.0]) @ left @ np.diag([-1.0, 1.0, 1.0])
            worst = max(worst, float(np.abs(mirrored - right).max()))
    return {"error": worst}


def render(engine: str, posed: bool) -> dict[str, float]:
    """A render against the engine's picture, over pixels that the person covers."""
    people.empty_scene()
    avatar = people.random_avatar(5, count=5000)
    objects = build_scene(avatar, "Person")
    pose = avatar.pose
    if posed:
        pose = people.random_pose(avatar, np.random.default_rng(6), 0.2)
        objects.set_pose(pose, avatar.body.expression_names)
    set_up_render(bpy.context.scene, objects.camera, engine)
    picture = rendered()
    expected = render_camera(pose_avatar(avatar, pose), avatar.camera)
    inside = expected.alpha > 0.5
    straight = expected.rgb / np.maximum(expected.alpha[..., None], 1e-6)
    return {
        "covered": float(inside.mean()),
        "rgb_db": psnr((picture[..., :3] - straight)[inside]),
        "alpha_db": psnr(picture[..., 3] - expected.alpha),
    }


def one_color(engine: str, color: list[float]) -> list[float]:
    """The middle pixel of a wall of splats of one colour."""
    people.empty_scene()
    avatar = people.random_avatar(7, count=2000, size=(32, 32), scale=0.1)
    avatar.gaussians.colors[:] = color
    avatar.gaussians.opacities[:] = 0.99
    objects = build_scene(avatar, "Person")
    set_up_render(bpy.context.scene, objects.camera, engine)
    picture = rendered()
    return picture[picture[..., 3] > 0.999][:, :3].mean(0).tolist()


def detail(part: float, ordered: bool) -> dict[str, Any]:
    """The splats that are left at a detail, and how much of the picture they still cover."""
    people.empty_scene()
    avatar = people.random_avatar(5, count=5000)
    if ordered:
        avatar = order_by_importance(avatar)
    objects = build_scene(avatar, "Person")
    set_up_render(bpy.context.scene, objects.camera)
    full = rendered()[..., 3].mean()
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    set_input(modifier, "Viewport Detail", part)
    set_input(modifier, "Render Detail", part)
    kept = len(people.splat_corners(objects))
    out = {"kept": kept}
    picture = rendered()
    out["cover"] = float(picture[..., 3].mean() / full)
    if ordered:
        expected = render_camera(pose_avatar(simplify_avatar(avatar, kept)), avatar.camera)
        inside = expected.alpha > 0.5
        straight = expected.rgb / np.maximum(expected.alpha[..., None], 1e-6)
        out["rgb_db"] = psnr((picture[..., :3] - straight)[inside])
        raw(objects)
        pose = people.random_pose(avatar, np.random.default_rng(3))
        objects.set_pose(pose, avatar.body.expression_names)
        out |= splat_errors(objects, avatar, pose, kept)
    return out


def sorted_back_to_front(seed: int) -> dict[str, Any]:
    """Depths of the splats in drawing order, for a camera that is not the photo's."""
    people.empty_scene()
    avatar = people.random_avatar(seed)
    objects = build_scene(avatar, "Person")
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Sorted Viewport", True)
    camera = objects.camera
    camera.rotation_mode = "XYZ"
    camera.location, camera.rotation_euler = (3.0, 0.0, 0.5), (np.pi / 2, 0.0, np.pi / 2)
    means = people.splat_corners_in_world(objects).mean(1)
    depth = 3.0 - means[:, 0]  # the camera looks along -x
    obj = objects.splats.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    faces = np.empty(3 * len(obj.polygons), np.int32)
    obj.attributes[".corner_vert"].data.foreach_get("value", faces)
    drawn = depth[faces[::3] // 3]
    return {"falls": bool((np.diff(drawn) <= 1e-5).all()), "count": len(drawn)}


def write_blend(folder: str, photo: str) -> dict[str, Any]:
    """An avatar file and its .blend."""
    avatar = people.random_avatar(8)
    avatar_path, blend_path = Path(folder) / "person.safetensors", Path(folder) / "person.blend"
    save_avatar(avatar, avatar_path)
    blend_from_avatar(avatar_path, blend_path, Path(photo))
    return {"files": sorted(p.name for p in Path(folder).iterdir())}


def open_blend(folder: str) -> dict[str, Any]:
    """The .blend in a fresh Blender with factory settings: posed, checked and rendered."""
    avatar = load_avatar(Path(folder) / "person.safetensors")
    bpy.ops.wm.read_factory_settings()
    bpy.ops.wm.open_mainfile(filepath=str(Path(folder) / "person.blend"))
    (objects,) = find_avatars(bpy.context.scene)
    raw(objects)
    photo = objects.camera.data.background_images[0].image
    size = list(photo.size)
    pose = people.random_pose(avatar, np.random.default_rng(9), 0.2)
    objects.set_pose(pose, avatar.body.expression_names)
    errors = splat_errors(objects, avatar, pose)
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 1.0)
    picture = rendered()
    expected = render_camera(pose_avatar(avatar, pose), avatar.camera)
    inside = expected.alpha > 0.5
    straight = expected.rgb / np.maximum(expected.alpha[..., None], 1e-6)
    armature = objects.armature
    return {
        **errors,
        "rgb_db": psnr((picture[..., :3] - straight)[inside]),
        "asset": objects.collection.asset_data is not None
        and list(objects.collection.preview.image_size) == [256, 256],
        "packed": photo.packed_file is not None,
        "photo_size": size,
        "avatar": armature["likeness_avatar"],
        "provenance": armature["likeness_provenance"],
        "bones_read": read_bone_pose(armature, pose.expression).transl.tolist(),
        "transl": list(pose.transl),
        "engine": bpy.context.scene.render.engine,
        "view": bpy.context.scene.view_settings.view_transform,
        "handlers": len(bpy.app.handlers.depsgraph_update_post)
        + len(bpy.app.handlers.frame_change_post),
        "texts": len(bpy.data.texts),
        "fast": bool(objects.splats.get("likeness_fast_splats")),
    }


def psnr(difference: FloatArray) -> float:
    return float(-10 * np.log10(np.mean(np.square(difference)) + 1e-12))


def rendered() -> FloatArray:
    """[H, W, 4] 0..1: the scene's render, through a PNG file as users get it."""
    path = Path(bpy.app.tempdir) / "render.png"
    render_png(bpy.context.scene, path)
    return np.asarray(Image.open(path), np.float64) / 255.0
