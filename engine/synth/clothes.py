"""Clothes and shoes of a synthetic person: chosen, fitted to the pose, painted.

With a library most people wear one of its outfits, repainted; the others, and all people without
a library, wear tailored clothes. Nobody is naked: where an outfit leaves chest or hips bare, a
tailored piece completes it. A skirt would tear in a pose with bent hips; trousers replace it there
(the parts' names say what is worn).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.geometry import vertex_normals
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray, LikenessError
from ..wardrobe.asset_files import (
    Garment,
    MaterialFile,
    list_materials,
    load_garment,
    load_material,
)
from ..wardrobe.cloth_mesh import (
    Cloth,
    TriangleSurface,
    add_thickness,
    border_distance,
    is_covered,
    push_outside,
)
from ..wardrobe.cloth_pieces import covers_trunk, find_leg_pieces, take_faces
from ..wardrobe.dress import PosedBody, garment_rest, hidden_faces
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import LABEL, Material, MeshPart
from .cloth_charts import flatten_cloth
from .cloth_fit import (
    REACH,
    FineCloth,
    FittedGarment,
    fit_garment,
    loosen_cloth,
    refine_cloth,
    skin_surface,
)
from .cloth_paint import classify_charts, library_shoes, paint_cloth, tailored_shoes
from .cloth_pattern import Fabric
from .cloth_style import random_fabric, shoe_color
from .person_parts import Traits, Wearer
from .skin import tone_color
from .tailoring import SKIRT, make_shoes, tailor_garment

THICKNESS = 0.003  # metres of a turned-in edge
LOOSE = 0.007  # metres by which a library's garment stands further off, on average half of it
BENT = np.radians(38.0)  # of the hips against the pelvis, over which no skirt is worn
LIKE_SKIN, GREY, REDRAWS = 0.16, 0.05, 12  # of 1: largest difference, colourfulness; draws
SPORT_SHARE = 0.3
"""How often sportswear is drawn against other outfits: it shows much skin and is tight."""
BELT = 0.025  # metres of skin that stay visible under an open edge
_HIDEABLE = ("torso", "neck", "arm", "leg", "foot")


@dataclass(frozen=True)
class ClothesLook:
    """A person's clothes; JSON-able.

    Attributes:
        seed: of cloth's folds and paint.
        outfit: path of a .mhclo file in the library's folder, or "".
        shoes: path of a .mhclo file in the library's folder, or "".
        material: which of the outfit's materials.
        top: tailored style, worn where there is no outfit or it leaves skin bare.
        bottom: the same.
        fabrics: by :data:`~.cloth_paint.REGIONS`; what is missing keeps the library's colours.
        spare_shoes: tailored style, or "" for bare feet.
        shoe_color: [3] sRGB 0..1.
        sole_color: [3] sRGB 0..1.
        loose: 0.4 to 1.8, factor on ease.
        folds: 0 to 1.5.
    """

    seed: int
    outfit: str
    material: int
    top: str
    bottom: str
    fabrics: dict[str, Fabric]
    shoes: str
    spare_shoes: str
    shoe_color: tuple[float, float, float]
    sole_color: tuple[float, float, float]
    loose: float
    folds: float


def random_clothes(
    rng: np.random.Generator, traits: Traits, library: Library | None
) -> ClothesLook:
    """Choose clothes and shoes at random."""
    female = traits.sex == "female"
    outfit, material, pair = "", 0, ""
    if library is not None:
        worn = [p for p in (*library.outfits, *library.garments) if _suits(p.name, female)]
        if worn and rng.random() < 0.62:
            often = np.array([SPORT_SHARE if _sporty(p.name) else 1.0 for p in worn])
            path = worn[int(rng.choice(len(worn), p=often / often.sum()))]
            outfit = path.relative_to(library.folder).as_posix()
            material = int(rng.integers(max(1, len(list_materials(path)))))
        if library.shoes and rng.random() < 0.8:
            path = library.shoes[int(rng.integers(len(library.shoes)))]
            pair = path.relative_to(library.folder).as_posix()
    tops = {"t-shirt": 0.34, "long sleeve": 0.26, "sweater": 0.2, "v-neck": 0.1, "tank top": 0.1}
    bottoms = {"jeans": 0.42, "trousers": 0.3, "shorts": 0.16, "leggings": 0.02, SKIRT: 0.1}
    if female:
        bottoms |= {"leggings": 0.12, SKIRT: 0.22}
    else:
        bottoms |= {SKIRT: 0.0, "leggings": 0.0}
    top, bottom = _pick(rng, tops), _pick(rng, bottoms)
    styles = {"top": "" if outfit else top, "bottom": "" if outfit else bottom, "second": ""}
    skin = tone_color(traits.tone)
    fabrics = {region: _unlike(skin, rng, region, style) for region, style in styles.items()}
    if _sporty(outfit):  # no checks, no wool
        fabrics = {
            name: replace(fabric, weave="synthetic", pattern="plain", motif="")
            for name, fabric in fabrics.items()
        }
    if not outfit and bottom == SKIRT and rng.random() < 0.4:  # looks like a dress
        fabrics["bottom"] = fabrics["top"]
    if outfit and rng.random() < 0.12:
        fabrics = {}
    upper, sole = shoe_color(rng)
    return ClothesLook(
        seed=int(rng.integers(2**31)),
        outfit=outfit,
        material=material,
        top=top,
        bottom=bottom,
        fabrics=fabrics,
        shoes=pair,
        spare_shoes=_pick(rng, {"sneakers": 0.6, "boots": 0.25, "slippers": 0.1, "": 0.05}),
        shoe_color=upper,
        sole_color=sole,
        loose=float(rng.uniform(0.5, 1.6)),
        folds=float(rng.uniform(0.5, 1.3)),
    )


def _unlike(skin: FloatArray, rng: np.random.Generator, region: str, style: str) -> Fabric:
    """A fabric in whose colour the wearer does not look naked; black and greys never do that."""
    for _ in range(REDRAWS):
        fabric = random_fabric(rng, region, style)
        far = np.abs(np.subtract(fabric.color, skin)).max() > LIKE_SKIN
        if far or np.ptp(fabric.color) < GREY:
            break
    return fabric


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    values = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=values / values.sum()))


def _sporty(name: str) -> bool:
    return "sport" in name.lower()


def _suits(name: str, female: bool) -> bool:
    """Whether a garment's name doesn't say that it is for the other sex."""
    name = name.lower()
    if "female" in name or "woman" in name or "women" in name:
        return female
    return not (female and ("male" in name or "men_" in name))


def clothes_parts(wearer: Wearer, look: ClothesLook) -> tuple[list[MeshPart], BoolArray]:
    """Make a person's clothes and shoes, fitted and painted.

    Returns:
        Clothes and shoes, and which of the body's triangles [F] they hide.

    Raises:
        LikenessError: a garment of the look is missing, broken, or for another base mesh.
    """
    rest = wearer.rest()
    layers = wearer.make_once("layers", look, lambda: _apart(_layers(wearer, look, rest)))
    hidden = wearer.make_once("hidden", look, lambda: _hidden(layers, wearer, rest))
    refined = wearer.make_once(
        "fine cloth",
        look,
        lambda: [refine_cloth(layer.cloth, look.seed + 10 * k) for k, layer in enumerate(layers)],
    )
    shown = wearer.make_once("shown cloth", look, lambda: _find_shown(refined))
    inner, worn = [skin_surface(wearer.posed, ~hidden)], []
    for cloth in refined:
        worn.append(fit_garment(cloth, wearer.posed, inner, look.folds))
        inner.append(TriangleSurface(worn[-1].vertices, worn[-1].cloth.f))
    # Painted with the first pose's folds, so that a person's textures are the same in all poses.
    materials = wearer.make_once(
        "cloth", look, lambda: _materials(layers, worn, rest, look, wearer.texture_size)
    )
    out = [_part(item, shown[k], materials[k], inner[0]) for k, item in enumerate(worn)]
    return out, hidden


def _find_shown(refined: list[FineCloth]) -> list[BoolArray]:
    """[F] each: the triangles that no layer further out covers at rest."""
    out = []
    for k, layer in enumerate(refined):
        cloth = layer.cloth
        normals = vertex_normals(cloth.rest, cloth.f)
        under = np.zeros(len(normals), bool)
        for other in refined[k + 1 :]:
            under |= is_covered(cloth.rest, normals, other.cloth, BELT)
        out.append(~under[cloth.f].all(1))
    return out


def _hidden(layers: list[ClothLayer], wearer: Wearer, rest: PosedBody) -> BoolArray:
    """[F] triangles of the body that lie under cloth."""
    body = wearer.dress.body
    parts = [body.part_names.index(n) for n in _HIDEABLE if n in body.part_names]
    may = np.isin(body.face_part, parts)
    rows = np.unique(body.f[may])
    points, normals = rest.vertices[rows], vertex_normals(rest.vertices, body.f)[rows]
    under = np.zeros(len(rest.vertices), bool)
    for layer in layers:
        under[rows] |= is_covered(points, normals, layer.cloth, BELT)
        if layer.garment is not None:
            under |= _named(layer.garment, wearer, rest, layer.cloth)
    return np.asarray(under[body.f].all(1) & may)


@dataclass(frozen=True)
class ClothLayer:
    """A cloth and where it comes from.

    Attributes:
        cloth: at rest.
        garment: the library's, or None.
        source: the library's material, or None.
        suit: for a piece of a garment, the whole of it at rest.
        rows: [V] vertices of the cloth in ``suit``.
    """

    cloth: Cloth
    garment: Garment | None = None
    source: MaterialFile | None = None
    suit: Cloth | None = None
    rows: IntArray | None = None


def _apart(layers: list[ClothLayer]) -> list[ClothLayer]:
    """The same layers, an outfit's trousers and shirt one after the other.

    Each lies outside of what is under it at rest.
    """
    split: list[ClothLayer] = []
    for layer in layers:
        split.extend(_pieces(layer) if layer.garment is not None else [layer])
    out: list[ClothLayer] = []
    for layer in split:
        rest = layer.cloth.rest
        for below in out:
            if not (below.cloth.label == LABEL["shoes"]).all():
                rest = push_outside(
                    rest, TriangleSurface(below.cloth.rest, below.cloth.f), 0.004, 0.04
                )
        out.append(replace(layer, cloth=replace(layer.cloth, rest=rest)))
    return out


def _pieces(layer: ClothLayer) -> list[ClothLayer]:
    """A garment's parts that hang together, those of the legs first, all others as one."""
    cloth = layer.cloth
    low = find_leg_pieces(cloth)
    if low.all() or not low.any() or (cloth.label == LABEL["shoes"]).all():
        return [layer]
    out = []
    for chosen in (low, ~low):
        part, rows = take_faces(cloth, chosen)
        out.append(replace(layer, cloth=part, suit=cloth, rows=rows))
    return out


