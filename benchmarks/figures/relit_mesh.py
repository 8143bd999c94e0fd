"""Relit splats beside a lit, textured mesh of the same avatar, both drawn by Cycles; and in EEVEE.

    python -m likeness.benchmarks.figures.relit_mesh AVATAR FOLDER HEIGHT SEEDS LIGHT...

draws both in each light, in Cycles with several seeds and in EEVEE, into FOLDER;
:func:`compare_lights` starts it and reads the pictures. The splats have their shadow proxy. The
mesh is that of ``likeness export --albedo``, with its texture on a diffuse surface.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...engine.core.color import srgb_to_linear
from ...engine.core.framing import Box, crop_to_box
from ...engine.core.types import Avatar, BoolArray, Camera, FloatArray
from ...engine.formats.avatar import load_avatar, save_avatar
from ...engine.gaussians import pose_avatar
from ...engine.gaussians.mesh_extraction import extract_mesh
from ...engine.gaussians.relight.albedo import find_reflectance, use_albedo
from ...engine.gaussians.relight.surface_normals import find_surface_normals, place_normals
from ...engine.render import render_camera
from .own_process import run_module

LIGHTS = ("lamp", "studio", "sunset", "courtyard")
"""An area lamp, and three of Blender's own worlds."""

PICTURES = ("splats", "mesh", "eevee_splats", "eevee_mesh")
"""Of each light; the first two by Cycles."""

SAMPLES, TEXTURE = 8, 2048
_SOLID = 0.98  # share of a pixel that both cover
_DARK = 0.02  # of the brightest pixels: what is darker has no noise worth a ratio


class LightScore(NamedTuple):
    """Splats against the mesh in one light.

    Attributes:
        strength: light from the splats over that from the mesh.
        degrees: between the directions from which it comes.
        noise: of the splats from seed to seed over that of the mesh, median over pixels.
        eevee: light from the splats over that from the mesh in EEVEE, whose worlds are coarser than
            those of Cycles.
    """

    strength: float
    degrees: float
    noise: float
    eevee: float


def compare_lights(
    avatar: Avatar, lights: tuple[str, ...] = LIGHTS, height: int = 112, seeds: int = 4
) -> dict[str, LightScore]:
    """Draw an avatar's splats and mesh in several lights, and compare them.

    Args:
        avatar: in its photo's pose.
        lights: of :data:`LIGHTS`.
        height: of the pictures, pixels.
        seeds: pictures of each, from which noise is taken.

    Raises:
        RuntimeError: Blender's module failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        save_avatar(avatar, folder / "avatar.safetensors")
        words = [folder / "avatar.safetensors", scratch, height, seeds, *lights]
        run_module(__name__, *words)
        normals, albedo, solid = _draw_maps(avatar, height)
        out = {}
        for light in lights:
            drawn = {k: np.load(folder / f"{light}_{k}.npy") for k in PICTURES}
            out[light] = _score(drawn, normals, albedo, solid)
        return out


def _draw_maps(avatar: Avatar, height: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Normals [H, W, 3], linear albedo [H, W] and what is covered [H, W], by our renderer."""
    normals = find_surface_normals(avatar)
    found = find_reflectance(avatar, normals)
    vertices = np.asarray(avatar.body.vertices(avatar.pose)[0], np.float64)
    world = place_normals(normals, avatar, vertices)
    albedo = srgb_to_linear(found.albedo.astype(np.float64)).mean(1, keepdims=True)
    colors = np.concatenate([world, albedo], 1).astype(np.float32)
    gaussians = replace(pose_avatar(avatar), colors=colors)
    shown = render_camera(gaussians, _shrink(avatar.camera, height), np.zeros(4))
    drawn = np.asarray(shown.rgb)
    normal = drawn[..., :3] / np.maximum(np.linalg.norm(drawn[..., :3], axis=-1), 1e-6)[..., None]
    return normal, drawn[..., 3], np.asarray(shown.alpha).squeeze() > _SOLID


def _shrink(camera: Camera, height: int) -> Camera:
    width = round(height * camera.width / camera.height)
    return crop_to_box(camera, Box(0, 0, camera.width, camera.height), width, height)


def _score(
    drawn: dict[str, FloatArray], normals: FloatArray, albedo: FloatArray, solid: BoolArray
) -> LightScore:
    """Compare pictures [seeds, H, W, 4], a kind of each of ``PICTURES``."""
    inside = solid & (albedo > _DARK)
    for pictures in drawn.values():
        inside = inside & (pictures[..., 3].min(0) > _SOLID)
    bright = {k: p[..., :3].mean(-1)[:, inside] for k, p in drawn.items()}
    mean = {k: b.mean(0) for k, b in bright.items()}
    basis = np.concatenate([np.ones((inside.sum(), 1)), normals[inside]], 1)
    towards = {}
    for name in ("splats", "mesh"):
        fit = np.linalg.lstsq(basis * albedo[inside, None], mean[name], rcond=None)[0][1:]
        towards[name] = fit / np.linalg.norm(fit)
    level = 0.5 * (mean["splats"] + mean["mesh"])
    lit = level > _DARK * np.percentile(level, 99)
    noise = {k: np.median(bright[k].std(0, ddof=1)[lit] / level[lit]) for k in ("splats", "mesh")}
    return LightScore(
        float(mean["splats"].mean() / mean["mesh"].mean()),
        float(np.degrees(np.arccos(np.clip(towards["splats"] @ towards["mesh"], -1, 1)))),
        float(noise["splats"] / noise["mesh"]),
        float(mean["eevee_splats"].mean() / mean["eevee_mesh"].mean()),
    )


