"""The look of one synthetic person's skin."""

from __future__ import annotations

from dataclasses import dataclass

from ..wardrobe.tables import Color


@dataclass(frozen=True)
class SkinLook:
    """The look of one person's skin; colours are sRGB 0..1, amounts 0..1 (or a little more).

    Attributes:
        picture: folder and file of the library's skin; None: procedural.
        seed: of noise.
        tone: mean colour of the bare face.
        undertone: -1 cool to 1 warm.
        redness: of cheeks, nose, ears, knuckles.
        mottling: large soft patches.
        pores: relief.
        oil: shine of the forehead and nose.
        freckles: amount.
        moles: how many.
        spots: of age.
        ageing: wrinkles.
        circles: under the eyes.
        detail: how much of the picture's own contrast.
        lips: how much redder than the skin.
        lipstick: colour of make-up on the lips.
        lipstick_amount: 0 for an unpainted face.
        lipstick_gloss: shine of the lips.
        shadow: colour of make-up on the lids.
        shadow_amount: 0 for an unpainted face.
        liner: strength; 0 for an unpainted face.
        blush: strength; 0 for an unpainted face.
        foundation: evens the skin out.
        beard: one of :data:`BEARDS`.
        beard_color: of its hairs.
        beard_amount: density.
        scalp: colour of the hair's roots.
        scalp_amount: how densely they stand.
        teeth: 0 white to 1 yellow.
    """

    picture: str | None
    seed: int
    tone: Color
    undertone: float
    redness: float
    mottling: float
    pores: float
    oil: float
    freckles: float
    moles: int
    spots: float
    ageing: float
    circles: float
    detail: float
    lips: float
    lipstick: Color
    lipstick_amount: float
    lipstick_gloss: float
    shadow: Color
    shadow_amount: float
    liner: float
    blush: float
    foundation: float
    beard: str
    beard_color: Color
    beard_amount: float
    scalp: Color
    scalp_amount: float
    teeth: float
