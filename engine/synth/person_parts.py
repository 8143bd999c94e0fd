"""A synthetic person, and the light around them, ready for any renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..wardrobe.dress import PosedBody
from ..wardrobe.mesh_parts import MeshPart


@dataclass(frozen=True)
class Lighting:
    """Light around a person.

    Attributes:
        environment: file of an HDR picture of the surroundings, or None: ``sky`` is used.
        sky: seed of a procedural sky or studio, used when there is no file.
        turn: degrees by which the environment is turned about y (counter-clockwise from above).
        strength: factor on the environment.
        key: [3] direction towards a key light (unit), or None.
        key_color: [3] linear.
        key_strength: irradiance from the key in units of the environment's mean radiance times pi.
        key_angle: degrees across the key as seen from the person (its softness).
    """

    environment: Path | None
    sky: int
    turn: float
    strength: float
    key: tuple[float, float, float] | None = None
    key_color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    key_strength: float = 0.0
    key_angle: float = 20.0


@dataclass(frozen=True)
class Figure:
    """A whole person, to be drawn from anywhere.

    Attributes:
        parts: the body's own first (those of its triangles that nothing hides), then clothes,
            accessories, and cards.
        posed: the body itself; None where there is none.
        looks: all random choices, JSON-able, for the data's provenance.
    """

    parts: tuple[MeshPart, ...]
    posed: PosedBody | None
    looks: dict[str, Any] = field(default_factory=dict)
