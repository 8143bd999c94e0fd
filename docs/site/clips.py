"""Make the clips of the documentation, docs/images/*.webp, from the demo's avatar.

    python docs/site/clips.py relight speech ... --avatar AVATAR [--other AVATAR] [--people FOLDER]

A clip takes one to ten minutes on two cores. ``speech`` and ``face_capture`` need espeak-ng;
``retouch``, ``grade``, ``paint``, ``crowd`` and ``vrm`` need Blender's module, and press the
extension's buttons in it. ``face_capture`` needs a second avatar, the actor (``--other``);
``crowd`` a folder of avatars (``--people``) and one of walks (``--motions``).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import likeness
import numpy as np
from clip_pictures import (
    PAPER,
    beside,
    draw_motion,
    ease,
    grid,
    label,
    photo_view,
    pick,
    place_texels,
    run,
    save_clip,
    save_picture,
    say,
    soft,
    to_image,
)
from PIL import Image, ImageDraw

SIDE = 240
"""Pixels of a picture beside another one."""
NEUTRAL = 12
"""Frames at rest, with which a performance begins."""
SENTENCE = "Hello, my name is Anna. I am made of two hundred thousand splats."


# The command line's clips --------------------------------------------------------------------


def relight(options: argparse.Namespace, scratch: Path) -> None:
    """Two of Blender's worlds turn once around the person."""
    import bpy

    worlds = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    avatar = likeness.load(options.avatar)
    view = photo_view(avatar, 300)
    frames = []
    for k in range(36):
        row = [
            to_image(
                likeness.render(
                    avatar,
                    camera=view,
                    background=paper,
                    light=worlds / f"{name}.exr",
                    light_turn=10.0 * k,
                    light_exposure=stops,
                )
            )
            for name, stops, paper in (("studio", 0.0, "#3c4046"), ("sunset", 0.0, "#59493f"))
        ]
        frames.append(beside(*(frame.crop((0, 0, 240, 300)) for frame in row)))
    save_clip(frames, "relight", 12)


def speech(options: argparse.Namespace, scratch: Path) -> None:
    """The astronaut speaks a sentence."""
    motion = say(SENTENCE, scratch)
    where = "--motion", motion, "--focus", "head", "--fps", 15
    frames = draw_motion(options.avatar, scratch / "frames", *where, size=320)
    save_clip(frames, "speech", 15)
    stills = []
    for name in ("PP", "FF", "SS", "E", "aa", "O"):
        file = scratch / f"{name}.png"
        shape = "--expression", f"viseme_{name}", "--focus", "head", "--width", 400
        run("render", options.avatar, "-o", file, "--background", PAPER, *shape)
        stills.append(label(Image.open(file).crop((75, 118, 325, 378)), f"viseme_{name}"))
    save_picture(grid(stills, 6, 260), "speech")


def face_capture(options: argparse.Namespace, scratch: Path) -> None:
    """Left a video of a synthetic person (``--other``), right the avatar that follows it."""
    from likeness.addon.motion.live_face import prepare_recording
    from likeness.engine.body import load_body
    from likeness.engine.core.types import JOINT_INDEX
    from likeness.engine.files.weights import asset_path
    from likeness.engine.tracking.detectors import Detectors
    from likeness.engine.tracking.live_face import FaceFollower

    rate = 15.0
    motion = act(say(SENTENCE, scratch), scratch / "act.json", rate)
    where = "--motion", motion, "--focus", "head", "--fps", int(rate)
    video = draw_motion(options.other, scratch / "video", *where, size=480)
    follower = FaceFollower(
        load_body(asset_path("body")), Detectors(asset_path("face_landmark").parent)
    )
    found = [follower.follow(np.asarray(frame, np.float32) / 255) for frame in video]
    faces = [{"seconds": k / rate, **vars(face)} for k, face in enumerate(found) if face]
    avatar = likeness.load(options.avatar)
    keys = prepare_recording(faces, avatar.body.expression_names, rate)
    stand = np.zeros_like(avatar.pose.full_pose)
    stand[[JOINT_INDEX["left_shoulder"], JOINT_INDEX["right_shoulder"]], 2] = -1.15, 1.15
    frames, view = [], None
    joints = "neck", "head", "left_eye_smplhf", "right_eye_smplhf"
    for k in range(NEUTRAL, len(keys)):
        turned = {name: keys.full_pose[k, JOINT_INDEX[name]] for name in joints}
        pose = replace(avatar.pose, full_pose=stand, expression=keys.expression[k])
        pose = pose.with_joints(**turned)
        view = view or likeness.camera(avatar, pose, focus="head", width=SIDE, height=SIDE)
        drawn = to_image(likeness.render(avatar, pose, view, background=PAPER))
        frames.append(
            beside(label(video[k].resize((SIDE, SIDE), 3), "video"), label(drawn, "avatar"))
        )
    save_clip(frames, "face_capture", rate)
    strip = [frames[k].crop((x, 0, x + SIDE, 208)) for x in (0, SIDE) for k in pick(frames, 6)]
    save_picture(grid(strip, 6, 208), "face_capture")


