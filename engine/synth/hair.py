"""Hair, brows and lashes of a synthetic person: which, in which colour and cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..body.skinning import skin_vertices
from ..core.interpolation import smoothstep
from ..core.types import FloatArray, IntArray, LikenessError
from ..wardrobe import hair_cards as cards
from ..wardrobe import hair_growth as growth
from ..wardrobe.asset_files import load_garment
from ..wardrobe.dress import garment_vertices
from ..wardrobe.hair_binding import build_surface, hanging_weights
from ..wardrobe.hair_pigment import melanin_color, mix_grey
from ..wardrobe.head_shape import head_shape
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import LABEL, Material, MeshPart
from . import hair_face as face
from . import hair_ribbons as ribbons
from .hair_color import dyed_color, grey_share, natural_color
from .person_parts import Traits, Wearer

THICK = 0.012  # metres by which hair wins against the skin below
LIBRARY_SHARE = 0.5  # of the people with hair, where there is a library
POSED_CLEARANCE = 0.006

OVER_AN_EYE = {"bob01": 0.12, "bob02": 0.25, "short03": 0.2, "braid01": 0.5}
"""How often hair of MakeHuman's that hides an eye is drawn, against the rest: in photos that is
rare."""

_SHORT = ("buzz", "crop", "fade", "side part", "slick back", "curly crop", "afro")
_LONG = ("bob", "fringed bob", "long", "wavy", "fringed long", "curls", "ponytail", "bun")
_SHARES = {
    "male": (0.12, 0.25, 0.20, 0.20, 0.10, 0.09, 0.04),
    "female": (0.13, 0.08, 0.15, 0.20, 0.10, 0.12, 0.13, 0.09),
}


@dataclass(frozen=True)
class HairLook:
    """A person's hair, brows and lashes.

    Attributes:
        color: [3] sRGB 0..1 of all the hair, grey included; scalp and beard follow it.
        pigment: [3] sRGB of strands that aren't grey.
        grey: share of strands that are.
        natural: the colour without dye, which brows keep.
        ends: [3] sRGB of the tips.
        roots: [3] sRGB of the hair next to the scalp.
        streak: [3] sRGB of some of the locks.
        streaks: share of the locks with that colour.
        kind: ``library``, ``strands`` or ``bald``.
        style: the asset's or the style's name.
        asset: row of the library's list, or -1.
        length: 0..1, from the shortest cut of the style to the longest.
        volume: about 1.
        part: metres by which the parting lies to the left.
        ruffle: metres.
        receding: 0..1.
        brows: row of the library's list, -1: grown.
        lashes: row of the library's list, -1: grown.
        brow_thickness: 0..1.
        lash_length: about 1.
        seed: of noise and strands.
    """

    color: tuple[float, float, float]
    pigment: tuple[float, float, float]
    natural: tuple[float, float, float]
    grey: float
    ends: tuple[float, float, float]
    roots: tuple[float, float, float]
    streak: tuple[float, float, float]
    streaks: float
    kind: str
    style: str
    asset: int
    length: float
    volume: float
    part: float
    ruffle: float
    receding: float
    brows: int
    brow_thickness: float
    lashes: int
    lash_length: float
    seed: int


def _rgb(color: FloatArray) -> tuple[float, float, float]:
    r, g, b = (round(float(c), 4) for c in color)
    return r, g, b


def random_hair(rng: np.random.Generator, traits: Traits, library: Library | None) -> HairLook:
    """Choose hair at random for a person with these traits."""
    male = traits.sex == "male"
    natural = natural_color(rng, traits)
    dye = dyed_color(rng, traits)
    grey = grey_share(rng, traits.age)
    pigment = natural if dye is None else dye
    shown = grey if dye is None else 0.0
    ends, roots, streak, streaks = _treatments(rng, pigment, natural, dye is not None, male)
    kind, style, asset = _style(rng, traits, library)
    receding = _receding(rng, traits) if male and kind != "library" else 0.0
    dark = 1.0 if kind == "bald" else rng.uniform(0.0, 1.0)
    return HairLook(
        color=_rgb(mix_grey(pigment, shown)),
        pigment=_rgb(pigment),
        natural=_rgb(natural),
        grey=round(shown, 4),
        ends=_rgb(ends),
        roots=_rgb(roots),
        streak=_rgb(streak),
        streaks=streaks,
        kind=kind,
        style=style,
        asset=asset,
        length=round(float(dark), 3),
        volume=round(float(rng.uniform(0.85, 1.3)), 3),
        part=round(float(rng.choice([-0.03, -0.018, 0.0, 0.018, 0.03])), 3),
        ruffle=round(float(rng.uniform(0.001, 0.005)), 4),
        receding=round(float(receding), 3),
        brows=int(rng.integers(len(library.brows))) if library and library.brows else -1,
        brow_thickness=round(float(np.clip(rng.normal(0.65 if male else 0.4, 0.2), 0, 1)), 3),
        lashes=int(rng.integers(len(library.lashes))) if library and library.lashes else -1,
        lash_length=round(float(rng.uniform(0.55, 0.8) if male else rng.uniform(0.65, 0.95)), 3),
        seed=int(rng.integers(2**31)),
    )


def _treatments(
    rng: np.random.Generator, pigment: FloatArray, natural: FloatArray, dyed: bool, male: bool
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Colours of tips, roots and streaks, and the streaks' share: sun, bleach, grown-out dye."""
    ends = np.clip(pigment * rng.uniform(1.0, 1.2), 0, 1)
    if rng.random() < (0.03 if male else 0.14):
        ends = melanin_color(rng.uniform(0.4, 1.4), rng.uniform(0.2, 0.7))
    grown = dyed and rng.random() < 0.5
    roots = natural if grown else pigment * rng.uniform(0.8, 0.95)
    streak = np.clip(pigment * rng.uniform(1.25, 1.7) + 0.03, 0, 1)
    some = rng.random() < (0.1 if male else 0.35)
    return ends, roots, streak, round(float(rng.uniform(0.1, 0.35) if some else 0.06), 3)


