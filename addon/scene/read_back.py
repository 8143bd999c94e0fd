"""Blender objects -> engine: the avatar, its posed body, the scene's camera.

The meshes are authoritative: deleted splats stay deleted, and no avatar file is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import bpy
import numpy as np

from ...engine.core.attributes import record_edit
from ...engine.core.grading import grade_gaussians
from ...engine.core.retouch import ERASED, record_retouch
from ...engine.core.types import Avatar, BoundGaussians, Camera, FloatArray, IntArray, LikenessError
from ...engine.scene.mesh import ATTRIBUTES, KEPT, SPANS, restore_gaussians
from ...engine.scene.mesh_edits import EDITS, SOURCES
from .. import keys
from .avatar_objects import AvatarObjects
from .axes import matrix_to_engine, points_to_engine, projection_to_K, view_to_engine
from .material import COLOR_ATTRIBUTE
from .origin import photo_matrix
from .sculpt_key import get_sculpt
from .splat_object import MODIFIER_NAME, get_grades, get_input, get_sliders

_FIELDS = {
    "FLOAT": "value",
    "INT": "value",
    "INT8": "value",
    "FLOAT2": "vector",
    "FLOAT_VECTOR": "vector",
    "FLOAT_COLOR": "color",
    "BYTE_COLOR": "color_srgb",
}
_Splats: TypeAlias = tuple[Avatar, BoundGaussians, dict[str, FloatArray | IntArray]]
_WIDTHS = {"FLOAT2": 2, "FLOAT_VECTOR": 3, "FLOAT_COLOR": 4, "BYTE_COLOR": 4}


def read_avatar(objects: AvatarObjects, graded: bool = True) -> Avatar:
    """Read an avatar from its objects, in their displayed pose and expression.

    Its Gaussians are ordered by importance; colours have 256 steps.

    Args:
        objects: of the avatar.
        graded: apply the grades to the colours; False where the avatar returns to objects whose
            sliders of grades keep their values.

    Raises:
        LikenessError: The objects are of an older version, or their data was edited incompatibly.
    """
    avatar, gaussians, faces = read_splats(objects)
    if gaussians.retouch.shape[1] and (gaussians.retouch[:, ERASED] >= 1.0).all():
        raise LikenessError(
            f"Every splat of '{objects.armature.name}' is erased.", "Restore some of them."
        )
    grades = get_grades(objects.splats) if graded else {}
    if grades:
        gaussians = grade_gaussians(gaussians, grades)
        avatar = record_edit(
            avatar, {"grade": {name: grade._asdict() for name, grade in grades.items()}}
        )
    sliders = get_sliders(objects.splats)
    order = np.argsort(faces[ATTRIBUTES.rank], kind="stable")
    attributes = []
    for one in avatar.attributes:
        if one.name not in sliders:
            continue
        if np.float32(one.value) != np.float32(sliders[one.name]):
            one = replace(one, value=sliders[one.name])
            avatar = record_edit(avatar, {"set": one.name, "value": one.value})
        span = np.asarray(faces[SPANS[one.name]], np.float32)[order]
        attributes.append(replace(one, span=span))
    avatar = replace(
        avatar,
        gaussians=gaussians.take(order),
        lod_start=np.asarray(faces[ATTRIBUTES.lod_start], np.float32)[order],
        pose=objects.get_pose(avatar.body.expression_names),
        attributes=tuple(attributes),
        sculpt=get_sculpt(objects.body),
    )
    return record_retouch(avatar)


def read_splats(objects: AvatarObjects) -> _Splats:
    """Read an avatar's splats in the order of their mesh.

    Returns:
        As the function that :func:`take_splats` returns.

    Raises:
        LikenessError: as for :func:`read_avatar`.
    """
    return take_splats(objects)()


def take_splats(objects: AvatarObjects) -> Callable[[], _Splats]:
    """Copy what an avatar's splats are made from out of Blender.

    Returns:
        A function that makes them, in any thread: the avatar without Gaussians, as the scene keeps
        it; its N Gaussians with their edits by hand; the mesh's attributes [N, ...] by name.

    Raises:
        LikenessError: as for :func:`read_avatar`.
    """
    from ...engine.scene.files import unpack_avatar

    name = objects.armature.name
    kept = objects.body.data.get(keys.PERSON)
    if kept is None:
        raise LikenessError(
            f"'{name}' was made by an older version of Likeness.", "Import its avatar file again."
        )
    packed = bytes(kept)
    try:
        with open_stored_mesh(objects.splats) as mesh:
            if not len(mesh.polygons):
                raise LikenessError(f"'{name}' has no splats left.", "Undo what removed them.")
            wanted = {*ATTRIBUTES, *KEPT} - {KEPT.part}  # which older scenes lack
            optional = {KEPT.part, *SPANS.values(), *EDITS, SOURCES.offset}
            wanted |= optional & set(mesh.attributes.keys())
            faces = {key: read_attribute(mesh, key) for key in wanted}
            drawn = SOURCES.color if SOURCES.color in mesh.attributes else COLOR_ATTRIBUTE
            opacities = np.asarray(read_attribute(mesh, drawn)[:, 3], np.float32)
    except (KeyError, ValueError) as error:
        raise _unreadable(name, error) from error

    def make() -> _Splats:
        avatar = unpack_avatar(packed, name)
        try:
            faces[KEPT.rgb] = np.round(255 * faces[KEPT.rgb]).astype(np.uint8)
            return avatar, restore_gaussians(faces, opacities, avatar.body.f), faces
        except (KeyError, ValueError) as error:
            raise _unreadable(name, error) from error

    return make


def _unreadable(name: str, error: Exception) -> LikenessError:
    return LikenessError(
        f"The splats of '{name}' cannot be read back: {error}.", "Import its avatar file again."
    )


@contextmanager
def open_stored_mesh(obj: Any) -> Iterator[Any]:
    """An object's current mesh. In Edit Mode a temporary copy, because Blender then shows the
    mesh's attributes as empty."""
    if obj.mode != "EDIT":
        yield obj.data
        return
    obj.update_from_editmode()
    mesh = obj.data.copy()
    try:
        yield mesh
    finally:
        bpy.data.meshes.remove(mesh)


