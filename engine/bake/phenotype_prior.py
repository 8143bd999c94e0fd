"""Shape coefficients by phenotype: least squares on people without random variation.

The principal components mix sex, age, build and origin. Synthetic people are specified as "a woman
of seventy", which this turns into coefficients; the rest is random.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.phenotype import feature_products
from ..core.types import JOINT_INDEX, FloatArray, IntArray
from .basis import HEAD_JOINTS, NUM_BODY, ShapeBasis, build_bodies
from .makehuman_rig import MakeHumanRig
from .makehuman_targets import TargetBasis, macro_coefficients, random_phenotype
from .mpfb import BaseMesh

NUM_FITTED, NUM_UNSEEN = 420, 40

_BUILD = ("minmuscle", "maxmuscle", "minweight", "maxweight")
_ANYBODY = ("old", "child", *_BUILD, "maxheight", "uncommonproportions", "african", "asian")
_BREAST = ("mincup", "maxcup", "minfirmness", "maxfirmness")
_PAIRS = tuple(
    " ".join(pair)
    for pair in combinations(_ANYBODY, 2)
    if not {"african", "asian"} >= set(pair)
    and pair != ("old", "child")
    and pair not in (_BUILD[:2], _BUILD[2:])
)
FEATURES: tuple[str, ...] = (
    "",
    *_ANYBODY,
    *_PAIRS,
    *(f"female {name}" for name in ("", *_ANYBODY, *_PAIRS)),
    *(f"female {' '.join(pair)}" for pair in product(_BREAST, ("", "old", *_BUILD))),
    *(" ".join(("female", *pair)) for pair in product(_BREAST[:2], _BREAST[2:])),
)
"""Products of memberships; the missing values (male, young, the averages, caucasian) are the rest
of one."""


def phenotype_prior(
    base: BaseMesh,
    rig: MakeHumanRig,
    targets: TargetBasis,
    selected: IntArray,
    basis: ShapeBasis,
    seed: int,
) -> dict[str, NDArray[Any]]:
    """Fit the prior and return its arrays for the body file.

    Args:
        base: The base mesh.
        rig: Its rig.
        targets: The targets.
        selected: [V] the body's vertices as indices into the base mesh.
        basis: The shape basis.
        seed: Of the random people.

    Returns:
        ``phenotype_features`` [K], the names of FEATURES; ``phenotype_betas`` [K, S], what each
        adds to the coefficients; ``phenotype_spread`` [S, S], a symmetric matrix that turns
        independent unit normals into what phenotypes leave open (local changes of the body, the
        shape of the head); ``phenotype_held_out_mm`` [], the root mean square vertex error of the
        predicted shapes of people that were not fitted, without local changes.
    """
    rng = np.random.default_rng(seed)
    people = [random_phenotype(rng) for _ in range(NUM_FITTED + NUM_UNSEEN)]
    macro = np.array([macro_coefficients(targets, person) for person in people])
    plain = np.zeros((len(people), len(targets.local_names)))
    offsets = build_bodies(base, rig, targets, macro, plain).vertices[:, selected]
    offsets -= basis.mean[selected].astype(np.float32)
    dirs = basis.dirs[selected]
    on_head = rig.weights[selected][:, [JOINT_INDEX["head"], *HEAD_JOINTS]].sum(1)
    X = np.stack([feature_products(person, FEATURES) for person in people])
    scores = _scores_of(offsets, dirs, on_head)
    betas = np.linalg.lstsq(X[:NUM_FITTED], scores[:NUM_FITTED], rcond=None)[0]
    unseen = np.einsum("vcs,ns->nvc", dirs, X[NUM_FITTED:] @ betas) - offsets[NUM_FITTED:]
    return {
        "phenotype_features": np.array(FEATURES, dtype=np.str_),
        "phenotype_betas": betas,
        "phenotype_spread": _spread(basis, betas),
        "phenotype_held_out_mm": np.array(1000.0 * np.sqrt((unseen**2).sum(2).mean())),
    }


def _scores_of(offsets: FloatArray, dirs: FloatArray, on_head: FloatArray) -> FloatArray:
    """Return the body and head coefficients [N, S] of offsets [N, V, 3].

    The head's are those of what the body's leave over in the head. The directions [V, 3, S] of each
    of the two are orthogonal.
    """

    def along(data: FloatArray, some: FloatArray) -> FloatArray:
        flat = some.reshape(-1, some.shape[2]).astype(np.float64)
        out: FloatArray = data.reshape(len(data), -1) @ flat / (flat**2).sum(0)
        return out

    body = along(offsets, dirs[..., :NUM_BODY])
    rest = offsets - np.einsum("vcs,ns->nvc", dirs[..., :NUM_BODY], body)
    return np.concatenate([body, along(rest * on_head[:, None], dirs[..., NUM_BODY:])], axis=1)


def _spread(basis: ShapeBasis, betas: FloatArray) -> FloatArray:
    """Return the symmetric root [S, S] of the covariance that phenotypes do not explain.

    It is that of the bodies and heads from which the basis was computed.
    """
    X = np.stack([feature_products(person, FEATURES) for person in basis.phenotypes])
    left = basis.scores - X @ betas
    covariance = left.T @ left / len(left)
    # Local changes of the body and of the head are drawn independently.
    covariance[:NUM_BODY, NUM_BODY:] = covariance[NUM_BODY:, :NUM_BODY] = 0.0
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