def act(motion: Path, path: Path, rate: float) -> Path:
    """A performance as an ARKit recording: at rest, then a sentence with a turning head, a smile
    and raised brows."""
    spoken = np.load(motion)
    names = [str(name) for name in spoken["expression_names"]]
    step = float(spoken["mocap_frame_rate"]) / rate
    count = NEUTRAL + int(len(spoken["transl"]) / step)
    frames = []
    for k in range(count):
        t = (k - NEUTRAL) / (count - NEUTRAL)
        frame = dict.fromkeys(names, 0.0)
        if t >= 0.0:
            frame = dict(
                zip(names, map(float, spoken["expression"][int(t * (count - NEUTRAL) * step)]))
            )
            smile, up = math.sin(math.pi * t) ** 2, max(0.0, math.sin(3 * math.pi * t))
            for side in ("Left", "Right"):
                frame[f"mouthSmile{side}"] += 0.5 * smile
                frame[f"browOuterUp{side}"] = 0.6 * up
            frame["browInnerUp"] = 0.7 * up
            frame["HeadYaw"] = 0.35 * math.sin(2 * math.pi * t)
            frame["HeadPitch"] = 0.08 * math.sin(4 * math.pi * t)
        frames.append(frame)
    path.write_text(json.dumps({"fps": rate, "frames": frames}))
    return path


def swing(options: argparse.Namespace, scratch: Path) -> None:
    """Left without, right with secondary motion: the astronaut with long hair looks to both sides,
    and leans."""
    file, motion, rate, count = scratch / "long.safetensors", scratch / "look.npz", 15.0, 54
    run("edit", options.avatar, "--add", "hair=long,length=1", "-o", file)
    times = np.arange(count) / count
    turn = np.interp(times, (0, 0.08, 0.22, 0.34, 0.5, 0.6, 1), (0, 1, 1, -1, -1, 0, 0))
    lean = np.interp(times, (0, 0.6, 0.68, 0.82, 0.92, 1), (0, 0, 0.7, 0.7, 0, 0))
    blur = np.hanning(5) / np.hanning(5).sum()
    turn, lean = (np.convolve(np.pad(x, 2, "edge"), blur, "valid") for x in (turn, lean))
    poses = np.zeros((count, 55, 3))
    for joint, share in ((3, 0.2), (6, 0.2), (12, 0.25), (15, 0.35)):  # spine, neck, head
        poses[:, joint, 1], poses[:, joint, 2] = share * turn, share * lean
    poses[:, (16, 17), 2] = -1.15, 1.15
    no_path = np.zeros((count, 3))
    np.savez(motion, poses=poses.reshape(-1, 165), trans=no_path, mocap_frame_rate=rate)
    where = "--motion", motion, "--focus", "upper"
    still = draw_motion(file, scratch / "still", *where, size=400)
    moved = draw_motion(file, scratch / "moved", *where, "--swing", 2, size=400)
    both = [[f.crop((80, 55, 320, 355)) for f in pair] for pair in zip(still, moved)]
    texts = "without", "secondary motion"
    save_clip([beside(*map(label, pair, texts)) for pair in both], "swing", rate)


# In Blender ----------------------------------------------------------------------------------


def open_avatar(path: Path) -> Any:
    """A scene with an avatar, as by Import Avatar; its objects."""
    import bpy
    from likeness.addon.scene.avatar_objects import find_avatars

    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not hasattr(bpy.types.WindowManager, "likeness"):
        likeness.register()
    bpy.ops.likeness.import_avatar(filepath=str(path))
    return find_avatars(bpy.context.scene)[0]


def draw_scene(objects: Any, view: Any) -> Image.Image:
    """The avatar as it is in the scene, drawn as Render Image does."""
    from likeness.addon.scene.read_back import read_avatar
    from likeness.engine.core.retouching import apply_retouch

    avatar = apply_retouch(read_avatar(objects))
    return to_image(likeness.render(avatar, camera=view, background=PAPER))


