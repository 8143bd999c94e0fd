"""A person's parts on disk: ``parts.npz`` and the colours in ``textures/*.png``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import LikenessError
from ..files.untrusted import parse_json, read_npz, wrap_parser_errors
from ..imaging.load import PICTURE_ERRORS
from ..wardrobe.mesh_parts import KINDS, LABELS, Material, MeshPart

PARTS_FILE, TEXTURES = "parts.npz", "textures"
MAX_PARTS, MAX_VERTICES, MAX_TRIANGLES, MAX_PIXELS = 2000, 5_000_000, 10_000_000, 8192**2
REMEDY = "Make the folder again with 'likeness convert'."
_SHAPES = {"vertices": (None, 3), "f": (None, 3), "uv": (None, 3, 2), "label": (None,)}
_DTYPES = {"vertices": "f", "f": "iu", "uv": "f", "label": "u"}
_MAPS = {
    "roughness": ("u", (None, None)),
    "bump": ("f", (None, None)),
    "normal": ("u", (None, None, 3)),
}


def save_parts(folder: Path, parts: Sequence[MeshPart]) -> None:
    """Write parts into an existing folder; pictures that several share are written once.

    Raises:
        OSError: the disk is full or read-only.
    """
    (folder / TEXTURES).mkdir(exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    about = []
    pictures: dict[str, str] = {}
    for k, part in enumerate(parts):
        material = part.material
        digest = hashlib.sha256(material.color.tobytes()).hexdigest() + str(material.color.shape)
        if digest not in pictures:
            pictures[digest] = f"{len(pictures):03d}.png"
            Image.fromarray(material.color).save(folder / TEXTURES / pictures[digest])
        arrays[f"vertices_{k}"] = np.asarray(part.vertices, np.float32)
        arrays[f"f_{k}"] = np.asarray(part.f, np.int32)
        arrays[f"uv_{k}"] = np.asarray(part.uv, np.float32)
        arrays[f"label_{k}"] = np.asarray(part.label, np.uint8)
        for name in _MAPS:
            value = getattr(material, name)
            if isinstance(value, np.ndarray):
                arrays[f"{name}_{k}"] = value
        rough = material.roughness
        about.append(
            {
                "name": part.name,
                "kind": material.kind,
                "texture": pictures[digest],
                "roughness": None if isinstance(rough, np.ndarray) else float(rough),
                "metallic": float(material.metallic),
                "grain": float(material.grain),
                "grain_depth": float(material.grain_depth),
                "card": bool(part.card),
                "bias": float(part.bias),
            }
        )
    arrays["about"] = np.array(json.dumps(about))
    with (folder / PARTS_FILE).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_parts(folder: Path) -> tuple[MeshPart, ...]:
    """Read what :func:`save_parts` wrote, all of it checked.

    Raises:
        LikenessError: a file is missing, broken, too large, or does not fit the others.
    """
    path = folder / PARTS_FILE
    try:
        arrays = read_npz(path)
        with wrap_parser_errors():
            about = parse_json(str(arrays["about"]))
            if not isinstance(about, list) or not 0 < len(about) <= MAX_PARTS:
                raise ValueError("it lists no parts, or too many")
            return tuple(_part(folder, k, entry, arrays) for k, entry in enumerate(about))
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be used ({error}).", REMEDY) from error


def _checked(
    arrays: dict[str, NDArray[Any]], key: str, kinds: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    value = arrays[key]
    fits = value.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, value.shape))
    if not fits or value.dtype.kind not in kinds:
        raise ValueError(f"{key} is {value.dtype} {value.shape}")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{key} has numbers that are not finite")
    return value


def _part(folder: Path, k: int, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> MeshPart:
    mesh = {n: _checked(arrays, f"{n}_{k}", _DTYPES[n], shape) for n, shape in _SHAPES.items()}
    vertices, f = mesh["vertices"], mesh["f"].astype(np.int64)
    if not 0 < len(vertices) <= MAX_VERTICES or not 0 < len(f) <= MAX_TRIANGLES:
        raise ValueError(f"part {k} has {len(vertices)} vertices and {len(f)} triangles")
    if f.min() < 0 or f.max() >= len(vertices):
        raise ValueError(f"f_{k} names vertices that are not there")
    if len(mesh["uv"]) != len(f) or len(mesh["label"]) != len(f):
        raise ValueError(f"uv_{k} or label_{k} is not for {len(f)} triangles")
    if mesh["label"].max() >= len(LABELS):
        raise ValueError(f"label_{k} has labels that are not known")
    if about["kind"] not in KINDS:
        raise ValueError(f"part {k} is of the kind {about['kind']!r}")
    numbers = {n: float(about[n]) for n in ("metallic", "grain", "grain_depth", "bias")}
    if not np.isfinite(list(numbers.values())).all():
        raise ValueError(f"part {k} has numbers that are not finite")
    maps = {n: _checked(arrays, f"{n}_{k}", *of) for n, of in _MAPS.items() if f"{n}_{k}" in arrays}
    material = Material(
        kind=about["kind"],
        color=_picture(folder / TEXTURES / Path(str(about["texture"])).name),
        roughness=maps["roughness"] if "roughness" in maps else float(about["roughness"]),
        metallic=numbers["metallic"],
        bump=maps.get("bump"),
        normal=maps.get("normal"),
        grain=numbers["grain"],
        grain_depth=numbers["grain_depth"],
    )
    return MeshPart(
        str(about["name"]),
        vertices.astype(np.float64),
        f,
        mesh["uv"].astype(np.float64),
        mesh["label"].astype(np.uint8),
        material,
        bool(about["card"]),
        numbers["bias"],
    )


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"it is {image.width} x {image.height} pixels")
            return np.asarray(image.convert("RGBA"))
    except PICTURE_ERRORS as error:
        raise ValueError(f"'{path.name}' cannot be used as a picture: {error}") from error