def draw_in_blender(path: Path, folder: Path, height: int, seeds: int, lights: list[str]) -> None:
    """Draw both in each light, in this process.

    Args:
        path: of the avatar.
        folder: for ``LIGHT_PICTURE.npy`` of each of ``PICTURES``, [seeds, H, W, 4] linear with
            straight alpha; EEVEE's have one seed.
        height: of the pictures, pixels.
        seeds: pictures of each.
        lights: of :data:`LIGHTS`.
    """
    import bpy

    from ...addon import compat, properties
    from ...addon.scene.avatar_objects import build_scene
    from ...addon.scene.light_nodes import RELIGHT
    from ...addon.scene.origin import photo_matrix
    from ...addon.scene.render_setup import set_up_render
    from ...addon.scene.shadow_proxy import add_proxy
    from ...addon.scene.splat_object import MODIFIER_NAME, set_input

    properties.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    avatar = load_avatar(path)
    objects = build_scene(avatar, "Person")
    set_input(objects.splats.modifiers[MODIFIER_NAME], RELIGHT, 1.0)
    proxy = add_proxy(objects)
    mesh = _add_mesh(avatar, folder)
    mesh.matrix_world = objects.armature.matrix_world @ photo_matrix(objects.armature)
    scene = bpy.context.scene
    set_up_render(scene, objects.camera, "CYCLES", SAMPLES)
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.diffuse_bounces = scene.cycles.max_bounces = 0
    size = _shrink(avatar.camera, height)
    scene.render.resolution_x, scene.render.resolution_y = size.width, size.height
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    for light in lights:
        lamp = _set_light(scene, light, mesh)
        for name in PICTURES:
            of_splats = name.endswith("splats")
            mesh.hide_render = of_splats
            objects.splats.hide_render = proxy.hide_render = not of_splats
            in_eevee = name.startswith("eevee")
            scene.render.engine = compat.eevee_id() if in_eevee else "CYCLES"
            scene.eevee.taa_render_samples = 16
            count = 1 if in_eevee else seeds
            pictures = [_draw(scene, folder / "drawn.exr", seed) for seed in range(count)]
            np.save(folder / f"{light}_{name}.npy", np.stack(pictures))
        if lamp is not None:
            bpy.data.objects.remove(lamp)


def _draw(scene: Any, path: Path, seed: int) -> FloatArray:
    """[H, W, 4] linear, straight alpha."""
    import bpy

    scene.cycles.seed = seed
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    values = np.empty(4 * width * height, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def _add_mesh(avatar: Avatar, folder: Path) -> Any:
    """The mesh of the avatar, in its photo's pose."""
    import bpy

    from ...addon.scene.axes import points_to_blender
    from ...engine.formats.glb import encode_png

    surface = extract_mesh(use_albedo(avatar), TEXTURE)
    vertices = points_to_blender(np.asarray(surface.body.vertices(avatar.pose)[0], np.float64))
    mesh = bpy.data.meshes.new("Mesh")
    mesh.from_pydata(vertices.tolist(), [], surface.body.f.tolist())
    layer = mesh.uv_layers.new()
    corners = surface.uv[surface.uv_f].reshape(-1, 2) * (1, -1) + (0, 1)
    layer.uv.foreach_set("vector", corners.astype(np.float32).ravel())
    mesh.shade_smooth()
    (folder / "texture.png").write_bytes(encode_png(surface.texture))
    material = bpy.data.materials.new("Mesh")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = bpy.data.images.load(str(folder / "texture.png"))
    diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(image.outputs["Color"], diffuse.inputs["Color"])
    tree.links.new(diffuse.outputs[0], output.inputs["Surface"])
    mesh.materials.append(material)
    obj = bpy.data.objects.new("Mesh", mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def _set_light(scene: Any, light: str, mesh: Any) -> Any:
    """Light the scene, and return the lamp where that is one."""
    import bpy
    from mathutils import Vector

    world = scene.world = bpy.data.worlds.new(light)
    world.use_nodes = True
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    if light != "lamp":
        folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
        picture = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
        picture.image = bpy.data.images.load(str(folder / f"{light}.exr"))
        world.node_tree.links.new(picture.outputs["Color"], background.inputs["Color"])
        return None
    lamp = bpy.data.lights.new("Lamp", "AREA")
    lamp.energy, lamp.size = 300.0, 1.0
    obj = bpy.data.objects.new("Lamp", lamp)
    scene.collection.objects.link(obj)
    person = mesh.matrix_world @ (sum((Vector(c) for c in mesh.bound_box), Vector()) / 8)
    obj.location = person + Vector((2.0, -2.0, 1.2))
    obj.rotation_euler = (person - obj.location).to_track_quat("-Z", "Y").to_euler()
    return obj


if __name__ == "__main__":
    file, place, tall, many = sys.argv[1:5]
    draw_in_blender(Path(file), Path(place), int(tall), int(many), sys.argv[5:])
    sys.stdout.flush()
    os._exit(0)  # bpy's own exit may crash after everything is done
