"""The files of MakeHuman's assets: garments (.mhclo with .obj), materials (.mhmat), pictures.

A garment is a mesh (.obj) bound to MakeHuman's base mesh by a .mhclo file: each of its vertices
is either one base vertex, or a weighted mean of three plus an offset along the axes of the base
mesh's A-pose, in units of reference distances between base vertices. ``delete_verts`` names the
base vertices that the garment hides. A .mhmat file is a material: pictures and a few numbers; an
asset may have several, of which its .mhclo names one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import FloatArray, IntArray, LikenessError
from ..files.untrusted import file_size, read_text
from ..imaging.load import MAX_MEGAPIXELS, PICTURE_ERRORS, PICTURE_FORMATS

DECIMETRE = 0.1  # MakeHuman's unit
TEXTURE_SIZE = 512
_MAX_ROWS = 1 << 31
BASE_VERTICES = 19158  # of MakeHuman's base mesh hm08, helpers included
REMEDY = "Give the folder of an asset library in MakeHuman's layout (skins, hair, clothes, ...)."


@dataclass(frozen=True)
class Garment:
    """A mesh bound to MakeHuman's base mesh.

    Attributes:
        name: of the .mhclo file, for messages.
        f: [F, 3] triangles.
        uv: [F, 3, 2] texture coordinates of their corners, v down.
        base: [G, 3] vertices of the base mesh that each vertex hangs on.
        weight: [G, 3] share of each of them.
        offset: [G, 3] from their mean, see ``scale``.
        scale: per axis two base vertices and the distance between them, in the units of
            ``offset``: what the offset is measured against. None for an axis: decimetres.
        deleted: [K] base vertices that the garment hides.
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
class MaterialFile:
    """The parts of a .mhmat file that matter here.

    Attributes:
        path: of the file.
        texture: picture, or None where the file names none or it is missing.
        normal: the same.
        bump: the same.
        displacement: the same.
        occlusion: the same.
        normal_intensity: factor on ``normal``.
        bump_intensity: factor on ``bump``.
        color: [3] 0..1 factor on the texture, or the colour where there is none.
        transparent: whether its texture's alpha counts.
        shininess: 0 dull to 1 mirror.
    """

    path: Path
    texture: Path | None = None
    normal: Path | None = None
    bump: Path | None = None
    displacement: Path | None = None
    occlusion: Path | None = None
    normal_intensity: float = 1.0
    bump_intensity: float = 1.0
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    transparent: bool = False
    shininess: float = 0.2


@lru_cache(maxsize=4096)
def picture_fault(path: Path, changed: float) -> str:
    """Say what is wrong with a picture, "" if nothing; ``changed`` is when it was written."""
    try:
        with _opened(path) as image:
            image.load()
    except PICTURE_ERRORS as error:
        return f"'{path}' cannot be read as a picture ({error})."
    return ""


@lru_cache(maxsize=64)
def load_texture(path: Path) -> NDArray[np.uint8]:
    """[512, 512, 4] straight RGBA.

    Raises:
        LikenessError: the file is not a picture.
    """
    try:
        with _opened(path) as image:
            rgba = image.convert("RGBA")
    except PICTURE_ERRORS as error:
        raise LikenessError(f"'{path}' cannot be read as a picture ({error}).", REMEDY) from error
    if rgba.size != (TEXTURE_SIZE, TEXTURE_SIZE):
        rgba = rgba.resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(rgba)


