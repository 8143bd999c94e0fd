"""Checks of Blender's own splats, run inside Blender by ``inside.py``.

No Blender here draws them: the group is built without the one node that only Blender 5.3 has.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import people
from likeness.addon.scene import native_splats
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene, find_avatar
from likeness.addon.scene.axes import points_to_engine
from likeness.addon.scene.read_back import read_attribute, scene_camera
from likeness.addon.scene.render_setup import set_up_render
from likeness.addon.scene.splat_object import MODIFIER_NAME, get_input, set_input
from likeness.engine.core.color import srgb_to_linear
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.gaussians.lod import order_by_importance, simplify_avatar
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.scene.fit import project_splats
from likeness.engine.scene.mesh import CORNERS, stored_order
from scene_checks import folded


def evaluated(objects: AvatarObjects) -> Any:
    """The point cloud that the splats' modifier makes."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    clouds = [
        instance.object.data
        for instance in depsgraph.object_instances
        if instance.object.type == "POINTCLOUD" and instance.object.name == objects.splats.name
    ]
    return clouds[0] if clouds else None


def gaussians(objects: AvatarObjects) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means [N, 3], covariances [N, 3, 3] and turns [N, 3, 3], engine axes and origin."""
    cloud = evaluated(objects)
    means = read_attribute(cloud, "position").astype(np.float64)
    quats = np.empty(4 * len(means), np.float32)
    cloud.attributes["rotation"].data.foreach_get("value", quats)
    turn = quaternion_to_matrix(quats.reshape(-1, 4).astype(np.float64))
    axes = turn * read_attribute(cloud, "scale").astype(np.float64)[:, None]
    axes = np.swapaxes(points_to_engine(np.swapaxes(axes, 1, 2)), 1, 2)
    return points_to_engine(means), axes @ np.swapaxes(axes, 1, 2), turn


def native(objects: AvatarObjects) -> None:
    native_splats._use(objects.splats, native_splats.native_group(None), True)


def compared(ordered: bool, part: float) -> list[dict[str, float]]:
    """Largest errors against the engine's posed Gaussians, unsoftened, in three poses."""
    people.empty_scene()
    avatar = people.random_avatar(0)
    if ordered:
        avatar = order_by_importance(avatar)
    objects = build_scene(avatar, "Person")
    modifier = objects.splats.modifiers[MODIFIER_NAME]
    set_input(modifier, "Softness", 0.0)
    set_input(modifier, "Viewport Detail", part)
    native(objects)
    count = round(part * len(avatar.gaussians))
    order = stored_order(avatar)
    level = avatar
    if part < 1:
        level, order = simplify_avatar(avatar, count), order[order < count]
    rng = np.random.default_rng(1)
    out = []
    for pose in (avatar.pose, *(people.random_pose(avatar, rng) for _ in range(2))):
        objects.set_pose(pose, avatar.body.expression_names)
        posed = pose_avatar(level, pose)
        vertices, _ = avatar.body.vertices(pose)
        corner = avatar.body.f[avatar.gaussians.triangle[order]]
        sound = ~folded(vertices, avatar.body.f)[corner].any(1)
        means, covariance, turn = gaussians(objects)
        matrix = np.array(people._photo_to_world(objects).inverted() @ objects.splats.matrix_world)
        means, covariance = placed(means, covariance, matrix)
        axes = quaternion_to_matrix(posed.quats[order].astype(np.float64))
        axes = axes * posed.scales[order].astype(np.float64)[:, None]
        size = posed.scales[order].max(1).astype(np.float64) ** 2
        expected = axes @ np.swapaxes(axes, 1, 2)
        found = np.abs(covariance - expected).max((1, 2)) / size
        out.append(
            {
                "count": len(means),
                "mean": float(np.abs(means - posed.means[order])[sound].max()),
                "covariance": float(found[sound].max()),
                "turns": float(np.abs(np.linalg.det(turn) - 1).max()),
            }
        )
    return out


