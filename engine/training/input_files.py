"""A network's inputs in a compact file that loads fast: what the lift made of one photo.

A safetensors file. Bounded numbers are stored in 16 bits between the minimum and maximum of their
column: an offset of at most half a metre is off by at most 0.01 mm, colours, opacities, rotations
and barycentric coordinates by at most 2e-5, scales (as logarithms) by 2e-4 of themselves. Pictures
have the photo's 8 bits. Gaussians that do not depend on the photo (a network without a lift) are
not stored. The body is stored beside them, unchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..core.types import LAYERS, BoundGaussians, FloatArray
from ..files.atomic import atomic_write
from ..network.inputs import NetworkInputs, PhotoInputs
from .photograph_files import ReferenceFit

VERSION = "3"
"""Of the file's layout; increase it when that changes."""

Arrays = dict[str, np.ndarray[Any, Any]]

_STEPS = 65_535
_PHOTO = ("image", "core_xy", "core_seen", "shell_xy", "shell_seen", "vertex_xy")
_PLAIN = ("offset", "quats", "opacities", "colors")


class CorruptFileError(ValueError):
    """What is wrong with a stored file."""


def save_inputs(
    inputs: NetworkInputs, path: Path, with_base: bool = True, fit: ReferenceFit | None = None
) -> None:
    """Write a file atomically.

    Args:
        inputs: To store.
        path: The file.
        with_base: Whether to store the Gaussians. They lie on the body's own triangles.
        fit: The body, for :func:`load_fit`.

    Raises:
        LikenessError: The folder cannot be written.
    """
    out: Arrays = {}
    for k, photo in enumerate(inputs.photos):
        out[f"photo{k}.image"] = _bytes(photo.image)
        for name in ("core", "shell"):
            out[f"photo{k}.{name}_xy"] = _shares(getattr(photo, f"{name}_xy"))
            out[f"photo{k}.{name}_seen"] = np.packbits(getattr(photo, f"{name}_seen"))
        out[f"photo{k}.vertex_xy"] = _shares(photo.vertex_xy)
    out["color_map"] = _bytes(inputs.color_map)
    _pack(out, "facing", inputs.facing)
    if with_base:
        base = inputs.base
        out["triangle"] = base.triangle.astype(
            np.uint16 if base.triangle.max(initial=0) < 65_536 else np.uint32
        )
        out["layer"] = base.layer.astype(np.uint8)
        _pack(out, "bary", base.bary[:, :2])  # the three add up to one
        for name in _PLAIN:
            _pack(out, name, getattr(base, name))
        _pack(out, "scales", np.log(np.maximum(base.scales, 1e-9)))
    if fit is not None:
        out |= {name: np.ascontiguousarray(value) for name, value in fit.arrays().items()}
    with atomic_write(path) as scratch:
        save_file(out, scratch, {"version": VERSION})


def load_inputs(
    path: Path, places: FloatArray, blank: BoundGaussians | None = None
) -> NetworkInputs:
    """Read a file of :func:`save_inputs`.

    Args:
        path: The file.
        places: [F, 3, 2] places of the triangles' corners in the atlas (``UVGrids.places``).
        blank: The Gaussians, where they are not stored.

    Raises:
        CorruptFileError: It is damaged or of another version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            version = (file.metadata() or {}).get("version")
            if version != VERSION:
                raise CorruptFileError(f"it is of version {version}")
            arrays: Arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        photos: list[PhotoInputs] = []
        while f"photo{len(photos)}.image" in arrays:
            photos.append(_photo(arrays, f"photo{len(photos)}."))
        base = _base(arrays, len(places)) if blank is None else blank
        uv = np.einsum("nk,nkd->nd", base.bary, places[base.triangle])
        facing = _unpacked(arrays, "facing")
        color_map = _of_bytes(arrays["color_map"])
        expected = len(base) if blank is None else 0
        if not photos or len(facing) != expected or color_map.ndim != 3:
            raise CorruptFileError("its parts do not belong together")
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise (
            error if isinstance(error, CorruptFileError) else CorruptFileError(repr(error))
        ) from error
    uv = np.clip(uv, 0.0, 1.0).astype(np.float32)
    return NetworkInputs(tuple(photos), base, uv, facing, color_map)


def load_fit(path: Path) -> ReferenceFit:
    """Read the body that the inputs in a file were computed with.

    Raises:
        CorruptFileError: It is damaged, or has none.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith("fit.")]  # noqa: SIM118
            return ReferenceFit.of({name: file.get_tensor(name) for name in names})
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise CorruptFileError(repr(error)) from error


