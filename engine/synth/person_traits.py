"""Traits of synthetic people, evenly distributed, and the body and head that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.phenotype import RACES, feature_products
from ..core.types import FloatArray, LikenessError
from ..files.untrusted import read_npz, wrap_parser_errors
from .person_parts import Traits

SEXES = ("female", "male")
BANDS: dict[str, tuple[float, float]] = {
    "young": (18.0, 35.0),
    "middle": (35.0, 60.0),
    "old": (60.0, 85.0),
}
"""Years, the upper bound not included."""
TONES = 10

_BLOCK = len(SEXES) * len(BANDS) * TONES
_DEAL, _PERSON = 0, 1
_AGE_AXIS = ((18.0, 0.62), (25.0, 2 / 3), (90.0, 1.0))
"""Years and MakeHuman's age."""
_ORIGINS = {
    "african": (0.05, 0.05, 0.1, 0.2, 0.4, 0.8, 1.3, 2.0, 2.6, 3.0),
    "asian": (0.3, 0.6, 1.0, 1.2, 1.2, 1.1, 0.9, 0.6, 0.35, 0.25),
    "caucasian": (2.5, 2.2, 1.8, 1.4, 1.0, 0.8, 0.6, 0.4, 0.25, 0.15),
}
"""Dirichlet parameters by tone: every mix happens with every tone, the usual ones more often."""

HEAD_LIMIT, BODY_LIMIT = 2.0, 3.2
"""Standard deviations beyond which no coefficient goes: traits lead the body's far."""
_HEAD_CHANCE, _BODY_CHANCE = 0.55, 0.7
"""Shares of the bake's spread that are left to chance. The basis covers everybody; a crowd
drawn with all of it has too many odd heads."""
_TALL = 0.06
"""Of the height axis: between MakeHuman's faces of different origin lie 19 cm, of which this takes
back most."""
_REMEDY = "Use the default body of this version: run 'python build.py assets'."


@dataclass(frozen=True)
class ShapePrior:
    """How shape coefficients follow from MakeHuman's phenotype.

    Attributes:
        features: K products of memberships (:func:`~..body.phenotype.feature_products`).
        betas: [K, S] what each adds.
        spread: [S, S], turns unit normals into what a phenotype leaves open.
        num_body: number of the S coefficients that shape the whole body.
    """

    features: tuple[str, ...]
    betas: FloatArray
    spread: FloatArray
    num_body: int

    def mean(self, phenotype: dict[str, float]) -> FloatArray:
        """[S] coefficients of the average person of a phenotype."""
        return np.asarray(feature_products(phenotype, self.features) @ self.betas)


def load_prior(path: Path) -> ShapePrior:
    """Read the prior out of the default body's file.

    Raises:
        LikenessError: the file cannot be read or has no prior (a user's SMPL-X file, or a body
            of an older version).
    """
    wanted = {f"phenotype_{name}" for name in ("features", "betas", "spread")}
    try:
        arrays = read_npz(path, {*wanted, "num_body_betas"}, skip_pickled=True)
        with wrap_parser_errors():
            num_body = int(arrays.get("num_body_betas", 0))
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read as a body ({error}).", _REMEDY) from error
    if wanted - arrays.keys():
        raise LikenessError(f"'{path}' lacks the prior of bodies by age, sex and build.", _REMEDY)
    return ShapePrior(
        features=tuple(str(name) for name in arrays["phenotype_features"]),
        betas=np.asarray(arrays["phenotype_betas"], np.float64),
        spread=np.asarray(arrays["phenotype_spread"], np.float64),
        num_body=num_body,
    )


def stratified_traits(number: int, seed: int) -> Traits:
    """Draw the traits of person ``number``.

    People are dealt in blocks of 60, each combination of sex, age band and tone once. Within a
    block every ten people have every tone once, and sex and age band go round: the first people
    of a set, however many, are even to about one of each.
    """
    block, row = divmod(number, _BLOCK)
    deal = np.random.default_rng([seed, block, _DEAL])
    tones, bands = deal.permutation(TONES), deal.permutation(len(BANDS))
    flip = int(deal.integers(len(SEXES)))
    round_, place = divmod(row, TONES)
    # Six groups against ten tones, shifted by one each round: every pair meets once.
    sex = SEXES[(round_ + place + flip) % len(SEXES)]
    low, high = BANDS[tuple(BANDS)[bands[(round_ + place) % len(BANDS)]]]
    rng = np.random.default_rng([seed, number, _PERSON])
    tone = int(tones[place]) + 1
    return Traits(
        sex=sex,
        age=round(float(rng.uniform(low, high - 0.05)), 1),
        tone=tone,
        origin=_random_origin(rng, tone),
    )


def _random_origin(rng: np.random.Generator, tone: int) -> tuple[float, float, float]:
    shares = rng.dirichlet([_ORIGINS[race][tone - 1] for race in RACES])
    return float(shares[0]), float(shares[1]), float(shares[2])


def random_phenotype(rng: np.random.Generator, traits: Traits) -> dict[str, float]:
    """Draw MakeHuman's phenotype of a person with these traits and a random build.

    Heights as in reality: men about 1.75 m, women 1.64 m, with 0.07 m, the old a little less.
    Muscles and firmness go with age, weight comes until about sixty.
    """
    years, value = np.array(_AGE_AXIS).T
    aged = float(np.clip((traits.age - 25.0) / 60.0, 0.0, 1.0))
    ambiguity = min(abs(0.08 * float(rng.normal())), 0.25)
    man = traits.sex == "male"
    weight = float(rng.beta(3.0, 3.4)) + 0.10 * float(np.sin(np.pi * min(aged, 0.8)))
    african, asian, _ = traits.origin
    muscle = float(rng.beta(3.0, 3.0)) * (1.05 if man else 0.9) - 0.15 * aged
    return {
        "gender": ambiguity if man else 1.0 - ambiguity,
        "age": float(np.interp(traits.age, years, value)),
        "muscle": float(np.clip(muscle, 0.0, 1.0)),
        "weight": float(np.clip(weight, 0.0, 1.0)),
        "height": float(rng.beta(45, 73)) - 0.02 * aged - _TALL * (african - asian),
        "proportions": float(rng.beta(2, 2)),
        "cupsize": float(rng.beta(2.5, 2.5)),
        "firmness": float(np.clip(rng.beta(4, 2) - 0.5 * aged, 0.0, 1.0)),
        **dict(zip(RACES, traits.origin)),
    }


def random_betas(rng: np.random.Generator, traits: Traits, prior: ShapePrior) -> FloatArray:
    """[S] shape coefficients of a person with these traits: random build and face."""
    mean = prior.mean(random_phenotype(rng, traits))
    body = np.arange(len(mean)) < prior.num_body
    chance = prior.spread @ np.clip(rng.normal(size=len(mean)), -2.0, 2.0)
    limit = np.where(body, BODY_LIMIT, HEAD_LIMIT)
    chance *= np.where(body, _BODY_CHANCE, _HEAD_CHANCE)
    return np.asarray(np.clip(mean + chance, -limit, limit))