def placed(
    means: FloatArray, covariance: FloatArray, matrix: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gaussians in engine axes, moved by a matrix of Blender's."""
    linear = points_to_engine(points_to_engine(matrix[:3, :3]).T).T
    means = means @ linear.T + points_to_engine(matrix[:3, 3])
    return means, linear @ covariance @ linear.T


def as_the_mesh() -> dict[str, float]:
    """Softened, at half detail: against the corners of the mesh's splats."""
    people.empty_scene()
    avatar = order_by_importance(people.random_avatar(3))
    objects = build_scene(avatar, "Person")
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Viewport Detail", 0.5)
    corners = people.splat_corners_in_world(objects).astype(np.float64)
    pattern = (CORNERS[1:] - CORNERS[0]).astype(np.float64).T
    axes = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2) @ np.linalg.inv(pattern)
    native(objects)
    means, covariance, _ = gaussians(objects)
    means, covariance = placed(means, covariance, np.array(objects.splats.matrix_world))
    expected, centre = (points_to_engine(x) for x in (np.swapaxes(axes, 1, 2), corners.mean(1)))
    expected = np.swapaxes(expected, 1, 2) @ expected
    size = np.trace(expected, axis1=1, axis2=2)
    error = np.abs(covariance - expected).max((1, 2)) / size
    # the mesh has no thickness, 0.05 of the splats' smaller axis here
    return {"mean": float(np.abs(means - centre).max()), "covariance": float(error.max())}


def facing() -> dict[str, float]:
    """As in renders: each splat covers the same pixels, and lies flat to the camera."""
    people.empty_scene()
    avatar = people.random_avatar(4)
    objects = build_scene(avatar, "Person")
    set_input(objects.splats.modifiers[MODIFIER_NAME], "Softness", 0.0)
    set_up_render(bpy.context.scene, objects.camera)
    native(objects)
    group = objects.splats.modifiers[MODIFIER_NAME].node_group
    for link in list(group.links):
        if link.from_node.bl_idname == "GeometryNodeIsViewport":
            socket = link.to_socket
            group.links.remove(link)
            socket.default_value = False
    means, covariance, _ = gaussians(objects)
    means, covariance = placed(means, covariance, np.array(objects.splats.matrix_world))
    camera = scene_camera(bpy.context.scene, bpy.context.evaluated_depsgraph_get())
    posed = pose_avatar(avatar)
    order = stored_order(avatar)
    axes = quaternion_to_matrix(posed.quats[order].astype(np.float64))[:, :, :2]
    axes = axes * posed.scales[order].astype(np.float64)[:, None, :2]
    expected = project_splats(posed.means[order].astype(np.float64), axes, avatar.camera)
    values, vectors = np.linalg.eigh(covariance)
    found = project_splats(means, vectors * np.sqrt(np.maximum(values, 0))[:, None], camera)
    there, here = (a.axes @ np.swapaxes(a.axes, 1, 2) for a in (expected, found))
    size = np.trace(there, axis1=1, axis2=2)
    back = camera.viewmat[2, :3]
    depth = np.sqrt(np.maximum(np.einsum("a,nab,b->n", back, covariance, back), 0))
    return {
        "pixels": float((np.abs(there - here).max((1, 2)) / size).max()),
        "depth": float((depth / np.sqrt(values[:, 2])).max()),
    }


