"""Hands that the photo hides are moved out of sight, so that they can be kept whole.

The fit knows nothing of a hand in a pocket, behind the back or under the other arm, and leaves it
somewhere in front of what the photo shows. Its splats would have to be dropped there, and the arm
would have no hand in any pose. Where it truly is nobody knows, so the wrist turns it and the
fingers close until the person hides it; where that is not enough, it folds into its sleeve, unless
it holds something. Where some of its skin shows, the hand is laid there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from ....body import Body
from ....core.cameras import project
from ....core.distances import find_nearest, measure_depth
from ....core.kernels import kernel
from ....core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ....core.settings import register_settings
from ....core.threads import run_parts
from ....core.types import BoolArray, Camera, FloatArray, IntArray, Pose
from ..grids.pixel_grids import connected_patches, dilate
from ..pixels.hand_pixels import Hand, find_bust, settle_hand_pixels
from ..pixels.regions import Regions
from ..surface.labels import LOWER, OBJECT, SKIN, UPPER
from ..surface.limbs import ARMS, HANDS, TORSO, hand_triangles, vertex_groups


@dataclass(frozen=True)
class HiddenHandSettings:
    """The search for a pose that hides a hand."""

    bend: tuple[float, int] = (85.0, 17)  # most degrees to palm or back, and steps
    fold: tuple[float, int] = (175.0, 35)  # the same of one that folds into its sleeve
    stands_out: float = 0.01  # cost from which on a hand is folded
    twist: tuple[float, int] = (90.0, 7)  # the same about the forearm
    tilt: tuple[float, int] = (40.0, 5)  # the same to the thumb or the little finger
    curl: float = 1.2  # radians of each finger joint of a closed hand
    margin: float = 0.01  # metres behind the body's surface that are out of sight
    beyond: float = 0.04  # of the frame's sides beyond them that still count: splats reach over
    deepest: float = 0.15  # metres in front of it beyond which the cost stops rising
    effort: float = 5e-5  # metres that a degree is worth: the smallest turn of equals
    stride: int = 3  # every so many vertices are looked at
    at_once: int = 64  # turns whose costs are computed together
    least: float = 4e-4  # square metres of skin that show a hand
    most: float = 0.02  # square metres of the largest patch of skin that may be one
    clothed: float = 0.75  # least share of cloth in the border of such a patch
    sleeves: float = 0.15  # the same of sleeves
    beside: float = 0.01  # metres off the drawn arm from which on skin is its hand's
    uncovered: float = 6.0  # metres of exposure that a metre from the shown skin is worth
    poor: float = 0.05  # cost from which on a hand is not laid to its skin
    farthest: float = 0.1  # metres from it beyond which that stops rising
    looked_at: int = 60  # pixels of it


S = register_settings("lift.hidden_hands", HiddenHandSettings())


def reach_shown_hands(regions: Regions, camera: Camera, body: Body, pose: Pose) -> Pose:
    """Return the pose with hands that are hidden but for some of their skin laid where it shows.

    Args:
        regions: of the photo.
        camera: of their grid.
        body: the person's own.
        pose: the photo's.

    Returns:
        ``pose`` itself if no hand moves. Otherwise the caller must label the photo again.
    """
    return _search(regions, camera, body, pose, shown=True)


def tuck_hidden_hands(regions: Regions, camera: Camera, body: Body, pose: Pose) -> Pose:
    """Return the photo's pose with the hands that it does not show out of sight.

    Args:
        regions: of the photo.
        camera: of their grid.
        body: the person's own.
        pose: the photo's.
    """
    return _search(regions, camera, body, pose, shown=False)


def find_unreached_skin(regions: Regions, camera: Camera, body: Body) -> BoolArray:
    """Find a hand's skin [H, W] in front of a clothed trunk that no fitted hand reaches.

    It may show between the sleeves of crossed arms, and would stay on the trunk when they part.

    Args:
        regions: of the photo.
        camera: of their grid.
        body: the person's own.
    """
    out = np.zeros_like(regions.mask)
    drawn = regions.body.face >= 0
    if not drawn.any():
        return out
    metre = camera.K[0, 0] / float(np.median(regions.body.depth[drawn]))
    bust = find_bust(regions.places.part, body)
    cloth = np.isin(regions.label, (UPPER, LOWER))
    sleeve = cloth & np.isin(regions.group, ARMS)
    for patch in connected_patches(regions.mask & (regions.label == SKIN)):
        on_trunk = patch & (regions.group == TORSO)
        if not S.least < on_trunk.sum() / metre**2 < S.most or (patch & bust).any():
            continue
        ring = dilate(on_trunk, 2) & ~on_trunk & regions.mask
        if ring.any() and cloth[ring].mean() > S.clothed and sleeve[ring].mean() > S.sleeves:
            out |= dilate(on_trunk, 1) & (regions.group == TORSO)
    return out


def _search(regions: Regions, camera: Camera, body: Body, pose: Pose, shown: bool) -> Pose:
    """The pose with hidden hands moved: to their skin that is ``shown``, or out of sight."""
    drawn = regions.body.face >= 0
    if not regions.handless or not drawn.any():
        return pose
    rows, cols, _ = find_nearest(drawn)
    front = regions.body.depth[rows, cols]
    skins = _shown_skin(regions, camera, body, pose) if shown else {}
    held = regions.label == OBJECT
    for arm, (wrist, *fingers) in zip(ARMS, HANDS, strict=True):
        hand = hand_triangles(body, [wrist, *fingers])
        skin = skins.get(arm, np.zeros_like(drawn))
        if arm in regions.handless and skin.any() == shown:
            own = np.unique(body.f[hand])[:: S.stride]
            scene = HandScene(front, regions.mask, skin, _some_pixels(skin), camera)
            found, cost = _find_turn(pose, wrist, fingers, own, scene, body, S.bend)
            if not shown and cost > S.stands_out and not (held & (regions.group == arm)).any():
                found, cost = _find_turn(pose, wrist, fingers, own, scene, body, S.fold)
            if not shown or cost < S.poor:
                pose = found
    return pose


def _shown_skin(regions: Regions, camera: Camera, body: Body, pose: Pose) -> dict[int, BoolArray]:
    """Arm -> [H, W] skin off its drawn surface that is its hand's, though that is hidden."""
    vertices, _ = body.vertices(pose)
    of_face = vertex_groups(body)[body.f[:, 0]]
    skin = regions.label == SKIN
    hands = [
        Hand.of(
            arm, joints, regions.limb[arm], body.f[of_face == arm], body, vertices, camera, skin
        )
        for arm, joints in zip(ARMS, HANDS, strict=True)
    ]
    group = settle_hand_pixels(
        regions.group, regions.label, find_bust(regions.places.part, body), hands, regions.limb
    )
    out = {}
    for arm in ARMS:
        limb = regions.limb[arm]
        drawn = limb.face >= 0
        if drawn.any():
            metre = camera.K[0, 0] / float(np.median(limb.depth[drawn]))
            away = measure_depth(~drawn) > S.beside * metre
            skin = (group == arm) & (regions.label == SKIN) & away
            if skin.sum() > S.least * metre**2:
                out[arm] = skin
    return out