def _layers(wearer: Wearer, look: ClothesLook, rest: PosedBody) -> list[ClothLayer]:
    """What is worn, the inmost first."""
    outfit = _from_library(wearer, look.outfit, rest, look) if look.outfit else None
    bent = any(_bent(posed) for posed in (wearer.posed, *wearer.other_poses))
    if outfit is not None and bent and _bridges_legs(outfit.cloth, rest):
        outfit = None
    has_shoes = outfit is not None and bool((outfit.cloth.label == LABEL["shoes"]).any())
    layers: list[ClothLayer] = []
    if look.shoes and not has_shoes:
        pair = _from_library(wearer, look.shoes, rest, look)
        label = np.full_like(pair.cloth.label, LABEL["shoes"])
        layers.append(replace(pair, cloth=replace(pair.cloth, label=label)))
    elif look.spare_shoes and not has_shoes:
        layers.append(ClothLayer(make_shoes(look.spare_shoes, rest)))
    bottom = "trousers" if bent and look.bottom == SKIRT else look.bottom
    if outfit is None or not covers_trunk(outfit.cloth, rest, ("left_hip", "right_hip")):
        layers.append(ClothLayer(tailor_garment(bottom, rest, look.loose, look.seed)))
    if outfit is None or not covers_trunk(outfit.cloth, rest, ("spine2", "spine3")):
        layers.append(ClothLayer(tailor_garment(look.top, rest, look.loose, look.seed)))
    if outfit is not None:
        layers.append(outfit)
    return layers