def read_attribute(mesh: Any, name: str) -> FloatArray | IntArray:
    """[n] or [n, width] values of a mesh's attribute.

    Raises:
        KeyError: The mesh has no such attribute.
    """
    attribute = mesh.attributes[name]
    kind = attribute.data_type
    width = _WIDTHS.get(kind, 1)
    dtype = {"INT": np.int32, "INT8": np.int8}.get(kind, np.float32)
    values = np.empty(width * len(attribute.data), dtype)
    attribute.data.foreach_get(_FIELDS[kind], values)
    return values if width == 1 else values.reshape(-1, width)


def splat_count(objects: AvatarObjects, detail: str) -> int:
    """Number of splats drawn at the level of an input such as ``Render Detail``."""
    modifier = objects.splats.modifiers.get(MODIFIER_NAME)
    total = len(objects.splats.data.polygons)
    part = 1.0 if modifier is None else float(get_input(modifier, detail))
    return max(1, round(part * total))


def body_vertices(objects: AvatarObjects, depsgraph: Any, world: bool = True) -> FloatArray:
    """[V, 3] the body's evaluated vertices in metres, engine axes.

    Args:
        objects: of the avatar.
        depsgraph: in which the body is evaluated.
        world: in world space, else in the photo's.

    Raises:
        LikenessError: A modifier changes the number of vertices.
    """
    evaluated = objects.body.evaluated_get(depsgraph)
    mesh = evaluated.data
    if len(mesh.vertices) != len(objects.body.data.vertices):
        raise LikenessError(
            f"A modifier of '{objects.body.name}' changes the number of its vertices.",
            "Disable modifiers such as Subdivision Surface on it.",
        )
    points = read_attribute(mesh, "position").astype(np.float64)
    matrix = np.array(evaluated.matrix_world, np.float64)
    if not world:
        matrix = np.linalg.inv(_photo_to_world(objects, depsgraph)) @ matrix
    return points_to_engine(points @ matrix[:3, :3].T + matrix[:3, 3])


def read_placement(objects: AvatarObjects, depsgraph: Any) -> FloatArray:
    """[4, 4] the photo's space to the world, engine axes."""
    return matrix_to_engine(_photo_to_world(objects, depsgraph))


def _photo_to_world(objects: AvatarObjects, depsgraph: Any) -> FloatArray:
    world = objects.armature.evaluated_get(depsgraph).matrix_world
    return np.array(world @ photo_matrix(objects.armature), np.float64)


def scene_camera(scene: Any, depsgraph: Any) -> Camera:
    """The scene's camera at the resolution of its renders.

    Raises:
        LikenessError: The scene has no camera, or not a perspective one.
    """
    if scene.camera is None:
        raise LikenessError("The scene has no camera.", "Add one, or choose the photo's camera.")
    camera = scene.camera.evaluated_get(depsgraph)
    if camera.data.type != "PERSP":
        raise LikenessError(
            f"The camera '{scene.camera.name}' is not a perspective camera.",
            "Choose Perspective in its properties.",
        )
    width, height = render_size(scene)
    render = scene.render
    projection = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    viewmat = view_to_engine(np.array(camera.matrix_world.normalized()))
    return Camera(viewmat, projection_to_K(np.array(projection), width, height), width, height)


def render_size(scene: Any) -> tuple[int, int]:
    """Width and height of the scene's renders in pixels."""
    render = scene.render
    part = render.resolution_percentage / 100
    return max(1, int(render.resolution_x * part)), max(1, int(render.resolution_y * part))
