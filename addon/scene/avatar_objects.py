"""Avatar -> Blender objects, in one collection, and the way back to them."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import bpy
import numpy as np

from ...engine.core.types import Avatar, LikenessError, Pose
from ..motion.bone_pose import apply_pose, read_bone_pose
from ..rig.bone_shapes import remove_unused_shapes
from ..rig.person_data import fit_rig
from .armature import create_armature
from .axes import points_to_blender
from .body_object import create_body_steps, get_expression, set_expression
from .camera import add_photo, create_camera, use_photo_size
from .node_group import splat_group
from .splat_object import splat_mesh_steps, splat_object

if TYPE_CHECKING:
    from ...engine.scene.files import SceneAvatar

SCENE_FORMAT = 2
"""Version of the object layout, stored on the armature."""

PART_KEY = "likeness_part"
FORMAT_KEY = "likeness_format"
AVATAR_KEY = "likeness_avatar"
PROVENANCE_KEY = "likeness_provenance"
FRAMING_KEY = "likeness_framing"
CAMERA_OF_KEY = "likeness_camera_of"
"""On the camera: whose it is, the armature itself. It stands in the world and hangs on nothing."""
PERSON_KEY = "likeness_person"
"""On the body's mesh: the avatar without its Gaussians, as ``engine/scene/files.py`` packs it."""

T = TypeVar("T")


@dataclass(frozen=True)
class AvatarObjects:
    """The objects of one avatar. Never kept over an undo step: found again by ``find_avatar``."""

    collection: Any
    armature: Any
    body: Any
    splats: Any
    camera: Any | None

    def set_pose(self, pose: Pose, expression_names: tuple[str, ...]) -> None:
        """Pose the bones, out of IK and looking, and set the expression."""
        apply_pose(pose, self.armature)
        set_expression(self.armature, expression_names, pose.expression)

    def get_pose(self, expression_names: tuple[str, ...]) -> Pose:
        """The pose and expression that the objects hold."""
        values = get_expression(self.armature)
        return read_bone_pose(self.armature, np.array([values[n] for n in expression_names]))


def build_scene(
    avatar: Avatar,
    name: str,
    photo_path: Path | None = None,
    context: Any | None = None,
    avatar_path: Path | None = None,
) -> AvatarObjects:
    """Put an avatar into the context's scene, in the photo's pose and expression.

    The engine's origin is the photo's camera. Here the person stands on the floor at the scene's
    origin, and the camera at its distance: the armature object's location makes the difference.

    Args:
        name: of the collection and the armature; the parts are named after it.
        photo_path: the portrait, to stand behind the camera's view and be packed, or None.
        context: a Blender context in object mode; None takes the present one.
        avatar_path: the file it came from, kept as a custom property.
    """
    from ...engine.scene.files import make_scene_avatar

    return run_to_end(
        build_scene_steps(make_scene_avatar(avatar, photo_path), name, context, avatar_path)
    )


def build_scene_steps(
    ready: SceneAvatar, name: str, context: Any | None = None, avatar_path: Path | None = None
) -> Generator[None, None, AvatarObjects]:
    """:func:`build_scene` in slices short enough for a window's timer; the generator returns the
    objects.

    Nothing may undo, load or save between the slices: whoever runs them takes the user's input
    until they are done. An error, and closing the generator, takes back what was made.
    """
    context = context or bpy.context
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    collection = bpy.data.collections.new(name)
    context.scene.collection.children.link(collection)
    try:
        return (yield from _fill(collection, ready, name, context, avatar_path))
    except BaseException:
        _discard(collection)
        raise


