"""Custom shapes of bones in the person's size: rings around limbs, boxes, targets.

Flat shapes are dark bands between two lines of the bone's colour, which show on any cloth. The
meshes are made once per file and shared by its avatars. Their objects are in no collection and so
not rendered; they are removed with the last avatar.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.types import JOINT_INDEX, JOINT_NAMES, FloatArray
from .. import keys
from .bone_collections import MECHANISM
from .control_names import (
    CHEST,
    COG,
    EYES_TARGET,
    FACE,
    FINGERS,
    HEAD_TARGET,
    HIPS,
    LIMBS,
    NECK,
    ROOT,
    SIDES,
    finger_control,
    hand_control,
    ik_control,
    pole_control,
    roll_control,
    toe_control,
)
from .controls import EYES, eye_target

PREFIX = "Likeness Shape"

_ROOM = 1.12
"""Size of rings, in sizes of the limb, to clear hair and clothes."""

_WIRE = 2.0
"""Width of wires in pixels."""

_BAND, _BANDS = 0.06, (0.0012, 0.006)
"""Half the height of a band, in radii of the shape, and its range in metres."""

_VERSION = 2
"""Of the meshes; files may hold older ones."""

Wires = tuple[FloatArray, list[tuple[int, int]]]


def _ring(radius: float = 1.0, at: tuple[float, float] = (0.0, 0.0), count: int = 32) -> Wires:
    turn = np.linspace(0.0, 2.0 * math.pi, count, endpoint=False)
    points = np.stack([at[0] + radius * np.cos(turn), 0 * turn, at[1] + radius * np.sin(turn)], 1)
    return points, [(k, (k + 1) % count) for k in range(count)]


def _line(*points: tuple[float, float, float]) -> Wires:
    return np.array(points, np.float64), [(k, k + 1) for k in range(len(points) - 1)]


def _joined(*wires: Wires) -> Wires:
    edges, count = [], 0
    for points, links in wires:
        edges += [(a + count, b + count) for a, b in links]
        count += len(points)
    return np.concatenate([points for points, _ in wires]), edges


def _cube() -> Wires:
    points = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    edges = [(a, b) for a in range(8) for b in range(a) if bin(a ^ b).count("1") == 1]
    return points, edges


def _diamond() -> Wires:
    points = np.concatenate([np.eye(3), -np.eye(3)])
    return points, [(a, b) for a in range(6) for b in range(a) if (a - b) != 3]


def _face() -> Wires:
    smile = np.linspace(math.radians(205), math.radians(335), 9)
    mouth = _line(*((0.55 * math.cos(t), 0.0, 0.55 * math.sin(t)) for t in smile))
    return _joined(_ring(), _ring(0.1, (-0.35, 0.3), 8), _ring(0.1, (0.35, 0.3), 8), mouth)


def _root() -> Wires:
    arrow = (
        (-0.16, 0.0, 1.0),
        (-0.16, 0.0, 1.25),
        (-0.3, 0.0, 1.25),
        (0.0, 0.0, 1.5),
        (0.3, 0.0, 1.25),
        (0.16, 0.0, 1.25),
        (0.16, 0.0, 1.0),
    )
    return _joined(_ring(), _line(*arrow))


def _arc() -> Wires:
    """A half ring with a handle, on the back of a finger (its -z)."""
    turn = np.linspace(math.radians(200), math.radians(340), 13)
    arc = _line(*((math.cos(t), 0.0, math.sin(t)) for t in turn))
    return _joined(arc, _line((0.0, 0.0, -1.0), (0.0, 0.0, -1.35)), _ring(0.2, (0.0, -1.55), 8))


def _rocker() -> Wires:
    """A bow with an arrow at each end, seen from the side (the y-z plane)."""
    turn = np.linspace(math.radians(-60), math.radians(60), 13)
    bow = _line(*((0.0, -math.cos(t), math.sin(t)) for t in turn))
    points, _ = bow
    heads = []
    for end, way in ((points[0], -1.0), (points[-1], 1.0)):
        y, z = float(end[1]), float(end[2])
        heads.append(_line((0, y - 0.25, z - 0.1 * way), (0, y, z), (0, y + 0.05, z - 0.35 * way)))
    return _joined(bow, *heads)


_SHAPES = {
    "Ring": _ring,
    "Cube": _cube,
    "Diamond": _diamond,
    "Face": _face,
    "Root": _root,
    "Arc": _arc,
    "Rocker": _rocker,
    "Square": lambda: _line((-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1), (-1, 0, -1)),
    "Target": lambda: _joined(
        _ring(),
        _ring(0.5),
        *(
            _line((0.5 * x, 0, 0.5 * z), (1.3 * x, 0, 1.3 * z))
            for x, z in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ),
    ),
}
"""Name -> wires of about unit size in the x-z plane, around the bone's y axis."""

