"""The splats' own triangles as a cage for Edit Mode: laid where the splats are seen.

The node group does not read the positions of the mesh's vertices, so they are free for Blender's
tools to select and move.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.core.types import Avatar, FloatArray, IntArray, LikenessError
from ...engine.scene.mesh import CORNERS, CUT_SIGMA
from .avatar_objects import AvatarObjects
from .axes import points_to_blender, points_to_engine
from .origin import photo_matrix
from .read_back import body_vertices, read_attribute, take_splats
from .selection import select_only
from .splat_edits import SplatEdits
from .splat_object import store_faces
from .steps import in_thread

CAGE = "splat_cage"
"""FACE: middle of the splat when the cage was laid, the object's space."""

_STILL = 2e-5  # metres; less is rounding
_SAME_POSE = 1e-3  # metres


def lay_cage(
    objects: AvatarObjects, context: Any, rows: IntArray | None = None
) -> Generator[None, None, None]:
    """Lay the stored triangles, as large as one standard deviation, over the splats as seen, in
    slices.

    Args:
        objects: of the avatar.
        context: of Blender.
        rows: the only splats to lay anew; None: all.

    Raises:
        LikenessError: The avatar is linked, in Edit Mode, or cannot be read; or triangles have lost
            vertices of their own.
    """
    SplatEdits(objects)  # whether its splats can be edited at all
    at = _find_corners(objects)
    yield
    read = PlacedSplats.take(objects, context)
    matrix = np.array(_to_object(objects))
    yield

    def place() -> tuple[FloatArray, FloatArray]:
        placed = read()
        corners = placed.axes @ (CORNERS / CUT_SIGMA).T
        corners = np.swapaxes(corners, 1, 2) + placed.means[:, None]
        points = points_to_blender(corners) @ matrix[:3, :3].T + matrix[:3, 3]
        return points.astype(np.float32), points.mean(1).astype(np.float32)

    points, middle = yield from in_thread(place)
    mesh = objects.splats.data
    positions = read_attribute(mesh, "position")
    if rows is None or CAGE not in mesh.attributes:
        positions[at] = points
    else:
        positions[at[rows]] = points[rows]
        laid = read_attribute(mesh, CAGE)
        laid[rows] = middle[rows]
        middle = np.asarray(laid, np.float32)
    yield
    if CAGE not in mesh.attributes:  # Blender selects all of a new mesh
        for elements in (mesh.polygons, mesh.vertices, mesh.edges):
            elements.foreach_set("select", np.zeros(len(elements), bool))
            yield
    mesh.attributes["position"].data.foreach_set("vector", positions.ravel())
    yield
    store_faces(mesh, CAGE, middle)
    mesh.update()


def require_visible(objects: AvatarObjects) -> None:
    """Raise an error if an avatar's splats are hidden.

    Raises:
        LikenessError: They are, or they are not in the view layer.
    """
    if not objects.splats.visible_get():
        raise LikenessError(f"'{objects.splats.name}' is hidden.", "Show it in the outliner.")


def edit_splats(objects: AvatarObjects, context: Any) -> None:
    """Enter Edit Mode on an avatar's splats, with faces to select.

    The triangles' edges are hidden: Blender draws each edge in Edit Mode as a black line a pixel
    wide, which is about as wide as a splat, so that a whole avatar would be black. Faces alone let
    the splats show in their colors, and are drawn where they are selected. No tool for faces needs
    the edges, and the faces' vertices stay, which tools move.

    Raises:
        LikenessError: They are hidden, or not in the view layer.
    """
    require_visible(objects)
    _hide_edges(objects.splats.data)
    select_only(objects.splats, context)
    context.tool_settings.mesh_select_mode = (False, False, True)
    bpy.ops.object.mode_set(mode="EDIT")


def _hide_edges(mesh: Any) -> None:
    name = ".hide_edge"
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, "BOOLEAN", "EDGE")
    attribute.data.foreach_set("value", np.ones(len(mesh.edges), bool))


