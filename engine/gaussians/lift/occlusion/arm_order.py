"""Arms before and behind each other, as the photo shows them.

Landmarks hardly tell how far from the camera an arm is. Where arms are crossed, the fit leaves a
hand before the sleeve that hides it: whole, and in plain sight. Which limb each pixel belongs to
says which is nearer, so the wrist slides along its line of sight, and the elbow turns about the
line from shoulder to wrist, until the depths agree with that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....body import Body
from ....core.cameras import camera_position, project
from ....core.geometry import vertex_normals
from ....core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray, Pose
from ....render.mesh import rasterize_mesh
from ...squareness import cosine_to_camera
from ..pixels.regions import Regions
from ..surface.labels import OBJECT
from ..surface.limbs import ARM_CHAINS, ARMS, GROUPS, vertex_groups


@dataclass(frozen=True)
class ArmOrderSettings:
    """The search for depths of arms."""

    slide: tuple[float, int] = (0.12, 13)  # most metres that a wrist slides, and steps
    swivel: tuple[float, int] = (40.0, 9)  # most degrees that an elbow turns, and steps
    wrong: float = 0.007  # mean metres of disorder from which on an arm is moved
    better: float = 0.6  # largest share of it that may remain
    margin: float = 0.008  # metres that what is hidden lies behind what hides it
    above: float = 0.03  # the same of what is shown before another limb: clothes are thick
    deepest: float = 0.12  # metres of disorder beyond which the cost stops rising
    beyond: float = 0.05  # metres that a point beside the person counts
    effort: float = 0.02  # metres that a metre of a wrist is worth
    aside: float = 0.3  # metres that a metre of an elbow across the picture is worth
    facing: float = 0.3  # cosine from which on a point of the arm is what its pixel shows
    stride: int = 2  # every so many vertices are looked at
    rounds: int = 2  # of both arms
    slack: float = 0.004  # metres that the stretched arm may miss its wrist


S = register_settings("lift.arm_order", ArmOrderSettings())


def order_arms(regions: Regions, camera: Camera, body: Body, pose: Pose) -> Pose:
    """Return the pose with the arms before and behind what the photo shows before and behind them.

    Args:
        regions: of the photo.
        camera: of their grid.
        body: the person's own.
        pose: the photo's.

    Returns:
        ``pose`` itself if no arm moves. Otherwise the caller must label the photo again.
    """
    groups = vertex_groups(body)
    depths = np.stack([np.asarray(limb.depth, np.float64) for limb in regions.limb])
    for _ in range(S.rounds):
        moved = False
        for arm in ARMS:
            found = _order_arm(arm, regions, depths, camera, body, groups, pose)
            if found is not pose:
                pose, moved = found, True
                own = body.f[(groups[body.f[:, 0]] == arm) & ~regions.hidden]
                depths[arm] = rasterize_mesh(body.vertices(pose)[0], own, camera).depth
        if not moved:
            break
    return pose


@dataclass(frozen=True)
class _Arm:
    """An arm as the pose has it, K candidates of which are tried.

    Attributes:
        joints: [3, 3] shoulder, elbow and wrist, metres.
        points: three of [N, 3], what moves with each, metres.
        facing: three of [N], whether they face the camera.
    """

    joints: FloatArray
    points: tuple[FloatArray, ...]
    facing: tuple[BoolArray, ...]


def _order_arm(
    arm: int,
    regions: Regions,
    depths: FloatArray,
    camera: Camera,
    body: Body,
    groups: IntArray,
    pose: Pose,
) -> Pose:
    """The pose with one arm in order; ``pose`` itself if it is or cannot be.

    ``depths`` [G, H, W] are those of each limb alone, inf beside it.
    """
    chain = list(ARM_CHAINS[arm])
    vertices, joints = body.vertices(pose)
    away = np.zeros(len(vertices), bool)
    away[body.f[regions.hidden]] = True  # hands that the photo does not show are tucked away later
    rows = np.nonzero((groups == arm) & ~away)[0][:: S.stride]
    held = np.asarray(body.weights)[rows]
    upper, fore = held[:, chain[0]], held[:, chain[1]]
    of = np.select([upper > 0.5, fore > 0.5], [0, 1], 2)
    facing = cosine_to_camera(vertices, vertex_normals(vertices, body.f), camera_position(camera))
    parts = [rows[of == k] for k in range(3)]
    own = _Arm(
        joints[chain],
        tuple(vertices[part] for part in parts),
        tuple(facing[part] > S.facing for part in parts),
    )
    if min(len(part) for part in parts[:2]) == 0:
        return pose
    # Whoever holds the hands behind the back shows none, and may have been fitted the other way.
    turns = arm in regions.handless
    first, second, elbow, wrist = _bend_arms(own.joints, camera_position(camera), turns)
    scene = _Scene(arm, regions, depths, np.delete(depths, arm, axis=0).min(0), camera)
    still = np.eye(3)[None]
    start = float(scene.measure_disorder(own, still, still, own.joints[1:2], own.joints[2:])[0])
    if start < S.wrong:
        return pose
    disorder = scene.measure_disorder(own, first, second, elbow, wrist)
    xy, z = project(np.concatenate([elbow, own.joints[None, 1]]), camera)
    aside = np.linalg.norm(xy[:-1] - xy[-1], axis=1) * z[:-1] / float(camera.K[0, 0])
    slid = np.linalg.norm(wrist - own.joints[2], axis=1)
    best = int((disorder + S.effort * slid + S.aside * aside).argmin())
    if disorder[best] > S.better * start:
        return pose
    rotations = body.rest_and_transforms(pose)[2]
    world = rotations[chain]
    after = [first[best] @ world[0], second[best] @ world[1], world[2]]
    before = rotations[body.parents[chain[0]]]
    full = np.array(pose.full_pose, np.float64)
    for joint, turn in zip(chain, after, strict=True):
        full[joint] = matrix_to_axis_angle(before.T @ turn)
        before = turn
    return replace(pose, full_pose=full)


def _bend_arms(
    joints: FloatArray, eye: FloatArray, turns: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Candidates of an arm whose wrist stays where it is in the picture.

    Args:
        joints: [3, 3] shoulder, elbow and wrist, metres.
        eye: [3] the camera's place.
        turns: whether the forearm may also point the other way, towards the camera or away.

    Returns:
        first: [K, 3, 3] world rotations of the upper arm, from where it is.
        second: [K, 3, 3] the same of the forearm.
        elbow: [K, 3] metres.
        wrist: [K, 3] metres.
    """
    shoulder, elbow, wrist = joints
    sight = (wrist - eye) / np.linalg.norm(wrist - eye)
    slide, swivel = (np.linspace(-most, most, steps) for most, steps in (S.slide, S.swivel))
    slide, swivel = (values.ravel() for values in np.meshgrid(slide, np.radians(swivel)))
    target = wrist + slide[:, None] * sight
    a, b = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    if turns:  # or the forearm points the other way, from the same elbow
        target = np.concatenate([target, [wrist + 2.0 * ((elbow - wrist) @ sight) * sight]])
        swivel = np.append(swivel, np.nan)
    reach = np.linalg.norm(target - shoulder, axis=1)
    able = (reach < a + b + S.slack) & (reach > abs(a - b) - S.slack)
    target, swivel = target[able], swivel[able]
    reach = np.clip(reach[able], abs(a - b) + 1e-4, a + b - 1e-4)
    along = (target - shoulder) / np.linalg.norm(target - shoulder, axis=1, keepdims=True)
    out = (elbow - shoulder) - ((along @ (elbow - shoulder))[:, None] * along)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    out = np.einsum("kab,kb->ka", axis_angle_to_matrix(swivel[:, None] * along), out)
    foot = (a**2 + reach**2 - b**2) / (2.0 * reach)
    high = np.sqrt(np.maximum(a**2 - foot**2, 0.0))
    elbows = shoulder + foot[:, None] * along + high[:, None] * out
    elbows = np.where(np.isnan(swivel)[:, None], elbow, elbows)
    wrists = shoulder + reach[:, None] * along
    first = _smallest_turns(elbow - shoulder, elbows - shoulder)
    second = _smallest_turns(wrist - elbow, wrists - elbows)
    return first, second, elbows, wrists


