"""Secondary motion of an avatar's hair and skirt: from its poses to its links' motions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..body import Body
from ..body.skinning import pose_feature
from ..core.alignment import nearest_orthonormal
from ..core.rotations import matrix_to_axis_angle
from ..core.types import PARENTS, FloatArray, IntArray, Pose
from ..gaussians.swing_rig import SwingGroup, SwingRig
from .springs import Capsules, Chains, simulate_springs
from .swing_options import SwingOptions

GRAVITY = np.array([0.0, -9.81, 0.0])
"""m/s², engine axes."""

CUT_SPEED = 20.0
"""Metres per second of the pelvis, above which a motion is cut there."""


def swing_links(
    rig: SwingRig,
    R: FloatArray,
    t: FloatArray,
    frame_rate: float,
    options: SwingOptions,
    shot: IntArray | None = None,
    cyclic: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Let hair and skirt swing with a motion of the joints.

    Args:
        rig: what swings.
        R: [T, 55, 3, 3] of the joints' motions from the rest pose; scale is allowed.
        t: [T, 55, 3] theirs, metres, world space, y up.
        frame_rate: frames per second.
        options: how it swings.
        shot: [T] number of the shot of each frame; nothing is carried over a cut.
        cyclic: the last frame equals the first, and the motion goes on there.

    Returns:
        turn: [T, L, 3, 3] rotations of the links.
        move: [T, L, 3] metres; link l moves a posed point x to ``turn @ x + move``.
    """
    R, t = np.asarray(R, np.float64), np.asarray(t, np.float64)
    shot = _find_cuts(rig, R, t, frame_rate, shot)
    upright = nearest_orthonormal(R)
    turns, moves = [], []
    for group in rig.groups:
        targets = _targets(rig, group, R, t, upright)
        gravity = _gravity(rig, group, upright)
        capsules = group.capsules
        over_time = Capsules(
            _carry(R, t, capsules.starts, capsules.start_joint),
            _carry(R, t, capsules.ends, capsules.end_joint),
            capsules.radii,
        )
        chains = Chains(group.reach, group.coupling, group.max_bend, group.pull)
        y = simulate_springs(targets, gravity, frame_rate, chains, options, over_time, shot, cyclic)
        turn, move = _link_motions(targets, y)
        turns.append(turn)
        moves.append(move)
    return np.concatenate(turns, 1), np.concatenate(moves, 1)


def swing_vertices(
    rig: SwingRig,
    poses: Sequence[Pose],
    frame_rate: float,
    options: SwingOptions,
    shot: IntArray | None = None,
) -> Callable[[int], FloatArray]:
    """Let an avatar's hair and skirt swing with a motion.

    Args:
        rig: of the avatar.
        poses: one for each frame.
        frame_rate: frames per second.
        options: how it swings.
        shot: [T] number of the shot of each frame; nothing is carried over a cut.

    Returns:
        A function from a frame to the vertices [V, 3] of the rig's body, world space, metres.
    """
    skeleton = _skeleton(rig)
    moved = [skeleton.rest_and_transforms(pose)[2:] for pose in poses]
    R, t = (np.stack(part) for part in zip(*moved, strict=True))
    turn, move = swing_links(rig, R, t, frame_rate, options, shot)

    def vertices(frame: int) -> FloatArray:
        return rig.vertices(poses[frame], turn[frame], move[frame])

    return vertices


def _skeleton(rig: SwingRig) -> Body:
    """The body's joints with a single vertex, to pose them fast."""
    return replace(
        rig.body,
        v_template=rig.body.v_template[:1],
        weights=rig.body.weights[:1],
        exprdirs=rig.body.exprdirs[:1],
        posedirs=None,
    )


def _find_cuts(
    rig: SwingRig, R: FloatArray, t: FloatArray, rate: float, shot: IntArray | None
) -> IntArray:
    """[T] number of the shot, new also where the pelvis moves faster than a person can."""
    pelvis = np.asarray(rig.body.J_template, np.float64)[:1]
    place = _carry(R, t, pelvis, np.zeros(1, int))[:, 0]
    speed = rate * np.linalg.norm(np.diff(place, axis=0), axis=1)
    cut = speed > CUT_SPEED
    if shot is not None:
        cut |= np.diff(shot) != 0
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(cut, dtype=np.int32)])