def take_moves(objects: AvatarObjects, context: Any) -> Generator[None, None, int]:
    """Move the splats to where Blender's tools have moved their triangles, in slices.

    Returns:
        How many splats were moved, by the generator.

    Raises:
        LikenessError: There is no cage, triangles have lost vertices of their own, or the avatar's
            pose has changed since it was laid.
    """
    mesh = objects.splats.data
    if CAGE not in mesh.attributes:
        raise LikenessError("The splats' triangles are not where you see them.", "Use Edit Splats.")
    laid, positions = read_attribute(mesh, CAGE), read_attribute(mesh, "position")
    corners = _find_corners(objects)
    matrix = np.array(_to_object(objects))
    yield
    read = PlacedSplats.take(objects, context)
    yield

    def find() -> tuple[IntArray, FloatArray, FloatArray]:
        placed = read()
        before, middle = laid.astype(np.float64), positions[corners].mean(1).astype(np.float64)
        now = points_to_blender(placed.means) @ matrix[:3, :3].T + matrix[:3, 3]
        if np.abs(now - before).max() > _SAME_POSE:
            raise LikenessError(
                "The avatar's pose has changed since Edit Splats.", "Use Edit Splats again."
            )
        moves = middle - before
        rows = np.flatnonzero(np.abs(moves).max(1) > _STILL)
        back = np.linalg.inv(matrix[:3, :3])
        local = placed.frame_moves(rows, points_to_engine(moves[rows] @ back.T))
        return rows, local, middle.astype(np.float32)

    rows, local, middle = yield from in_thread(find)
    if not len(rows):
        return 0
    edits = SplatEdits(objects)
    edits.move(rows, local)
    yield
    edits.write()  # in one slice with the cage, or a cancelled move could be applied twice
    store_faces(mesh, CAGE, middle)
    return len(rows)


def _find_corners(objects: AvatarObjects) -> IntArray:
    """[N, 3] the vertices of each splat's triangle."""
    mesh = objects.splats.data
    corners = read_attribute(mesh, ".corner_vert")
    count = 3 * len(mesh.polygons)
    if len(corners) != count or np.bincount(corners).max(initial=0) > 1:
        raise LikenessError(
            f"Triangles of '{objects.splats.name}' were merged or divided, but every splat needs "
            "three vertices of its own.",
            "Undo that, and turn off Auto Merge.",
        )
    return np.asarray(corners.reshape(-1, 3))


@dataclass(frozen=True)
class PlacedSplats:
    """An avatar's splats in the displayed pose, with their edits.

    Attributes:
        avatar: with N Gaussians in the order of the mesh.
        vertices: [V, 3] of the posed body, metres, the photo's space, engine axes.
        means: [N, 3] metres, in the same space.
        axes: [N, 3, 2] their two axes as columns, metres.
    """

    avatar: Avatar
    vertices: FloatArray
    means: FloatArray
    axes: FloatArray

    @staticmethod
    def read(objects: AvatarObjects, context: Any) -> PlacedSplats:
        """Read them from the scene.

        Raises:
            LikenessError: The avatar cannot be read.
        """
        return PlacedSplats.take(objects, context)()

    @staticmethod
    def take(objects: AvatarObjects, context: Any) -> Callable[[], PlacedSplats]:
        """Copy what they are made from out of Blender.

        Returns:
            A function that makes them, in any thread.

        Raises:
            LikenessError: The avatar cannot be read.
        """
        from ...engine.core.retouching import retouch_gaussians
        from ...engine.core.rotations import quaternion_to_matrix
        from ...engine.gaussians.binding import place_gaussians

        read = take_splats(objects)
        vertices = body_vertices(objects, context.evaluated_depsgraph_get(), world=False)

        def place() -> PlacedSplats:
            avatar, bound, _ = read()
            if bound.retouch.shape[1]:
                bound = retouch_gaussians(bound)
            placed = place_gaussians(bound, vertices, avatar.body)
            axes = quaternion_to_matrix(placed.quats.astype(np.float64))[:, :, :2]
            return PlacedSplats(
                replace(avatar, gaussians=bound),
                vertices,
                placed.means.astype(np.float64),
                axes * placed.scales[:, None, :2],
            )

        return place

    def frame_moves(self, rows: IntArray, moves: FloatArray) -> FloatArray:
        """Return moves of splats in space as moves of their offsets [M, 3].

        Args:
            rows: [M] of the splats.
            moves: [M, 3] metres, in the space of the means.
        """
        from ...engine.core.retouching import move_to_frames

        part = replace(self.avatar, gaussians=self.avatar.gaussians.take(rows))
        return move_to_frames(moves, part, self.vertices)


def _to_object(objects: AvatarObjects) -> Matrix:
    """The photo's space, in Blender's axes, to the space of the splats' object."""
    world = objects.armature.matrix_world @ photo_matrix(objects.armature)
    return objects.splats.matrix_world.inverted() @ world