_SOLID = ("Cube", "Diamond", "Rocker")
"""Those that are not flat."""


def add_shapes(armature: Any, vertices: FloatArray, weights: FloatArray) -> None:
    """Give every bone its shape.

    Args:
        vertices: [V, 3] the person's body at rest, in Blender's axes and armature space.
        weights: [V, 55].
    """
    bones = armature.pose.bones
    held = {name: vertices[weights[:, j] > 0.5] for name, j in JOINT_INDEX.items()}
    for name in JOINT_NAMES:
        _add_ring(bones[name], held[name])
    # halo, chin and circles before the eyes, none of them in front of the face
    head, crown = bones["head"], _top(held["head"], bones["head"])
    _set(head, "Ring", [0.07, 0.07, 0.07], [0.0, crown + 0.03, 0.0])
    jaw = bones["jaw"]
    _set(jaw, "Diamond", [0.02, 0.008, 0.008], [0.0, 1.15 * jaw.bone.length, 0.0])
    for eye in EYES:
        _set(bones[eye], "Ring", [0.009] * 3, [0.0, 0.11, 0.0])
    pelvis = bones["pelvis"]
    size = 1.35 * max(pelvis.custom_shape_scale_xyz.xz)
    _set(pelvis, "Ring", [size] * 3, [0.0, 0.0, 0.0])
    for name, shape, radius in ((ROOT, "Root", 2.2 * size), (COG, "Square", 1.6 * size)):
        _set(bones[name], shape, [radius] * 3, [0.0] * 3)
        bones[name].custom_shape_rotation_euler = (math.pi / 2, 0.0, 0.0)  # flat on the floor
    _add_spine(bones)
    for side in SIDES:
        _add_fingers(bones, side)
    for limb, (_, _, last) in LIMBS.items():
        control = bones[ik_control(limb)]
        if limb.endswith("foot"):
            _add_sole(control, np.concatenate([held[last], held[limb]]))
            _set(bones[roll_control(limb)], "Rocker", [0.055] * 3, [0.0] * 3)
            _set(bones[toe_control(limb)], "Ring", [0.025] * 3, [0.0] * 3)
            bones[toe_control(limb)].custom_shape_rotation_euler = (math.pi / 2, 0.0, 0.0)
        else:
            x, z = _radii(bones[last], held[last])
            length = control.bone.length
            _set(control, "Cube", [1.5 * x, 0.6 * length, 1.7 * z], [0.0, 0.5 * length, 0.0])
        _set(bones[pole_control(limb)], "Diamond", [0.03] * 3, [0.0] * 3)
    _set(bones[HEAD_TARGET], "Target", [0.09] * 3, [0.0] * 3)
    _set(bones[EYES_TARGET], "Square", [0.075, 0.035, 0.035], [0.0] * 3)
    for eye in EYES:
        _set(bones[eye_target(eye)], "Ring", [0.018] * 3, [0.0] * 3)
    _set(bones[FACE], "Face", [0.05] * 3, [0.0] * 3)
    for bone in bones:
        if MECHANISM in bone.bone.collections:
            _set(bone, "Diamond", [0.01] * 3, [0.0] * 3)


def _add_spine(bones: Any) -> None:
    """Give hips, chest and neck squares outside the rings of their joints, as displayed."""
    for name, joint in ((HIPS, "pelvis"), (CHEST, "spine3"), (NECK, "neck")):
        ring, move = bones[joint].custom_shape_scale_xyz, bones[joint].custom_shape_translation
        move = [0.0, -0.5 * ring.z, 0.0] if name == HIPS else list(move)  # below the other squares
        _set(bones[name], "Square", [1.25 * ring.x, 1.0, 1.25 * ring.z], move)
        bones[name].custom_shape_transform = bones[joint]


def _add_fingers(bones: Any, side: str) -> None:
    """Arcs over the knuckles, and one over all of them."""
    for finger in FINGERS:
        control, joint = bones[finger_control(side, finger)], bones[f"{side}_{finger}1"]
        size = 1.3 * max(joint.custom_shape_scale_xyz.xz)
        _set(control, "Arc", [size] * 3, [0.0, 0.5 * joint.bone.length, 0.0])
        control.custom_shape_transform = joint
    width = (
        bones[f"{side}_index1"].bone.head_local - bones[f"{side}_pinky1"].bone.head_local
    ).length
    control = bones[hand_control(side)]
    _set(control, "Arc", [0.75 * width] * 3, [0.0, 0.0, 0.0])


def remove_unused_shapes() -> None:
    """Remove the shapes that no bone uses any more."""
    for obj in [o for o in bpy.data.objects if keys.BONE_SHAPE in o and o.users == 0]:
        mesh = obj.data
        bpy.data.objects.remove(obj)
        bpy.data.meshes.remove(mesh)


