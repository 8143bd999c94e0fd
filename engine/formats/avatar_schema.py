"""The tensors of avatar.safetensors: types, shapes, and what is checked before they are used."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from ..body import Landmarks
from ..body.body_file import MAX_COLUMNS, MAX_VERTICES
from ..core.types import LAYERS, NUM_JOINTS
from .avatar_retouch import INDICES, SCHEMA

FRAMINGS = ("head", "half", "full")

_Array = np.ndarray[Any, Any]
_Schema = dict[str, tuple[str, tuple[int | str, ...]]]

GAUSSIANS: _Schema = {
    "triangle": ("int32", ("N",)),
    "bary": ("float16", ("N", 3)),
    "offset": ("float32", ("N", 3)),
    "quats": ("float16", ("N", 4)),
    "scales": ("float16", ("N", 3)),
    "opacities": ("float16", ("N",)),
    "colors": ("float16", ("N", 3)),
    "layer": ("uint8", ("N",)),
}
BODY: _Schema = {
    "v_template": ("float32", ("V", 3)),
    "f": ("int32", ("F", 3)),
    "weights": ("float32", ("V", NUM_JOINTS)),
    "exprdirs": ("float16", ("moving", 3, "E")),
    "exprdirs_vertex": ("int32", ("moving",)),
    "J_template": ("float64", (NUM_JOINTS, 3)),
    "kintree_table": ("int64", (2, NUM_JOINTS)),
    "vt": ("float32", ("T", 2)),
    "ft": ("int32", ("F", 3)),
    "atlas_vt": ("float32", ("A", 2)),
    "atlas_ft": ("int32", ("F", 3)),
    "face_part": ("uint8", ("F",)),
}
_EXTRA: _Schema = {
    "lod_start": ("float32", ("N",)),
    "part": ("uint8", ("N",)),
    "features": ("float16", ("N", "C")),
}
_SPAN: tuple[str, tuple[int | str, ...]] = ("float16", ("N", 2))
OPTIONAL: _Schema = {
    "posedirs": ("float16", ("V", 3, (NUM_JOINTS - 1) * 9)),
    "correctives": ("float16", ("corrected", 3, "K")),
    "correctives_vertex": ("int32", ("corrected",)),
    "correctives_joint": ("int32", ("driving",)),
}
LANDMARK_KEYS = tuple(f"landmark_{field.name}" for field in fields(Landmarks))
KNOWN = frozenset(
    {f"gaussians.{name}" for name in (*GAUSSIANS, *_EXTRA)}
    | {f"body.{name}" for name in (*BODY, *OPTIONAL, *LANDMARK_KEYS)}
    | SCHEMA.keys()
)
"""Tensors that this version knows, besides the attributes' own."""

MAX_ATTRIBUTES = 32
MAX_FEATURES = 256
MAX_COORDINATE = 1e4  # metres; larger values are not of a person
_INDICES = {  # the dimension that each array of indices points into
    "gaussians.triangle": "F",
    "body.f": "V",
    "body.exprdirs_vertex": "V",
    "body.correctives_vertex": "V",
    "body.ft": "T",
    "body.atlas_ft": "A",
    "body.landmark_face_triangle": "F",
    **INDICES,
}


def check_sizes(tensors: dict[str, _Array], header: dict[str, Any]) -> dict[str, int]:
    """Check the tensors of a file against its header.

    Args:
        tensors: the known ones, by name.
        header: of the avatar.

    Returns:
        The sizes of all dimensions by name.

    Raises:
        ValueError: The file is inconsistent, or larger than a person's.
    """
    if len(header.get("attributes", [])) > MAX_ATTRIBUTES:
        raise ValueError(f"it has more than {MAX_ATTRIBUTES} attributes")
    sizes: dict[str, int] = {"E": len(header["expression_names"])}
    schema = {f"gaussians.{k}": v for k, v in GAUSSIANS.items()}
    schema |= {f"gaussians.{k}": v for k, v in _EXTRA.items() if f"gaussians.{k}" in tensors}
    schema |= {f"attributes.{k}.span": _SPAN for k in range(len(header.get("attributes", [])))}
    schema |= {f"body.{k}": v for k, v in BODY.items()}
    schema |= {name: SCHEMA[name] for name in SCHEMA.keys() & tensors.keys()}
    schema |= {f"body.{k}": v for k, v in OPTIONAL.items() if f"body.{k}" in tensors}
    for name, (dtype, shape) in schema.items():
        array = tensors[name]
        if array.dtype != dtype:
            raise ValueError(f"{name} is {array.dtype} instead of {dtype}")
        expected = tuple(
            size if isinstance(size, int) else sizes.setdefault(size, length)
            for size, length in zip(shape, array.shape, strict=False)
        )
        if array.shape != expected or len(shape) != array.ndim:
            raise ValueError(f"{name} has the shape {list(array.shape)}, not {list(shape)}")
    corrected = {n for n in OPTIONAL if n.startswith("correctives") and f"body.{n}" in tensors}
    driving = sizes.get("driving", 0)
    if corrected and (len(corrected) < 3 or driving >= NUM_JOINTS or sizes["K"] != 9 * driving):
        raise ValueError("its pose correctives are incomplete")
    if corrected and "body.posedirs" in tensors:
        raise ValueError("it has pose correctives twice")
    # The expression basis is unpacked to all vertices, not only those that move.
    if sizes.get("C", 0) > MAX_FEATURES:
        raise ValueError(f"it has {sizes['C']} latent features")
    if sizes["E"] > MAX_COLUMNS or sizes["V"] > MAX_VERTICES or not sizes["V"] or not sizes["F"]:
        raise ValueError(
            f"it has {sizes['V']} vertices, {sizes['F']} triangles and {sizes['E']} expressions"
        )
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are not finite")
        large = array.dtype.kind == "f" and name != "gaussians.lod_start"
        if large and array.size and np.abs(array).max() > MAX_COORDINATE:
            raise ValueError(f"{name} has values beyond {MAX_COORDINATE:,.0f}")
    ranges = {name: sizes[of] for name, of in _INDICES.items() if name in tensors}
    ranges["gaussians.layer"] = len(LAYERS)
    if "gaussians.part" in tensors:
        ranges["gaussians.part"] = len(header["parts"])
    ranges["body.face_part"] = len(header["part_names"])
    ranges |= {n: NUM_JOINTS for n in tensors if n.startswith("body.landmark") and "_joint" in n}
    for name, count in ranges.items():
        if tensors[name].size and not 0 <= tensors[name].min() <= tensors[name].max() < count:
            raise ValueError(f"{name} points at rows that do not exist")
    if header["layers"] != list(LAYERS):
        raise ValueError(f"the layers are {header['layers']}, not {list(LAYERS)}")
    if header["framing"] not in FRAMINGS:
        raise ValueError(f"the framing is {header['framing']!r}")
    return sizes
