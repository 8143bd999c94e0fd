"""The part of a mesh that a camera sees: our z-buffer, or nvdiffrast's on a GPU.

Both give the same maps. Likeness never asks for nvdiffrast to be installed, because its licence is
for research only.
"""

from __future__ import annotations

import importlib.util
import warnings

from ..core.types import Camera, FloatArray, IntArray, LikenessError
from .mesh import MeshBuffer, rasterize_mesh

MESH_BACKENDS = ("cpu", "cuda")


def rasterize_visibility(
    vertices: FloatArray,
    f: IntArray,
    camera: Camera,
    *,
    cull_back: bool = False,
    backend: str | None = None,
) -> MeshBuffer:
    """Draw a mesh into a z-buffer.

    Args:
        vertices: [V, 3] world space, metres.
        f: [F, 3] triangles, counter-clockwise seen from outside.
        camera: The camera.
        cull_back: Skip triangles that face away from the camera.
        backend: ``cpu`` or ``cuda``; by default ``cuda`` if it can be used. If it then fails, a
            warning says so and the CPU draws.

    Raises:
        LikenessError: The back end is unknown or cannot be used here.
    """
    if backend not in (None, *MESH_BACKENDS):
        raise LikenessError(
            f"There is no z-buffer '{backend}'.", f"Choose one of: {', '.join(MESH_BACKENDS)}."
        )
    if backend == "cuda" or (backend is None and _found()):
        from .mesh_cuda import rasterize_mesh_cuda

        try:
            return rasterize_mesh_cuda(vertices, f, camera, cull_back=cull_back)
        except LikenessError as error:
            if backend is not None:
                raise
            warnings.warn(f"{error.message} The CPU is used instead.", stacklevel=2)
    return rasterize_mesh(vertices, f, camera, cull_back=cull_back)


def _found() -> bool:
    """Whether nvdiffrast can be used; torch is imported only where both are installed."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "nvdiffrast")):
        return False
    from .mesh_cuda import why_unavailable

    return why_unavailable() is None