def retouch(options: argparse.Namespace, scratch: Path) -> None:
    """Strokes of the brush: hair is tinted, a sleeve erased and restored."""
    import bpy
    from likeness.tests.blender.strokes import stroke_point

    objects, size = open_avatar(options.avatar), 400
    scene = bpy.context.scene
    scene.camera = objects.camera
    scene.render.resolution_x = scene.render.resolution_y = size
    graph = bpy.context.evaluated_depsgraph_get()
    seen = objects.camera.calc_matrix_camera(graph, x=size, y=size)
    from_world = objects.camera.matrix_world.inverted()
    view = photo_view(likeness.load(options.avatar), size)
    frames = [draw_scene(objects, view)] * 6

    def stroke(text: str, points: Sequence[tuple[float, float]], radius: float, **how: Any) -> None:
        for at in pairwise(points):
            bpy.ops.likeness.brush_splats(
                stroke=[stroke_point(x, size - y) for x, y in at],
                view=[x for row in from_world for x in row],
                window=[x for row in seen for x in row],
                size=(size, size),
                radius=radius,
                **how,
            )
            frame = label(draw_scene(objects, view), text)
            x, y = at[1]
            around = x - radius, y - radius, x + radius, y + radius
            ImageDraw.Draw(frame).ellipse(around, outline="white", width=2)
            frames.append(frame)
        frames.extend([draw_scene(objects, view)] * 4)

    turns = np.linspace(-1.2 * np.pi, 0.2 * np.pi, 12)
    over = [(178 + 50 * math.cos(a), 62 + 40 * math.sin(a)) for a in turns]
    tint = {"action": "TINT", "part": "hair", "strength": 0.8, "color": (0.36, 0.16, 0.09)}
    stroke("Tint, Part: Hair", over, 34, **tint)
    down = [(110 + 6 * k, 225 + 16 * k) for k in range(8)]
    stroke("Erase", down, 26, action="ERASE", strength=1.0)
    stroke("Ctrl: Restore", down[::-1], 30, action="ERASE", strength=1.0, invert=True)
    save_clip([frame.crop((0, 0, 300, 400)) for frame in frames], "retouch", 8)


def grade(options: argparse.Namespace, scratch: Path) -> None:
    """Sliders of the panel Grade: the suit's hue and saturation, the hair's exposure."""
    from likeness.addon.scene.splat_object import MODIFIER_NAME, set_input

    objects = open_avatar(options.avatar)
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    view = photo_view(likeness.load(options.avatar), 400)
    frames, kept = [], {}

    def slide(name: str, values: Sequence[float]) -> None:
        for value in values:
            set_input(modifier, name, value)
            frame = draw_scene(objects, view)
            frame = frame.crop((0, 0, 320, 400))
            frames.append(label(frame, f"{name}  {value:+.2f}"))
            kept[name, round(value, 3)] = frame
        frames.extend(frames[-1:] * 3)

    slide("Top Hue", ease(10, 0.0, -0.42))
    slide("Hair Exposure", ease(7, 0.0, -1.5))
    slide("Top Saturation", ease(7, 1.0, 0.15))
    frames.extend(frames[-1:] * 4)
    save_clip(frames, "grade", 8)
    stills = [
        (kept["Top Hue", 0.0], "as built"),
        (kept["Top Hue", -0.42], "Top Hue -0.42"),
        (kept["Top Saturation", 0.15], "Saturation 0.15, Hair Exposure -1.5"),
    ]
    save_picture(beside(*(label(frame, text) for frame, text in stills)), "grade")


