"""Edits by hand in Blender's splat mesh (core/retouch.py says what they are).

What the mesh draws has them applied: nodes and Fast Splats need to know nothing. Beside it, the
mesh keeps the edits, and what it drew before them. A mesh without edits has none of these
attributes. Light to import.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.retouch import COLUMNS, ERASED, MOVE, SHIFT
from ..core.types import FloatArray, IntArray


class EditAttributes(NamedTuple):
    """Names of the FACE attributes with the edits, in the columns' order of core/retouch.py."""

    erased: str = "splat_erased"
    shift: str = "splat_shift"
    move: str = "splat_move"


class SourceAttributes(NamedTuple):
    """Names of the FACE attributes with what was drawn before the edits."""

    color: str = "splat_source_color"
    offset: str = "splat_source_offset"
    albedo: str = "splat_source_albedo"


EDITS = EditAttributes()
SOURCES = SourceAttributes()

DARK = 2e-3
"""Linear; added to both sides of a ratio of colours, so that black has one."""


class Look(NamedTuple):
    """What the mesh draws of N splats.

    Attributes:
        color: [N, 4] linear RGB and opacity.
        offset: [N, 3] metres, in the triangles' frames.
        albedo: [N, 3] linear; None where the mesh is too old to have it.
    """

    color: FloatArray
    offset: FloatArray
    albedo: FloatArray | None


def edit_look(source: Look, rgb: FloatArray, retouch: FloatArray) -> Look:
    """Return what is drawn of splats with their edits; rows without edits keep their bits.

    Args:
        source: of N splats before the edits.
        rgb: [N, 3] sRGB before the edits, 0..1.
        retouch: [N, 7] the edits.
    """
    from ..core.color import srgb_to_linear

    color = np.array(source.color, np.float32)
    albedo = None if source.albedo is None else np.array(source.albedo, np.float32)
    color[:, 3] *= 1.0 - retouch[:, ERASED]
    rows = np.flatnonzero(retouch[:, SHIFT].any(1))
    if len(rows):
        before = np.asarray(rgb[rows], np.float64)
        after = np.clip(before + retouch[rows, SHIFT], 0.0, 1.0)
        ratio = (srgb_to_linear(after) + DARK) / (srgb_to_linear(before) + DARK)
        color[rows, :3] = np.maximum((color[rows, :3] + DARK) * ratio - DARK, 0.0)
        if albedo is not None:
            albedo[rows] = np.clip((albedo[rows] + DARK) * ratio - DARK, 0.0, 1.0)
    return Look(color, np.asarray(source.offset + retouch[:, MOVE], np.float32), albedo)


def split_edits(retouch: FloatArray) -> dict[str, FloatArray | IntArray]:
    """Return the columns of edits by the names of :data:`EDITS`.

    Args:
        retouch: [N, 7] of ``BoundGaussians.retouch``.
    """
    columns: dict[str, Any] = {EDITS.erased: ERASED, EDITS.shift: SHIFT, EDITS.move: MOVE}
    return {name: np.ascontiguousarray(retouch[:, at]) for name, at in columns.items()}


def join_edits(faces: dict[str, FloatArray | IntArray], count: int) -> FloatArray:
    """Return the edits [count, 7] of a mesh's attributes; [0, 0] if it has none.

    Args:
        faces: attributes of the mesh by name, those of :data:`EDITS` with ``count`` rows.
        count: of the splats.
    """
    if EDITS.erased not in faces:
        return np.zeros((0, 0), np.float32)
    columns = [np.asarray(faces[name], np.float32).reshape(count, -1) for name in EDITS]
    out = np.concatenate(columns, axis=1)
    assert out.shape[1] == COLUMNS
    return out if out.any() else np.zeros((0, 0), np.float32)
