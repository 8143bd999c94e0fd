"""A user's character file -> parts and rig for ``engine/synth/characters``, read by Blender.

Other programs run ``python -m likeness.addon.characters FILE FOLDER``, because Blender has one
scene per process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.core.color import linear_to_srgb, srgb_to_linear
from ..engine.core.types import FloatArray, LikenessError
from ..engine.synth.characters.character import CharacterRig, guess_label, save_rig
from ..engine.synth.parts_file import save_parts
from ..engine.wardrobe.mesh_parts import KINDS, LABEL, Material, MeshPart
from .scene.axes import points_to_engine

if TYPE_CHECKING:
    import bpy

SUFFIXES = (".blend", ".glb", ".gltf", ".fbx", ".obj")
MAX_TEXELS = 2048  # per side; larger images are halved until they fit
PLAIN = (0.6, 0.6, 0.6, 1.0)  # colour of a mesh without a material, as in Blender
_KIND_OF = {"eye": "eye", "hair": "hair", "brow": "hair", "clothes": "cloth", "scarf": "cloth"}
REMEDY = f"Give a Blender, glTF, FBX or OBJ file ({', '.join(SUFFIXES)})."


def check_source(path: Path) -> None:
    """Check a character file before Blender starts.

    Raises:
        LikenessError: The file is missing, empty, a folder, or of an unsupported format.
    """
    if path.is_dir():
        raise LikenessError(f"'{path}' is a folder, not a character file.", REMEDY)
    if not path.is_file():
        raise LikenessError(f"'{path}' does not exist.", REMEDY)
    if path.suffix.lower() not in SUFFIXES:
        raise LikenessError(f"'{path}' is not a supported character file.", REMEDY)
    if path.stat().st_size == 0:
        raise LikenessError(f"'{path}' is empty.", "Export it again.")


def read_character(path: Path, folder: Path) -> None:
    """Open ``path`` and write its visible meshes, as displayed, and its rig into ``folder``.

    It replaces the scene of this process, so it refuses to run in a Blender with a window. Scripts
    in a .blend are not run.

    Raises:
        LikenessError: bpy is missing, Blender has a window, or the file cannot be read or has no
            visible mesh.
    """
    check_source(path)
    try:
        import bpy
    except ModuleNotFoundError as error:
        raise LikenessError(
            "Blender's Python module bpy is not installed.",
            "Run 'pip install bpy==4.5.15', or use this from Blender.",
        ) from error
    if not bpy.app.background:
        raise LikenessError(
            "A Blender with a window cannot read characters.",
            "Run 'blender --background --command likeness convert ...'.",
        )
    _open(path)
    bpy.context.view_layer.update()
    parts = _parts()
    if not parts:
        raise LikenessError(
            f"'{path}' has no mesh that is visible in renders.",
            "Export the character with its meshes.",
        )
    save_parts(folder, parts)
    rig = _rig()
    if rig is not None:
        save_rig(rig, folder)


def _open(path: Path) -> None:
    import bpy

    from .compat import open_empty_file

    kind = path.suffix.lower()
    name = str(path.absolute())
    try:
        if kind == ".blend":
            bpy.ops.wm.open_mainfile(filepath=name, load_ui=False, use_scripts=False)
            return
        open_empty_file()
        if kind in (".glb", ".gltf"):
            bpy.ops.import_scene.gltf(filepath=name)
        elif kind == ".fbx":
            bpy.ops.import_scene.fbx(filepath=name)
        else:
            bpy.ops.wm.obj_import(filepath=name)
    except Exception as error:  # importers pass on any error of their readers
        said = [x for x in str(error).strip().splitlines() if not x.startswith("Location: ")]
        last = said[-1] if said else type(error).__name__
        raise LikenessError(f"'{path}' cannot be opened ({last}).", REMEDY) from error


def _parts() -> list[MeshPart]:
    """One part per object and material that is visible in renders, in engine axes."""
    import bpy

    graph = bpy.context.evaluated_depsgraph_get()
    shapes = {
        bone.custom_shape.name
        for thing in bpy.context.scene.objects
        if thing.type == "ARMATURE"
        for bone in thing.pose.bones
        if bone.custom_shape is not None
    }
    out: list[MeshPart] = []
    pictures: dict[str, np.ndarray[Any, Any]] = {}
    for instance in graph.object_instances:
        thing = instance.object
        if thing.type not in ("MESH", "CURVE", "SURFACE", "META", "FONT"):
            continue
        # Instancers and the shapes of bones are not visible themselves.
        if not instance.show_self or thing.hide_render or thing.original.name in shapes:
            continue
        mesh = thing.to_mesh()
        if mesh is not None and len(mesh.polygons):
            matrix = np.array(instance.matrix_world)
            out += _mesh_parts(thing.original.name, mesh, thing.material_slots, matrix, pictures)
        thing.to_mesh_clear()
    return out


def _mesh_parts(
    name: str, mesh: bpy.types.Mesh, slots: Any, matrix: FloatArray, pictures: dict[str, Any]
) -> list[MeshPart]:
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    vertices = _read(mesh.vertices, "co", 3, np.float32)
    vertices = points_to_engine(vertices @ matrix[:3, :3].T + matrix[:3, 3])
    f = _read(mesh.loop_triangles, "vertices", 3, np.int32)
    loops = _read(mesh.loop_triangles, "loops", 3, np.int32)
    if np.linalg.det(matrix[:3, :3]) < 0:  # the triangles of a mirrored object are flipped
        f, loops = f[:, ::-1], loops[:, ::-1]
    slot = _read(mesh.loop_triangles, "material_index", 1, np.int32).ravel()
    uv = np.zeros((count, 3, 2))
    layer = next((x for x in mesh.uv_layers if x.active_render), None)
    if layer is not None:
        uv = _read(layer.uv, "vector", 2, np.float32)[loops].astype(np.float64)
    uv[..., 1] = 1.0 - uv[..., 1]
    out = []
    for k in np.unique(slot):
        material = slots[k].material if k < len(slots) else None
        label = guess_label(material.name) if material is not None else "other"
        label = label if label != "other" else guess_label(name, mesh.name)
        rows = np.flatnonzero(slot == k)
        used, own = np.unique(f[rows], return_inverse=True)
        surface = Material(
            kind=_KIND_OF.get(label, KINDS[-1]),
            color=_color(material, pictures),
            roughness=_constant(material, "Roughness", 0.5),
            metallic=float(_constant(material, "Metallic", 0.0) > 0.5),
        )
        title = name if material is None else f"{name}, {material.name}"
        out.append(
            MeshPart(
                title,
                vertices[used].astype(np.float64),
                own.reshape(-1, 3),
                uv[rows],
                np.full(len(rows), LABEL[label], np.uint8),
                surface,
            )
        )
    return out


def _read(items: Any, name: str, width: int, kind: type) -> np.ndarray[Any, Any]:
    out: np.ndarray[Any, Any] = np.empty(len(items) * width, kind)
    items.foreach_get(name, out)
    return out.reshape(-1, width)


def _shader(material: Any) -> Any:
    """The shader node of a material, or None."""
    if material is None or material.node_tree is None:
        return None
    nodes = material.node_tree.nodes
    for wanted in ("BSDF_PRINCIPLED", "BSDF_DIFFUSE", "EMISSION"):
        for node in nodes:
            if node.type == wanted:
                return node
    return None


def _constant(material: Any, name: str, default: float) -> float:
    node = _shader(material)
    socket = None if node is None else node.inputs.get(name)
    return default if socket is None or socket.is_linked else float(socket.default_value)


def _color(material: Any, pictures: dict[str, Any]) -> np.ndarray[Any, Any]:
    """[H, W, 4] uint8 sRGB, straight alpha: the image of the shader's colour times its factors, or
    one texel."""
    node = _shader(material)
    if node is None:
        plain = PLAIN if material is None else tuple(material.diffuse_color)
        return _bytes(np.array(plain, np.float64).reshape(1, 1, 4), linear=True)
    socket = next((node.inputs[n] for n in ("Base Color", "Color") if n in node.inputs), None)
    image, factor = _traced(socket)
    if image is None:
        rgba = np.append(factor, 1.0).reshape(1, 1, 4)
        color = _bytes(rgba, linear=True)
    else:
        color = _texels(image, pictures)
        if not np.allclose(factor, 1.0):
            tinted = linear_to_srgb(np.clip(srgb_to_linear(color[..., :3] / 255.0) * factor, 0, 1))
            color = np.concatenate([np.round(tinted * 255).astype(np.uint8), color[..., 3:]], -1)
    return _with_alpha(color, node.inputs.get("Alpha"), pictures)


def _with_alpha(
    color: np.ndarray[Any, Any], socket: Any, pictures: dict[str, Any]
) -> np.ndarray[Any, Any]:
    """Set the alpha that the material uses; the image's own alpha counts only then."""
    from PIL import Image

    out = color.copy()
    out[..., 3] = 255
    if socket is None:
        return out
    if not socket.is_linked:
        out[..., 3] = round(255 * min(max(float(socket.default_value), 0.0), 1.0))
        return out
    link = socket.links[0]
    image = _picture_of(link.from_node, set())
    if image is None:
        return out
    texels = _texels(image, pictures)
    alpha = texels[..., 3] if link.from_socket.name == "Alpha" else texels[..., :3].max(-1)
    if link.from_node.type != "TEX_IMAGE" and texels[..., 3].min() < 255:
        alpha = texels[..., 3]  # behind a threshold or a factor
    if out.shape[:2] == (1, 1):
        out = np.tile(out, (*alpha.shape, 1))
    size = (out.shape[1], out.shape[0])
    out[..., 3] = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BILINEAR))
    return out