def _smallest_turns(start: FloatArray, ends: FloatArray) -> FloatArray:
    """[K, 3, 3] the smallest rotations of a direction [3] to others [K, 3]."""
    axis = np.cross(start, ends)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (ends @ start)[:, None])
    return axis_angle_to_matrix(angle * axis / np.maximum(sine, 1e-12))


@dataclass(frozen=True)
class _Scene:
    """What the photo says of the depth of one arm.

    Attributes:
        arm: index into ``limbs.GROUPS``.
        regions: of the photo.
        depths: [G, H, W] of each limb alone, metres, inf beside it.
        others: [H, W] of the nearest limb but the arm.
        camera: of the regions' grid.
    """

    arm: int
    regions: Regions
    depths: FloatArray
    others: FloatArray
    camera: Camera

    def measure_disorder(
        self, own: _Arm, first: FloatArray, second: FloatArray, elbow: FloatArray, wrist: FloatArray
    ) -> FloatArray:
        """Return the mean metres [K] that an arm's points are out of order with the picture.

        ``first`` and ``second`` [K, 3, 3], ``elbow`` and ``wrist`` [K, 3] are as
        :func:`_bend_arms` returns them.
        """
        regions, camera = self.regions, self.camera
        shoulder = own.joints[0]
        upper = shoulder + np.einsum("kab,nb->kna", first, own.points[0] - shoulder)
        fore = elbow[:, None] + np.einsum("kab,nb->kna", second, own.points[1] - own.joints[1])
        hand = wrist[:, None] + (own.points[2] - own.joints[2])
        points = np.concatenate([upper, fore, hand], 1)
        facing = np.concatenate(own.facing)
        xy, z = project(points.reshape(-1, 3), camera)
        xy, z = xy.reshape(*points.shape[:2], 2), z.reshape(points.shape[:2])
        size = np.array([camera.width, camera.height])
        inside = (z > 0) & (xy >= 0).all(-1) & (xy < size).all(-1)
        col, row = np.moveaxis(np.clip(xy, 0, size - 1).astype(np.int64), -1, 0)
        group = regions.group[row, col]
        person = inside & regions.mask[row, col] & (regions.label[row, col] != OBJECT)
        front = self.depths[np.clip(group, 0, len(GROUPS) - 1), row, col]
        covered = person & (group != self.arm) & np.isfinite(front)
        cost = np.where(covered, np.clip(front + S.margin - z, 0.0, S.deepest), 0.0)
        behind = self.others[row, col]
        shown = person & (group == self.arm) & facing & np.isfinite(behind)
        cost += np.where(shown, np.clip(z + S.above - behind, 0.0, S.deepest), 0.0)
        cost += np.where(inside & ~regions.mask[row, col], S.beyond, 0.0)
        return np.asarray(cost.mean(1))
