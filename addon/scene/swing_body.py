"""Bones and weights for what swings on an avatar, added to its objects and taken off again.

Hair gets triangles of its own (``engine/gaussians/swing_binding.py``), which stay when the bones
go: they lie where the ones lie that they copy, and nothing shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ...engine.core.retouch import MOVE
from ...engine.core.types import JOINT_NAMES, Avatar, FloatArray, LikenessError
from ...engine.scene.mesh import ATTRIBUTES, LIT
from ...engine.scene.mesh_edits import EDITS, SOURCES
from .. import keys
from ..rig.bone_names import bone_name
from ..rig.swing_bones import PREFIX, collect_swing_bones, swing_bone, swing_bones
from .armature import edit_armature
from .avatar_objects import AvatarObjects
from .axes import points_to_blender
from .body_object import WEIGHT_FLOOR, fill_group
from .origin import template_origin
from .read_back import read_attribute, take_splats
from .sculpt_key import SCULPT_KEY
from .selection import enter_object_mode
from .splat_object import store_faces
from .steps import in_thread

if TYPE_CHECKING:
    from ...engine.gaussians.swing_binding import SwingBinding
    from ...engine.gaussians.swing_rig import SwingRig

_MIN_LENGTH = 0.005  # metres of a bone
_GROUPS_PER_SLICE = 12
_VERTICES_PER_SLICE = 1000


def check_can_swing(objects: AvatarObjects) -> None:
    """Check that bones and weights can be added.

    Raises:
        LikenessError: The avatar is linked, or shares its data with another object.
    """
    name = objects.armature.name
    blocks = (objects.armature, objects.body, objects.splats)
    for block in (*blocks, *(obj.data for obj in blocks)):
        if block.library is not None or block.override_library is not None:
            raise LikenessError(f"'{name}' is linked from another file.", "Edit it in that file.")
    if any(obj.data.users > 1 for obj in blocks):
        raise LikenessError(
            f"'{name}' shares its armature, body or splats with another object.",
            "Use Object > Relations > Make Single User > Object & Data first.",
        )
    if any(obj.mode == "EDIT" for obj in blocks):
        raise LikenessError(f"'{name}' is in Edit Mode.", "Leave it first.")


def take_swing_avatar(objects: AvatarObjects) -> Callable[[], Avatar]:
    """Copy what an avatar's rig is made from out of Blender.

    Returns:
        A function that makes the avatar with its splats in the order of the mesh, in any thread.

    Raises:
        LikenessError: The objects are of an older version, or were edited incompatibly; some of
            that is known only when the function is called.
    """
    take = take_splats(objects)
    count, name = len(objects.body.data.vertices), objects.armature.name

    def make() -> Avatar:
        avatar, gaussians, _ = take()
        if len(avatar.body.v_template) != count:
            raise LikenessError(
                f"The body of '{name}' was edited.", "Import its avatar file again."
            )
        return replace(avatar, gaussians=gaussians)

    return make


def add_swing(
    objects: AvatarObjects, rig: SwingRig, binding: SwingBinding, kept: bytes, context: Any
) -> Generator[None, None, None]:
    """Add the bones and weights of a rig, in slices.

    Args:
        objects: of the avatar, without such bones.
        rig: of the avatar that :func:`take_swing_avatar` takes.
        binding: of its loose hair.
        kept: the avatar with the rig's body, without splats, packed.
        context: of Blender.
    """
    mode = context.mode
    enter_object_mode(context)
    if len(binding.source):
        _copy_vertices(objects.body, rig, binding, context)
        yield
        _bind_splats(objects.splats.data, rig, binding)
        yield
        data = objects.body.data
        del data[keys.PERSON]  # Blender would cut new bytes at the length of the old
        data[keys.PERSON] = kept
    yield
    _add_bones(objects.armature, rig, context)
    yield
    yield from _weigh(objects, rig)
    if mode == "POSE":
        bpy.ops.object.mode_set(mode="POSE")


def remove_swing(objects: AvatarObjects, context: Any) -> Generator[None, None, None]:
    """Remove the bones and give their weights back to the joints, in slices."""
    from ...engine.scene.files import unpack_avatar

    armature, body = objects.armature, objects.body
    if not swing_bones(armature):
        return
    mode = context.mode
    enter_object_mode(context)
    groups = [group for group in body.vertex_groups if group.name.startswith(PREFIX)]
    indices = {group.index for group in groups}
    found: list[int] = []
    vertices = body.data.vertices
    for first in range(0, len(vertices), _VERTICES_PER_SLICE):
        part = vertices[first : first + _VERTICES_PER_SLICE]
        found += [v.index for v in part if any(g.group in indices for g in v.groups)]
        yield
    rows = np.array(found, int)
    for group in groups:
        body.vertex_groups.remove(group)
    person, name = bytes(body.data[keys.PERSON]), armature.name
    weights = (yield from in_thread(lambda: unpack_avatar(person, name))).body.weights
    for joint, name in enumerate(JOINT_NAMES):
        held = rows[weights[rows, joint] > WEIGHT_FLOOR]
        fill_group(body.vertex_groups[bone_name(armature, name)], held, weights[held, joint])
        if joint % _GROUPS_PER_SLICE == 0:
            yield
    with edit_armature(armature, context):
        bones = armature.data.edit_bones
        for bone in [bone for bone in bones if bone.name.startswith(PREFIX)]:
            bones.remove(bone)
    if mode == "POSE":
        bpy.ops.object.mode_set(mode="POSE")


def _copy_vertices(body: Any, rig: SwingRig, binding: SwingBinding, context: Any) -> None:
    """Append the copies of vertices to the body's mesh, with their shape keys."""
    mesh = body.data
    blocks = [] if mesh.shape_keys is None else list(mesh.shape_keys.key_blocks)
    sculpted = mesh.shape_keys.key_blocks.get(SCULPT_KEY) if blocks else None
    before = {block.name: _read_points(block.points) for block in blocks}
    basis = before[blocks[0].name] if blocks else _read_points(mesh.vertices)
    # The copies' places are the engine's, so that both have the same rest.
    new = points_to_blender(rig.body.v_template[binding.old :]).astype(np.float32)
    new = new + template_origin(body.parent).astype(np.float32)
    count = len(new)
    piece = bpy.data.meshes.new("Hair")
    piece.vertices.add(count)
    piece.vertices.foreach_set("co", np.ascontiguousarray(new, np.float32).ravel())
    piece.loops.add(count)
    piece.loops.foreach_set("vertex_index", np.arange(count, dtype=np.int32))
    piece.polygons.add(count // 3)
    piece.polygons.foreach_set("loop_start", np.arange(0, count, 3, dtype=np.int32))
    piece.update(calc_edges=True)
    obj = bpy.data.objects.new("Hair", piece)
    context.scene.collection.objects.link(obj)
    obj.matrix_world = body.matrix_world
    active, value = body.active_shape_key_index, None if sculpted is None else sculpted.value
    with context.temp_override(
        active_object=body, object=body, selected_editable_objects=[body, obj],
        selected_objects=[body, obj],
    ):  # fmt: skip
        bpy.ops.object.join()
    body.active_shape_key_index = active
    for name, points in before.items():
        block = mesh.shape_keys.key_blocks[name]
        moved = new + (points[binding.source] - basis[binding.source])
        block.points.foreach_set("co", np.concatenate([points, moved]).ravel())
    if value is not None:
        mesh.shape_keys.key_blocks[SCULPT_KEY].value = value
    places = np.concatenate([basis, new])
    mesh.vertices.foreach_set("co", places.ravel())
    mesh.update()


def _read_points(points: Any) -> FloatArray:
    out = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", out)
    return out.reshape(-1, 3)


def _bind_splats(mesh: Any, rig: SwingRig, binding: SwingBinding) -> None:
    rows, turn = binding.rows, binding.turn
    corners = rig.body.f[binding.triangle]
    for k, name in enumerate(ATTRIBUTES[:3]):
        _store_rows(mesh, name, rows, corners[:, k])
    for name in (ATTRIBUTES.offset, SOURCES.offset):
        _turn_rows(mesh, name, rows, turn, binding.move)
    for name in (ATTRIBUTES.axis_u, ATTRIBUTES.axis_v, LIT.normal, EDITS[_MOVE]):
        _turn_rows(mesh, name, rows, turn, None)
    mesh.update_tag()


_MOVE = 2
"""Of ``EDITS``: what ``core.retouch.MOVE`` holds, a vector in the triangle's frame."""
assert MOVE.stop - MOVE.start == 3


def _turn_rows(mesh: Any, name: str, rows: Any, turn: FloatArray, move: FloatArray | None) -> None:
    if name not in mesh.attributes:
        return
    values = np.asarray(read_attribute(mesh, name), np.float32)
    turned = np.einsum("nab,nb->na", turn, values[rows])
    values[rows] = turned if move is None else turned + move
    store_faces(mesh, name, values)


def _store_rows(mesh: Any, name: str, rows: Any, new: Any) -> None:
    values = read_attribute(mesh, name)
    values[rows] = new
    store_faces(mesh, name, values)


def _add_bones(armature: Any, rig: SwingRig, context: Any) -> None:
    ends, place = rig.ends(), template_origin(armature)
    with edit_armature(armature, context):
        bones = armature.data.edit_bones
        for link, joint in zip(rig.link.tolist(), rig.joint.tolist()):
            name, upper, lower = ends[link]
            bone = bones.new(swing_bone(name, JOINT_NAMES[joint]))
            head, tail = (points_to_blender(end) + place for end in (upper, lower))
            if np.linalg.norm(tail - head) < _MIN_LENGTH:
                tail = head - [0.0, 0.0, _MIN_LENGTH]
            bone.head, bone.tail = head.tolist(), tail.tolist()
            bone.parent = bones[bone_name(armature, JOINT_NAMES[joint])]
    for bone in swing_bones(armature):
        bone.rotation_mode = "QUATERNION"
    collect_swing_bones(armature)


def _weigh(objects: AvatarObjects, rig: SwingRig) -> Generator[None, None, None]:
    body, ends = objects.body, rig.ends()
    names = [bone_name(objects.armature, name) for name in JOINT_NAMES]
    names += [
        swing_bone(ends[link][0], JOINT_NAMES[joint])
        for link, joint in zip(rig.link.tolist(), rig.joint.tolist())
    ]
    for k, name in enumerate(names):
        group = body.vertex_groups.get(name) or body.vertex_groups.new(name=name)
        held = rig.weights[:, k] > WEIGHT_FLOOR
        if k < len(JOINT_NAMES):
            group.remove(rig.rows[~held].tolist())
        fill_group(group, rig.rows[held], rig.weights[held, k])
        if k % _GROUPS_PER_SLICE == 0:
            yield
