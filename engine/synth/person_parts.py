"""A synthetic person, and the light around them, ready for any renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..core.types import FloatArray, Pose
from ..wardrobe.dress import DressBody, PosedBody, pose_body
from ..wardrobe.library import Library
from ..wardrobe.mesh_parts import MeshPart

T = TypeVar("T")


@dataclass(frozen=True)
class Traits:
    """The traits of a person over which the data is balanced.

    Attributes:
        sex: ``female`` or ``male``.
        age: years, 18 to 85.
        tone: of the skin, 1 (lightest) to 10 (darkest), the Monk scale.
        origin: shares of MakeHuman's three faces (african, asian, caucasian), their sum 1.
    """

    sex: str
    age: float
    tone: int
    origin: tuple[float, float, float]

    @property
    def age_band(self) -> str:
        """``young`` (under 35), ``middle`` (under 60) or ``old``."""
        return "young" if self.age < 35 else "middle" if self.age < 60 else "old"


@dataclass(frozen=True)
class Wearer:
    """A body in its pose that is to get skin, hair and clothes.

    Attributes:
        dress: the default body with garment helpers.
        posed: the body in its shape and pose.
        traits: of the person.
        betas: [B] shape coefficients.
        expression: [E] expression coefficients.
        library: assets, or None for procedural looks only.
        texture_size: pixels along the sides of the textures of the body's atlas; garments and
            hair may take half of it.
        other_poses: the same body in other poses, which the clothes must suit too.
        cache: results of :meth:`make_once`, which the wearers of one person share.
    """

    dress: DressBody
    posed: PosedBody
    traits: Traits
    betas: FloatArray
    expression: FloatArray
    library: Library | None
    texture_size: int = 1024
    other_poses: tuple[PosedBody, ...] = ()
    cache: dict[str, Any] = field(default_factory=dict)

    def make_once(self, name: str, look: Any, make: Callable[[], T]) -> T:
        """Return a result that does not depend on the pose, computed once per person.

        Args:
            name: of the result.
            look: dataclasses and numbers that it depends on.
            make: computes it.
        """
        key = f"{name} {look!r}"
        if key not in self.cache:
            self.cache[key] = make()
        out: T = self.cache[key]
        return out

    def rest(self) -> PosedBody:
        """Pose the same person in the T-pose with a neutral face.

        Looks are painted there, so that they don't swim with the pose.
        """
        rest = Pose.rest(self.dress.body.num_expression)
        return self.make_once("rest", None, lambda: pose_body(self.dress, self.betas, rest))


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