def looks() -> dict[str, Any]:
    """Colours, what else the points hold, and the way back."""
    people.empty_scene()
    avatar = people.random_avatar(6, count=1)
    objects = build_scene(avatar, "Person")
    mesh, modifier = objects.splats.data, objects.splats.modifiers[MODIFIER_NAME]
    set_input(modifier, "Softness", 0.25)
    before = sorted(a.name for a in mesh.attributes)
    native(objects)
    cloud = evaluated(objects)
    base = np.empty(4, np.float32)
    kind = cloud.attributes["radiance:base"].data_type
    field = "vector" if kind == "FLOAT4" else "color"
    cloud.attributes["radiance:base"].data.foreach_get(field, base)
    seen = base[:3] * native_splats.SH_C0 + 0.5
    linear = np.array(mesh.attributes["splat_color"].data[0].color)
    out = {
        "color": float(np.abs(seen - avatar.gaussians.colors[0]).max()),
        "linear": float(np.abs(srgb_to_linear(seen) - linear[:3]).max()),
        "opacity": float(abs(base[3] - avatar.gaussians.opacities[0])),
        "attributes": sorted(a.name for a in cloud.attributes if not a.name.startswith(".")),
        "materials": [m and m.name for m in cloud.materials],
        "on": native_splats.is_native(objects.splats),
        "again": native_splats.native_group(None) == modifier.node_group,
        "softness": get_input(modifier, "Softness"),
        "body": get_input(modifier, "Body") == objects.body,
        "found": find_avatar(objects.splats) is not None,
    }
    native_splats.set_native(objects.splats, False)
    out["off"] = not native_splats.is_native(objects.splats)
    out["left"] = sorted({a.name for a in mesh.attributes} ^ set(before))
    out["mesh"] = len(people.splat_corners(objects))
    return out


class _Menu:
    """Stands in for a menu socket with one set of words."""

    type = "MENU"

    def __init__(self, *words: str) -> None:
        self.__dict__["words"] = words

    def __setattr__(self, name: str, value: str) -> None:
        if value not in self.words:
            raise TypeError(f'enum "{value}" not found in {self.words}')
        self.__dict__[name] = value


def _types(*items: tuple[str, str]) -> SimpleNamespace:
    """Stands in for ``bpy.types`` of a Blender with such kinds of point clouds."""
    listed = [SimpleNamespace(identifier=identifier, name=name) for identifier, name in items]
    properties = {"type": SimpleNamespace(enum_items=listed)}
    cloud = SimpleNamespace(bl_rna=SimpleNamespace(properties=properties))
    return SimpleNamespace(GeometryNodePointsSetType=object, PointCloud=cloud)


def detection() -> dict[str, Any]:
    """Stand-ins for the Blender that has the feature, and this one, which has not."""
    import likeness

    people.empty_scene()
    likeness.register()
    alpha = _types(("POINTS", "Points"), ("GAUSSIAN_SPLAT", "3D Gaussian Splats"))
    kind = native_splats.splat_kind(alpha)
    by_name, by_identifier = _Menu("Points", kind.name), _Menu("POINTS", kind.identifier)
    native_splats.set_menu_socket(by_name, kind)
    native_splats.set_menu_socket(by_identifier, kind)
    objects = build_scene(people.random_avatar(1, count=20), "Person")
    attributes = len(objects.splats.data.attributes)
    bpy.context.view_layer.objects.active = objects.armature
    groups = len(bpy.data.node_groups)
    return {
        "has": [native_splats.has_native_splats(alpha), native_splats.has_native_splats()],
        "kind": list(kind),
        "words": [by_name.default_value, by_identifier.default_value],
        "unknown": _said(native_splats.splat_kind, _types(("POINTS", "Points"), ("NEW", "New"))),
        "two": _said(native_splats.splat_kind, _types(("SPLAT", "A"), ("SPLATS", "B"))),
        "menu": _said(native_splats.set_menu_socket, _Menu("Points"), kind),
        "absent": _said(native_splats.set_native, objects.splats, True),
        "undone": [
            len(objects.splats.data.attributes) == attributes,
            len(bpy.data.node_groups) == groups,
            not native_splats.is_native(objects.splats),
        ],
        "poll": bpy.ops.likeness.native_splats.poll(),
    }


def _said(function: Any, *arguments: Any) -> str:
    try:
        function(*arguments)
    except LikenessError as error:
        return str(error)
    return ""