def paint(options: argparse.Namespace, scratch: Path) -> None:
    """On the proxy mesh a stripe is painted and the hair sculpted; the splats take both."""
    import bpy
    from likeness.addon.scene import surface_proxy
    from likeness.addon.scene.read_back import read_attribute
    from mathutils import Quaternion

    objects = open_avatar(options.avatar)
    avatar = likeness.load(options.avatar)
    view = photo_view(avatar, 400, 24.0)
    bpy.ops.likeness.add_proxy(texture="2048")
    proxy = surface_proxy.find_proxy(objects)
    mesh, image = proxy.data, surface_proxy._texture_node(proxy).image
    rest = read_attribute(mesh, "position").astype(np.float64)
    corners = np.array([list(face.vertices) for face in mesh.polygons])
    uv = np.empty(6 * len(corners), np.float32)
    mesh.uv_layers[surface_proxy.UV_NAME].uv.foreach_get("vector", uv)
    uv = uv.reshape(-1, 3, 2)
    clean = surface_proxy._read_pixels(image)
    at = place_texels(rest[corners], uv, clean.shape[0])
    frames = [draw_scene(objects, view)] * 5

    def apply(text: str) -> None:
        bpy.ops.likeness.apply_proxy()
        frames.append(label(draw_scene(objects, view), text))

    for k in range(1, 9):
        ink = clean.copy()
        for low, high, color in STRIPES:
            band = soft(at[..., 2], low, high, 0.003) * (at[..., 0] < -0.27 + 0.065 * k)
            band *= (np.abs(at[..., 0]) < 0.24) & (at[..., 1] < 0.0)  # the front of the trunk
            ink += band[..., None] * (np.array(color, np.float32) - ink)
        surface_proxy._write_pixels(image, ink)
        apply("Texture Paint")
    away = rest - [0.0, 0.02, 1.55]
    above = soft(rest[:, 2], 1.655, 9.0, 0.035)
    behind = soft(rest[:, 1], 0.0, 9.0, 0.05) * soft(rest[:, 2], 1.53, 9.0, 0.04)
    reach = np.maximum(above, behind)[:, None]
    for amount in ease(7)[1:]:
        grown = rest + 0.24 * amount * reach * away
        mesh.attributes["position"].data.foreach_set("vector", grown.astype(np.float32).ravel())
        apply("Sculpt Mode")
    head = objects.armature.pose.bones["head"]
    head.rotation_mode = "QUATERNION"
    first = head.rotation_quaternion.copy()
    for angle in np.radians([*ease(7, 0.0, 34.0), *ease(9, 34.0, -30.0), *ease(5, -30.0, 0.0)]):
        head.rotation_quaternion = first @ Quaternion((0.0, 1.0, 0.0), float(angle))
        bpy.context.view_layer.update()
        frames.append(label(draw_scene(objects, view), "any pose"))
    save_clip([frame.crop((0, 0, 320, 400)) for frame in frames], "paint", 8)


STRIPES = ((1.175, 1.215, (0.98, 0.78, 0.16)), (1.14, 1.16, (0.12, 0.42, 0.62)))
"""Lower and upper edge of what is painted, metres, and its colour."""


def crowd(options: argparse.Namespace, scratch: Path) -> None:
    """A hundred people of a folder who walk, drawn by Cycles."""
    import bpy
    from likeness.addon.scene.render_setup import set_up_render

    open_avatar(options.avatar)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 24, 1, 48
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (0.0, -13.0, 4.4), (math.radians(74), 0.0, 0.0)
    camera.data.lens = 38.0
    bpy.ops.mesh.primitive_plane_add(size=400.0)
    floor = bpy.data.materials.new("Floor")
    floor.use_nodes = True
    shine = floor.node_tree.nodes.new("ShaderNodeEmission")
    shine.inputs["Color"].default_value = (0.30, 0.29, 0.27, 1.0)
    out = floor.node_tree.get_output_node("ALL")
    floor.node_tree.links.new(shine.outputs[0], out.inputs["Surface"])
    bpy.context.object.data.materials.append(floor)
    bpy.ops.likeness.add_crowd(
        directory=str(options.people),
        motions=str(options.motions or ""),
        count=100,
        splats=10_000,
        spacing=1.3,
        turn=math.radians(25.0),
        seed=2,
    )
    world = bpy.data.worlds.new("World")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.55, 0.63, 0.71, 1.0)
    set_up_render(scene)
    scene.world, scene.camera, scene.render.film_transparent = world, camera, False
    bpy.ops.likeness.crowd_detail()

    def draw(width: int) -> Image.Image:
        scene.render.resolution_x, scene.render.resolution_y = width, width // 2
        scene.render.resolution_percentage = 100
        scene.render.filepath = str(scratch / "frame.png")
        bpy.ops.render.render(write_still=True)
        return Image.open(scratch / "frame.png").convert("RGB")

    frames = []
    for k in range(0, 40, 2):
        scene.frame_set(1 + k)
        frames.append(draw(720).resize((480, 240), 3))
    save_clip(frames, "crowd", 12)
    save_picture(draw(2000).resize((1200, 600), 3), "crowd")