def _style(
    rng: np.random.Generator, traits: Traits, library: Library | None
) -> tuple[str, str, int]:
    male = traits.sex == "male"
    if male and rng.random() < np.interp(traits.age, [20, 45, 80], [0.02, 0.08, 0.16]):
        return "bald", "", -1
    if library is not None and library.hair and rng.random() < LIBRARY_SHARE:
        assets = [path.stem for path in library.hair]
        african = traits.origin[0] > 0.5
        fits = [
            k
            for k, name in enumerate(assets)
            if ("short" in name) == (male or rng.random() < 0.06)
            and ("afro" not in name or african)
        ]
        if african and not male:
            fits += [k for k, name in enumerate(assets) if "afro" in name]
        if fits:
            weight = np.array([OVER_AN_EYE.get(assets[k], 1.0) for k in fits])
            row = int(rng.choice(fits, p=weight / weight.sum()))
            return "library", assets[row], row
    cut = male if rng.random() < 0.96 else not male
    names, shares = (_SHORT, _SHARES["male"]) if cut else (_LONG, _SHARES["female"])
    weight = np.array(shares) * [_likely(name, traits) for name in names]
    return "strands", str(rng.choice(names, p=weight / weight.sum())), -1


def _likely(name: str, traits: Traits) -> float:
    """Curls by origin; long hair gets rarer with age."""
    african = traits.origin[0]
    curl = growth.STYLES[name].curl
    tight = 1.0 + 4.0 * african if curl > 0.7 else 1.0 - 0.75 * african
    if name == "afro":
        tight = 8.0 * african**2
    old = 1.0 if name in _SHORT or "bob" in name else np.interp(traits.age, [45, 75], [1.0, 0.35])
    return float(tight * old) + 1e-6


def _receding(rng: np.random.Generator, traits: Traits) -> float:
    """0 for many; 1 leaves a wreath."""
    if rng.random() > np.interp(traits.age, [22, 40, 70], [0.05, 0.35, 0.65]):
        return 0.0
    return float(rng.beta(1.2, 1.4) * np.interp(traits.age, [20, 60], [0.5, 1.0]))


def hair_parts(wearer: Wearer, look: HairLook, hat_below: float | None) -> list[MeshPart]:
    """Make hair, brows and lashes as cards.

    Args:
        wearer: the person.
        look: how they look.
        hat_below: rest height in metres above which a hat is, or None.

    Raises:
        LikenessError: an asset cannot be read, is made for another base mesh, or is hair
            without a texture. (Brows and lashes without one are grown instead.)
    """
    body = wearer.dress.body
    rest = np.asarray(wearer.rest().rest[: len(body.v_template)], np.float64)
    parts = []
    if look.kind in ("library", "strands"):
        make = _library_hair if look.kind == "library" else _grown_hair
        hair = wearer.make_once(
            "hair", (look, hat_below), lambda: make(wearer, look, rest, hat_below)
        )
        weights = wearer.make_once(
            "hair weights", (look, hat_below), lambda: hanging_weights(hair[0], rest, wearer.posed)
        )
        parts.append(_hair_part(look.style, *hair, weights, wearer, rest))
    # A headscarf covers all of it.
    return [part for part in parts if len(part.f)] + _brows_and_lashes(wearer, look, rest)