def _traced(socket: Any) -> tuple[Any, FloatArray]:
    """The image that feeds a colour socket, or None, and the linear factor on it."""
    if socket is None:
        return None, np.array(PLAIN[:3])
    if not socket.is_linked:
        return None, np.array(socket.default_value)[:3]
    node = socket.links[0].from_node
    factor = np.ones(3)
    if node.type in ("MIX", "MIX_RGB") and node.blend_type == "MULTIPLY":
        for other in node.inputs:
            if other.type == "RGBA" and not other.is_linked and other.enabled:
                factor = np.array(other.default_value)[:3]
    image = _picture_of(node, set())
    return image, factor if image is not None or not np.allclose(factor, 1) else np.array(PLAIN[:3])


def _picture_of(node: Any, seen: set[str]) -> Any:
    """The first image of a node or of the nodes before it."""
    if node.type == "TEX_IMAGE":
        return node.image
    if node.name in seen:
        return None
    seen.add(node.name)
    for socket in node.inputs:
        for link in socket.links:
            image = _picture_of(link.from_node, seen)
            if image is not None:
                return image
    return None


def _texels(image: Any, pictures: dict[str, Any]) -> np.ndarray[Any, Any]:
    """[H, W, 4] uint8, row 0 at the top; grey if the image file is missing."""
    known: np.ndarray[Any, Any] | None = pictures.get(image.name)
    if known is not None:
        return known
    width, height = image.size
    if width * height == 0:
        print(f"warning: the image '{image.name}' is missing, using grey", file=sys.stderr)
        out = _bytes(np.array(PLAIN).reshape(1, 1, 4), linear=True)
    else:
        texels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(texels)
        texels = texels.reshape(height, width, 4)[::-1]
        while max(texels.shape[:2]) > MAX_TEXELS and min(texels.shape[:2]) > 1:
            even = texels[: texels.shape[0] // 2 * 2, : texels.shape[1] // 2 * 2]
            texels = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
        out = _bytes(texels, linear=image.is_float)
    pictures[image.name] = out
    return out


def _bytes(rgba: FloatArray, linear: bool) -> np.ndarray[Any, Any]:
    color = linear_to_srgb(np.clip(rgba[..., :3], 0, 1)) if linear else rgba[..., :3]
    out = np.concatenate([np.clip(color, 0, 1), np.clip(rgba[..., 3:], 0, 1)], -1)
    texels: np.ndarray[Any, Any] = np.round(out * 255).astype(np.uint8)
    return texels


def _rig() -> CharacterRig | None:
    """The bones of the armature that has most of them, in its displayed pose."""
    import bpy

    rigs = [x for x in bpy.context.scene.objects if x.type == "ARMATURE" and len(x.pose.bones)]
    if not rigs:
        return None
    graph = bpy.context.evaluated_depsgraph_get()
    largest = max(rigs, key=lambda x: len(x.pose.bones)).evaluated_get(graph)
    matrix = np.array(largest.matrix_world)
    bones = list(largest.pose.bones)

    def places(ends: list[Any]) -> FloatArray:
        return points_to_engine(np.array(ends, np.float64) @ matrix[:3, :3].T + matrix[:3, 3])

    return CharacterRig(
        tuple(bone.name for bone in bones),
        places([tuple(bone.head) for bone in bones]),
        places([tuple(bone.tail) for bone in bones]),
    )


def main(argv: list[str]) -> int:
    """Arguments FILE FOLDER; returns 0 if the parts were written, 2 after a user error."""
    if len(argv) != 2:
        print("usage: python -m likeness.addon.characters FILE FOLDER", file=sys.stderr)
        return 2
    try:
        read_character(Path(argv[0]), Path(argv[1]))
    except LikenessError as error:
        print(f"likeness: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # bpy may crash on exit
