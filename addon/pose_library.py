"""The poses and expressions of ``engine/poses`` as a library of pose assets.

:func:`write_library` makes a .blend with one action per pose and expression, Blender's catalogs
beside it, and a picture for each. Actions rotate bones and set properties of the bone ``face``;
they do not move bones, because people differ in size. Bone axes differ slightly as well: an asset
is exact on the default body, and within about a degree on others. The panel's presets compute the
poses for each person exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ..engine.core.types import JOINT_INDEX, FloatArray, LikenessError, Pose
from . import asset_catalogs
from .asset_catalogs import CATALOGS_FILE, catalogs_text
from .compat import open_empty_file
from .rig.bone_names import add_end
from .rig.control_names import FACE

if TYPE_CHECKING:
    from ..engine.poses import NamedExpression, NamedPose

LIBRARY_NAME = "Likeness Poses"
CATALOGS = {
    "Body": "Poses/Body",
    "Hands": "Poses/Hands",
    "Expressions": "Face/Expressions",
    "Visemes": "Face/Visemes",
}
AUTHOR, LICENSE = "Likeness", "CC0"
_SLOT = "Likeness"


def catalog_id(catalog: str) -> str:
    """UUID of a catalog of poses or expressions."""
    return asset_catalogs.catalog_id(CATALOGS[catalog])


def write_library(path: Path) -> None:
    """Write the library's .blend and its catalogs. Blender is left with an empty file.

    Args:
        path: of the .blend, in its own folder.

    Raises:
        LikenessError: The default body or a picture is missing, or the folder cannot be written.
    """
    from ..engine.files.atomic import atomic_write, atomic_write_text
    from ..engine.poses import named_expressions, named_poses
    from ..engine.poses.thumbnails import read_thumbnail

    open_empty_file()
    axes = _default_rest_axes()
    actions = set()
    for pose in named_poses().values():
        action = pose_action(pose, axes)
        _mark(action, pose, read_thumbnail(pose.name))
        actions.add(action)
    for expression in named_expressions().values():
        action = expression_action(expression)
        _mark(action, expression, read_thumbnail(expression.name))
        actions.add(action)
    with atomic_write(path) as scratch:
        bpy.data.libraries.write(str(scratch), actions, fake_user=True, compress=True)
    atomic_write_text(path.with_name(CATALOGS_FILE), catalogs_text(CATALOGS.values()))
    open_empty_file()


def pose_action(pose: NamedPose, axes: FloatArray) -> Any:
    """Create an action with one key of the bones in a pose.

    Args:
        pose: of the library.
        axes: [55, 3, 3] rest axes of the bones, from :func:`.motion.bone_pose.get_rest_axes`.
    """
    from .motion.bone_pose import bone_quaternions

    full_pose = Pose.rest(0).with_joints(**pose.joints).full_pose
    quaternions = bone_quaternions(full_pose, axes)
    action, bag = _new_action(pose.label)
    for name in pose.joints:
        quaternion = quaternions[JOINT_INDEX[name]]
        for bone in {name: None, add_end(name): None}:  # rigs have one name or the other
            path = f'pose.bones["{bone}"].rotation_quaternion'
            _key(bag, bone, path, quaternion if quaternion[0] >= 0 else -quaternion)
    return action


def expression_action(expression: NamedExpression) -> Any:
    """Create an action with one key of the ``face`` properties in an expression."""
    action, bag = _new_action(expression.label)
    for name, value in expression.all_weights().items():
        _key(bag, FACE, f'pose.bones["{FACE}"]["{name}"]', [value])
    return action


def blend_expression(
    now: Mapping[str, float], name: str, strength: float, replaces: bool
) -> dict[str, float]:
    """The expressions after a named one is set.

    Args:
        now: current values by name.
        name: of the library's expression.
        strength: 0 changes nothing, 1 sets the full expression.
        replaces: replace the current values in its region; else add to them, up to 1.

    Raises:
        LikenessError: The name is unknown, or the body lacks one of its expressions.
    """
    from ..engine.poses import find_expression

    entry = find_expression(name)
    missing = sorted(entry.weights.keys() - now.keys())
    if missing:
        raise LikenessError(
            f"This body has no expression '{missing[0]}'.",
            "Named expressions need a body with ARKit's 52 expressions, such as the default body.",
        )
    out = dict(now)
    if replaces:
        for part, value in entry.all_weights(tuple(now)).items():
            out[part] += strength * (value - out[part])
    else:
        for part, value in entry.weights.items():
            out[part] = max(out[part], min(1.0, out[part] + strength * value))
    return out


def library_folder() -> Path:
    """The folder of the library.

    Raises:
        LikenessError: The library is missing.
    """
    from ..engine.files.weights import asset_path

    return asset_path("poses").parent


def find_library_entry(context: Any, folder: Path | None = None) -> Any | None:
    """The preferences' entry of an asset library's folder, ours if None; None if there is none."""
    wanted = (folder or library_folder()).resolve()
    for entry in context.preferences.filepaths.asset_libraries:
        if entry.path and Path(bpy.path.abspath(entry.path)).resolve() == wanted:
            return entry
    return None


def add_library(
    context: Any, folder: Path | None = None, name: str = LIBRARY_NAME
) -> tuple[Any, bool]:
    """Add a library to Blender's preferences; returns the entry and whether it is new.

    An entry with that name and a missing folder, such as an older version's, is updated.

    Args:
        context: of Blender.
        folder: of the library; None for that of poses.
        name: of the entry.

    Raises:
        LikenessError: The library is missing.
    """
    folder = folder or library_folder()
    found = find_library_entry(context, folder)
    if found is not None:
        return found, False
    libraries = context.preferences.filepaths.asset_libraries
    stale = (e for e in libraries if e.name == name and not Path(e.path).is_dir())
    entry = next(stale, None)
    if entry is None:
        entry = libraries.new(name=name, directory=str(folder))
    entry.path = str(folder)
    return entry, True


def _default_rest_axes() -> FloatArray:
    """[55, 3, 3] of the default body's bones."""
    from ..engine.body.body_file import load_body
    from ..engine.files.weights import asset_path
    from .motion.bone_pose import get_rest_axes
    from .scene.armature import create_armature

    joints = load_body(asset_path("body")).J_template
    armature = create_armature(joints, "Rest", bpy.context.scene.collection, bpy.context)
    axes = get_rest_axes(armature)
    data = armature.data
    bpy.data.objects.remove(armature)
    bpy.data.armatures.remove(data)
    return axes