def _brows_and_lashes(wearer: Wearer, look: HairLook, rest: FloatArray) -> list[MeshPart]:
    library = wearer.library
    color = face.brow_color(np.array(look.natural), look.grey)
    lash = np.minimum(0.5 * color, 0.16)
    brows = lashes = None
    if library is not None and 0 <= look.brows < len(library.brows):
        strength = float(np.interp(look.brow_thickness, [0, 1], [1.3, 0.7]))
        brows = face.library_brows(wearer, rest, library.brows[look.brows], color, strength)
    if library is not None and 0 <= look.lashes < len(library.lashes):
        strength = 1.5 if wearer.traits.sex == "male" else 1.2
        lashes = face.library_lashes(
            wearer, rest, library.lashes[look.lashes], lash, strength, look.lash_length
        )
    return [
        brows or face.make_grown_brows(wearer, rest, color, look.brow_thickness, look.seed),
        lashes or face.grow_lashes(wearer, rest, lash, look.lash_length, look.seed),
    ]


def _hair_part(
    name: str,
    points: FloatArray,
    f: IntArray,
    uv: FloatArray,
    picture: NDArray[np.uint8],
    weights: FloatArray,
    wearer: Wearer,
    rest: FloatArray,
) -> MeshPart:
    """Hair at rest, posed: it follows head and shoulders, and stays out of them."""
    posed = skin_vertices(points, weights, wearer.posed.R, wearer.posed.t)
    head = wearer.make_once("head", None, lambda: head_shape(rest, wearer.dress.body))
    low = points[:, 1] < head.chin
    if low.any() and len(f):
        around = build_surface(wearer.posed.vertices, wearer.dress.body, "torso", "neck")
        posed[low] = around.outside(posed[low], POSED_CLEARANCE)
    used, inverse = np.unique(f, return_inverse=True)
    label = np.full(len(f), LABEL["hair"], np.uint8)
    material = Material("hair", picture, 0.38)
    return MeshPart(name, posed[used], inverse.reshape(-1, 3), uv, label, material, True, THICK)


def _size(wearer: Wearer) -> int:
    return int(np.clip(wearer.texture_size, 256, 1024))


HairCards = tuple[FloatArray, IntArray, FloatArray, NDArray[np.uint8]]
"""Points [N, 3] at rest, metres; triangles [F, 3], their texture coordinates [F, 3, 2]; picture."""


def _library_hair(
    wearer: Wearer, look: HairLook, rest: FloatArray, hat_below: float | None
) -> HairCards:
    assert wearer.library is not None
    garment = load_garment(wearer.library.hair[look.asset])
    if garment.texture is None:
        raise LikenessError(
            f"The hair '{wearer.library.hair[look.asset]}' has no texture.",
            "Remove it from the library, or give its .mhmat a diffuseTexture that exists.",
        )
    head = wearer.make_once("head", None, lambda: head_shape(rest, wearer.dress.body))
    size = _size(wearer)
    points = garment_vertices(garment, wearer.rest())
    hangs = points[:, 1].min() < head.chin - 0.02
    cut = float(np.interp(look.length, [0, 1], [0.3, 1.15])) if hangs else 1.0
    points = cards.reshape_cards(
        points, head.skin, head.centre, head.chin + 0.03, cut, look.volume, look.ruffle, look.seed
    )
    points = head.skin.outside(points, 0.0012)
    low, high = float(points[:, 1].min()), head.brow + 0.04
    heights = cards.paint_heights(garment, points[:, 1], size)
    share = smoothstep(heights, high, low + 0.2 * (high - low)) if hangs else 0.0 * heights
    picture = cards.recolor_texture(
        garment.texture,
        size,
        np.array(look.pigment),
        look.grey,
        np.array(look.ends),
        share,
        np.array(look.streak),
        look.streaks,
    )
    points, stays = cards.press_under_hat(points, garment.f, head.skin, head.centre, hat_below)
    return points, garment.f[stays], garment.uv[stays], picture


def _grown_hair(
    wearer: Wearer, look: HairLook, rest: FloatArray, hat_below: float | None
) -> HairCards:
    style = growth.STYLES[look.style]
    head = wearer.make_once("head", None, lambda: head_shape(rest, wearer.dress.body))
    rng = np.random.default_rng([look.seed, 12])
    paths, width = growth.grow_hair(
        style, head, look.part, look.length, look.receding, look.seed, look.volume
    )
    stray, thin = ribbons.make_flyaways(paths, head, rng)
    twist = 1.0 if style.comb == "up" else 0.35
    points, f, uv = ribbons.make_ribbons(
        np.concatenate([paths, stray]), np.concatenate([width, thin]), head, rng, twist
    )
    under, under_f, under_uv = ribbons.make_undercoat(head, look.receding)
    f, uv = np.concatenate([f, under_f + len(points)]), np.concatenate([uv, under_uv])
    points = np.concatenate([points, under])
    points, stays = cards.press_under_hat(points, f, head.skin, head.centre, hat_below)
    picture = ribbons.strand_texture(
        np.array(look.pigment),
        look.grey,
        np.array(look.ends),
        np.array(look.roots),
        np.array(look.streak),
        look.streaks,
        style.curl,
        look.seed,
    )
    return points, f[stays], uv[stays], picture
