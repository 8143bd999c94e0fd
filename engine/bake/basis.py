"""Shape bases from random bodies: principal components of the body, then of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray, Progress
from .makehuman_rig import MakeHumanRig
from .makehuman_targets import (
    TargetBasis,
    local_coefficients,
    macro_coefficients,
    random_local,
    random_phenotype,
)
from .mpfb import BaseMesh
from .tpose import to_tpose

NUM_BODY = 50
NUM_HEAD = 60
NUM_SAMPLES = 700
BODY_CHANGE_SD = 0.18
HEAD_CHANGE_SD = 0.33
HEAD_JOINTS = tuple(JOINT_INDEX[n] for n in ("jaw", "left_eye_smplhf", "right_eye_smplhf"))
"""Joints that the head components may move: moving the head joint itself would tilt the neck."""


@dataclass(frozen=True)
class BodySamples:
    """Random bodies in the T-pose.

    Attributes:
        vertices: [N, V, 3] metres.
        joints: [N, 55, 3] metres.
    """

    vertices: FloatArray
    joints: FloatArray


@dataclass(frozen=True)
class ShapeBasis:
    """Linear shape model over some vertices; 1 unit of a coefficient is 1 standard deviation.

    Attributes:
        mean: [V, 3] metres.
        dirs: [V, 3, S] metres.
        joint_mean: [55, 3] metres.
        joint_dirs: [55, 3, S] metres.
        phenotypes: Phenotypes of its N bodies.
        scores: [N, S] coefficients of each body and of its random head.
    """

    mean: FloatArray
    dirs: FloatArray
    joint_mean: FloatArray
    joint_dirs: FloatArray
    phenotypes: tuple[dict[str, float], ...]
    scores: FloatArray


def build_bodies(
    base: BaseMesh, rig: MakeHumanRig, targets: TargetBasis, macro: FloatArray, local: FloatArray
) -> BodySamples:
    """Build bodies in the T-pose from target weights.

    Args:
        base: The base mesh.
        rig: Its rig.
        targets: The targets.
        macro: [N, M] weights of the macro targets.
        local: [N, L] local changes in -1..1.
    """
    vertices = _unposed(base, targets, macro, local)
    joints = np.zeros((len(macro), NUM_JOINTS, 3))
    joint_columns = np.flatnonzero(rig.joint_regressor.any(0))
    tip_columns = np.flatnonzero(rig.tip_regressor.any(0))
    for i, shape in enumerate(vertices):
        v = shape.astype(np.float64)
        J = rig.joint_regressor[:, joint_columns] @ v[joint_columns]
        tips = rig.tip_regressor[:, tip_columns] @ v[tip_columns]
        vertices[i], joints[i] = to_tpose(v, J, tips, rig.weights)
    return BodySamples(vertices, joints)


def _unposed(
    base: BaseMesh, targets: TargetBasis, macro: FloatArray, local: FloatArray
) -> FloatArray:
    count = len(base.vertices)
    signed = np.stack([local_coefficients(row) for row in local]).astype(np.float32)
    out = macro.astype(np.float32) @ targets.macro.reshape(len(targets.macro), -1)
    out += signed @ targets.local.reshape(-1, 3 * count)
    return np.asarray(out.reshape(-1, count, 3) + base.vertices.astype(np.float32))


def random_bodies(
    base: BaseMesh, rig: MakeHumanRig, targets: TargetBasis, count: int, rng: np.random.Generator
) -> tuple[BodySamples, tuple[dict[str, float], ...]]:
    """Draw random adults whose heads depend on age, gender and descent alone.

    Returns:
        samples: Their bodies.
        phenotypes: Their phenotypes.
    """
    people = tuple(random_phenotype(rng) for _ in range(count))
    macro = [macro_coefficients(targets, person) for person in people]
    local = [random_local(targets.local_names, False, BODY_CHANGE_SD, rng) for _ in range(count)]
    return build_bodies(base, rig, targets, np.array(macro), np.array(local)), people


def random_head_offsets(
    base: BaseMesh, rig: MakeHumanRig, targets: TargetBasis, count: int, rng: np.random.Generator
) -> BodySamples:
    """Draw random heads, as offsets from the neutral head."""
    local = np.stack(
        [random_local(targets.local_names, True, HEAD_CHANGE_SD, rng) for _ in range(count)]
    )
    signed = np.stack([local_coefficients(row) for row in local]).astype(np.float32)
    columns = np.flatnonzero(np.abs(signed).sum(0))
    flat = targets.local.reshape(-1, 3 * len(base.vertices))
    vertices = (signed[:, columns] @ flat[columns]).reshape(count, -1, 3)
    joints = np.zeros((count, NUM_JOINTS, 3))
    used = np.flatnonzero(rig.joint_regressor[list(HEAD_JOINTS)].any(0))
    regressor = rig.joint_regressor[list(HEAD_JOINTS)][:, used]
    joints[:, list(HEAD_JOINTS)] = np.einsum("jv,nvc->njc", regressor, vertices[:, used])
    return BodySamples(vertices, joints)


def _scores(data: FloatArray, count: int) -> FloatArray:
    """Return principal component scores [N, count] of unit variance for rows ``data`` [N, D]."""
    gram = (data @ data.T).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    scores = vectors[:, np.argsort(-values)[:count]] * np.sqrt(len(data))
    # The sign of an eigenvector is arbitrary: make each component's largest score positive.
    sign = np.sign(scores[np.abs(scores).argmax(0), np.arange(count)])
    return np.asarray(scores * sign)


def _regress(scores: FloatArray, data: FloatArray) -> FloatArray:
    """Least squares of data [N, K, 3] on orthogonal scores [N, S] -> [K, 3, S]."""
    flat = data.reshape(len(data), -1)
    dirs = (scores.astype(flat.dtype).T @ flat) / len(data)
    return np.ascontiguousarray(dirs.T).reshape(*data.shape[1:], -1)


def shape_basis(
    base: BaseMesh,
    rig: MakeHumanRig,
    targets: TargetBasis,
    selected: IntArray,
    seed: int,
    progress: Progress,
) -> ShapeBasis:
    """Sample bodies and heads and compute the combined basis on all base mesh vertices.

    Args:
        base: The base mesh.
        rig: Its rig.
        targets: The targets.
        selected: [n] indices of the base mesh vertices whose error the components minimise.
        seed: Of the random bodies and heads.
        progress: Reports the steps.
    """
    rng = np.random.default_rng(seed)
    progress("bake body", 0.1, f"{NUM_SAMPLES} random bodies")
    bodies, people = random_bodies(base, rig, targets, NUM_SAMPLES, rng)
    mean = bodies.vertices.mean(0)
    joint_mean = bodies.joints.mean(0)
    bodies.vertices[:] -= mean
    joints = bodies.joints - joint_mean
    scores = _scores(bodies.vertices[:, selected].reshape(NUM_SAMPLES, -1), NUM_BODY)
    body_dirs = _regress(scores, bodies.vertices)
    body_joint_dirs = _regress(scores, joints)

    progress("bake body", 0.45, f"{NUM_SAMPLES} random heads")
    heads = random_head_offsets(base, rig, targets, NUM_SAMPLES, rng)
    # The body components' residual in the head belongs to the head components, too.
    on_head = rig.weights[:, [JOINT_INDEX["head"], *HEAD_JOINTS]].sum(1).astype(np.float32)
    rows = np.flatnonzero(on_head > 0)
    fitted = scores.astype(np.float32) @ body_dirs[rows].reshape(-1, NUM_BODY).T
    rest = bodies.vertices[:, rows] - fitted.reshape(NUM_SAMPLES, -1, 3)
    heads.vertices[:, rows] += rest * on_head[rows, None]
    joint_rest = joints - np.einsum("jcs,ns->njc", body_joint_dirs, scores)
    heads.joints[:, list(HEAD_JOINTS)] += joint_rest[:, list(HEAD_JOINTS)]
    head_scores = _scores(heads.vertices[:, selected].reshape(NUM_SAMPLES, -1), NUM_HEAD)
    return ShapeBasis(
        mean=mean,
        dirs=np.concatenate([body_dirs, _regress(head_scores, heads.vertices)], -1),
        joint_mean=joint_mean,
        joint_dirs=np.concatenate([body_joint_dirs, _regress(head_scores, heads.joints)], -1),
        phenotypes=people,
        scores=np.concatenate([scores, head_scores], axis=1),
    )


def held_out_error(
    base: BaseMesh,
    rig: MakeHumanRig,
    targets: TargetBasis,
    selected: IntArray,
    basis: ShapeBasis,
    seed: int,
    count: int = 60,
) -> tuple[float, float]:
    """Measure the RMS vertex error and the mean joint error in millimetres on unseen bodies.

    Each body is fitted with the body components alone, by least squares on its vertices.

    Args:
        base: The base mesh.
        rig: Its rig.
        targets: The targets.
        selected: [n] indices of the base mesh vertices to fit and compare.
        basis: The basis to measure.
        seed: Of the random bodies; must differ from the basis's.
        count: Number of bodies.
    """
    bodies, _ = random_bodies(base, rig, targets, count, np.random.default_rng(seed))
    dirs = basis.dirs[selected, :, :NUM_BODY].reshape(-1, NUM_BODY)
    data = (bodies.vertices[:, selected] - basis.mean[selected]).reshape(count, -1)
    betas = np.linalg.lstsq(dirs, data.T, rcond=None)[0]
    rest = (data - (dirs @ betas).T).reshape(count, -1, 3)
    joints = basis.joint_mean + np.einsum("jcs,sn->njc", basis.joint_dirs[..., :NUM_BODY], betas)
    vertex = np.sqrt((rest**2).sum(2).mean())
    joint = np.linalg.norm(joints - bodies.joints, axis=2).mean()
    return 1000.0 * float(vertex), 1000.0 * float(joint)
