"""Checks of synthetic people in Cycles, run inside Blender by ``inside.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from likeness.addon.synth.cycles import CyclesStudio
from likeness.engine.core.cameras import intrinsics, look_at, project
from likeness.engine.core.spherical_harmonics import latlong_directions
from likeness.engine.core.types import JOINT_INDEX, Camera, FloatArray, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.person_parts import Figure, Lighting
from likeness.engine.wardrobe.dress import load_dress_body, pose_body
from likeness.engine.wardrobe.mesh_parts import LABEL, Material, MeshPart
from scipy.ndimage import center_of_mass, label

SKY = Lighting(None, 3, 0.0, 1.0)
WINDOW = (12, 44)
"""Row and column of the bright window in a dark room of 32 x 64 pixels."""


def sphere(centre: FloatArray, radius: float, material: Material, name: str = "ball") -> MeshPart:
    """Of 24 x 12 quads."""
    u, v = np.meshgrid(np.linspace(0, 1, 25), np.linspace(0, 1, 13))
    around, up = 2 * np.pi * u.ravel(), np.pi * v.ravel()
    points = np.stack([np.sin(up) * np.sin(around), np.cos(up), np.sin(up) * np.cos(around)], 1)
    rows = np.arange(12 * 25).reshape(12, 25)[:, :24].ravel()
    quads = np.stack([rows, rows + 25, rows + 26, rows + 1], 1)
    f = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    uv = np.stack([u.ravel(), v.ravel()], 1)[f]
    label = np.full(len(f), LABEL["other"], np.uint8)
    return MeshPart(name, np.asarray(centre) + radius * points, f, uv, label, material)


def plain(*color: int) -> Material:
    return Material("plain", np.array([[[*color, 255]]], np.uint8), roughness=1.0)


def camera(yaw: float, size: tuple[int, int], shift: float = 0.0, distance: float = 2.6) -> Camera:
    width, height = size
    K = intrinsics(1.5 * max(size), width, height)
    K[0, 2] += shift
    return Camera(look_at(np.array([0.0, 0.2, 0.0]), distance, yaw, 7.0), K, width, height)


def has_denoiser() -> bool:
    """Whether a studio can be set up."""
    try:
        CyclesStudio(samples=1)
    except LikenessError:
        return False
    return True


def silhouette() -> dict[str, Any]:
    """An unclothed body in an odd pose, from several sides, against the engine's z-buffer."""
    dress = load_dress_body(asset_path("body"))
    body = dress.body
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -0.9],
        right_elbow=[0, 0.8, 0],
        left_hip=[-0.6, 0, 0.2],
        pelvis=[0.1, 0.3, 0.0],
    )
    rng = np.random.default_rng(2)
    posed = pose_body(dress, np.clip(rng.normal(0, 1, body.num_betas), -2, 2), pose)
    uv = np.zeros((len(body.f), 3, 2))
    label = np.full(len(body.f), LABEL["torso"], np.uint8)
    skin = Material("skin", np.full((4, 4, 4), 200, np.uint8), roughness=0.5)
    studio = CyclesStudio(samples=16)
    studio.stage(Figure((MeshPart("body", posed.vertices, body.f, uv, label, skin),), posed), SKY)
    out = []
    for yaw, size, shift in ((0.0, (128, 128), 0.0), (75.0, (96, 160), 9.0), (200.0, (128, 80), 0)):
        seen = camera(yaw, size, shift, distance=4.5)
        alpha = studio.draw(seen)[..., 3] > 0.5
        truth = rasterize_mesh(posed.vertices, body.f, seen).face >= 0
        out.append(float((alpha & truth).sum() / (alpha | truth).sum()))
    studio.close()
    return {"iou": out}


def landmarks() -> dict[str, Any]:
    """Little balls on a body's joints: where the render shows them, and where they project to."""
    dress = load_dress_body(asset_path("body"))
    joints = pose_body(dress, np.zeros(dress.body.num_betas), Pose.rest(52)).joints
    names = ("head", "left_wrist", "right_ankle", "left_shoulder", "pelvis")
    centres = joints[[JOINT_INDEX[name] for name in names]]
    balls = tuple(sphere(centre, 0.03, plain(255, 255, 255)) for centre in centres)
    studio = CyclesStudio(samples=32)
    studio.stage(Figure(balls, None), SKY)
    errors = []
    for yaw, size in ((0.0, (160, 160)), (40.0, (200, 160))):
        seen = camera(yaw, size, distance=4.5)
        alpha = studio.draw(seen)[..., 3].astype(np.float64)
        spots, count = label(alpha > 0.0)
        found = np.array(center_of_mass(alpha, spots, range(1, count + 1)))[:, ::-1] + 0.5
        for centre in centres:
            errors.append(float(np.linalg.norm(found - project(centre, seen)[0], axis=1).min()))
    studio.close()
    return {"pixels": errors}