@lru_cache(maxsize=32)
def load_picture(path: Path, limit: int = 2048) -> NDArray[np.uint8]:
    """[H, W, 4] straight RGBA as stored, made smaller where a side is over ``limit`` pixels.

    Callers share the array: don't write into it.

    Raises:
        LikenessError: the file is not a picture.
    """
    try:
        with _opened(path) as image:
            picture = image.convert("RGBA")
    except PICTURE_ERRORS as error:
        raise LikenessError(f"'{path}' cannot be read as a picture ({error}).", REMEDY) from error
    picture.thumbnail((limit, limit), Image.Resampling.LANCZOS)
    rgba = np.asarray(picture)
    rgba.flags.writeable = False
    return rgba


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture, not yet decoded, its size checked."""
    file_size(path)
    with warnings.catch_warnings():
        # Pillow warns of sizes that are still within our own limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=PICTURE_FORMATS) as image:
            if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                raise ValueError(f"it has more than {MAX_MEGAPIXELS} megapixels")
            yield image


def _lines(path: Path) -> list[list[str]]:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", REMEDY) from error
    return [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]


def _load_obj(path: Path) -> tuple[IntArray, FloatArray, int]:
    """Triangles [F, 3], corner coordinates [F, 3, 2] (v down), and the number of vertices.

    Polygons of any size are split into fans; negative numbers count back from the last vertex
    before the line, as the format has it.
    """
    positions: list[list[float]] = []
    uv: list[list[float]] = []
    corners: list[list[tuple[int, int]]] = []
    try:
        for word, *rest in _lines(path):
            if word == "v":
                x, y, z = rest[:3]
                positions.append([float(x), float(y), float(z)])
            elif word == "vt":
                uv.append([float(rest[0]), 1.0 - float(rest[1])])
            elif word == "f":
                polygon = []
                for corner in rest:
                    v, t = (int(i) for i in corner.split("/")[:2])
                    polygon.append((_row(v, len(positions)), _row(t, len(uv))))
                for k in range(1, len(polygon) - 1):
                    corners.append([polygon[0], polygon[k], polygon[k + 1]])
        table = np.array(corners, np.int64)
    except (ValueError, IndexError, OverflowError) as error:
        raise LikenessError(
            f"'{path}' is not a mesh with texture coordinates ({error}).", REMEDY
        ) from error
    if table.ndim != 3 or table.shape[2] != 2 or not uv:
        raise LikenessError(f"'{path}' has no faces with texture coordinates.", REMEDY)
    if not np.isfinite(positions).all() or not np.isfinite(uv).all():
        raise LikenessError(f"'{path}' has coordinates that are not finite.", REMEDY)
    if table.min() < 0 or (table >= (len(positions), len(uv))).any():
        raise LikenessError(f"'{path}' has faces that refer to missing vertices.", REMEDY)
    return table[..., 0], np.array(uv)[table[..., 1]], len(positions)


def _row(number: int, count: int) -> int:
    """A row from an .obj file's number, which starts at 1 or counts back from -1."""
    return number - 1 if number > 0 else count + number


def _deleted(words: list[str]) -> list[int]:
    """Vertices named as ``1 5 - 7 9``."""
    out: list[int] = []
    k = 0
    while k < len(words):
        if words[k] == "-":
            out.extend(range(out[-1] + 1, min(int(words[k + 1]), BASE_VERTICES) + 1))
            k += 2
        else:
            out.append(int(words[k]))
            if not 0 <= out[-1] < _MAX_ROWS:
                raise ValueError(f"there is no vertex {words[k][:20]}")
            k += 1
    return out


_PICTURES = {
    "diffuseTexture": "texture",
    "normalmapTexture": "normal",
    "bumpmapTexture": "bump",
    "displacementmapTexture": "displacement",
    "aomapTexture": "occlusion",
}
_NUMBERS = {
    "normalmapIntensity": "normal_intensity",
    "bumpmapIntensity": "bump_intensity",
    "shininess": "shininess",
}


@lru_cache(maxsize=256)
def load_material(path: Path) -> MaterialFile:
    """Read a .mhmat file.

    Raises:
        LikenessError: the file cannot be read; the message names it.
    """
    said: dict[str, Any] = {}
    try:
        for word, *rest in _lines(path):
            if word in _PICTURES and rest:
                # Some files have spaces in their names.
                picture = path.parent / " ".join(rest)
                said[_PICTURES[word]] = picture if picture.is_file() else None
            elif word in _NUMBERS:
                said[_NUMBERS[word]] = float(rest[0])
            elif word == "transparent":
                said["transparent"] = rest[0].lower() in ("true", "1", "yes")
            elif word == "diffuseColor":
                said["color"] = (float(rest[0]), float(rest[1]), float(rest[2]))
    except (ValueError, IndexError) as error:
        raise LikenessError(f"'{path}' is not a material file ({error}).", REMEDY) from error
    material = MaterialFile(path, **said)
    numbers = (*material.color, material.normal_intensity, material.bump_intensity)
    if not np.isfinite([*numbers, material.shininess]).all():
        raise LikenessError(f"'{path}' has numbers that are not finite.", REMEDY)
    return material


