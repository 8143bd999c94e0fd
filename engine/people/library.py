"""An asset library in MakeHuman's folder layout: skins, eyes, brows, lashes, hair, clothes.

A garment is a mesh (.obj) bound to MakeHuman's base mesh by a .mhclo file: each of its vertices
is either one base vertex, or a weighted mean of three plus an offset along the axes of the base
mesh's A-pose, in units of reference distances between base vertices. ``delete_verts`` names the
base vertices that the garment hides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..types import FloatArray, IntArray, LikenessError

DECIMETRE = 0.1  # MakeHuman's unit
TEXTURE_SIZE = 512
REMEDY = "Give the folder of an asset library in MakeHuman's layout (skins, hair, clothes, ...)."


@dataclass(frozen=True)
class Garment:
    """A mesh bound to MakeHuman's base mesh.

    Attributes:
        name: of the .mhclo file, for messages.
        f: [F, 3] triangles. uv: [F, 3, 2] texture coordinates of their corners, v down.
        base: [G, 3] vertices of the base mesh; weight: [G, 3]; offset: [G, 3], see ``scale``.
        scale: per axis two base vertices and the distance between them, in the units of
            ``offset``: what the offset is measured against. None for an axis: decimetres.
        deleted: base vertices that the garment hides.
        texture: its picture, or None.
    """

    name: str
    f: IntArray
    uv: FloatArray
    base: IntArray
    weight: FloatArray
    offset: FloatArray
    scale: tuple[tuple[int, int, float] | None, ...]
    deleted: IntArray
    texture: Path | None


@dataclass(frozen=True)
class Library:
    """The files of one library, sorted, so that a seed finds the same things again."""

    folder: Path
    skins: tuple[Path, ...]
    eyes: tuple[Path, ...]
    brows: tuple[Path, ...]
    lashes: tuple[Path, ...]
    hair: tuple[Path, ...]
    outfits: tuple[Path, ...]
    shoes: tuple[Path, ...]


def open_library(folder: Path) -> Library:
    """List a library.

    Raises:
        LikenessError: there are no skins in it.
    """

    def files(pattern: str, *without: str) -> tuple[Path, ...]:
        found = sorted(folder.glob(pattern))
        return tuple(p for p in found if not any(word in p.name for word in without))

    skins = files("skins/textures/*_diffuse*.png")
    if not skins:
        raise LikenessError(f"'{folder}' holds no skins (skins/textures/*_diffuse*.png).", REMEDY)
    clothes = files("clothes/*/*.mhclo", "fedora")
    return Library(
        folder=folder,
        skins=skins,
        eyes=files("eyes/materials/*_eye.png"),
        brows=files("eyebrows/*/*.mhclo"),
        lashes=files("eyelashes/*/*.mhclo"),
        hair=files("hair/*/*.mhclo"),
        outfits=tuple(p for p in clothes if "suit" in p.name),
        shoes=tuple(p for p in clothes if "shoes" in p.name),
    )


@lru_cache(maxsize=64)
def load_texture(path: Path) -> NDArray[np.uint8]:
    """[512, 512, 4] straight RGBA.

    Raises:
        LikenessError: not a picture.
    """
    try:
        with Image.open(path) as image:
            rgba = image.convert("RGBA")
    except OSError as error:
        raise LikenessError(f"'{path}' cannot be read as a picture ({error}).", REMEDY) from error
    if rgba.size != (TEXTURE_SIZE, TEXTURE_SIZE):
        rgba = rgba.resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(rgba)


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", REMEDY) from error
    return [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]


def _load_obj(path: Path) -> tuple[IntArray, FloatArray, int]:
    """Triangles [F, 3], corner coordinates [F, 3, 2] (v down), and the number of vertices."""
    vertices, uv = 0, []
    corners: list[list[tuple[int, int]]] = []
    for word, *rest in _lines(path):
        if word == "v":
            vertices += 1
        elif word == "vt":
            uv.append([float(rest[0]), 1.0 - float(rest[1])])
        elif word == "f":
            polygon = [tuple(int(i) - 1 for i in corner.split("/")[:2]) for corner in rest]
            for k in range(1, len(polygon) - 1):
                corners.append([polygon[0], polygon[k], polygon[k + 1]])  # type: ignore[list-item]
    table = np.array(corners, np.int64)
    if table.ndim != 3 or table.shape[2] != 2 or not uv:
        raise LikenessError(f"'{path}' has no faces with texture coordinates.", REMEDY)
    return table[..., 0], np.array(uv)[table[..., 1]], vertices


def _deleted(words: list[str]) -> list[int]:
    """Vertices named as ``1 5 - 7 9``."""
    out: list[int] = []
    k = 0
    while k < len(words):
        if words[k] == "-":
            out.extend(range(out[-1] + 1, int(words[k + 1]) + 1))
            k += 2
        else:
            out.append(int(words[k]))
            k += 1
    return out


def _texture_of(material: Path) -> Path | None:
    """The diffuse picture that a .mhmat names; None when it or the material is missing."""
    if not material.is_file():
        return None
    for word, *rest in _lines(material):
        if word == "diffuseTexture" and rest:
            path = material.parent / rest[0]
            return path if path.is_file() else None
    return None


@lru_cache(maxsize=64)
def load_garment(path: Path) -> Garment:
    """Read a .mhclo file with its .obj and .mhmat.

    Raises:
        LikenessError: unreadable, or the binding does not fit the mesh; names the file.
    """
    scale: dict[str, tuple[int, int, float]] = {}
    base, weight, offset, deleted = [], [], [], []
    obj, material, section = "", "", ""
    try:
        for word, *rest in _lines(path):
            if word in ("verts", "delete_verts"):
                section = word
            elif word.lstrip("-").isdigit() or word == "-":
                numbers = [word, *rest]
                if section == "delete_verts":
                    deleted.extend(numbers)
                elif section == "verts" and len(numbers) == 1:
                    base.append([int(word)] * 3)
                    weight.append([1.0, 0.0, 0.0])
                    offset.append([0.0, 0.0, 0.0])
                elif section == "verts":
                    base.append([int(n) for n in numbers[:3]])
                    weight.append([float(n) for n in numbers[3:6]])
                    offset.append([float(n) for n in [*numbers[6:9], "0", "0", "0"][:3]])
            elif word in ("x_scale", "y_scale", "z_scale"):
                scale[word[0]] = (int(rest[0]), int(rest[1]), float(rest[2]))
            elif word == "obj_file":
                obj = rest[0]
            elif word == "material":
                material = rest[0]
        names = _deleted(deleted)
    except (ValueError, IndexError) as error:
        raise LikenessError(f"'{path}' is no garment file ({error}).", REMEDY) from error
    f, uv, count = _load_obj(path.parent / obj)
    if len(base) != count or len(f) == 0 or f.max() >= count:
        raise LikenessError(
            f"'{path}' binds {len(base)} vertices, its mesh '{obj}' has {count}.", REMEDY
        )
    return Garment(
        name=path.name,
        f=f,
        uv=uv,
        base=np.array(base, np.int64),
        weight=np.array(weight),
        offset=np.array(offset),
        scale=tuple(scale.get(axis) for axis in "xyz"),
        deleted=np.array(names, np.int64),
        texture=_texture_of(path.parent / material) if material else None,
    )
