"""Avatar -> Blender objects in one collection; finding the objects of an avatar."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ...engine.core.types import Avatar, FloatArray, LikenessError, Pose
from ...engine.workflows.build_files import AVATAR_FILE
from .. import keys
from ..motion.bone_pose import apply_pose, read_bone_pose
from ..rig.bone_names import add_ends
from ..rig.bone_shapes import remove_unused_shapes
from ..rig.foot_roll import foot_boxes
from ..rig.person_data import fit_rig
from .armature import create_armature
from .axes import points_to_blender, points_to_engine
from .body_object import create_body_steps, get_expression, set_expression
from .camera import add_photo, create_camera, use_photo_size
from .node_group import splat_group_steps
from .origin import set_origin
from .placing import stand_free
from .sculpt_key import set_sculpt
from .selection import discard_collection, enter_object_mode, select_only
from .splat_object import MODIFIER_NAME, set_attributes, splat_mesh_steps, splat_object
from .steps import run_to_end

if TYPE_CHECKING:
    from ...engine.scene.files import SceneAvatar

SCENE_FORMAT = 3
"""Version of the object layout, stored on the armature."""


@dataclass(frozen=True)
class AvatarObjects:
    """The objects of one avatar. Undo invalidates them: find them again by :func:`find_avatar`."""

    collection: Any
    armature: Any
    body: Any
    splats: Any
    camera: Any | None

    def set_pose(self, pose: Pose, expression_names: tuple[str, ...]) -> None:
        """Set pose and expression; IK and look-at are switched off."""
        apply_pose(pose, self.armature)
        set_expression(self.armature, expression_names, pose.expression)

    def get_pose(self, expression_names: tuple[str, ...]) -> Pose:
        """The displayed pose, and the expression."""
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

    The engine's origin is the photo's camera. The armature's is on the floor below the person,
    which stands at the 3D cursor or beside what stands there.

    Args:
        avatar: to add.
        name: of the collection and the armature; the parts are named after it, the kind first,
            because the outliner cuts long names at their end.
        photo_path: the portrait, which is packed and shown behind the camera's view, or None.
        context: a Blender context; the current one if None.
        avatar_path: the avatar's file, which is recorded as a custom property.
    """
    from ...engine.scene.files import make_scene_avatar

    return run_to_end(
        build_scene_steps(make_scene_avatar(avatar, photo_path), name, context, avatar_path)
    )


def build_scene_steps(
    ready: SceneAvatar,
    name: str,
    context: Any | None = None,
    avatar_path: Path | None = None,
    bone_ends: bool = False,
    show_steps: Callable[[Any], Iterator[None]] | None = None,
) -> Generator[None, None, AvatarObjects]:
    """:func:`build_scene` in slices for a window's timer; the generator returns the objects.

    With ``bone_ends``, bones are named ``hip.L`` instead of ``left_hip``. ``show_steps`` gets the
    splats before they are visible, to choose how they are drawn.

    Nothing may be undone, loaded or saved between the slices, so the caller must block the user's
    input. An error, or closing the generator, removes what was made.
    """
    context = context or bpy.context
    enter_object_mode(context)
    collection = bpy.data.collections.new(name)
    context.scene.collection.children.link(collection)
    try:
        objects = yield from _fill(collection, ready, name, context, avatar_path, show_steps)
        if bone_ends:
            add_ends(objects.armature)
        return objects
    except BaseException:
        discard_collection(collection)
        remove_unused_shapes()
        raise


def subject_name(avatar: Avatar, path: Path) -> str:
    """The name for an avatar from a file: the file's own, or the photo's if builds gave it one."""
    source = avatar.provenance.get("source")
    generic = path.name == AVATAR_FILE and isinstance(source, str)
    return (generic and Path(str(source)).stem) or path.stem


def _fill(
    collection: Any,
    ready: SceneAvatar,
    name: str,
    context: Any,
    avatar_path: Path | None,
    show_steps: Callable[[Any], Iterator[None]] | None,
) -> Generator[None, None, AvatarObjects]:
    avatar = ready.avatar
    mesh = yield from splat_mesh_steps(ready.splats, f"Splats {name}")
    yield
    try:
        armature = yield from rig_steps(avatar, name, collection, context)
        # Keeps Blender from evaluating and drawing unfinished objects between the slices.
        collection.hide_viewport = True
        yield
        body = yield from create_body_steps(avatar.body, f"Body {name}", armature, collection)
        yield
        fit_rig(avatar, armature, body)
        yield
    except BaseException:
        bpy.data.meshes.remove(mesh)
        raise
    if avatar.sculpt is not None:
        set_sculpt(body, avatar.sculpt)
    body.data[keys.PERSON] = ready.kept
    yield from splat_group_steps()
    yield
    splats = splat_object(mesh, f"Splats {name}", body, collection)
    set_attributes(splats.modifiers[MODIFIER_NAME], avatar.attributes)
    yield
    if show_steps is not None:
        yield from show_steps(splats)
    camera = create_camera(avatar.camera, f"Camera {name}", armature, collection)
    if ready.photo is not None:
        add_photo(camera, ready.photo, f"Photo {name}")
    yield
    parts = {"body": body, "splats": splats, "camera": camera}
    for part, obj in parts.items():
        obj[keys.PART] = part
    camera[keys.CAMERA_OF] = armature
    mark_armature(armature, avatar, avatar_path)
    objects = AvatarObjects(collection, armature, body, splats, camera)
    objects.set_pose(avatar.pose, avatar.body.expression_names)
    yield
    splats.hide_viewport = True  # its place takes a while to evaluate, and does not matter
    collection.hide_viewport = False
    place_avatar(objects, context)
    splats.hide_viewport = False
    if context.scene.camera is None:
        context.scene.camera = camera
        use_photo_size(context.scene, camera)
    select_only(armature, context)
    return objects


