"""Edits by hand in avatar files: only what was edited is stored, in full precision.

``retouch.rows`` [R] and ``retouch.values`` [R, 7] are of the Gaussians, ``sculpt.rows`` [S] and
``sculpt.moves`` [S, 3] of the body's vertices (core/retouch.py). A file without edits has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.retouch import COLUMNS, ERASED, SHIFT, pack_rows
from ..core.types import Avatar, FloatArray

_Array = np.ndarray[Any, Any]

SCHEMA: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "retouch.rows": ("int32", ("R",)),
    "retouch.values": ("float32", ("R", COLUMNS)),
    "sculpt.rows": ("int32", ("S",)),
    "sculpt.moves": ("float32", ("S", 3)),
}
"""Name of a tensor -> its dtype and its shape."""

INDICES = {"retouch.rows": "N", "sculpt.rows": "V"}
"""The dimension that each array of rows points into."""

_MAX_MOVE = 10.0  # metres


def pack_edits(avatar: Avatar) -> dict[str, _Array]:
    """Return the tensors of an avatar's edits by hand; none if it has none."""
    out: dict[str, _Array] = {}
    retouch = avatar.gaussians.retouch
    if retouch.shape[1] and retouch.any():
        out["retouch.rows"], out["retouch.values"] = pack_rows(retouch)
    if avatar.sculpt is not None and np.any(avatar.sculpt):
        out["sculpt.rows"], out["sculpt.moves"] = pack_rows(avatar.sculpt)
    return out


def unpack_edits(
    tensors: dict[str, _Array], sizes: dict[str, int]
) -> tuple[FloatArray, FloatArray | None]:
    """Return ``BoundGaussians.retouch`` and ``Avatar.sculpt`` of a file's tensors.

    Args:
        tensors: of the file, whose shapes and rows were checked.
        sizes: with the numbers of Gaussians ``N`` and of vertices ``V``.

    Returns:
        retouch: [N, COLUMNS] edits of the splats; [0, 0] without any.
        sculpt: [V, 3] metres, or None.

    Raises:
        KeyError: half of a pair is missing.
        ValueError: a value is out of range.
    """
    retouch = np.zeros((0, 0), np.float32)
    if tensors.keys() & {"retouch.rows", "retouch.values"}:
        values = tensors["retouch.values"]
        if values.size and not 0.0 <= values[:, ERASED].min() <= values[:, ERASED].max() <= 1.0:
            raise ValueError("what is erased is not between 0 and 1")
        if values.size and np.abs(values[:, SHIFT]).max() > 1.0:
            raise ValueError("a change of color is larger than 1")
        retouch = np.zeros((sizes["N"], COLUMNS), np.float32)
        retouch[tensors["retouch.rows"]] = values
    sculpt = None
    if tensors.keys() & {"sculpt.rows", "sculpt.moves"}:
        sculpt = np.zeros((sizes["V"], 3), np.float32)
        sculpt[tensors["sculpt.rows"]] = tensors["sculpt.moves"]
        if np.abs(sculpt).max(initial=0.0) > _MAX_MOVE:
            raise ValueError("the sculpted shape is not of a person")
    return retouch, sculpt