def _some_pixels(mask: BoolArray) -> FloatArray:
    """Places [P, 2] in at most ``looked_at`` of a mask's pixels, all over it."""
    rows, cols = np.nonzero(mask)
    some = np.linspace(0, len(rows) - 1, S.looked_at if len(rows) else 0).astype(int)
    return np.asarray(np.stack([cols[some], rows[some]], -1) + 0.5)


@dataclass(frozen=True)
class HandScene:
    """What a hand must not stand before, and what it should cover.

    Attributes:
        front: [H, W] depth of the body's surface, metres.
        mask: [H, W] pixels of the person.
        skin: [H, W] those that show the hand.
        pixels: [P, 2] places in some of those.
        camera: of the grid.
    """

    front: FloatArray
    mask: BoolArray
    skin: BoolArray
    pixels: FloatArray
    camera: Camera

    def measure_exposures(self, points: FloatArray) -> FloatArray:
        """Return the metres that the points [K, N, 3] of hands stand in front, on average [K]."""
        turns = np.ascontiguousarray(points, np.float64)
        out = np.empty(len(turns))
        scene = (self.front, self.mask, self.skin, self.camera.viewmat, self.camera.K)
        run_parts(_expose, len(turns), turns, *scene, S.beyond, S.margin, S.deepest, out)
        return out

    def measure_uncovered(self, points: FloatArray) -> float:
        """Return the metres, weighted, between the shown skin and the points [N, 3] of a hand."""
        if not len(self.pixels):
            return 0.0
        xy, z = project(points, self.camera)
        away = np.sqrt(cdist(self.pixels, xy, "sqeuclidean").min(1))
        metres = np.minimum(away * float(np.median(z)) / self.camera.K[0, 0], S.farthest)
        return S.uncovered * float(metres.mean())