def _from_library(wearer: Wearer, name: str, rest: PosedBody, look: ClothesLook) -> ClothLayer:
    if wearer.library is None:
        raise LikenessError(f"The look wears '{name}', but there is no library.", "Give --assets.")
    path = wearer.library.folder / name
    garment = load_garment(path)
    points, skinning = garment_rest(garment, rest)
    label = np.full(len(garment.f), LABEL["clothes"], np.uint8)
    cloth = Cloth(garment.name, points, skinning, garment.f, garment.uv, label)
    if name == look.outfit:
        charts = flatten_cloth(cloth)
        feet = classify_charts(cloth, charts, rest.joints, None)[charts.chart] == 4
        label[feet] = LABEL["shoes"]
        cloth = loosen_cloth(
            replace(cloth, label=label), rest.joints, LOOSE * look.loose, look.seed
        )
    named = list_materials(path)
    row = look.material if name == look.outfit else 0
    return ClothLayer(cloth, garment, load_material(named[row % len(named)]) if named else None)


def _named(garment: Garment, wearer: Wearer, rest: PosedBody, cloth: Cloth) -> BoolArray:
    """[V] vertices that the garment's file hides, unless they are near an open edge.

    Where the cloth was loosened one could look in.
    """
    rows = np.unique(wearer.dress.body.f[hidden_faces([garment], wearer.dress)])
    out = np.zeros(len(rest.vertices), bool)
    if len(rows):
        closest = TriangleSurface(cloth.rest, cloth.f).nearest(rest.vertices[rows])[0]
        off = border_distance(cloth.rest, cloth.f, closest)
        out[rows[off >= (0.0 if cloth.label[0] == LABEL["shoes"] else BELT)]] = True
    return out