def _new_action(name: str) -> tuple[Any, Any]:
    """Create an action with a slot for objects; returns it and its channelbag."""
    from .motion.actions import create_channelbag

    action = bpy.data.actions.new(name)
    return action, create_channelbag(action, _SLOT)[1]


def _key(bag: Any, bone: str, path: str, values: Any) -> None:
    group = bag.groups.get(bone) or bag.groups.new(bone)
    for index, value in enumerate(values):
        curve = bag.fcurves.new(path, index=index)
        curve.keyframe_points.add(1)
        curve.keyframe_points[0].co = (1.0, float(value))
        curve.group = group
        curve.update()


def _mark(action: Any, entry: NamedPose | NamedExpression, picture: FloatArray) -> None:
    """Mark an action as an asset with its description and picture [H, W, 3]."""
    action.asset_mark()
    data = action.asset_data
    data.author, data.license = AUTHOR, LICENSE
    data.description = entry.description
    data.catalog_id = catalog_id(entry.catalog)
    for tag in dict.fromkeys((entry.name, *entry.tags)):
        data.tags.new(tag)
    preview = action.preview_ensure()
    height, width, _ = picture.shape
    preview.image_size = (width, height)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1]  # Blender's images start at the bottom
    preview.image_pixels_float.foreach_set(pixels.ravel())