def create_rig(avatar: Avatar, name: str, collection: Any, context: Any) -> Any:
    """Create an avatar's armature at rest, with the world's origin below the person."""
    return run_to_end(rig_steps(avatar, name, collection, context))


def rig_steps(
    avatar: Avatar, name: str, collection: Any, context: Any
) -> Generator[None, None, Any]:
    """:func:`create_rig` in slices; the generator returns the armature."""
    photo, template = find_origins(avatar)
    yield
    joints = avatar.body.J_template + points_to_engine(template)
    points = points_to_blender(avatar.body.v_template) + template
    boxes = foot_boxes(points, avatar.body.weights)
    armature = create_armature(joints, name, collection, context, boxes)
    set_origin(armature, photo, template)
    return armature


def mark_armature(armature: Any, avatar: Avatar, avatar_path: Path | None = None) -> None:
    """Store on an armature what the panels and exports need to know about its avatar."""
    armature[keys.PART] = "armature"
    armature[keys.FORMAT] = SCENE_FORMAT
    armature[keys.AVATAR_FILE] = str(avatar_path or "")
    armature[keys.PROVENANCE] = json.dumps(avatar.provenance)
    armature[keys.FRAMING] = avatar.framing


def place_avatar(objects: AvatarObjects, context: Any) -> None:
    """Move a posed avatar from the world's origin to its place in the scene."""
    stand_free(objects.armature, objects.camera, context)
    context.view_layer.update()


def find_origins(avatar: Avatar) -> list[FloatArray]:
    """Places of the origins of the photo's space and the template ([3] each), so that the person
    stands with the lowest vertex on the floor and the pelvis above the armature's origin."""
    body = avatar.body
    out = []
    for vertices, joints in (body.vertices(avatar.pose), (body.v_template, body.J_template)):
        x, y, _ = points_to_blender(joints[0])
        out.append(-np.array([x, y, points_to_blender(vertices)[:, 2].min()], np.float64))
    return out


def find_avatar(obj: Any | None) -> AvatarObjects | None:
    """The avatar that ``obj`` is a part of, or None."""
    if obj is None or keys.PART not in obj:
        return None
    armature = obj
    if obj[keys.PART] in ("body", "splats", "proxy"):
        armature = obj.parent
    elif obj[keys.PART] == "camera":
        armature = obj.get(keys.CAMERA_OF) or _beside(obj, "armature")
    if armature is None or armature.get(keys.PART) != "armature":
        return None
    body, splats = _part(armature.children, "body"), _part(armature.children, "splats")
    if body is None or splats is None:
        return None
    # users may put several avatars into one collection
    home = next(iter(armature.users_collection), None)
    cameras = [o for o in home.objects if o.get(keys.PART) == "camera"] if home else []
    own = [o for o in cameras if o.get(keys.CAMERA_OF) == armature]
    camera = next(iter(own or [o for o in cameras if o.get(keys.CAMERA_OF) is None]), None)
    return AvatarObjects(home, armature, body, splats, camera)


def get_active_avatar(context: Any) -> AvatarObjects:
    """The avatar that the active object is a part of.

    Raises:
        LikenessError: The active object is not part of an avatar.
    """
    avatar = find_avatar(context.object)
    if avatar is None:
        raise LikenessError("No avatar is active.", "Select part of one.")
    return avatar


def find_chosen_avatar(context: Any) -> AvatarObjects | None:
    """The avatar that the active object is a part of, else the scene's only one, else None."""
    active = find_avatar(context.object)
    if active is not None:
        return active
    found = find_avatars(context.scene)
    return found[0] if len(found) == 1 else None


def get_chosen_avatar(context: Any) -> AvatarObjects:
    """:func:`find_chosen_avatar`, or an error.

    Raises:
        LikenessError: The scene has no avatar, or several of which none is active.
    """
    avatar = find_chosen_avatar(context)
    if avatar is None and find_avatars(context.scene):
        raise LikenessError("The scene has several avatars.", "Select part of one.")
    if avatar is None:
        raise LikenessError("The scene has no avatar.", "Import or build one first.")
    return avatar


def get_avatar_by_name(name: str) -> AvatarObjects:
    """The avatar of an armature object.

    Raises:
        LikenessError: The object was removed or renamed, or is not part of an avatar.
    """
    avatar = find_avatar(bpy.data.objects.get(name))
    if avatar is None:
        raise LikenessError(f"The avatar '{name}' is no longer in the scene.", "Start again.")
    return avatar


def find_avatars(scene: Any) -> list[AvatarObjects]:
    """Every avatar in the scene, in the order of its armatures."""
    found = (find_avatar(o) for o in scene.objects if o.get(keys.PART) == "armature")
    return [avatar for avatar in found if avatar is not None]


def _part(objects: Any, part: str) -> Any | None:
    return next((o for o in objects if o.get(keys.PART) == part), None)


def _beside(obj: Any, part: str) -> Any | None:
    """That part in the collection of ``obj``."""
    home = next(iter(obj.users_collection), None)
    return _part(home.objects, part) if home is not None else None
