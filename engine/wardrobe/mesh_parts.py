"""The meshes that a person wears or consists of, with materials, ready for any renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, IntArray
from .dress import DressBody, PosedBody
from .library import Library
from .tables import parse_names

LABELS = parse_names(
    "background, face, scalp, neck, torso, arm, hand, leg, foot, eye, mouth, brow, hair, clothes, "
    "shoes, hat, glasses, jewellery, scarf, other"
)
"""What a pixel of a label picture shows; its value is the row here. ``mouth`` is the inside with
teeth and tongue; lips, lids and ears are ``face``; ``brow`` are brows and lashes, ``other``
whatever a foreign character does not name."""
LABEL = {name: row for row, name in enumerate(LABELS)}

KINDS = ("skin", "eye", "hair", "cloth", "plain")
"""How light meets a material: ``skin`` lets it in and scatters it, ``eye`` is wet, ``hair`` is
cards whose highlights follow the strands, ``cloth`` has fuzz, ``plain`` is anything else."""


@dataclass(frozen=True)
class Material:
    """A surface, for a path tracer and for our own rasteriser alike.

    Attributes:
        kind: one of :data:`KINDS`.
        color: [H, W, 4] uint8 base colours as stored (sRGB), straight alpha; any size, not
            necessarily square. Everything that varies (tone, pattern, make-up) is painted in here.
        roughness: 0..1, of the whole surface, or [H, W] uint8 of 255ths.
        metallic: 0 or 1.
        bump: [H, W] float32 height in metres, 0 in the middle, or None.
        normal: [H, W, 3] uint8 tangent-space normal map (OpenGL's green), or None.
        grain: metres across one cell of the finest procedural relief that a path tracer adds
            (pores, weave), too fine for a texture; 0: none.
        grain_depth: metres of that relief.
    """

    kind: str
    color: NDArray[np.uint8]
    roughness: float | NDArray[np.uint8] = 0.5
    metallic: float = 0.0
    bump: NDArray[np.float32] | None = None
    normal: NDArray[np.uint8] | None = None
    grain: float = 0.0
    grain_depth: float = 0.0


@dataclass(frozen=True)
class MeshPart:
    """One mesh of a person, posed.

    Attributes:
        name: of the asset or the procedure, for messages.
        vertices: [V, 3] metres, the person's space (y up).
        f: [F, 3] counter-clockwise from outside.
        uv: [F, 3, 2] of the corners, u to the right, v **down**, 0..1; beyond, the texture repeats.
        label: [F] uint8 rows of :data:`LABELS`.
        material: where its colours have alpha, the part is see-through.
        card: many thin sheets with alpha (hair, brows, lashes), drawn from both sides.
        bias: metres by which a card wins against the surface it lies on, in the rasteriser.
    """

    name: str
    vertices: FloatArray
    f: IntArray
    uv: FloatArray
    label: NDArray[np.uint8]
    material: Material
    card: bool = False
    bias: float = 0.0


class WornBody(Protocol):
    """A body that things are put on."""

    @property
    def dress(self) -> DressBody:
        """The body in general, with what garments need to know."""

    @property
    def posed(self) -> PosedBody:
        """The person's body in the pose."""

    @property
    def betas(self) -> FloatArray:
        """[B] shape coefficients."""

    @property
    def library(self) -> Library | None:
        """Assets, or None for shapes of our own only."""

    def rest(self) -> PosedBody:
        """The same person in the T-pose with a neutral face."""
