"""Parts of avatars that have lost the others: X on an armature leaves the rest, Shift+D on it
makes a rig without a person.

Blender's Delete only takes an armature out of the scene, because the photo's camera refers to it;
until that is gone, too, the rig can be put back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix, Vector

from ...engine.core.types import Avatar, LikenessError
from .. import keys
from ..rig.bone_names import add_end, add_ends
from ..rig.control_names import FACE
from ..rig.person_data import fit_rig
from . import shadow_proxy
from .avatar_objects import AvatarObjects, create_rig, find_avatar, mark_armature, place_avatar
from .avatar_ops import driver_targets
from .axes import points_to_blender
from .body_object import add_slider
from .camera import set_camera
from .origin import template_origin
from .selection import enter_object_mode, select_only
from .splat_object import MODIFIER_NAME, get_input


@dataclass(frozen=True)
class Orphan:
    """Parts that belonged to one avatar.

    Attributes:
        parts: kind -> object.
    """

    parts: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of one of the objects, by which :func:`get_orphan` finds them again."""
        order = ("armature", "splats", "body", "camera", "shadow", "proxy")
        return str(next(self.parts[part] for part in order if part in self.parts).name)

    @property
    def title(self) -> str:
        """Name of the avatar, without the kind of the part that it is read from."""
        kind, _, rest = self.name.partition(" ")
        return rest if kind.lower() in self.parts and rest else self.name

    @property
    def deleted_rig(self) -> Any | None:
        """The armature, if it was deleted from the scene but remains in the file."""
        parents = (obj.parent for part, obj in self.parts.items() if part != "armature")
        return next((p for p in parents if p is not None and p not in self.parts.values()), None)

    @property
    def lacks_only_rig(self) -> bool:
        """Whether :func:`rebuild_rig` can make it whole."""
        if "armature" in self.parts or not {"body", "splats"} <= self.parts.keys():
            return False
        return self.deleted_rig is not None or keys.PERSON in self.parts["body"].data


def find_orphans(scene: Any) -> list[Orphan]:
    """The parts in a scene without a whole avatar, those of one avatar together."""
    groups: dict[Any, dict[str, Any]] = {}
    cameras = []
    for obj in scene.objects:
        if obj.get(keys.PART) is None or obj.library is not None or _is_whole(obj, scene):
            continue
        if obj[keys.PART] == "camera":
            cameras.append(obj)
        else:
            groups.setdefault(_owner(obj), {}).setdefault(obj[keys.PART], obj)
    for camera in cameras:
        owner = next((key for key, parts in groups.items() if _is_beside(camera, parts)), camera)
        groups.setdefault(owner, {})["camera"] = camera
    return [Orphan(parts) for parts in groups.values()]


def get_orphan(scene: Any, name: str) -> Orphan:
    """The parts with this :attr:`Orphan.name`.

    Raises:
        LikenessError: There are none any more.
    """
    for orphan in find_orphans(scene):
        if orphan.name == name:
            return orphan
    raise LikenessError(f"'{name}' is not a lost part of an avatar.", "Choose one from the list.")


def delete_orphan(orphan: Orphan) -> None:
    """Remove the parts, and their data and collection if nothing else uses them."""
    homes = {home for obj in orphan.parts.values() for home in obj.users_collection}
    gone = orphan.deleted_rig
    unused = [gone] if gone is not None and not gone.users_collection else []
    for obj in (*orphan.parts.values(), *unused):
        data = obj.data
        bpy.data.objects.remove(obj)
        if not data.users:
            bpy.data.batch_remove([data])
    for home in homes:
        if home in bpy.data.collections[:] and not home.objects and not home.children:
            bpy.data.collections.remove(home)


def rebuild_rig(orphan: Orphan, context: Any) -> AvatarObjects:
    """Put the armature of a body and its splats back, or make a new one in the photo's pose.

    Raises:
        LikenessError: More than the armature is missing, or the body's data is damaged.
    """
    from ...engine.scene.files import unpack_avatar

    if not orphan.lacks_only_rig:
        raise LikenessError(
            f"'{orphan.title}' has lost more than its rig.", "Delete it, and import it again."
        )
    enter_object_mode(context)
    deleted = orphan.deleted_rig
    if deleted is not None:
        orphan.parts["body"].users_collection[0].objects.link(deleted)
        select_only(deleted, context)
        objects = find_avatar(deleted)
        assert objects is not None
        return objects
    body, splats = orphan.parts["body"], orphan.parts["splats"]
    avatar = unpack_avatar(bytes(body.data[keys.PERSON]), body.name)
    if body.data.users > 1:
        body.data = body.data.copy()
    collection = body.users_collection[0]
    armature = create_rig(avatar, orphan.title, collection, context)
    _move_to_origin(body.data, avatar, armature)
    for name in avatar.body.expression_names:
        add_slider(armature.pose.bones[FACE], name)
    fit_rig(avatar, armature, body)
    if add_end("left_hip") in body.vertex_groups:
        add_ends(armature)
    mark_armature(armature, avatar)
    _attach(orphan, armature)
    camera = orphan.parts.get("camera")
    if camera is not None:
        camera[keys.CAMERA_OF] = armature
        set_camera(camera, avatar.camera, armature)
    objects = AvatarObjects(collection, armature, body, splats, camera)
    objects.set_pose(avatar.pose, avatar.body.expression_names)
    place_avatar(objects, context)
    select_only(armature, context)
    return objects


def _move_to_origin(mesh: Any, avatar: Avatar, armature: Any) -> None:
    """Move a body from the space of the armature that it had, of any version, to a new one's."""
    first = points_to_blender(avatar.body.v_template[0]) + template_origin(armature)
    basis = mesh.shape_keys.key_blocks[0].points if mesh.shape_keys else mesh.vertices
    move = Vector(first.tolist()) - basis[0].co
    mesh.transform(Matrix.Translation(move), shape_keys=True)


def _attach(orphan: Orphan, armature: Any) -> None:
    """Parent the parts to the armature, and let what pointed at the lost one point at it."""
    for part, obj in orphan.parts.items():
        if part == "camera":
            continue
        obj.parent = armature
        obj.matrix_parent_inverse.identity()
        obj.matrix_basis.identity()
        for modifier in obj.modifiers:
            if modifier.type == "ARMATURE":
                modifier.object = armature
        for owner in (obj, obj.data, getattr(obj.data, "shape_keys", None)):
            for target in driver_targets(owner):
                if target.id is None:
                    target.id = armature


def _is_beside(camera: Any, parts: dict[str, Any]) -> bool:
    """Whether a camera is in the collection of parts that have none."""
    homes = {home for obj in parts.values() for home in obj.users_collection}
    return "camera" not in parts and not homes.isdisjoint(camera.users_collection)


def _is_whole(obj: Any, scene: Any) -> bool:
    """Whether a part belongs to a whole avatar in the scene."""
    avatar = find_avatar(obj.parent if obj[keys.PART] == shadow_proxy.PART else obj)
    return avatar is not None and scene.objects.get(avatar.armature.name) == avatar.armature


def _owner(obj: Any) -> Any:
    """What parts of one avatar have in common: the armature, or the body without it."""
    if obj[keys.PART] == "armature" or obj.parent is not None:
        return obj.parent or obj
    for name in (MODIFIER_NAME, shadow_proxy.MODIFIER_NAME):
        modifier = obj.modifiers.get(name)
        if modifier is not None and modifier.node_group is not None:
            return get_input(modifier, "Body") or obj
    return obj
