"""A synthetic person's skin: its random look, and the body's mesh with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.types import BoolArray, FloatArray
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import LABEL, Material, MeshPart
from ..wardrobe.tables import Color, parse_colors, parse_names, parse_shares
from .person_parts import Traits, Wearer
from .skin_look import SkinLook
from .skin_paint import paint_skin
from .skin_texels import MOUTH_PARTS, get_skin_texels

TONES = parse_names(
    "dcbaa8, d9b39e, d5ad94, cda487, bf9475, a5795a, 8b6148, 724d3b, 5c3e2f, 4e362a"
)
"""The mean colour of a bare face for each of the Monk scale's ten tones.

The scale's own swatches are colours on a screen: the lightest reflects 86 % of the light, the
darkest 2 %. Skin reflects between about 60 and 4 % (and more red than blue), so their order and
hues stay while the ends come closer.
"""
BEARDS = parse_shares(
    """
    none 0.34, shadow 0.2, stubble 0.2, moustache 0.04, goatee 0.06, circle 0.05, short 0.06,
    full 0.05
    """
)
"""How often men wear one."""
LIPSTICKS = parse_colors(
    """
    0.62 0.12 0.16, 0.48 0.08 0.14, 0.72 0.3 0.32, 0.7 0.24 0.38, 0.6 0.32 0.27, 0.75 0.2 0.14,
    0.36 0.1 0.16, 0.78 0.42 0.42
    """
)
SHADOWS = parse_colors(
    """
    0.36 0.25 0.2, 0.5 0.36 0.3, 0.28 0.24 0.26, 0.42 0.26 0.32, 0.3 0.34 0.44, 0.62 0.5 0.42,
    0.25 0.32 0.28
    """
)
_WRONG_TONE = 8
UNPAINTED = ("eye", "eye_back")
LABEL_OF = {
    "ear": "face",
    "lips": "face",
    "eyelid": "face",
    "eye_socket": "face",
    "eye_back": "eye",
    "teeth": "mouth",
    "tongue": "mouth",
}
"""The parts of the body whose label has another name."""


def tone_color(tone: int) -> FloatArray:
    """[3] sRGB 0..1 of the mean bare face of a Monk tone, 1 (lightest) to 10."""
    return np.frombuffer(bytes.fromhex(TONES[tone - 1]), np.uint8) / 255.0


def _fitting(traits: Traits, library: Library) -> list[Path]:
    """The library's skins that suit a person best, judged by file name.

    None where all are of the other tone: recoloured ones look unnatural.
    """

    def misfit(path: Path) -> int:
        name = path.name.lower()
        sex = "female" if "female" in name else "male" if "male" in name else traits.sex
        dark = "dark" in name or "african" in name
        age = next((a for a in ("young", "middle", "old") if a in name), traits.age_band)
        wrong_tone = dark != (traits.tone >= 7) if traits.tone != 6 else False
        return _WRONG_TONE * wrong_tone + 4 * (sex != traits.sex) + (age != traits.age_band)

    skins = [path for path in library.skins if "suit" not in path.name.lower()]
    least = min((misfit(path) for path in skins), default=0)
    return [path for path in skins if misfit(path) == least] if least < _WRONG_TONE else []


def random_skin(
    rng: np.random.Generator,
    traits: Traits,
    library: Library | None,
    hair_color: Color,
    bald: bool = False,
) -> SkinLook:
    """Choose a skin.

    Args:
        rng: random numbers.
        traits: of the person.
        library: assets, or None for a procedural skin.
        hair_color: sRGB 0..1 of the hair on the head; beard and roots follow it.
        bald: no hair hides the scalp; its roots are few or shaved.
    """
    fitting = _fitting(traits, library) if library is not None else []
    picture = _title(fitting[int(rng.integers(len(fitting)))]) if fitting else None
    woman, light = traits.sex == "female", traits.tone <= 5
    years = float(np.clip((traits.age - 25.0) / 55.0, 0.0, 1.0))
    # Dark skin shows its age later.
    ageing = float(np.clip(years * rng.uniform(0.7, 1.1) - (0.0 if light else 0.12), 0.0, 1.0))
    own = tone_color(traits.tone)
    painted = rng.random() < (0.55 if woman else 0.005)
    # Most make-up in photos is hardly seen; that of the old least of all.
    bold = float(rng.beta(1.2, 3.2)) * (1.0 - 0.5 * years)

    def color(choices: tuple[Color, ...], light: float = 1.0) -> Color:
        picked = np.array(choices[int(rng.integers(len(choices)))]) * light
        c = np.clip(picked + rng.normal(0, 0.03, 3), 0, 1)
        return (float(c[0]), float(c[1]), float(c[2]))

    def share(chance: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < chance else 0.0

    beard = "none" if woman else str(rng.choice(list(BEARDS), p=list(BEARDS.values())))
    return SkinLook(
        picture=picture,
        seed=int(rng.integers(2**31)),
        tone=(float(own[0]), float(own[1]), float(own[2])),
        undertone=float(np.clip(rng.normal(0, 0.5), -1, 1)),
        redness=float(rng.beta(2, 3)) * (1.0 if light else 0.5),
        mottling=float(rng.uniform(0.4, 1.0)),
        pores=float(rng.uniform(0.4, 1.0)) * (0.8 if woman else 1.1),
        oil=float(rng.beta(2, 3)),
        freckles=share((0.35, 0.25, 0.2, 0.12, 0.08)[traits.tone - 1] if light else 0.04, 0.2, 1.0),
        moles=int(rng.poisson(5)),
        spots=max(0.0, years - 0.45) * float(rng.uniform(0.3, 1.5)),
        ageing=ageing,
        circles=float(rng.beta(2, 3)) * (0.7 + 0.5 * years),
        detail=float(rng.uniform(0.7, 1.0)),
        lips=float(rng.uniform(0.7, 1.2)) * (1.0 if woman else 0.8),
        lipstick=color(LIPSTICKS, 0.55 + 0.45 * float(own.mean()) / 0.75),
        lipstick_amount=share(0.7 * painted, 0.1, 0.25 + 0.65 * bold),
        lipstick_gloss=float(rng.random()),
        shadow=color(SHADOWS),
        shadow_amount=share(0.5 * painted, 0.08, 0.12 + 0.55 * bold),
        liner=share(0.6 * painted, 0.15, 0.3 + 0.6 * bold),
        blush=share(0.6 * painted, 0.1, 0.2 + 0.4 * bold),
        foundation=share(0.7 * painted, 0.15, 0.5),
        beard=beard,
        beard_color=hair_color,
        beard_amount=float(rng.uniform(0.6, 1.0)),
        scalp=hair_color,
        scalp_amount=float(rng.uniform(0.4, 0.65)) * (float(rng.uniform(0.1, 0.6)) if bald else 1),
        teeth=float(np.clip(rng.beta(2, 4) + 0.35 * years, 0, 1)),
    )


def skin_parts(wearer: Wearer, look: SkinLook, hidden: BoolArray) -> list[MeshPart]:
    """Make the body without its eyes, and the mouth's inside, textured over the body's own atlas.

    Args:
        wearer: the person.
        look: how the skin looks.
        hidden: [F] triangles of the body that clothes cover; they are left out.

    Raises:
        LikenessError: the library's picture of the skin cannot be read; the message names it.
    """
    body = wearer.dress.body
    names = np.array(body.part_names)[body.face_part]
    texels = get_skin_texels(body, wearer.texture_size)
    painting = wearer.make_once(
        "skin", look, lambda: paint_skin(texels, look, _picture(wearer, look))
    )
    uv = np.asarray(body.atlas_vt, np.float64)[body.atlas_ft]
    label = np.array([LABEL[LABEL_OF.get(n, n)] for n in body.part_names], np.uint8)[body.face_part]
    inside = np.isin(names, MOUTH_PARTS)
    seen = ~np.isin(names, UNPAINTED) & ~np.asarray(hidden)
    skin = Material(
        kind="skin",
        color=painting.color,
        roughness=painting.roughness,
        bump=painting.bump,
        grain=0.0004,
        grain_depth=0.00003 * look.pores,
    )
    # Wet, and without pores; the same pictures.
    wet = Material(kind="plain", color=painting.color, roughness=painting.roughness)
    return [
        MeshPart(name, wearer.posed.vertices, body.f[own], uv[own], label[own], material)
        for name, own, material in (("skin", seen & ~inside, skin), ("mouth", seen & inside, wet))
        if own.any()
    ]


def _title(path: Path) -> str:
    """Folder and name: many collections name every skin alike and differ in the folder."""
    return f"{path.parent.name}/{path.name}"


def _picture(wearer: Wearer, look: SkinLook) -> Path | None:
    if look.picture is None or wearer.library is None:
        return None
    return next(path for path in wearer.library.skins if _title(path) == look.picture)