@kernel(error_model="numpy")
def _expose(  # type: ignore[no-untyped-def]
    first, beyond, points, front, mask, skin, viewmat, K, off, margin, deepest, out
):
    """Write the mean metres [K] that a range of the points [K, N, 3] stand in front."""
    height, width = mask.shape
    for k in range(first, beyond):
        total = 0.0
        for n in range(points.shape[1]):
            p0, p1, p2 = points[k, n, 0], points[k, n, 1], points[k, n, 2]
            x = viewmat[0, 0] * p0 + viewmat[0, 1] * p1 + viewmat[0, 2] * p2 + viewmat[0, 3]
            y = viewmat[1, 0] * p0 + viewmat[1, 1] * p1 + viewmat[1, 2] * p2 + viewmat[1, 3]
            z = viewmat[2, 0] * p0 + viewmat[2, 1] * p1 + viewmat[2, 2] * p2 + viewmat[2, 3]
            u, v = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
            if not (-off * width < u < (1.0 + off) * width):
                continue
            if not (-off * height < v < (1.0 + off) * height):
                continue
            col, row = min(max(int(u), 0), width - 1), min(max(int(v), 0), height - 1)
            if skin[row, col]:
                continue
            if mask[row, col]:
                total += min(max(front[row, col] + margin - z, 0.0), deepest)
            else:
                total += deepest
        out[k] = total / points.shape[1]


def _find_turn(
    pose: Pose,
    wrist: int,
    fingers: list[int],
    own: IntArray,
    scene: HandScene,
    body: Body,
    bend: tuple[float, int],
) -> tuple[Pose, float]:
    """The pose in which the vertices ``own`` of one hand are least out of place, and the cost.

    ``bend`` is the most degrees to palm or back, and the steps between.
    """
    best, found = np.inf, pose
    turns, efforts = _turns(bend)
    costs = S.effort * efforts
    for closed in (False, True):
        full = np.array(pose.full_pose, np.float64)
        full[wrist] = 0.0
        if closed:
            # Fingers bend about z in the T-pose, mirrored; the thumb, the last three, stays.
            full[fingers[:12]] = [0.0, 0.0, S.curl * (-1.0 if wrist == 20 else 1.0)]
        straight = replace(pose, full_pose=full)
        vertices, joints = body.vertices(straight)
        forearm = body.rest_and_transforms(straight)[2][body.parents[wrist]]
        about = (vertices[own] - joints[wrist]) @ forearm
        for first in range(0, len(turns), S.at_once):
            if best <= costs[first]:  # the turns that follow are greater
                break
            some = slice(first, first + S.at_once)
            points = joints[wrist] + about @ np.swapaxes(forearm @ turns[some], 1, 2)
            exposed = costs[some] + scene.measure_exposures(points)
            for k in np.flatnonzero(exposed < best):
                if exposed[k] >= best:  # one before it was better
                    continue
                cost = float(exposed[k] + scene.measure_uncovered(points[k]))
                if cost < best:
                    full[wrist] = matrix_to_axis_angle(turns[first + k])
                    best, found = cost, replace(pose, full_pose=full.copy())
    return found, best


def _turns(bend_to: tuple[float, int]) -> tuple[FloatArray, FloatArray]:
    """[K, 3, 3] rotations of a wrist, and [K] how many degrees each turns in all, ascending."""
    angles = [np.linspace(-most, most, steps) for most, steps in (S.twist, bend_to, S.tilt)]
    twist, bend, tilt = np.stack(np.meshgrid(*angles, indexing="ij"), -1).reshape(-1, 3).T
    about = [
        axis_angle_to_matrix(np.radians(angle)[:, None] * axis)
        for angle, axis in zip((twist, bend, tilt), np.eye(3)[[0, 2, 1]], strict=True)
    ]
    efforts = np.abs(twist) + np.abs(bend) + np.abs(tilt)
    order = np.argsort(efforts, kind="stable")
    return (about[0] @ about[1] @ about[2])[order], efforts[order]
