"""Checks of splats without an avatar, of the bare body, and of the presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
from likeness.addon import compat
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import Gaussians
from likeness.engine.formats.ply import write_ply
from likeness.engine.formats.spz import write_spz
from likeness.engine.render import render_camera
from shared import attempt, block_names


def some() -> Gaussians:
    """A few fat ellipsoids, none before another, in engine axes with y up."""
    rng = np.random.default_rng(4)
    quats = rng.normal(size=(9, 4))
    grid = np.stack(np.meshgrid([-0.4, 0.0, 0.4], [-0.4, 0.0, 0.4]), -1).reshape(-1, 2)
    return Gaussians(
        np.concatenate([grid, rng.uniform(-0.1, 0.1, (9, 1))], 1).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        rng.uniform(0.015, 0.05, (9, 3)).astype(np.float32),
        np.full(9, 0.9, np.float32),
        rng.uniform(0.2, 0.9, (9, 3)).astype(np.float32),
    )


def static(folder: str) -> dict[str, Any]:
    """Import the same splats from PLY and SPZ, render one, and fail on a mesh."""
    from likeness.addon.scene.axes import SENSOR_MM
    from likeness.engine.core.cameras import photo_camera

    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    likeness.register()
    compat.ensure_cycles()
    gaussians, out = some(), {}
    ply, spz = Path(folder) / "some.ply", Path(folder) / "some.spz"
    write_ply(gaussians, ply, "-y")
    write_spz(gaussians, spz)
    out["left behind"] = left_behind(ply)
    scene = bpy.context.scene
    scene.cycles.transparent_max_bounces, scene.cycles.max_bounces = 8, 12
    out["ply"] = sorted(bpy.ops.likeness.import_splats(filepath=str(ply)))
    out["bounces"] = [scene.cycles.transparent_max_bounces, scene.cycles.max_bounces]
    obj = bpy.context.object
    out["object"] = [obj.name, len(obj.data.polygons)]
    corners = np.array([v.co for v in obj.data.vertices]).reshape(-1, 3, 3)
    wanted = gaussians.means @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    out["place"] = float(np.abs(corners.mean(1) - wanted).max())

    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0.0, -2.0, 0.0), (np.pi / 2, 0.0, 0.0)
    camera.data.sensor_width, camera.data.lens = SENSOR_MM, SENSOR_MM * 1.5
    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 96, 96
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.cycles.transparent_max_bounces = 32
    scene.view_settings.view_transform = "Standard"
    render.film_transparent = True
    render.filepath = str(Path(folder) / "some.png")
    compat.set_png(render.image_settings)
    bpy.ops.render.render(write_still=True)
    from PIL import Image

    seen = np.asarray(Image.open(render.filepath), np.float32) / 255
    engine = photo_camera(1.5 * 96, 96, 96)
    moved = replace(gaussians, means=gaussians.means - np.array([0, 0, 2.0]))
    picture = render_camera(moved, engine)
    out["alpha error"] = float(np.abs(seen[..., 3] - picture.alpha).mean())
    out["covered"] = float(picture.alpha.mean())
    solid = picture.alpha > 0.6
    wanted_rgb = np.asarray(picture.rgb)[solid] / picture.alpha[solid][:, None]
    out["color error"] = float(np.abs(seen[..., :3][solid] - wanted_rgb).mean())

    out["spz"] = sorted(bpy.ops.likeness.import_splats(filepath=str(spz)))
    other = np.array([v.co for v in bpy.context.object.data.vertices]).reshape(-1, 3, 3)
    out["spz place"] = float(np.abs(other.mean(1) - wanted).max())
    mesh = Path(folder) / "mesh.ply"
    mesh.write_text(
        "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
        "property float z\nend_header\n0 0 0\n"
    )
    empty = Path(folder) / "empty.ply"
    write_ply(gaussians.take(np.arange(0)), empty)
    count = len(bpy.data.objects)
    for path in (mesh, empty):
        try:
            bpy.ops.likeness.import_splats(filepath=str(path))
        except RuntimeError as error:
            out[path.stem] = str(error)
    out["unchanged"] = len(bpy.data.objects) == count
    return out


def left_behind(ply: Path) -> list[str]:
    """What is in the file after an import that fails while the node group is built."""
    from likeness.addon.scene import static_splat_object

    built = static_splat_object._build

    def fail(tree: Any) -> None:
        built(tree)
        raise IndexError("no such socket")

    before = block_names()
    static_splat_object._build = fail
    try:
        result = attempt(bpy.ops.likeness.import_splats, filepath=str(ply))
    finally:
        static_splat_object._build = built
    after = block_names()
    more = [f"{kind}: {name}" for kind in after for name in set(after[kind]) - set(before[kind])]
    return [*more, *([] if "no such socket" in result else [result])]


def body(path: str) -> dict[str, Any]:
    """Add the body in both shapes."""
    from likeness.addon import portrait

    bpy.ops.wm.read_homefile(app_template="", use_empty=True)
    likeness.register()
    original = portrait.get_preferences
    portrait.get_preferences = lambda context: type("P", (), {"body_file": path})
    out: dict[str, Any] = {"add": sorted(bpy.ops.likeness.add_body())}
    first = bpy.context.object
    bpy.context.view_layer.update()
    mesh = next(o for o in first.children if o.type == "MESH")
    low = min((mesh.matrix_world @ v.co).z for v in mesh.data.vertices)
    out["floor"] = low
    out["seen"] = [mesh.hide_render, mesh.hide_get()]
    out["type"] = first.type
    out["vertices"] = [len(mesh.data.vertices), len(make_synthetic_body().v_template)]
    bpy.ops.likeness.add_body(shape="RANDOM", seed=3)
    second = next(o for o in bpy.context.object.children if o.type == "MESH")
    moved = [(a.co - b.co).length for a, b in zip(mesh.data.vertices, second.data.vertices)]
    out["differs"] = max(moved)
    bpy.context.view_layer.update()
    out["apart"] = min((second.matrix_world @ v.co).x for v in second.data.vertices) - max(
        (mesh.matrix_world @ v.co).x for v in mesh.data.vertices
    )
    portrait.get_preferences = original
    return out


def presets() -> dict[str, Any]:
    """The presets that come with the extension, run on a stand-in for the operator."""
    likeness.register()
    folders = bpy.utils.preset_paths("operator/likeness.import_portrait")
    found = {p.stem: p.read_text() for f in folders for p in Path(f).glob("*.py")}
    from likeness.operators.import_portrait import QUALITIES

    said = {}
    for name, text in found.items():
        op = type("Op", (), {})()
        code = text.replace("import bpy\n", "").replace("bpy.context.active_operator", "given")
        exec(code, {"given": op})
        values = vars(op)
        said[name] = QUALITIES[values.pop("quality")] == values
    likeness.unregister()
    left = bpy.utils.preset_paths("operator/likeness.import_portrait")
    return {"same": said, "left": len(left)}