def _photo(arrays: Arrays, prefix: str) -> PhotoInputs:
    parts = {name: arrays[prefix + name] for name in _PHOTO}
    out: dict[str, Any] = {"image": _of_bytes(parts["image"])}
    out["vertex_xy"] = _of_shares(parts["vertex_xy"])
    for name in ("core", "shell"):
        xy = _of_shares(parts[f"{name}_xy"])
        out[f"{name}_xy"] = xy
        out[f"{name}_seen"] = np.unpackbits(parts[f"{name}_seen"], count=len(xy)).astype(bool)
    return PhotoInputs(**out)


def _base(arrays: Arrays, triangles: int) -> BoundGaussians:
    values = {name: _unpacked(arrays, name) for name in _PLAIN}
    # Quantised rotations are not exactly of unit length.
    values["quats"] /= np.maximum(np.linalg.norm(values["quats"], axis=1, keepdims=True), 1e-9)
    bary = _unpacked(arrays, "bary")
    values["bary"] = np.concatenate([bary, 1.0 - bary.sum(1, keepdims=True)], 1)
    triangle, layer = arrays["triangle"].astype(np.int32), arrays["layer"]
    scales = np.exp(_unpacked(arrays, "scales"))
    if triangle.max(initial=0) >= triangles or layer.max(initial=0) >= len(LAYERS):
        raise CorruptFileError("it names triangles or layers that do not exist")
    if len({len(v) for v in (triangle, layer, scales, *values.values())}) > 1:
        raise CorruptFileError("its parts do not belong together")
    part = np.zeros(len(triangle), np.uint8)
    return BoundGaussians(triangle=triangle, layer=layer, part=part, scales=scales, **values)


def _bytes(values: FloatArray) -> np.ndarray[Any, Any]:
    return np.asarray(np.round(np.clip(values, 0.0, 1.0) * 255.0), np.uint8)


def _of_bytes(values: np.ndarray[Any, Any]) -> FloatArray:
    return values.astype(np.float32) * np.float32(1.0 / 255.0)


def _shares(values: FloatArray) -> np.ndarray[Any, Any]:
    return np.asarray(np.round(np.clip(values, 0.0, 1.0) * _STEPS), np.uint16)


def _of_shares(values: np.ndarray[Any, Any]) -> FloatArray:
    return values.astype(np.float32) * np.float32(1.0 / _STEPS)


def _pack(out: Arrays, name: str, values: FloatArray) -> None:
    """Store [N] or [N, C] in 16 bits, and the range of each column."""
    table = np.asarray(values, np.float64).reshape(len(values), *np.shape(values)[1:] or (1,))
    low = table.min(0, initial=np.inf) if len(table) else np.zeros(table.shape[1])
    step = (table.max(0, initial=-np.inf) - low) / _STEPS if len(table) else low
    scaled = (table - low) / np.where(step > 0.0, step, 1.0)
    out[name] = np.round(scaled).astype(np.uint16).reshape(np.shape(values))
    out[f"{name}.range"] = np.stack([low, step]).astype(np.float32)


def _unpacked(arrays: Arrays, name: str) -> FloatArray:
    low, step = arrays[f"{name}.range"]
    if not (np.isfinite(low).all() and np.isfinite(step).all()):
        raise CorruptFileError(f"the range of {name} is not finite")
    stored = arrays[name]
    if stored.ndim == 1:
        low, step = low[0], step[0]
    out: FloatArray = stored.astype(np.float32) * step + low
    return out
