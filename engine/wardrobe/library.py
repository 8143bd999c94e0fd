"""An asset library in MakeHuman's folder layout: skins, eyes, brows, lashes, hair, clothes.

Libraries are collected over years and hold broken files: :func:`open_library` reads every asset
when given a callback for faults, and leaves out what cannot be used, by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.types import LikenessError
from .asset_files import (
    BASE_VERTICES,
    REMEDY,
    list_materials,
    load_garment,
    load_material,
    missing_picture,
    picture_fault,
)
from .asset_layout import has_wrong_layout


@dataclass(frozen=True)
class Library:
    """The files of one library, sorted, so that a seed finds the same things again.

    Attributes:
        folder: of the library.
        skins: pictures.
        eyes: pictures.
        brows: .mhclo files.
        lashes: .mhclo files.
        hair: .mhclo files.
        shoes: .mhclo files.
        hats: .mhclo files.
        teeth: .mhclo files.
        tongues: .mhclo files.
        outfits: suits that dress from neck to feet or nearly.
        garments: all other pieces of clothing but shoes and hats.
    """

    folder: Path
    skins: tuple[Path, ...]
    eyes: tuple[Path, ...]
    brows: tuple[Path, ...]
    lashes: tuple[Path, ...]
    hair: tuple[Path, ...]
    outfits: tuple[Path, ...]
    shoes: tuple[Path, ...]
    hats: tuple[Path, ...] = ()
    garments: tuple[Path, ...] = ()
    teeth: tuple[Path, ...] = ()
    tongues: tuple[Path, ...] = ()


_HATS = re.compile(r"fedora|beret|beanie|helmet|(^|[^a-z])(hat|cap)s?([^a-z]|$)")
_SHOES = re.compile(r"shoe|boot|sneaker|sandal|slipper")
_TRINKETS = re.compile(r"glasses|(^|[^a-z])(ring|earring|watch|weapon|sword|mask)s?([^a-z]|$)")


def open_library(folder: Path, skipped: Callable[[Path, str], None] | None = None) -> Library:
    """List a library.

    Args:
        folder: in MakeHuman's layout.
        skipped: called with the file and the reason for each unusable asset, which is left out.
            None: nothing is read, a broken asset stays in the list.

    Raises:
        LikenessError: it holds no skins or, when assets are checked, nothing usable.
    """

    def files(pattern: str) -> tuple[Path, ...]:
        found = tuple(sorted(folder.glob(pattern)))
        return found if skipped is None else tuple(p for p in found if _passes(p, skipped))

    def clothes(wanted: Callable[[str], bool]) -> tuple[Path, ...]:
        return tuple(p for p in worn if wanted(p.name.lower()))

    skins = files("skins/textures/*_diffuse*.png") or _skins_of_materials(folder, skipped)
    worn = files("clothes/**/*.mhclo")
    library = Library(
        folder=folder,
        skins=skins,
        eyes=files("eyes/**/*_eye.png"),
        brows=files("eyebrows/**/*.mhclo"),
        lashes=files("eyelashes/**/*.mhclo"),
        hair=files("hair/**/*.mhclo"),
        outfits=clothes(lambda name: "suit" in name and not _HATS.search(name)),
        shoes=clothes(lambda name: "shoes" in name and not _HATS.search(name)),
        hats=clothes(lambda name: _HATS.search(name) is not None),
        garments=clothes(
            lambda name: (
                not any(kind.search(name) for kind in (_HATS, _SHOES, _TRINKETS))
                and "suit" not in name
            )
        ),
        teeth=files("teeth/**/*.mhclo"),
        tongues=files("tongue/**/*.mhclo"),
    )
    if skipped is None and not skins:
        raise LikenessError(f"'{folder}' holds no skins (skins/textures/*_diffuse*.png).", REMEDY)
    if not any((skins, library.hair, worn, library.brows, library.lashes, library.eyes)):
        raise LikenessError(f"'{folder}' holds no usable asset.", REMEDY)
    return library


def _passes(path: Path, skipped: Callable[[Path, str], None]) -> bool:
    """Whether an asset can be used; the callback hears why not."""
    try:
        check_asset(path)
    except LikenessError as error:
        skipped(path, error.message)
        return False
    return True


def _skins_of_materials(
    folder: Path, skipped: Callable[[Path, str], None] | None
) -> tuple[Path, ...]:
    """The pictures of skins, each in its own folder, as MPFB has them."""
    found = []
    for path in sorted(folder.glob("skins/**/*.mhmat")):
        if skipped is None or _passes(path, skipped):
            texture = load_material(path).texture
            if texture is not None and texture not in found:
                found.append(texture)
    return tuple(found)


def check_asset(path: Path) -> None:
    """Read an asset (.mhclo, .mhmat or a picture) with all files that it names.

    Raises:
        LikenessError: it cannot be used; the message names the file and the reason.
    """
    if path.suffix == ".mhclo":
        garment = load_garment(path)
        ends = [end for ref in garment.scale if ref is not None for end in ref[:2]]
        asked = np.concatenate([garment.base.ravel(), np.array(ends, np.int64)])
        if asked.min() < 0 or asked.max() >= BASE_VERTICES:
            raise LikenessError(
                f"'{path}' refers to vertices that MakeHuman's base mesh does not have.", REMEDY
            )
        for material in list_materials(path):
            check_asset(material)
        lost = missing_picture(path) if "clothes" in path.parts else None
        if lost is not None:
            raise LikenessError(f"'{path}' lacks its picture '{lost.name}'.", REMEDY)
        if "clothes" in path.parts and has_wrong_layout(garment):
            raise LikenessError(
                f"'{path}' has a picture that was made for other texture coordinates.", REMEDY
            )
    elif path.suffix == ".mhmat":
        said = load_material(path)
        for picture in (said.texture, said.normal, said.bump, said.displacement, said.occlusion):
            if picture is not None:
                _check_picture(picture)
    else:
        _check_picture(path)


def _check_picture(path: Path) -> None:
    fault = picture_fault(path, path.stat().st_mtime)
    if fault:
        raise LikenessError(fault, REMEDY)
