"""A splat mesh as the arrays of an .npz file, which is read in small steps."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import LikenessError
from ..files.untrusted import CorruptFileError, iter_npz
from .mesh import SplatMesh

_FACE = "face."

Arrays = dict[str, np.ndarray[Any, Any]]


def pack_mesh(mesh: SplatMesh) -> Arrays:
    """Return a mesh as arrays for :func:`unpack_mesh`."""
    faces = {_FACE + name: values for name, values in mesh.faces.items()}
    return {**faces, "colors": mesh.colors, "corners": mesh.corners}


def unpack_mesh(arrays: Arrays) -> SplatMesh:
    """Return the mesh that :func:`pack_mesh` made arrays of."""
    faces = {k.removeprefix(_FACE): v for k, v in arrays.items() if k.startswith(_FACE)}
    return SplatMesh(faces, arrays["colors"], arrays["corners"])


def read_array_steps(path: Path, *more: str) -> Generator[None, None, Arrays]:
    """Read the arrays of a mesh's file, one a step; the generator returns them.

    Args:
        path: the .npz file.
        more: names of further arrays that it must hold.

    Raises:
        LikenessError: the file is missing or damaged.
    """
    arrays = {}
    try:
        for name, array in iter_npz(path):
            arrays[name] = array
            yield
        missing = {"colors", "corners", *more} - arrays.keys()
        if missing:
            raise CorruptFileError(f"it lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", "Import it again.") from error
    return arrays