def again() -> dict[str, Any]:
    """A figure drawn alone, and after another with the same names and other pictures."""
    first = Figure((sphere(np.zeros(3), 0.4, plain(220, 40, 40)),), None)
    second = Figure((sphere(np.zeros(3), 0.4, plain(40, 40, 220)),), None)
    seen = camera(0.0, (64, 64))
    drawn = []
    for order in ((first, second), (second,)):
        studio = CyclesStudio(samples=8)
        for figure in order:
            studio.stage(figure, SKY)
            studio.draw(seen)
        drawn += [studio.draw(seen), studio.draw(seen)]
        studio.close()
    middle = drawn[0][32, 32]
    return {
        "same": [float(np.abs(other - drawn[0]).max()) for other in drawn[1:]],
        "blue": float(middle[2] - middle[0]),
    }


def directions() -> dict[str, Any]:
    """A white ball in a dark room with one bright window, turned and not, or with a key light
    besides: degrees by which the light comes from elsewhere than it should."""
    out: dict[str, Any] = {"window": [], "key": []}
    ball = Figure((sphere(np.zeros(3), 0.4, plain(180, 180, 180)),), None)
    window = latlong_directions(32)[WINDOW]
    with tempfile.TemporaryDirectory() as folder:
        room = dark_room(Path(folder) / "room.exr")
        for turn in (0.0, 90.0, 215.0):
            c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
            towards = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ window
            out["window"].append(_angle(_lit_from(ball, Lighting(room, 0, turn, 0.5)), towards))
        for key in ((0.8, 0.3, 0.52), (-0.3, -0.4, -0.87)):
            lighting = Lighting(room, 0, 0.0, 0.5, key=key, key_strength=300.0)
            out["key"].append(_angle(_lit_from(ball, lighting), np.array(key)))
    return out


def dark_room(path: Path) -> Path:
    """An OpenEXR file: one pixel of light, written by Blender."""
    pixels = np.full((32, 64, 4), 0.02, np.float32)
    pixels[WINDOW] = 400.0
    image = bpy.data.images.new("room", 64, 32, float_buffer=True)
    image.pixels.foreach_set(pixels[::-1].ravel())
    image.file_format = "OPEN_EXR"
    image.save(filepath=str(path))
    return path


def _lit_from(ball: Figure, lighting: Lighting) -> FloatArray:
    """Direction of the light on the ball, from its colours in six views."""
    studio = CyclesStudio(samples=16)
    studio.stage(ball, lighting)
    total = np.zeros(3)
    for yaw in (0.0, 60.0, 120.0, 180.0, 240.0, 300.0):
        K = intrinsics(96.0, 48, 48)
        seen = Camera(look_at(np.zeros(3), 2.4, yaw, 0.0), K, 48, 48)
        rgba = studio.draw(seen).astype(np.float64)
        y, x = np.mgrid[:48, :48] + 0.5
        rays = np.stack([(x - 24) / 96, (y - 24) / 96, np.ones_like(x)], -1)
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        along = rays[..., 2] * 2.4
        reach = along**2 - (2.4**2 - 0.4**2)
        hit = reach > 0
        points = rays[hit] * (along[hit] - np.sqrt(reach[hit]))[:, None]
        normals = (points - [0, 0, 2.4]) / 0.4 @ seen.viewmat[:3, :3]
        linear = np.where(rgba < 0.04045, rgba / 12.92, ((rgba + 0.055) / 1.055) ** 2.4)
        area = 1.0 / np.maximum(-(normals @ (seen.viewmat[:3, :3].T @ [0, 0, 1])), 0.15)
        total += (linear[hit][:, :3].mean(1) * area) @ normals
    studio.close()
    return total


def _angle(a: FloatArray, b: FloatArray) -> float:
    cosine = (a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
