"""A studio in Cycles that renders one figure at a time, from any camera."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image

from ...engine.core.types import Camera, FloatArray, LikenessError
from ...engine.synth.environment_light import environment_picture, key_irradiance
from ...engine.synth.person_parts import Figure, Lighting
from ...engine.wardrobe.mesh_parts import MeshPart
from .. import compat
from ..scene.axes import points_to_blender
from ..scene.camera import place_camera, set_size
from ..scene.render_setup import render_png, use_standard_colors
from .materials import UV_NAME, create_image, create_material

NOISE = 0.06
"""Noise threshold at which Cycles stops sampling a pixel; the denoiser does the rest."""
MIN_SAMPLES = 8
MIN_DIRECTIONS = 512  # around the horizon, in which Cycles samples the environment
BOUNCES = 3
MAX_CARD_LAYERS = 24


class CyclesStudio:
    """Renders figures in its own scene, which stays open between views.

    Args:
        samples: maximum per pixel.
        threads: 0 for all cores.
        read: reads an environment as [H, W, 3] linear colours; :func:`read_picture` if None.
    """

    def __init__(
        self, samples: int = 48, threads: int = 0, read: Callable[[Path], FloatArray] | None = None
    ) -> None:
        self._read = read or read_picture
        compat.ensure_cycles()
        self.scene = bpy.data.scenes.new("Likeness synth")
        self._folder = tempfile.TemporaryDirectory(prefix="likeness-synth-")
        self._camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.scene.collection.objects.link(self._camera)
        self.scene.camera = self._camera
        self._camera.data.clip_start = 0.02
        self._made: list[Any] = []
        _settings(self.scene, samples, threads)

    def close(self) -> None:
        """Remove the scene and everything in it."""
        self._clear()
        camera = self._camera.data
        bpy.data.objects.remove(self._camera)
        bpy.data.cameras.remove(camera)
        bpy.data.scenes.remove(self.scene)
        self._folder.cleanup()

    def stage(self, figure: Figure, lighting: Lighting) -> None:
        """Replace the figure and its lighting."""
        self._clear()
        for part in figure.parts:
            self._made += add_part(part, self.scene.collection)
        self._made += light_scene(self.scene, lighting, self._read)

    def draw(self, camera: Camera) -> FloatArray:
        """Render the view of a camera.

        Returns:
            [H, W, 4] float32 sRGB 0..1, straight alpha, transparent background.
        """
        seen = place_camera(self._camera, camera)
        set_size(self.scene.render, *seen.resolution, seen.pixel_aspect)
        path = Path(self._folder.name) / "view.png"
        render_png(self.scene, path)
        with Image.open(path) as picture:
            rgba = np.asarray(picture.convert("RGBA"), np.float32) / np.float32(255.0)
        path.unlink()
        return np.asarray(rgba)

    def _clear(self) -> None:
        if not self._made:
            return
        # Objects first, so that their data is unused.
        for made in sorted(self._made, key=lambda data: not isinstance(data, bpy.types.Object)):
            bpy.data.batch_remove([made])
        self._made = []
        # Cycles caches images by address, and Blender reuses addresses. A render without
        # persistent data clears the cache.
        render = self.scene.render
        set_size(render, 4, 4, 1.0)
        render.use_persistent_data = False
        bpy.ops.render.render(scene=self.scene.name)
        render.use_persistent_data = True


def _settings(scene: Any, samples: int, threads: int) -> None:
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.film_transparent = True
    render.use_persistent_data = True
    render.dither_intensity = 0.0
    render.threads_mode = "FIXED" if threads else "AUTO"
    if threads:
        render.threads = threads
    compat.set_png(render.image_settings)
    render.image_settings.compression = 0
    cycles.device = "CPU"
    cycles.seed = 0
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = NOISE
    cycles.adaptive_min_samples = min(samples, MIN_SAMPLES)
    cycles.use_denoising = True
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError as error:  # Blender's own property lists what was built in
        raise LikenessError(
            "This Blender was built without OpenImageDenoise, which synthetic people need.",
            "Use a Blender from blender.org, or --engine raster.",
        ) from error
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.max_bounces = BOUNCES
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 2
    cycles.transparent_max_bounces = MAX_CARD_LAYERS
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    use_standard_colors(scene)


def add_part(part: MeshPart, collection: Any) -> list[Any]:
    """Create the mesh object of a part; returns it and its data."""
    before = set(bpy.data.images)
    mesh = bpy.data.meshes.new(part.name)
    vertices = points_to_blender(np.asarray(part.vertices, np.float32))
    corners = np.ascontiguousarray(part.f, np.int32).ravel()
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(part.f))
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 3, dtype=np.int32))
    uv = np.asarray(part.uv, np.float32).reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]
    mesh.uv_layers.new(name=UV_NAME).uv.foreach_set("vector", uv.astype(np.float32).ravel())
    mesh.update()
    mesh.shade_smooth()
    material = create_material(part.name, part.material)
    mesh.materials.append(material)
    obj = bpy.data.objects.new(part.name, mesh)
    collection.objects.link(obj)
    return [obj, mesh, material, *set(bpy.data.images).difference(before)]


def read_picture(path: Path) -> FloatArray:
    """Read an HDR image in any format that Blender supports.

    Returns:
        [H, W, 3] linear colours, at most 1024 pixels wide.

    Raises:
        LikenessError: Blender cannot read the file.
    """
    image = None
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
        width, height = image.size
        if not width:
            raise RuntimeError("it is not an image")
        if width > 1024:
            image.scale(1024, max(1, height * 1024 // width))
            width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
    except RuntimeError as error:
        raise LikenessError(
            f"'{path}' cannot be read as an environment ({str(error).strip()}).",
            "Give lat-long images that Blender can open (.exr, .hdr).",
        ) from error
    finally:
        if image is not None:
            bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1, :, :3]


def light_scene(
    scene: Any, lighting: Lighting, read: Callable[[Path], FloatArray] = read_picture
) -> list[Any]:
    """Create the world and the key light of a scene; returns them and their data."""
    picture = environment_picture(lighting, read)
    rgba = np.ones((*picture.shape[:2], 4), np.float32)
    rgba[..., :3] = picture
    image = create_image("environment", rgba, data=True, floats=True)
    world = bpy.data.worlds.new("Likeness synth")
    compat.enable_nodes(world)
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    texture = nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    background = nodes.new("ShaderNodeBackground")
    output = nodes.new("ShaderNodeOutputWorld")
    links.new(texture.outputs["Color"], background.inputs["Color"])
    links.new(background.outputs["Background"], output.inputs["Surface"])
    # Blender's default is 4096 wide, which takes seconds per person.
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = max(MIN_DIRECTIONS, picture.shape[1])
    scene.world = world
    made = [world, image]
    irradiance = key_irradiance(lighting, picture)
    if lighting.key is not None and irradiance.max() > 0.0:
        data = bpy.data.lights.new("key", "SUN")
        data.energy = float(irradiance.max())
        data.color = (irradiance / irradiance.max()).tolist()
        data.angle = float(np.radians(lighting.key_angle))
        key = bpy.data.objects.new("key", data)
        towards = points_to_blender(np.asarray(lighting.key, np.float64))
        key.matrix_world = _pointing(towards)
        scene.collection.objects.link(key)
        made += [key, data]
    return made


def _pointing(towards: FloatArray) -> Matrix:
    """A rotation [4, 4] whose z axis is ``towards``: suns shine along -z."""
    z = towards / np.linalg.norm(towards)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[2]) > 0.9 else [0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    return Matrix(matrix.tolist())