def _shape(name: str) -> Any:
    """This file's object of a shape; created on first use."""
    key = f"{name} {_VERSION}"
    found = keys.find_own(bpy.data.objects, keys.BONE_SHAPE, key)
    if found is not None:
        return found
    points, edges = _SHAPES[name]()  # type: ignore[no-untyped-call]
    mesh = bpy.data.meshes.new(f"{PREFIX} {name}")
    if name in _SOLID:
        mesh.from_pydata(points.tolist(), edges, [])
    else:
        _fill_band(mesh, points, edges)
    obj = bpy.data.objects.new(mesh.name, mesh)
    obj[keys.BONE_SHAPE] = key
    obj.hide_render = True
    return obj


def _fill_band(mesh: Any, points: FloatArray, edges: list[tuple[int, int]]) -> None:
    """Fill a mesh with a flat shape, raised to 1 and -1 along y.

    Its normals point away from the outside, so Blender shades the faces dark.
    """
    up = np.array([0.0, 1.0, 0.0])
    count = len(points)
    faces = []
    for a, b in edges:
        outward = np.cross(points[b] - points[a], up) @ (points[a] + points[b])
        a, b = (a, b) if outward >= 0 else (b, a)
        faces.append((a, a + count, b + count, b))
    mesh.from_pydata([*(points + up).tolist(), *(points - up).tolist()], [], faces)
    mesh.update()
    mesh.normals_split_custom_set([-mesh.polygons[k // 4].normal for k in range(len(mesh.loops))])


def _set(bone: Any, shape: str, scale: list[float], move: list[float]) -> None:
    """Set a bone's shape; scale and translation in metres along the bone's axes."""
    if shape not in _SOLID:
        half = min(max(_BAND * max(scale[0], scale[2]), _BANDS[0]), _BANDS[1])
        scale = [scale[0], half, scale[2]]
    bone.custom_shape = _shape(shape)
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_scale_xyz = scale
    bone.custom_shape_translation = move
    bone.custom_shape_wire_width = _WIRE


def _in_bone(bone: Any, points: FloatArray) -> FloatArray:
    """[N, 3] armature space -> the bone's axes at rest, relative to its head."""
    inverse = np.array(bone.bone.matrix_local.inverted())
    out: FloatArray = points @ inverse[:3, :3].T + inverse[:3, 3]
    return out


def _radii(bone: Any, held: FloatArray) -> tuple[float, float]:
    """Radii of the limb around the bone's middle, along x and z."""
    length = bone.bone.length
    points = _in_bone(bone, held)
    points = points[(points[:, 1] > 0.2 * length) & (points[:, 1] < 0.8 * length)]
    if len(points) < 4:
        return 0.3 * length, 0.3 * length
    x, _, z = np.percentile(np.abs(points), 90, axis=0)
    return float(x), float(z)


def _add_ring(bone: Any, held: FloatArray) -> None:
    x, z = (_ROOM * r + 0.002 for r in _radii(bone, held))
    _set(bone, "Ring", [x, 1.0, z], [0.0, 0.5 * bone.bone.length, 0.0])


def _top(held: FloatArray, bone: Any) -> float:
    if not len(held):
        return float(bone.bone.length)
    return float(_in_bone(bone, held)[:, 1].max())


def _add_sole(control: Any, foot: FloatArray) -> None:
    """Add a frame around the sole, level at rest."""
    rest = control.bone.matrix_local
    if len(foot) < 4:
        foot = np.array(rest.translation) + np.array([[-0.05, -0.2, -0.1], [0.05, 0.06, 0.0]])
    low, high = foot.min(0), foot.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    middle[2], half[2] = low[2] + 0.012, 0.012
    turn: Matrix = rest.to_3x3().inverted()
    move = turn @ (Matrix.Translation(middle.tolist()).translation - rest.translation)
    _set(control, "Square", [1.2 * half[0], 1.0, 1.12 * half[1]], list(move))
    flat = Matrix.Rotation(math.pi / 2, 3, "X")
    control.custom_shape_rotation_euler = (turn @ flat).to_euler()


@bpy.app.handlers.persistent
def _take_out_of_scenes(imported: Any) -> None:
    """Blender puts appended objects that are in no collection into the scene."""
    for item in imported.import_items:
        obj = item.id
        if isinstance(obj, bpy.types.Object) and keys.BONE_SHAPE in obj and obj.library is None:
            for collection in obj.users_collection:
                collection.objects.unlink(obj)


def register() -> None:
    """Called when the extension is enabled."""
    bpy.app.handlers.blend_import_post.append(_take_out_of_scenes)


def unregister() -> None:
    """Called when the extension is disabled."""
    bpy.app.handlers.blend_import_post.remove(_take_out_of_scenes)