def _carry(R: FloatArray, t: FloatArray, points: FloatArray, joint: IntArray) -> FloatArray:
    """[T, M, 3] points that joints carry."""
    return np.asarray(np.einsum("tmab,mb->tma", R[:, joint], points) + t[:, joint])


def _targets(
    rig: SwingRig, group: SwingGroup, R: FloatArray, t: FloatArray, upright: FloatArray
) -> FloatArray:
    """[T, C, N, 3] where the pose has the nodes."""
    if not group.members.shape[-1]:
        return _skin(group.nodes, group.held, R, t)
    used, back = np.unique(group.members, return_inverse=True)
    v = np.asarray(rig.body.v_template[used], np.float64)
    weights = rig.body.weights[used].astype(np.float64)
    out = np.empty((len(R), *group.nodes.shape))
    local = upright.copy()
    local[:, 1:] = np.swapaxes(upright[:, list(PARENTS[1:])], -1, -2) @ upright[:, 1:]
    angles = matrix_to_axis_angle(local)
    for frame in range(len(R)):
        rest = v
        if rig.body.posedirs is not None:
            feature = pose_feature(angles[frame], rig.body.pose_joints)
            rest = v + rig.body.posedirs[used] @ feature
        posed = _skin(rest, weights, R[[frame]], t[[frame]])[0]
        out[frame] = posed[back.reshape(group.members.shape)].mean(2)
    return out


def _skin(points: FloatArray, weights: FloatArray, R: FloatArray, t: FloatArray) -> FloatArray:
    """[T, ..., 3] linear blend skinning of points [..., 3] over time."""
    blended = np.einsum("...j,tjab->t...ab", weights, R)
    moved = np.einsum("t...ab,...b->t...a", blended, points)
    return np.asarray(moved + np.einsum("...j,tja->t...a", weights, t))


def _gravity(rig: SwingRig, group: SwingGroup, upright: FloatArray) -> FloatArray:
    """[T, C, N, 3] m/s²: gravity, less that in the drawn pose, turned with the body."""
    held = group.held
    if group.name == "skirt":  # what lies on a raised thigh has been draped for it
        held = np.zeros_like(held)
        held[..., 0] = 1.0
    _, _, drawn, _ = _skeleton(rig).rest_and_transforms(rig.drawn)

    def carried(R: FloatArray) -> FloatArray:
        return nearest_orthonormal(np.einsum("cnj,...jab->...cnab", held, R))

    before = np.einsum("cnba,b->cna", carried(drawn), GRAVITY)
    out = GRAVITY - np.einsum("tcnab,cnb->tcna", carried(upright), before)
    out[np.abs(out).max(-1) < 1e-6] = 0.0
    return np.asarray(out)


def _link_motions(targets: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[T, L, 3, 3] and [T, L, 3] metres: links turn about their upper nodes, which are carried."""
    x = targets + y
    rest, link = np.diff(targets, axis=2), np.diff(x, axis=2)
    moved = np.abs(y).max(axis=(2, 3)) > 0.0
    turn = np.where(moved[..., None, None, None], _shortest_turns(rest, link), np.eye(3))
    move = x[:, :, :-1] - np.einsum("tcnab,tcnb->tcna", turn, targets[:, :, :-1])
    move = np.where(moved[..., None, None], move, 0.0)
    count = len(targets)
    return turn.reshape(count, -1, 3, 3), move.reshape(count, -1, 3)


def _shortest_turns(a: FloatArray, b: FloatArray) -> FloatArray:
    """[..., 3, 3] the shortest rotations between directions less than half a turn apart."""
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-12)
    v, c = np.cross(a, b), (a * b).sum(-1)
    K = np.zeros((*v.shape, 3))
    K[..., 0, 1], K[..., 0, 2], K[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    K = K - np.swapaxes(K, -1, -2)
    return np.asarray(np.eye(3) + K + K @ K / np.maximum(1.0 + c, 1e-9)[..., None, None])
