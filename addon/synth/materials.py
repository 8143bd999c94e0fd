"""The engine's materials as Cycles shaders."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.core.types import FloatArray
from ...engine.wardrobe.mesh_parts import Material
from .. import compat

SUBSURFACE_RADIUS = (1.0, 0.35, 0.18)
"""Relative distances that red, green and blue light travel in skin."""
SUBSURFACE_SCALE = 0.004  # metres that red light travels
SUBSURFACE_WEIGHT = 0.18
UV_NAME = "UVMap"
THROUGH_HAIR = 0.35  # share of the light that passes through a hair card


def create_image(name: str, pixels: FloatArray, data: bool = False, floats: bool = False) -> Any:
    """Create a Blender image.

    Args:
        name: of the image.
        pixels: [H, W, 4] values in 0..1.
        data: whether the values are data instead of colours.
        floats: store floats instead of 8 bits.
    """
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True, float_buffer=floats)
    image.colorspace_settings.name = "Non-Color" if data else "sRGB"
    image.alpha_mode = "CHANNEL_PACKED"
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    image.update()
    return image


def _of_grey(values: FloatArray) -> FloatArray:
    out = np.ones((*values.shape, 4), np.float32)
    out[..., :3] = values[..., None]
    return out


class _Tree:
    """A node tree under construction."""

    def __init__(self, material: Any, name: str) -> None:
        self.name, self.tree = name, material.node_tree
        self.tree.nodes.clear()

    def node(self, kind: str, **settings: Any) -> Any:
        node = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        return node

    def link(self, output: Any, socket: Any) -> None:
        self.tree.links.new(output, socket)

    def texture(self, suffix: str, pixels: FloatArray, **kind: bool) -> Any:
        image = create_image(f"{self.name} {suffix}", pixels, **kind)
        return self.node("ShaderNodeTexImage", image=image, interpolation="Cubic")


def create_material(name: str, material: Material) -> Any:
    """Create a Blender material for Cycles."""
    out = bpy.data.materials.new(name)
    compat.enable_nodes(out)
    tree = _Tree(out, name)
    shader = tree.node("ShaderNodeBsdfPrincipled")
    inputs = shader.inputs
    colors = np.asarray(material.color, np.float32) / 255.0
    color = tree.texture("color", colors)
    tree.link(color.outputs["Color"], inputs["Base Color"])
    if isinstance(material.roughness, np.ndarray):
        grey = _of_grey(material.roughness.astype(np.float32) / 255.0)
        rough = tree.texture("roughness", grey, data=True)
        tree.link(rough.outputs["Color"], inputs["Roughness"])
    else:
        inputs["Roughness"].default_value = float(material.roughness)
    inputs["Metallic"].default_value = material.metallic
    _relief(tree, material, shader)
    last = shader.outputs["BSDF"]
    if material.kind == "skin":
        inputs["Subsurface Weight"].default_value = SUBSURFACE_WEIGHT
        inputs["Subsurface Radius"].default_value = SUBSURFACE_RADIUS
        inputs["Subsurface Scale"].default_value = SUBSURFACE_SCALE
        inputs["Specular IOR Level"].default_value = 0.35
    elif material.kind == "eye":
        inputs["Coat Weight"].default_value = 1.0
        inputs["Coat Roughness"].default_value = 0.02
    elif material.kind == "cloth":
        inputs["Sheen Weight"].default_value = 0.15
        inputs["Specular IOR Level"].default_value = 0.25
    elif material.kind == "hair":
        inputs["Specular IOR Level"].default_value = 0.2
        inputs["Anisotropic"].default_value = 0.7
        # Strands run along v and are round: normals vary across them, along u.
        across = tree.node("ShaderNodeTangent", direction_type="UV_MAP", uv_map=UV_NAME)
        tree.link(across.outputs["Tangent"], inputs["Tangent"])
        last = _half_through(tree, shader, color)
    if material.color[..., 3].min() < 255:
        last = _with_alpha(tree, last, color)
    surface = tree.node("ShaderNodeOutputMaterial")
    tree.link(last, surface.inputs["Surface"])
    return out


def _half_through(tree: _Tree, shader: Any, color: Any) -> Any:
    """Add translucency, so that hair is lit from behind."""
    through = tree.node("ShaderNodeBsdfTranslucent")
    tree.link(color.outputs["Color"], through.inputs["Color"])
    mix = tree.node("ShaderNodeMixShader")
    mix.inputs["Fac"].default_value = THROUGH_HAIR
    tree.link(shader.outputs["BSDF"], mix.inputs[1])
    tree.link(through.outputs["BSDF"], mix.inputs[2])
    return mix.outputs["Shader"]


def _with_alpha(tree: _Tree, last: Any, color: Any) -> Any:
    clear = tree.node("ShaderNodeBsdfTransparent")
    mix = tree.node("ShaderNodeMixShader")
    tree.link(color.outputs["Alpha"], mix.inputs["Fac"])
    tree.link(clear.outputs["BSDF"], mix.inputs[1])
    tree.link(last, mix.inputs[2])
    return mix.outputs["Shader"]


def _relief(tree: _Tree, material: Material, shader: Any) -> None:
    """Add the normal map, the bump map and the grain, each on top of the former."""
    normal = None
    if material.normal is not None:
        pixels = np.ones((*material.normal.shape[:2], 4), np.float32)
        pixels[..., :3] = material.normal.astype(np.float32) / 255.0
        picture = tree.texture("normal", pixels, data=True)
        node = tree.node("ShaderNodeNormalMap")
        tree.link(picture.outputs["Color"], node.inputs["Color"])
        normal = node.outputs["Normal"]
    if material.bump is not None:
        low, high = float(material.bump.min()), float(material.bump.max())
        reach = max(high - low, 1e-9)
        picture = tree.texture(
            "bump", _of_grey((material.bump - low) / reach), data=True, floats=True
        )
        normal = _bump(tree, picture.outputs["Color"], reach, normal)
    if material.grain > 0.0:
        place = tree.node("ShaderNodeTexCoord")
        noise = tree.node(
            "ShaderNodeTexVoronoi" if material.kind == "skin" else "ShaderNodeTexNoise"
        )
        noise.inputs["Scale"].default_value = 1.0 / material.grain
        tree.link(place.outputs["Object"], noise.inputs["Vector"])
        height = noise.outputs["Distance" if material.kind == "skin" else 0]
        normal = _bump(tree, height, material.grain_depth, normal)
    if normal is not None:
        tree.link(normal, shader.inputs["Normal"])


def _bump(tree: _Tree, height: Any, reach: float, normal: Any) -> Any:
    """Add a bump node; ``height`` 0..1 corresponds to ``reach`` metres."""
    node = tree.node("ShaderNodeBump")
    node.inputs["Strength"].default_value = 1.0
    node.inputs["Distance"].default_value = reach
    tree.link(height, node.inputs["Height"])
    if normal is not None:
        tree.link(normal, node.inputs["Normal"])
    return node.outputs["Normal"]