def vrm(options: argparse.Namespace, scratch: Path) -> None:
    """The exported VRM file, read again by Blender's importer of glTF: its bones turn, and its
    preset expressions are set by its own table."""
    import bpy
    from likeness.addon.scene.render_setup import use_standard_colors
    from mathutils import Matrix, Vector

    file = scratch / "anna.vrm"
    run("export", options.avatar, "-o", file, "--author", "Likeness")
    data = file.read_bytes()
    table = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    presets = table["extensions"]["VRMC_vrm"]["expressions"]["preset"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(file.rename(file.with_suffix(".glb"))))
    armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    mesh = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    shapes = mesh.data.shape_keys.key_blocks
    scene = bpy.context.scene
    world = scene.world = bpy.data.worlds.new("World")
    world.use_nodes = True
    paper = [((int(PAPER[k : k + 2], 16) / 255 + 0.055) / 1.055) ** 2.4 for k in (1, 3, 5)]
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*paper, 1.0)
    camera = scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.type = "ORTHO"
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    scene.render.resolution_x, scene.render.resolution_y = 400, 400
    use_standard_colors(scene)

    def turn(joint: str, axis: tuple[float, float, float], degrees: float) -> None:
        bone = armature.pose.bones[joint]
        rest = bone.bone.matrix_local.to_3x3()
        world_turn = Matrix.Rotation(math.radians(degrees), 3, Vector(axis))
        to_armature = armature.matrix_world.to_3x3()
        inner = to_armature.inverted() @ world_turn @ to_armature
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = (rest.inverted() @ inner @ rest).to_quaternion()

    def draw(text: str, near: float, down: float, yaw: float, **faces: float) -> Image.Image:
        for side, sign in (("left", 1), ("right", -1)):
            turn(f"{side}_shoulder", (0, 1, 0), sign * 68 * down)
        turn("neck", (0, 0, 1), 0.4 * yaw)
        turn("head", (0, 0, 1), 0.6 * yaw)
        for shape in shapes[1:]:
            shape.value = 0.0
        for name, amount in faces.items():
            for bind in presets[name]["morphTargetBinds"]:
                shapes[1 + bind["index"]].value += amount * bind["weight"]
        camera.data.ortho_scale = 1.95 - 1.2 * near
        camera.location = (0.0, -4.0, 0.88 + 0.55 * near)
        camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
        scene.render.filepath = str(scratch / "frame.png")
        bpy.ops.render.render(write_still=True)
        return label(Image.open(scratch / "frame.png").convert("RGB"), text)

    frames = [draw("T-pose", 0, 0, 0)] * 6
    frames += [draw("humanoid bones", x, x, 0) for x in ease(9)]
    pulse = [0.0, 0.6, 1.0, 1.0, 0.6, 0.0]
    for name in ("blink", "happy", "aa", "surprised"):
        held = pulse if name in ("blink", "aa") else [*pulse[:3], 1.0, 1.0, *pulse[3:]]
        frames += [draw(name, 1, 1, 0, **{name: x}) for x in held]
    for yaw in (*ease(6, 0, 40), *ease(9, 40, -40), *ease(6, -40, 0)):
        frames.append(draw("head", 1, 1, yaw))
    frames += [draw("humanoid bones", x, x, 0) for x in ease(7, 1, 0)]
    save_clip(frames, "vrm", 10)
    stills = [
        draw("the file: T-pose", 0, 0, 0),
        draw("happy", 1, 1, 15, happy=1.0),
        draw("aa, blinkLeft", 1, 1, -30, aa=1.0, blinkLeft=1.0),
    ]
    save_picture(beside(*stills), "vrm")


CLIPS: dict[str, Callable[[argparse.Namespace, Path], None]] = {
    "relight": relight,
    "speech": speech,
    "face_capture": face_capture,
    "swing": swing,
    "retouch": retouch,
    "grade": grade,
    "paint": paint,
    "crowd": crowd,
    "vrm": vrm,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=sorted(CLIPS), metavar="NAME")
    parser.add_argument("--avatar", type=Path, required=True, help="the astronaut's file")
    parser.add_argument("--other", type=Path, help="avatar of the actor")
    parser.add_argument("--people", type=Path, help="folder of avatars")
    parser.add_argument("--motions", type=Path, help="folder of motions in which people walk")
    options = parser.parse_args()
    for name in options.names:
        with tempfile.TemporaryDirectory() as scratch:
            CLIPS[name](options, Path(scratch))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy's own exit may crash after everything is done
