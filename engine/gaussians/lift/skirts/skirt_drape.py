"""How a skirt drapes when its wearer's legs move, as pose correctives.

Skinning alone turns a wide skirt into a board: what stands off the thighs is thrown forward with
them. So the skirt is laid over the legs as cloth in a set of poses (``skirt_cloth.py``), and what
skinning misses there is fitted as SMPL's pose correctives are: linear in the rotations of hips and
knees. Blender, torch and numpy all pose such correctives already. In the photo's own pose they
change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....body import Body
from ....body.skinning import joint_transforms, pose_feature
from ....core.rotations import axis_angle_to_matrix
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, FloatArray, IntArray, Pose
from .skirt_cloth import Cloth, Limbs, measure_limbs, push_out, settle, stand_off

DRIVERS = tuple(
    JOINT_INDEX[f"{side}_{joint}"] for joint in ("hip", "knee") for side in ("left", "right")
)
"""The joints whose rotations drape a skirt."""

_HIPS, _KNEES = DRIVERS[:2], DRIVERS[2:]
_BENDS = (4, 5, 7, 8)  # entries of a knee's rotation that bending it changes


@dataclass(frozen=True)
class SkirtDrapeSettings:
    """How a skirt drapes."""

    rings: int = 18  # of the grid that is laid over the legs
    columns: int = 36  # of that grid, around
    stages: int = 5  # in which legs move from the photo's pose
    steps: int = 14  # of the cloth in a stage; four times as many in the last one
    gravity: float = 0.001  # metres per step and step
    memory: float = 0.01  # share of the way to the skinned shape that cloth moves in a step
    stretch: float = 0.7  # 0..1, how much cloth resists being stretched
    press: float = 0.35  # 0..1, how much cloth resists being pressed
    shear: float = 0.1  # 0..1, the same along its diagonals
    bend: float = 0.35  # 0..1, the same of folds
    clear: float = 0.025  # metres off the legs
    held: float = 0.15  # share of the legs in its skinning below which cloth stays with the trunk
    ridge: float = 0.03  # against large correctives, in squared entries of rotations
    rounds: int = 10  # of fitting; between them what passes through legs is pushed farther out
    smooth: float = 0.7  # cells over which correctives are smoothed


S = register_settings("lift.skirt_drape", SkirtDrapeSettings())


def sample_poses() -> Iterator[dict[int, FloatArray]]:
    """Yield the poses of the legs that a skirt is laid over.

    Yields:
        Joint -> axis-angle [3] in radians; hips and knees.
    """

    def legs(left: tuple[float, ...], right: tuple[float, ...]) -> dict[int, FloatArray]:
        """Flexion of the hip, its turn outwards, its lift aside, flexion of the knee; degrees."""
        out = {}
        for hip, knee, sign, (flex, turn, aside, bent) in zip(
            _HIPS, _KNEES, (1.0, -1.0), (left, right), strict=True
        ):
            out[hip] = np.radians([-flex, sign * turn, sign * aside])
            out[knee] = np.radians([bent, 0.0, 0.0])
        return out

    straight = (0.0, 0.0, 0.0, 0.0)
    for pair in (
        (straight, straight),
        ((45, 0, 0, 40), (45, 0, 0, 40)),
        ((80, 0, 5, 80), (80, 0, 5, 80)),
        ((90, 0, 5, 20), (90, 0, 5, 20)),
        ((110, 15, 20, 110), (110, 15, 20, 110)),
        ((0, 0, 5, 100), (0, 0, 5, 100)),
        ((30, 0, 30, 60), (30, 0, 30, 60)),
        ((0, 0, 28, 0), (0, 0, 28, 0)),
    ):
        yield legs(*pair)
    for one, other in (
        ((45, 0, 0, 30), straight),
        ((90, 0, 0, 90), straight),
        ((65, 0, 0, 50), (-30, 0, 0, 15)),
        ((100, 0, 3, 90), (0, 0, 0, 95)),
        ((25, 0, 0, 5), (-20, 0, 0, 20)),
        (straight, (0, 0, 0, 90)),
        ((100, 0, 0, 40), straight),
        ((0, 0, 35, 0), straight),
        ((0, 30, 0, 0), straight),
        ((90, 30, 40, 90), straight),
    ):
        yield legs(one, other)
        yield legs(other, one)


def drape_features(pose: Pose) -> FloatArray:
    """Return what correctives are linear in.

    Args:
        pose: any.

    Returns:
        [9 * len(DRIVERS)] entries of the drivers' rotations less the identity, row by row; of knees
        only those that bending them changes, the others are zero.
    """
    out = pose_feature(pose.full_pose).reshape(-1, 9)[[j - 1 for j in DRIVERS]]
    of_knees = np.isin(np.arange(9), _BENDS)
    out[len(_HIPS) :, ~of_knees] = 0.0
    return np.asarray(out.reshape(-1))


class _Skinned:
    """A skirt's coarse grid and its wearer's limbs in any pose of the legs."""

    def __init__(
        self, rest: FloatArray, weights: FloatArray, limbs: Limbs, body: Body, pose: Pose
    ) -> None:
        self.rest, self.weights, self.limbs, self.body, self.pose = rest, weights, limbs, body, pose

    def with_legs(self, legs: dict[int, FloatArray], share: float = 1.0) -> Pose:
        """The photo's pose with other legs, or a share of the way to them."""
        full = np.array(self.pose.full_pose, np.float64)
        for joint, turn in legs.items():
            full[joint] += share * (turn - full[joint])
        return replace(self.pose, full_pose=full)

    def place(self, pose: Pose) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Points [N, 3], their skinning's matrices [N, 3, 3], the limbs' origins and axes."""
        R, t, _ = joint_transforms(
            axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64)),
            np.asarray(self.body.J_template, np.float64),
            self.body.parents,
        )
        t = t + pose.transl
        M = np.einsum("nj,jab->nab", self.weights, R)
        x = np.einsum("nab,nb->na", M, self.rest) + self.weights @ t
        turned = R[self.limbs.joint]
        origins = np.einsum("lab,lb->la", turned, self.limbs.origin) + t[self.limbs.joint]
        return x, M, origins, np.einsum("lka,lba->lkb", self.limbs.axes, turned)


def drape_correctives(rest: FloatArray, weights: FloatArray, body: Body, pose: Pose) -> FloatArray:
    """Fit a skirt's pose correctives.

    Args:
        rest: [R, C, 3] the skirt at rest by its skinning alone, metres.
        weights: [R, C, 55] skinning weights.
        body: the person's own, without the skirt.
        pose: of the photo, in which the skirt hangs as it is.

    Returns:
        [R, C, 3, 9 * len(DRIVERS)] metres at rest for each of :func:`drape_features`, in numbers of
        half precision.
    """
    fine_rows, fine_columns = rest.shape[:2]
    rows = np.unique(np.round(np.linspace(0, fine_rows - 1, S.rings)).astype(int))
    columns = np.arange(0, fine_columns, max(fine_columns // S.columns, 1))
    coarse = np.ix_(rows, columns)
    held = weights[coarse][..., list(DRIVERS)].sum(-1) < S.held
    held[0] = True
    count = held.size
    limbs = measure_limbs(body)
    skirt = _Skinned(
        rest[coarse].reshape(count, 3), weights[coarse].reshape(count, -1), limbs, body, pose
    )
    start, _, origins, turns = skirt.place(pose)
    cloth = Cloth.of(start.reshape(*held.shape, 3), held, S.press, S.shear, S.bend)
    shape = (limbs.length, limbs.radius)
    # Where it lay closer in the photo it may do so in any pose.
    clear = np.minimum(S.clear, stand_off(start, origins, turns, *shape))

    placed, features, aims = [], [], []
    own = drape_features(pose)
    sag = _settle(skirt, cloth, {}, clear) - start  # its shape holds the photo's cloth up
    for legs in sample_poses():
        target = skirt.with_legs(legs)
        there = skirt.place(target)
        placed.append(there)
        features.append(drape_features(target) - own)
        aims.append(_settle(skirt, cloth, legs, clear) - np.einsum("nab,nb->na", there[1], sag))
    X = np.array(features)
    solve = np.linalg.solve(X.T @ X + S.ridge * np.eye(X.shape[1]), X.T)
    inverse = [np.linalg.inv(M) for _, M, _, _ in placed]
    missing = np.array(aims)
    for turn in range(S.rounds):
        rests = [
            np.einsum("nab,nb->na", back, aim - there[0])
            for back, aim, there in zip(inverse, missing, placed, strict=True)
        ]
        D = np.einsum("kp,pna->nak", solve, np.array(rests))
        D = D.reshape(*held.shape, 3, -1)
        D = ndimage.gaussian_filter(
            D, (S.smooth, S.smooth, 0, 0), mode=("nearest", "wrap", "nearest", "nearest")
        )
        D[held] = 0.0
        D = D.reshape(count, 3, -1)
        if turn == S.rounds - 1:
            break
        for k, (x, M, begin, axes) in enumerate(placed):
            now = x + np.einsum("nab,nbk,k->na", M, D, X[k])
            outside = now.copy()
            push_out(outside, cloth.held, clear, begin, axes, *shape)
            missing[k] += outside - now
    D = _refine_grid(D.reshape(len(rows), len(columns), -1), rows, columns, rest.shape[:2])
    return D.reshape(*rest.shape, -1).astype(np.float16).astype(np.float32)


def _settle(
    skirt: _Skinned, cloth: Cloth, legs: dict[int, FloatArray], clear: FloatArray
) -> FloatArray:
    """[N, 3] the cloth laid over the legs, which move there from the photo's pose in stages."""
    x, before = cloth.start.copy(), cloth.start
    for stage in range(1, S.stages + 1):
        goal, _, origins, turns = skirt.place(skirt.with_legs(legs, stage / S.stages))
        x = np.where(cloth.held[:, None] > 0, goal, x + goal - before)
        before = goal
        settle(
            x,
            goal,
            cloth.held,
            cloth.edges,
            cloth.lengths,
            cloth.stiffness,
            clear,
            origins,
            turns,
            skirt.limbs.length,
            skirt.limbs.radius,
            S.gravity,
            S.memory,
            S.stretch,
            S.steps * (4 if stage == S.stages else 1),
        )
    return x


def _refine_grid(
    values: FloatArray, rows: IntArray, columns: IntArray, fine: tuple[int, ...]
) -> FloatArray:
    """[R, C, K] values of some rows and columns, between them linear; columns go around."""
    at = np.interp(np.arange(fine[0]), rows, np.arange(len(rows)))
    low = np.minimum(at.astype(int), len(rows) - 2)
    share = (at - low)[:, None, None]
    tall = (1.0 - share) * values[low] + share * values[low + 1]
    around = np.arange(fine[1]) * len(columns) / fine[1]
    left = around.astype(int)
    share = (around - left)[None, :, None]
    right = (left + 1) % len(columns)
    return np.asarray((1.0 - share) * tall[:, left] + share * tall[:, right])
