"""glTF 2.0 binary files: splats (KHR_gaussian_splatting), and a rigged mesh of the same person.

glTF's axes are the engine's: metres, y up, facing +z. Splats are points with the ratified
extension's attributes (linear scale and opacity, quaternions x, y, z, w, f_dc), and COLOR_0 for
readers that only support points. The mesh has 55 joints, four weights a vertex, the expressions as
morph targets (named in ``extras.targetNames``), and an unlit material, because the photo's light
is in the texture. Each has its own scene, for they are the same person.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.color import srgb_to_linear
from ..core.geometry import vertex_normals
from ..core.types import JOINT_NAMES, FloatArray, Gaussians, IntArray, Motion, Pose
from ..core.version import VERSION
from ..files.atomic import atomic_write
from .ply import SH_C0
from .skinned_mesh import Curves, bone_weights, joint_offsets, make_curves
from .surface_mesh import SurfaceMesh

SPLATS = "KHR_gaussian_splatting"
UNLIT = "KHR_materials_unlit"

_FLOAT, _UBYTE, _USHORT, _UINT = 5126, 5121, 5123, 5125
_COMPONENTS = {
    np.dtype(np.float32): _FLOAT,
    np.dtype(np.uint8): _UBYTE,
    np.dtype(np.uint16): _USHORT,
    np.dtype(np.uint32): _UINT,
}
_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTICES, _INDICES = 34962, 34963  # what a GPU buffer is for

_Json = dict[str, Any]


def write_glb(
    path: Path,
    splats: Gaussians | None = None,
    mesh: SurfaceMesh | None = None,
    pose: Pose | Motion | None = None,
    name: str = "Avatar",
    place: FloatArray | None = None,
) -> None:
    """Write splats, a rigged mesh, or both atomically.

    Args:
        path: The file.
        splats: Gaussians in world space.
        mesh: The textured surface.
        pose: Pose of the mesh, by default the rest pose; a motion becomes an animation that
            starts from its first frame.
        name: Name of the nodes.
        place: [4, 4] from the pose's space to the splats' world; the identity by default.

    Raises:
        ValueError: There are neither splats nor a mesh.
        LikenessError: The folder cannot be written to.
    """
    if splats is None and mesh is None:
        raise ValueError("nothing to write")
    gltf = Gltf()
    scenes = []
    if splats is not None:
        scenes.append({"name": "Splats", "nodes": [_add_splats(gltf, splats, f"{name} Splats")]})
    if mesh is not None:
        taken = Pose.rest(mesh.body.num_expression) if pose is None else pose
        scenes.append({"name": "Mesh", "nodes": add_mesh(gltf, mesh, taken, name, place).roots})
    gltf.root["scenes"] = scenes
    # The mesh moves and is shown first; splats stand still.
    gltf.root["scene"] = len(scenes) - 1 if isinstance(pose, Motion) else 0
    with atomic_write(path) as scratch:
        scratch.write_bytes(gltf.to_bytes())


class Gltf:
    """The JSON and the binary chunk of a file under way.

    Attributes:
        root: the JSON.
    """

    def __init__(self) -> None:
        self.root: _Json = {
            "asset": {"version": "2.0", "generator": f"Likeness {VERSION}"},
            "scene": 0,
        }
        self._binary = bytearray()

    def add(self, kind: str, item: _Json) -> int:
        """Append to one of the root's lists; returns the item's index."""
        items = self.root.setdefault(kind, [])
        items.append(item)
        return len(items) - 1

    def use(self, extension: str) -> None:
        """List an extension among those that the file uses."""
        used = self.root.setdefault("extensionsUsed", [])
        if extension not in used:
            used.append(extension)

    def view(self, content: bytes, target: int | None = None) -> int:
        """Add bytes to the binary chunk, aligned to four; returns their bufferView."""
        self._binary += b"\0" * (-len(self._binary) % 4)
        item: _Json = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(content)}
        if target is not None:
            item["target"] = target
        self._binary += content
        return self.add("bufferViews", item)

    def accessor(
        self,
        array: np.ndarray[Any, Any],
        target: int | None = None,
        *,
        normalized: bool = False,
        bounds: bool = False,
    ) -> int:
        """Add an array [N, ...] of a glTF type; rows are padded to multiples of four bytes."""
        array = np.ascontiguousarray(array)
        item = _head(array, bounds)
        if normalized:
            item["normalized"] = True
        item["bufferView"] = self.view(array.tobytes(), target)
        return self.add("accessors", item)

    def sparse(self, rows: IntArray, values: FloatArray, count: int) -> int:
        """Add [count, 3] float32, zero but for ``values`` [n, 3] at the ascending ``rows`` [n]."""
        item: _Json = {"componentType": _FLOAT, "type": "VEC3", "count": count}
        inside = np.asarray(values, np.float32).reshape(-1, 3)
        everything = inside if len(rows) == count else np.concatenate([inside, np.zeros((1, 3))])
        item["min"] = everything.min(0).astype(np.float32).tolist()
        item["max"] = everything.max(0).astype(np.float32).tolist()
        if len(rows):
            index = np.asarray(rows, np.uint32)
            item["sparse"] = {
                "count": len(rows),
                "indices": {"bufferView": self.view(index.tobytes()), "componentType": _UINT},
                "values": {"bufferView": self.view(inside.tobytes())},
            }
        return self.add("accessors", item)

    def image(self, name: str, pixels: FloatArray) -> int:
        """Add a picture as PNG; returns its index.

        Args:
            name: of the picture.
            pixels: [H, W, 3] or [H, W, 4], sRGB 0..1.
        """
        view = self.view(encode_png(pixels))
        return self.add("images", {"name": name, "mimeType": "image/png", "bufferView": view})

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        binary = bytes(self._binary) + b"\0" * (-len(self._binary) % 4)
        self.root["buffers"] = [{"byteLength": len(binary)}]
        text = json.dumps(self.root, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            struct.pack("<II", len(content), kind) + content
            for content, kind in ((text, 0x4E4F534A), (binary, 0x004E4942))
        )
        return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def _head(array: np.ndarray[Any, Any], bounds: bool) -> _Json:
    item: _Json = {
        "componentType": _COMPONENTS[array.dtype],
        "type": _TYPES[array.shape[1:]],
        "count": len(array),
    }
    if bounds:
        item["min"] = np.atleast_1d(array.min(0)).tolist()
        item["max"] = np.atleast_1d(array.max(0)).tolist()
    return item


# Splats -------------------------------------------------------------------------------------


def _add_splats(gltf: Gltf, splats: Gaussians, name: str) -> int:
    """Add a node with the splats as points; return its index."""
    gltf.use(SPLATS)
    gltf.use(UNLIT)
    colors = np.asarray(splats.colors, np.float64)
    linear = srgb_to_linear(np.clip(colors, 0, 1))
    opacities = np.clip(splats.opacities, 0, 1)
    shown = np.concatenate([linear, opacities[:, None]], axis=1)

    def floats(values: FloatArray, bounds: bool = False) -> int:
        return gltf.accessor(np.asarray(values, np.float32), _VERTICES, bounds=bounds)

    attributes = {
        "POSITION": floats(splats.means, True),
        "COLOR_0": gltf.accessor(
            np.round(shown * 65535).astype(np.uint16), _VERTICES, normalized=True
        ),
        f"{SPLATS}:ROTATION": floats(_xyzw(splats.quats)),
        f"{SPLATS}:SCALE": floats(splats.scales),
        f"{SPLATS}:OPACITY": floats(opacities),
        f"{SPLATS}:SH_DEGREE_0_COEF_0": floats((colors - 0.5) / SH_C0),
    }
    primitive = {
        "attributes": attributes,
        "mode": 0,
        "material": gltf.add("materials", {"name": "Points", "extensions": {UNLIT: {}}}),
        "extensions": {SPLATS: {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}},
    }
    mesh = gltf.add("meshes", {"name": name, "primitives": [primitive]})
    return gltf.add("nodes", {"name": name, "mesh": mesh})


def _xyzw(quats: FloatArray) -> FloatArray:
    """Return quaternions w, x, y, z as x, y, z, w, float32, normalised."""
    turned = np.roll(np.asarray(quats, np.float64), -1, axis=-1)
    unit: FloatArray = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
    return unit.astype(np.float32)


# The rigged mesh ----------------------------------------------------------------------------


@dataclass(frozen=True)
class MeshNodes:
    """Nodes of a rigged mesh.

    Attributes:
        armature: the one above the bones.
        skinned: the one with the mesh and its morph targets.
        bones: those of the 55 joints.
    """

    armature: int
    skinned: int
    bones: tuple[int, ...]

    @property
    def roots(self) -> list[int]:
        """The nodes of the scene."""
        return [self.armature, self.skinned]


def add_mesh(
    gltf: Gltf,
    mesh: SurfaceMesh,
    pose: Pose | Motion,
    name: str,
    place_in_world: FloatArray | None = None,
) -> MeshNodes:
    """Add a skinned mesh, its skeleton and its animation to a file.

    Args:
        gltf: the file.
        mesh: the textured surface.
        pose: of the mesh; a motion becomes an animation.
        name: of the nodes.
        place_in_world: [4, 4] from the pose's space to the world, metres; the identity by default.
    """
    taken = make_curves(mesh.body, pose)
    vertex, place, f = _split_at_seams(mesh)
    primitive: _Json = {
        "attributes": _mesh_attributes(gltf, mesh, vertex, place),
        "indices": gltf.accessor(f.astype(np.uint32).ravel(), _INDICES),
        "material": gltf.add("materials", _material(gltf, mesh.texture, mesh.lit)),
        "targets": _targets(gltf, mesh.body.exprdirs[vertex]),
    }
    item: _Json = {"name": f"{name} Mesh", "primitives": [primitive]}
    if primitive["targets"]:
        item["weights"] = taken.expression[0].tolist()
        item["extras"] = {"targetNames": list(mesh.body.expression_names)}
    else:
        del primitive["targets"]
    bones = _add_skeleton(gltf, mesh, taken)
    skin = {
        "name": f"{name} Skin",
        "joints": bones,
        "skeleton": bones[0],
        "inverseBindMatrices": gltf.accessor(_inverse_binds(mesh.body.J_template)),
    }
    skinned = gltf.add(
        "nodes",
        {"name": f"{name} Mesh", "mesh": gltf.add("meshes", item), "skin": gltf.add("skins", skin)},
    )
    holder: _Json = {"name": name, "children": [bones[0]]}
    if place_in_world is not None and not np.allclose(place_in_world, np.eye(4)):
        holder["matrix"] = np.asarray(place_in_world, np.float64).T.ravel().tolist()
    armature = gltf.add("nodes", holder)
    if len(taken.times) > 1:
        _add_animation(gltf, taken, bones, skinned, name)
    return MeshNodes(armature, skinned, tuple(bones))


def _split_at_seams(mesh: SurfaceMesh) -> tuple[IntArray, IntArray, IntArray]:
    """Split vertices at texture seams: rows of vertices and coordinates [n], triangles [F, 3]."""
    pairs = np.stack([np.asarray(mesh.body.f).ravel(), mesh.uv_f.ravel()], 1)
    unique, f = np.unique(pairs, axis=0, return_inverse=True)
    return unique[:, 0], unique[:, 1], f.reshape(-1, 3)


def _mesh_attributes(
    gltf: Gltf, mesh: SurfaceMesh, vertex: IntArray, place: IntArray
) -> dict[str, int]:
    vertices = np.asarray(mesh.body.v_template, np.float64)
    normals = vertex_normals(vertices, mesh.body.f)
    joints, weights = bone_weights(mesh.body)
    return {
        "POSITION": gltf.accessor(vertices[vertex].astype(np.float32), _VERTICES, bounds=True),
        "NORMAL": gltf.accessor(normals[vertex].astype(np.float32), _VERTICES),
        "TEXCOORD_0": gltf.accessor(mesh.uv[place].astype(np.float32), _VERTICES),
        "JOINTS_0": gltf.accessor(joints[vertex], _VERTICES),
        "WEIGHTS_0": gltf.accessor(weights[vertex], _VERTICES),
    }


def _targets(gltf: Gltf, moves: FloatArray) -> list[_Json]:
    """Return a morph target for each expression of ``moves`` [n, 3, E]."""
    targets = []
    for e in range(moves.shape[2]):
        rows = np.flatnonzero(np.abs(moves[:, :, e]).max(1) > 1e-6)
        targets.append({"POSITION": gltf.sparse(rows, moves[rows, :, e], len(moves))})
    return targets


def _material(gltf: Gltf, texture: FloatArray, lit: bool) -> _Json:
    unlit: _Json = {}
    if not lit:
        gltf.use(UNLIT)
        unlit = {"extensions": {UNLIT: {}}}
    sampler = gltf.add("samplers", {"magFilter": 9729, "minFilter": 9987})
    source = gltf.add("textures", {"source": gltf.image("Look", texture), "sampler": sampler})
    return {
        "name": "Look",
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": source},
            "metallicFactor": 0.0,
            "roughnessFactor": 0.9,
        },
        **unlit,
    }


def encode_png(texture: FloatArray) -> bytes:
    """Encode a picture as PNG.

    Args:
        texture: [H, W, 3 or 4] sRGB in 0..1, alpha straight.
    """
    out = io.BytesIO()
    Image.fromarray(np.round(np.clip(texture, 0, 1) * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def _add_skeleton(gltf: Gltf, mesh: SurfaceMesh, taken: Curves) -> list[int]:
    """Add a node for each joint, in the first frame's pose."""
    first = len(gltf.root.get("nodes", []))
    places = joint_offsets(mesh.body)
    places[0] = taken.root[0]
    for j, name in enumerate(JOINT_NAMES):
        node: _Json = {
            "name": name,
            "translation": places[j].tolist(),
            "rotation": _xyzw(taken.quats[0, j]).astype(np.float64).tolist(),
        }
        children = [first + k for k, parent in enumerate(mesh.body.parents) if parent == j]
        if children:
            node["children"] = children
        gltf.add("nodes", node)
    return list(range(first, first + len(JOINT_NAMES)))


def _inverse_binds(joints: FloatArray) -> FloatArray:
    """Return matrices [55, 4, 4] as glTF stores them: column by column."""
    out = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    out[:, 3, :3] = -np.asarray(joints)
    return out


def _add_animation(
    gltf: Gltf, taken: Curves, bones: Sequence[int], skinned: int, name: str
) -> None:
    times = gltf.accessor(taken.times.astype(np.float32), bounds=True)
    samplers: list[_Json] = []
    channels: list[_Json] = []

    def curve(node: int, path: str, values: FloatArray) -> None:
        samplers.append({"input": times, "output": gltf.accessor(values.astype(np.float32))})
        target = {"node": node, "path": path}
        channels.append({"sampler": len(samplers) - 1, "target": target})

    curve(bones[0], "translation", taken.root)
    for j, node in enumerate(bones):
        turns = _xyzw(taken.quats[:, j])
        if np.ptp(turns, axis=0).max() > 1e-7:
            curve(node, "rotation", turns)
    if taken.expression.size and np.ptp(taken.expression, axis=0).max() > 1e-7:
        curve(skinned, "weights", taken.expression.reshape(-1))
    gltf.add("animations", {"name": f"{name} Motion", "samplers": samplers, "channels": channels})
