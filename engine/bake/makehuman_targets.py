"""MakeHuman's macro and local targets as one linear basis, and the coefficients of a person.

A macro target is named by the phenotype values it stands for ("female-young-maxmuscle-...");
its weight is the product of the person's memberships in them (:mod:`..phenotype`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from ..body.phenotype import ANCHORS, RACES, phenotype_memberships
from ..core.types import FloatArray
from .mpfb import load_target, read_json

HEAD_PREFIXES = (
    "l-cheek",
    "r-cheek",
    "chin",
    "l-ear",
    "r-ear",
    "eyebrows",
    "l-eye",
    "r-eye",
    "forehead",
    "head",
    "mouth",
    "nose",
    "asym",
)
LEFT_OUT_PREFIXES = (
    "bulge",
    "penis",
    "nipple",
    "breast-point",
    "pelvis-tone",
    "stomach-pregnant",
    "head-trans",
    "neck-trans",
    "torso-trans",
    "hip-trans",
)
"""Local changes that a clothed portrait cannot show, that are rare, or that are a matter of posture
(the -trans ones shift a part beside its joint)."""


@dataclass(frozen=True)
class TargetBasis:
    """Every target that a random adult can need, on all vertices of the base mesh.

    Attributes:
        macro: [M, V, 3] metres.
        macro_values: The phenotype values of each macro target.
        local: [L, 2, V, 3] metres, towards + and -.
        local_names: [L].
    """

    macro: FloatArray
    macro_values: tuple[tuple[str, ...], ...]
    local: FloatArray
    local_names: tuple[str, ...]


def _macro_files(targets: Path) -> list[tuple[tuple[str, ...], Path]]:
    folder = targets / "macrodetails"
    values = {feature: tuple(anchors) for feature, anchors in ANCHORS.items()}
    common = [values[k] for k in ("gender", "age", "muscle", "weight")]
    found: list[tuple[tuple[str, ...], Path]] = []
    for names in product(*common):
        found.append((names, folder / f"universal-{'-'.join(names)}.target.gz"))
    for names in product(RACES, values["gender"], values["age"]):
        found.append((names, folder / f"{'-'.join(names)}.target.gz"))
    for kind in ("height", "proportions"):
        for names in product(*common, values[kind]):
            found.append((names, folder / kind / f"{'-'.join(names)}.target.gz"))
    for names in product(("female",), *common[1:], values["cupsize"], values["firmness"]):
        path = targets / "breast" / f"{'-'.join(names)}.target.gz"
        if path.exists():  # the all-average ones are the base mesh itself and have no file
            found.append((names, path))
    return found


def _local_files(targets: Path) -> list[tuple[str, Path, Path]]:
    found = []
    for folder, entry in read_json(targets / "target.json").items():
        if folder == "genitals":
            continue
        for category in entry["categories"]:
            opposites = category.get("opposites", {})
            for side in ("left", "right", "unsided"):
                minus = opposites.get(f"negative-{side}", "")
                plus = opposites.get(f"positive-{side}", "")
                if minus and plus:
                    paths = [targets / folder / f"{name}.target.gz" for name in (plus, minus)]
                    found.append((plus, paths[0], paths[1]))
    return found


def load_targets(mpfb: Path, num_vertices: int) -> TargetBasis:
    """Read all macro and local targets below ``mpfb`` (about 900 small files)."""
    macro = _macro_files(mpfb / "targets")
    local = [t for t in _local_files(mpfb / "targets") if not t[0].startswith(LEFT_OUT_PREFIXES)]
    return TargetBasis(
        macro=np.stack([load_target(path, num_vertices) for _, path in macro]),
        macro_values=tuple(names for names, _ in macro),
        local=np.stack(
            [
                [load_target(plus, num_vertices), load_target(minus, num_vertices)]
                for _, plus, minus in local
            ]
        ),
        local_names=tuple(name for name, _, _ in local),
    )


def macro_coefficients(basis: TargetBasis, phenotype: dict[str, float]) -> FloatArray:
    """Return the weights of the macro targets.

    Args:
        basis: The targets.
        phenotype: Features in 0..1; missing ones are 0.5, races are equal.

    Returns:
        [M] in 0..1.
    """
    member = phenotype_memberships(phenotype)
    return np.array([math.prod(member[v] for v in values) for values in basis.macro_values])


def local_coefficients(values: FloatArray) -> FloatArray:
    """Turn local changes into weights of the + and - targets, ordered as ``local``.

    Args:
        values: [L] in -1..1.

    Returns:
        [2 L] in 0..1.
    """
    return np.asarray(np.stack([np.maximum(values, 0.0), np.maximum(-values, 0.0)], -1).ravel())


def random_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """Draw an adult of any build, gender and descent.

    Heights are realistic: men 1.75 +- 0.07 m, women 1.64 +- 0.07 m. (MakeHuman's own
    middle is 1.91 and 1.77 m.)
    """
    races = rng.dirichlet([0.7, 0.7, 0.7])
    return {
        "gender": float(np.clip(rng.integers(2) + 0.15 * rng.normal(), 0.0, 1.0)),
        "age": float(rng.uniform(0.6, 1.0)),
        "muscle": float(rng.beta(2, 2)),
        "weight": float(rng.beta(2, 2)),
        "height": float(rng.beta(35, 57)),
        "proportions": float(rng.beta(2, 2)),
        "cupsize": float(rng.beta(2, 2)),
        "firmness": float(rng.beta(2, 2)),
        **{race: float(w) for race, w in zip(RACES, races)},
    }


def random_local(
    names: tuple[str, ...], head: bool, sd: float, rng: np.random.Generator
) -> FloatArray:
    """Draw local changes of the head or of the rest of the body, nearly symmetric.

    Args:
        names: Names of the L changes.
        head: Whether to change the head or the rest.
        sd: Standard deviation of each change (1 is the full target).
        rng: The random numbers.

    Returns:
        [L] in -1..1.
    """
    shared: dict[str, float] = {}
    out = np.zeros(len(names))
    for i, name in enumerate(names):
        if name.startswith(HEAD_PREFIXES) != head:
            continue
        if name.startswith(("l-", "r-")):
            pair = shared.setdefault(name[2:], float(rng.normal()))
            out[i] = sd * (0.95 * pair + 0.2 * rng.normal())
        else:
            out[i] = sd * rng.normal()
    return np.clip(out, -1.0, 1.0)
