"""Where an avatar's splats are seen, as fast as a brush needs to know at the beginning of a
stroke: their middles and sizes, without their orientation.

What was found is kept from one stroke to the next, for one avatar. It is compared with what it
was made from instead of being dropped by handlers, which undo, scripts and exchanged meshes would
pass by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.body import Body
from ...engine.core.types import FloatArray, IntArray, LikenessError
from ...engine.scene.mesh import ATTRIBUTES
from .. import keys
from .avatar_objects import AvatarObjects
from .axes import points_to_blender, points_to_engine
from .origin import photo_matrix
from .read_back import body_vertices, read_attribute

_SOURCES = (
    *(ATTRIBUTES.bary_b, ATTRIBUTES.bary_c, ATTRIBUTES.offset),
    *(ATTRIBUTES.axis_u, ATTRIBUTES.axis_v),
)


@dataclass(frozen=True)
class _Binding:
    """The triangles of a person's splats.

    Attributes:
        person: as the scene keeps it.
        corners: [N] each, the body's vertices at the splats' triangles.
        body: of the person.
        triangle: [N] rows of ``body.f``.
    """

    person: bytes
    corners: tuple[IntArray, IntArray, IntArray]
    body: Body
    triangle: IntArray

    def is_of(self, person: bytes, corners: tuple[IntArray, IntArray, IntArray]) -> bool:
        """Whether it was made from these."""
        return self.person == person and all(
            np.array_equal(a, b) for a, b in zip(self.corners, corners, strict=True)
        )


class _Cache:
    """What was found last, and what it was made from."""

    binding: _Binding | None = None
    sources: tuple[FloatArray, ...] = ()
    places: SplatPlaces | None = None


def clear_cache() -> None:
    """Free what is kept between strokes."""
    _Cache.binding, _Cache.sources, _Cache.places = None, (), None


@dataclass(frozen=True)
class SplatPlaces:
    """The splats of an avatar in the displayed pose, with their edits, in the order of the mesh.

    Attributes:
        points: [N, 3] metres, world.
        sizes: [N] the longer of their standard deviations, metres.
    """

    points: FloatArray
    sizes: FloatArray
    _binding: _Binding
    _bary: FloatArray
    _vertices: FloatArray
    _turn: FloatArray

    @staticmethod
    def read(objects: AvatarObjects, context: Any) -> SplatPlaces:
        """Read them from the scene.

        Args:
            objects: of the avatar, not in Edit Mode.
            context: of Blender.

        Raises:
            LikenessError: The avatar cannot be read.
        """
        mesh = objects.splats.data
        binding = _find_binding(objects)
        vertices = body_vertices(objects, context.evaluated_depsgraph_get(), world=False)
        matrix = np.array(objects.armature.matrix_world @ photo_matrix(objects.armature))
        read = [np.asarray(read_attribute(mesh, name), np.float32) for name in _SOURCES]
        sources: tuple[FloatArray, ...] = (*read, vertices, matrix)
        places = _Cache.places
        if (
            places is None
            or places._binding is not binding
            or not all(map(np.array_equal, _Cache.sources, sources))
        ):
            places = SplatPlaces._find(binding, *sources)
            _Cache.sources, _Cache.places = sources, places
        return places

    @staticmethod
    def _find(
        binding: _Binding,
        bary_b: FloatArray,
        bary_c: FloatArray,
        offset: FloatArray,
        axis_u: FloatArray,
        axis_v: FloatArray,
        vertices: FloatArray,
        matrix: FloatArray,
    ) -> SplatPlaces:
        """The values of ``_SOURCES``, the posed body, and [4, 4] its space to the world."""
        from ...engine.core.geometry import place_on_triangles

        bary = np.stack([1.0 - bary_b - bary_c, bary_b, bary_c], -1)
        wide = np.zeros((len(bary), 3), np.float32)
        for k, axis in enumerate((axis_u, axis_v)):
            wide[:, k] = np.sqrt(np.einsum("nc,nc->n", axis, axis))
        means, _, scales = place_on_triangles(
            binding.triangle,
            bary,
            offset,
            np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (len(bary), 4)),
            wide,
            vertices=vertices,
            f=binding.body.f,
            rest_vertices=binding.body.v_template,
        )
        turn = matrix[:3, :3]
        return SplatPlaces(
            points_to_blender(means) @ turn.T + matrix[:3, 3],
            np.maximum(scales[:, 0], scales[:, 1]) * np.float32(np.cbrt(abs(np.linalg.det(turn)))),
            binding,
            bary,
            vertices,
            turn,
        )

    def frame_moves(self, rows: IntArray, moves: FloatArray) -> FloatArray:
        """Return moves of splats in the world as moves of their offsets [M, 3].

        Args:
            rows: [M] of the splats.
            moves: [M, 3] metres, world.
        """
        from ...engine.core.geometry import triangle_frames

        local = points_to_engine(moves @ np.linalg.inv(self._turn).T)
        body = self._binding.body
        frames = triangle_frames(
            self._vertices, body.f, body.v_template, self._binding.triangle[rows], self._bary[rows]
        )
        return np.asarray(np.einsum("nab,na->nb", frames.R, local) / frames.sigma[:, None])


def _find_binding(objects: AvatarObjects) -> _Binding:
    from ...engine.scene.files import unpack_avatar
    from ...engine.scene.mesh import find_triangles

    name, mesh = objects.armature.name, objects.splats.data
    person = objects.body.data.get(keys.PERSON)
    if person is None:
        raise LikenessError(
            f"'{name}' was made by an older version of Likeness.", "Import its avatar file again."
        )
    person = bytes(person)
    a, b, c = (np.asarray(read_attribute(mesh, key), np.int32) for key in ATTRIBUTES[:3])
    kept = _Cache.binding
    if kept is None or not kept.is_of(person, (a, b, c)):
        body = unpack_avatar(person, name).body
        try:
            triangle = find_triangles((a, b, c), body.f)
        except ValueError as error:
            raise LikenessError(
                f"The splats of '{name}' cannot be read back: {error}.",
                "Import its avatar file again.",
            ) from error
        kept = _Cache.binding = _Binding(person, (a, b, c), body, triangle)
    return kept