@lru_cache(maxsize=256)
def list_materials(path: Path) -> tuple[Path, ...]:
    """List the .mhmat files of an asset (.mhclo) that name a picture.

    The one that the asset names comes first, then its variants, which lie beside it or in a folder
    ``materials``.
    """
    folder = path.parent
    named = [folder / line[1] for line in _lines(path) if line[0] == "material" and line[1:]]
    beside = sorted([*folder.glob("*.mhmat"), *folder.glob("materials/*.mhmat")])
    alone = len(list(folder.glob("*.mhclo"))) == 1 or bool(list(folder.glob("materials/*.mhmat")))
    found = [p for p in named if p.is_file()] + [p for p in beside if alone and p not in named]
    return tuple(p for p in found if load_material(p).texture is not None)


def list_tags(path: Path) -> tuple[str, ...]:
    """List what an asset (.mhclo) says that it is: its name and its tags."""
    said = (line for line in _lines(path) if line[0] in ("name", "tag"))
    return tuple(" ".join(line[1:]) for line in said)


def find_thumbnail(path: Path) -> Path | None:
    """Find the picture that lies beside an asset (.mhclo) and shows it; None without one."""
    beside = (path.with_suffix(suffix) for suffix in (".thumb", ".png", ".jpg"))
    return next((one for one in beside if one.is_file()), None)


def missing_picture(path: Path) -> Path | None:
    """Name the missing picture that an asset's (.mhclo) material takes its colours from.

    None where nothing is missing.
    """
    named = [path.parent / line[1] for line in _lines(path) if line[0] == "material" and line[1:]]
    for material in filter(Path.is_file, named):
        for word, *rest in _lines(material):
            picture = material.parent / " ".join(rest)
            if word == "diffuseTexture" and rest and not picture.is_file():
                return picture
    return None


def list_asset_files(path: Path) -> list[Path]:
    """List the files of an asset (.mhclo) that exist: it, its mesh, its materials and pictures."""
    named = [path.parent / line[1] for line in _lines(path) if line[0] == "obj_file" and line[1:]]
    found = [path, *named]
    for material in list_materials(path):
        said = load_material(material)
        pictures = (said.texture, said.normal, said.bump, said.displacement, said.occlusion)
        found += [material, *(one for one in pictures if one is not None)]
    return [one for one in dict.fromkeys(found) if one.is_file()]


@lru_cache(maxsize=64)
def load_garment(path: Path) -> Garment:
    """Read a .mhclo file with its .obj and .mhmat.

    Raises:
        LikenessError: a file cannot be read, or the binding does not fit the mesh; the message
            names it.
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
                    if len(numbers) < 6:
                        raise ValueError(f"the binding '{' '.join(numbers)[:60]}' is too short")
                    base.append([int(n) for n in numbers[:3]])
                    weight.append([float(n) for n in numbers[3:6]])
                    offset.append([float(n) for n in [*numbers[6:9], "0", "0", "0"][:3]])
            elif word in ("x_scale", "y_scale", "z_scale"):
                scale[word[0]] = (int(rest[0]), int(rest[1]), float(rest[2]))
                if not 0.0 < scale[word[0]][2] < np.inf:
                    raise ValueError(f"{word} of {rest[2]}")
            elif word == "obj_file":
                obj = rest[0]
            elif word == "material":
                material = rest[0]
        names = _deleted(deleted)
    except (ValueError, IndexError) as error:
        raise LikenessError(f"'{path}' is not a garment file ({error}).", REMEDY) from error
    if not obj:
        raise LikenessError(f"'{path}' is not a garment file (it has no obj_file).", REMEDY)
    f, uv, count = _load_obj(path.parent / obj)
    if len(base) != count or len(f) == 0 or f.max() >= count:
        raise LikenessError(
            f"'{path}' binds {len(base)} vertices, its mesh '{obj}' has {count}.", REMEDY
        )
    if np.min(base) < 0 or np.max(base) >= _MAX_ROWS:
        raise LikenessError(f"'{path}' refers to vertices by invalid numbers.", REMEDY)
    if not np.isfinite(weight).all() or not np.isfinite(offset).all():
        raise LikenessError(f"'{path}' has weights or offsets that are not finite.", REMEDY)
    if (np.sum(weight, 1) < 0.5).any():
        raise LikenessError(f"'{path}' binds vertices without weight.", REMEDY)
    picture = path.parent / material
    return Garment(
        name=path.name,
        f=f,
        uv=uv,
        base=np.array(base, np.int64),
        weight=np.array(weight),
        offset=np.array(offset),
        scale=tuple(scale.get(axis) for axis in "xyz"),
        deleted=np.array(names, np.int64),
        texture=load_material(picture).texture if material and picture.is_file() else None,
    )