def run_to_end(steps: Generator[None, None, T]) -> T:
    """What a generator of slices returns, all of them run at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def _fill(
    collection: Any, ready: SceneAvatar, name: str, context: Any, avatar_path: Path | None
) -> Generator[None, None, AvatarObjects]:
    avatar = ready.avatar
    mesh = yield from splat_mesh_steps(ready.splats, f"{name} Splats")
    try:
        armature = create_armature(avatar.body.J_template, name, collection, context)
        # Between the slices Blender would evaluate and draw what is only half made.
        collection.hide_viewport = True
        yield
        armature.location = _standing_place(avatar)
        body = yield from create_body_steps(avatar.body, f"{name} Body", armature, collection)
        yield
        fit_rig(avatar, armature, body)
        yield
    except BaseException:
        bpy.data.meshes.remove(mesh)
        raise
    body.data[PERSON_KEY] = ready.kept
    splat_group()  # made once per file, which takes a moment
    yield
    splats = splat_object(mesh, f"{name} Splats", body, collection)
    yield
    camera = create_camera(avatar.camera, f"{name} Camera", armature, collection)
    if ready.photo is not None:
        add_photo(camera, ready.photo, f"{name} Photo")
    yield
    parts = {"armature": armature, "body": body, "splats": splats, "camera": camera}
    for part, obj in parts.items():
        obj[PART_KEY] = part
    camera[CAMERA_OF_KEY] = armature
    armature[FORMAT_KEY] = SCENE_FORMAT
    armature[AVATAR_KEY] = str(avatar_path or "")
    armature[PROVENANCE_KEY] = json.dumps(avatar.provenance)
    armature[FRAMING_KEY] = avatar.framing
    objects = AvatarObjects(collection, armature, body, splats, camera)
    objects.set_pose(avatar.pose, avatar.body.expression_names)
    yield
    collection.hide_viewport = False
    context.view_layer.update()
    if context.scene.camera is None:
        context.scene.camera = camera
        use_photo_size(context.scene, camera)
    for other in context.selected_objects:
        other.select_set(False)
    armature.select_set(True)
    context.view_layer.objects.active = armature
    camera.hide_set(True)  # it would stand large before the face that the view looks at
    return objects


def _discard(collection: Any) -> None:
    """Take back what was made of an avatar that could not be finished."""
    for obj in list(collection.objects):
        data = obj.data
        bpy.data.objects.remove(obj)
        bpy.data.batch_remove([data])
    bpy.data.collections.remove(collection)
    remove_unused_shapes()


def _standing_place(avatar: Avatar) -> list[float]:
    """[3] where the armature object goes: lowest vertex on the floor, pelvis over the origin."""
    vertices, joints = avatar.body.vertices(avatar.pose)
    floor = points_to_blender(vertices)[:, 2].min()
    x, y, _ = points_to_blender(joints[0])
    return [-float(x), -float(y), -float(floor)]


def find_avatar(obj: Any | None) -> AvatarObjects | None:
    """The avatar that ``obj`` is a part of, or None."""
    if obj is None or PART_KEY not in obj:
        return None
    armature = obj
    if obj[PART_KEY] in ("body", "splats"):
        armature = obj.parent
    elif obj[PART_KEY] == "camera":
        armature = obj.get(CAMERA_OF_KEY) or _beside(obj, "armature")
    if armature is None or armature.get(PART_KEY) != "armature":
        return None
    body, splats = _part(armature.children, "body"), _part(armature.children, "splats")
    if body is None or splats is None:
        return None
    # the user may have put several avatars into one collection
    home = next(iter(armature.users_collection), None)
    cameras = [o for o in home.objects if o.get(PART_KEY) == "camera"] if home else []
    own = [o for o in cameras if o.get(CAMERA_OF_KEY) == armature]
    camera = next(iter(own or [o for o in cameras if o.get(CAMERA_OF_KEY) is None]), None)
    return AvatarObjects(home, armature, body, splats, camera)


def active_avatar(context: Any) -> AvatarObjects:
    """The avatar that the active object is a part of, for operators whose poll has seen one.

    Raises:
        LikenessError: there is none.
    """
    avatar = find_avatar(context.object)
    if avatar is None:
        raise LikenessError("No avatar is active.", "Select a part of one.")
    return avatar


def find_avatars(scene: Any) -> list[AvatarObjects]:
    """Every avatar in the scene, in the order of its armatures."""
    found = (find_avatar(o) for o in scene.objects if o.get(PART_KEY) == "armature")
    return [avatar for avatar in found if avatar is not None]


def _part(objects: Any, part: str) -> Any | None:
    return next((o for o in objects if o.get(PART_KEY) == part), None)


def _beside(obj: Any, part: str) -> Any | None:
    """That part in a collection of ``obj``."""
    home = next(iter(obj.users_collection), None)
    return _part(home.objects, part) if home is not None else None