def _bent(posed: PosedBody) -> bool:
    """Whether a thigh leaves the trunk's line by more than a skirt can follow."""
    down = np.array([0.0, -1.0, 0.0])
    trunk = posed.R[0] @ down
    thighs = [posed.R[JOINT_INDEX[f"{side}_hip"]] @ down for side in ("left", "right")]
    return bool(min(float(t @ trunk) for t in thighs) < np.cos(BENT))


def _bridges_legs(cloth: Cloth, rest: PosedBody) -> bool:
    """A skirt: cloth between the legs, well under the hips."""
    low = rest.joints[JOINT_INDEX["left_hip"], 1] - 0.18
    corners = cloth.rest[cloth.f]
    across = (corners[..., 0].min(1) < 0) & (corners[..., 0].max(1) > 0)
    return bool((across & (corners[..., 1].max(1) < low)).any())


def _materials(
    layers: list[ClothLayer],
    worn: list[FittedGarment],
    rest: PosedBody,
    look: ClothesLook,
    size: int,
) -> list[Material]:
    """Of each layer; the pieces of one suit share theirs."""
    out: list[Material] = []
    for k, layer in enumerate(layers):
        if layer.suit is not None and k and layers[k - 1].suit is layer.suit:
            out.append(out[-1])
            continue
        whole = layer.suit or layer.cloth
        if (whole.label == LABEL["shoes"]).all():
            out.append(_shoe_material(layer, look, size))
            continue
        folds = np.zeros(len(whole.rest))
        for other, item in zip(layers, worn):
            if other is layer or (layer.suit is not None and other.suit is layer.suit):
                rows = slice(None) if other.rows is None else other.rows
                folds[rows] = item.folds[: len(other.cloth.rest)]
        out.append(
            paint_cloth(whole, rest.joints, look.fabrics, layer.source, folds, size, look.seed)
        )
    return out


def _shoe_material(layer: ClothLayer, look: ClothesLook, size: int) -> Material:
    if layer.source is not None:
        return library_shoes(layer.source, look.shoe_color if look.seed % 3 == 0 else None, size)
    return tailored_shoes(layer.cloth, look.shoe_color, look.sole_color, size // 2, look.seed)


def _part(
    item: FittedGarment, shown: BoolArray, material: Material, skin: TriangleSurface
) -> MeshPart:
    cloth = item.cloth
    vertices, f, uv, parent = add_thickness(
        item.vertices, cloth.f[shown], cloth.uv[shown], THICKNESS
    )
    new = len(item.vertices)
    vertices[new:] = push_outside(vertices[new:], skin, 0.0005, REACH)
    return MeshPart(cloth.name, vertices, f, uv, cloth.label[shown][parent], material)
