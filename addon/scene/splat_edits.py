"""Edits of the splats by hand: erase, restore, tint and move.

The engine says what they are (``core/retouch.py``) and how the mesh keeps them
(``scene/mesh_edits.py``). Object Mode only: in Edit Mode the mesh's attributes are out of reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.core.retouch import COLUMNS, ERASED, MOVE, SHIFT, tint_colors
from ...engine.core.types import FloatArray, IntArray, LikenessError
from ...engine.scene.mesh import ATTRIBUTES, KEPT, LIT
from ...engine.scene.mesh_edits import EDITS, SOURCES, Look, edit_look, join_edits, split_edits
from .avatar_objects import AvatarObjects
from .material import COLOR_ATTRIBUTE
from .native_splats import update_radiance
from .read_back import read_attribute
from .splat_object import store_faces

_GONE = 0.995
"""Share above which an erasure, and a restoration, is complete."""


class SplatEdits:
    """The edits of an avatar's splats, read once; :meth:`write` shows and stores them.

    Attributes:
        retouch: [N, 7] as in ``core/retouch.py``, in the order of the mesh.
    """

    def __init__(self, objects: AvatarObjects) -> None:
        mesh = objects.splats.data
        if mesh.library is not None or mesh.override_library is not None:
            raise LikenessError(
                f"'{objects.armature.name}' is linked from another file.", "Edit it in that file."
            )
        if objects.splats.mode == "EDIT":
            raise LikenessError("The splats are in Edit Mode.", "Leave it first.")
        self._splats, self._mesh = objects.splats, mesh
        has = set(mesh.attributes.keys())

        def read(source: str, drawn: str) -> FloatArray:
            return np.asarray(read_attribute(mesh, source if source in has else drawn), np.float32)

        count = len(mesh.polygons)
        try:
            self._source = Look(
                read(SOURCES.color, COLOR_ATTRIBUTE),
                read(SOURCES.offset, ATTRIBUTES.offset),
                read(SOURCES.albedo, LIT.albedo) if LIT.albedo in has else None,
            )
            self._rgb = np.asarray(read_attribute(mesh, KEPT.rgb)[:, :3], np.float32)
            edits = join_edits(
                {name: read_attribute(mesh, name) for name in EDITS if name in has}, count
            )
        except KeyError as error:
            raise LikenessError(
                f"The splats of '{objects.armature.name}' cannot be edited: {error}.",
                "Import its avatar file again.",
            ) from error
        self._shown: Look | None = None
        self.retouch = edits if edits.shape[1] else np.zeros((count, COLUMNS), np.float32)

    @property
    def colors(self) -> FloatArray:
        """[N, 3] sRGB of the splats, with their edits."""
        return np.asarray(np.clip(self._rgb + self.retouch[:, SHIFT], 0.0, 1.0))

    @property
    def opacities(self) -> FloatArray:
        """[N] of the splats, with their edits."""
        return np.asarray(self._source.color[:, 3] * (1.0 - self.retouch[:, ERASED]))

    def erase(self, rows: IntArray, strength: FloatArray | float = 1.0) -> None:
        """Take a share of the opacity of these splats."""
        left = (1.0 - self.retouch[rows, ERASED]) * (1.0 - np.asarray(strength, np.float32))
        self.retouch[rows, ERASED] = np.where(left < 1.0 - _GONE, 1.0, 1.0 - left)

    def restore(self, rows: IntArray, strength: FloatArray | float = 1.0) -> None:
        """Take back a share of what was done to these splats."""
        share = np.broadcast_to(np.asarray(strength, np.float32), len(rows))[:, None]
        values = self.retouch[rows] * (1.0 - share)
        size = np.abs(values).max(1, initial=0.0)
        values[(share[:, 0] >= _GONE) | (size < 1e-3)] = 0.0
        self.retouch[rows] = values

    def tint(self, rows: IntArray, color: FloatArray, strength: FloatArray | float = 1.0) -> None:
        """Dye these splats: their median gets the colour, and light and dark stay apart.

        Args:
            rows: [M] of the splats.
            color: [3] sRGB.
            strength: [M] or one for all, 0 to 1.
        """
        if not len(rows):
            return
        dyed = tint_colors(self.colors[rows], self.opacities[rows], color, strength)
        changed = np.broadcast_to(np.asarray(strength), len(rows)) > 0.0
        self.retouch[rows[changed], SHIFT] = (dyed - self._rgb[rows])[changed]

    def move(self, rows: IntArray, moves: FloatArray) -> None:
        """Add to the offsets of these splats.

        Args:
            rows: [M] of the splats.
            moves: [M, 3] metres, in the frames of their triangles.
        """
        self.retouch[rows, MOVE] += moves

    def write(self, rows: IntArray | None = None) -> None:
        """Store the edits, and what they show, in the mesh.

        Args:
            rows: the only ones that changed since the last time; None: all may have.
        """
        if not self.retouch.any():
            self._shown = None
            self._remove()
            return
        if rows is None or self._shown is None:
            self._shown = edit_look(self._source, self._rgb, self.retouch)
            values = {SOURCES.color: self._source.color, SOURCES.offset: self._source.offset}
            if self._source.albedo is not None:
                values[SOURCES.albedo] = self._source.albedo
        else:
            values = {}
            albedo = self._source.albedo
            part = Look(
                self._source.color[rows],
                self._source.offset[rows],
                None if albedo is None else albedo[rows],
            )
            for whole, changed in zip(
                self._shown, edit_look(part, self._rgb[rows], self.retouch[rows]), strict=True
            ):
                if whole is not None and changed is not None:
                    whole[rows] = changed
        self._store(values | split_edits(self.retouch), self._shown)

    def _remove(self) -> None:
        """The mesh as it was before all edits."""
        if SOURCES.color in self._mesh.attributes:
            self._store({}, self._source)
            for name in (*EDITS, *SOURCES):
                if name in self._mesh.attributes:
                    self._mesh.attributes.remove(self._mesh.attributes[name])

    def _store(self, values: dict[str, Any], shown: Look) -> None:
        drawn = {COLOR_ATTRIBUTE: shown.color, ATTRIBUTES.offset: shown.offset}
        if shown.albedo is not None:
            drawn[LIT.albedo] = shown.albedo
        for name, array in (values | drawn).items():
            store_faces(self._mesh, name, array)
        update_radiance(self._splats)
        self._mesh.update_tag()
