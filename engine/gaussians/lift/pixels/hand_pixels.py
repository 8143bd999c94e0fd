"""Which limb each pixel around a hand belongs to.

The fit seldom lays a hand exactly where the photo shows it. Fingers tucked under an arm then count
as that sleeve's, and the sleeve between two fingers as the hand's; when the limbs part, the one
carries skin and the other cloth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import camera_position, project
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer
from ..grids.pixel_grids import dilate
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS, TRUNK_AND_LEGS


@dataclass(frozen=True)
class HandPixelSettings:
    """Which limb each pixel around a hand belongs to."""

    largest: float = 0.02  # square metres of the largest patch of skin that may be a hand
    smallest: float = 5e-5  # square metres below which a patch is noise
    reach: float = 0.06  # metres from a fitted hand up to which skin may be its
    nearly_all: float = 90.0  # percentile of a patch's pixels that lie so near
    nearer: float = 0.05  # metres that another's hand is nearer than one's own
    bare: float = 0.4  # share of a hand's pixels that show skin, if it wears no glove
    sleeve: float = 0.035  # metres beyond the wrist that a sleeve may reach over a bare hand
    points: float = 0.7  # cosine to the camera from which on a forearm hides behind its hand
    cuff: float = 0.03  # metres that a sleeve stands off its forearm
    error: float = 0.03  # metres beside a fitted hand within which it may show


S = register_settings("lift.hand_pixels", HandPixelSettings())


@dataclass(frozen=True)
class Hand:
    """A hand of the fitted body in the picture.

    Attributes:
        group: index of its arm in ``limbs.GROUPS``.
        distance: [H, W] metres from each pixel of skin to it, infinite elsewhere.
        beyond: [H, W] metres beyond its wrist, along the forearm, of the arm's drawn surface; 0
            where none is drawn.
        forearm: [H, W] whether its forearm points at the camera, and would be drawn there, with a
            sleeve, if nothing hid it.
        pixel: metres that a pixel spans there; infinite behind the camera.
    """

    group: int
    distance: FloatArray
    beyond: FloatArray
    forearm: BoolArray
    pixel: float

    @staticmethod
    def of(
        group: int,
        joints: list[int],
        buffer: MeshBuffer,
        f: IntArray,
        body: Body,
        vertices: FloatArray,
        camera: Camera,
        skin: BoolArray,
    ) -> Hand:
        """Find a hand in the picture.

        Args:
            group: of its arm.
            joints: of the hand, the wrist first.
            buffer: of the arm alone.
            f: [F, 3] the arm's triangles, which that was drawn of.
            body: the person's own.
            vertices: [V, 3] in the photo's pose, world space, metres.
            camera: of the grid.
            skin: [H, W] pixels whose distance is measured.
        """
        own = body.sum_weights(joints) > 0.5
        all_xy, all_z = project(np.asarray(vertices, np.float64), camera)
        xy, z = all_xy[own], all_z[own]
        shown = z > 0.0
        distance, pixel = np.full((camera.height, camera.width), np.inf), np.inf
        if shown.any():
            pixel = float(np.median(z[shown])) / camera.K[0, 0]
            centres = np.argwhere(skin)[:, ::-1] + 0.5
            distance[skin] = cKDTree(xy[shown]).query(centres)[0] * pixel
        wrist = body.J_template[joints[0]]
        along = wrist - body.J_template[body.parents[joints[0]]]
        past = (body.v_template - wrist) @ (along / np.linalg.norm(along))
        past = np.where(own, past, 0.0)
        beyond = np.where(buffer.face >= 0, past[f[buffer.face]].mean(-1), 0.0)
        forearm = np.zeros(distance.shape, bool)
        held = (body.weights[:, body.parents[joints[0]]] > 0.5) & (all_z > 0.0)
        if shown.any() and held.any() and _points_at_camera(vertices[own], vertices[held], camera):
            reach = S.cuff * camera.K[0, 0] / float(np.median(all_z[held]))
            size = np.array([camera.width, camera.height])
            near = held & (all_xy > -reach).all(1) & (all_xy < size + reach).all(1)
            if near.any():
                col, row = np.clip(all_xy[near], 0, size - 1).astype(np.int64).T
                forearm[row, col] = True
                forearm = find_nearest(forearm)[2] < reach
        return Hand(group, distance, beyond, forearm, pixel)


def _points_at_camera(hand: FloatArray, forearm: FloatArray, camera: Camera) -> bool:
    """Whether vertices [N, 3] of a hand lie straight before those [M, 3] of its forearm."""
    along = hand.mean(0) - forearm.mean(0)
    toward = camera_position(camera) - hand.mean(0)
    cosine = along @ toward / max(float(np.linalg.norm(along) * np.linalg.norm(toward)), 1e-9)
    return bool(cosine > S.points)


def settle_hand_pixels(
    group: IntArray,
    label: IntArray,
    bust: BoolArray,
    hands: list[Hand],
    limb: tuple[MeshBuffer, ...],
) -> IntArray:
    """Assign the pixels around hands to the limbs that they show.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        bust: [H, W] pixels of :func:`find_bust`, whose skin never belongs to a hand.
        hands: of the fitted body, those that the photo shows.
        limb: one z-buffer for each limb alone.

    Returns:
        [H, W] limb of each pixel.
    """
    if not hands:
        return group
    return _without_cloth(_with_skin(group, label, bust, hands), label, hands, limb)


def find_sleeved_arms(
    hand: dict[int, BoolArray], group: IntArray, label: IntArray, drawn: MeshBuffer
) -> tuple[int, ...]:
    """Return the arms whose cloth is a sleeve: their hands are hidden, bare or not in the frame.

    Args:
        hand: arm -> [F] triangles of its hand, without area where the hand is hidden.
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        drawn: of the fitted body.
    """
    out = []
    for arm, triangles in hand.items():
        shown = (drawn.face >= 0) & triangles[drawn.face] & (group == arm)
        if not shown.any() or (label[shown] == SKIN).mean() >= S.bare:
            out.append(arm)
    return tuple(out)


def measure_hands_beside(buffer: MeshBuffer, hands: BoolArray, camera: Camera) -> FloatArray:
    """Measure how far away the hand is that may show at a pixel, which the fit may have missed.

    Args:
        buffer: of the fitted body.
        hands: [F] triangles of both hands.
        camera: of the grid.

    Returns:
        [H, W] metres along the view axis of the hand drawn there or beside; infinite elsewhere.
    """
    row, col, distance = find_nearest((buffer.face >= 0) & hands[buffer.face])
    depth = np.where(row >= 0, buffer.depth[row, col], np.inf)
    near = distance * depth / camera.K[0, 0] < S.error
    return np.asarray(np.where(near, depth, np.inf))


def find_bust(part: IntArray, body: Body) -> BoolArray:
    """Return which pixels lie on the head or neck.

    Args:
        part: [H, W] index into ``body.part_names``.
        body: the body.

    Returns:
        [H, W] mask.
    """
    names = ("face", "scalp", "ear", "neck")
    return np.isin(part, [body.part_names.index(name) for name in names])


def _with_skin(group: IntArray, label: IntArray, bust: BoolArray, hands: list[Hand]) -> IntArray:
    """Return the limbs [H, W], with patches of skin beside a hand assigned to it."""
    out = group.copy()
    skin = (label == SKIN) & np.isin(group, ARMS + TRUNK_AND_LEGS)
    bust = bust & (label == SKIN)
    patches, _ = ndimage.label(skin | bust)
    of_bust = np.isin(patches, np.unique(patches[bust]))
    _assign_patches(out, group, patches * ~of_bust, hands)
    # Of a hand at the chin, the skin that was taken for the trunk's lies apart from the face.
    rest, _ = ndimage.label(skin & of_bust & ~bust & np.isin(group, TRUNK_AND_LEGS))
    beside_bust = np.unique(rest[dilate(bust, 1)])
    _assign_patches(out, group, rest * ~np.isin(rest, beside_bust), hands)
    return out


def _assign_patches(out: IntArray, group: IntArray, patches: IntArray, hands: list[Hand]) -> None:
    """Set the limbs ``out`` [H, W] of those numbered patches [H, W] that are a hand's."""
    area_of_pixel = min(hand.pixel for hand in hands) ** 2
    for k, at in enumerate(ndimage.find_objects(patches), 1):
        if at is None:
            continue
        patch = patches[at] == k
        if not S.smallest < patch.sum() * area_of_pixel < S.largest:
            continue
        distance = np.stack([hand.distance[at][patch] for hand in hands], -1)
        owner = int(np.percentile(distance, S.nearly_all, axis=0).argmin())
        if np.percentile(distance[:, owner], S.nearly_all) > S.reach:
            continue
        # Where two hands meet, each pixel that may be either's stays as it was.
        new = group[at][patch]
        least = np.zeros(len(distance))
        for h, hand in enumerate(hands):
            mine = new == hand.group
            least[mine] = distance[mine, h]
        arms = np.isin(new, [hand.group for hand in hands])
        new[~arms | (least > distance[:, owner] + S.nearer)] = hands[owner].group
        out[at][patch] = new


def _without_cloth(
    group: IntArray, label: IntArray, hands: list[Hand], limb: tuple[MeshBuffer, ...]
) -> IntArray:
    """Return the limbs [H, W], with cloth on bare hands assigned to what lies behind them."""
    out = group.copy()
    for hand in hands:
        own = (group == hand.group) & (hand.beyond > 0.0)
        if not own.any() or (label[own] == SKIN).mean() < S.bare:
            continue
        cloth = own & (hand.beyond > S.sleeve) & ~hand.forearm & np.isin(label, [UPPER, LOWER])
        others = (group >= 0) & (group != hand.group)
        if not cloth.any() or not others.any():
            continue
        # The nearest limb that is drawn there; where there is none, what the pixels beside show.
        behind = np.full(group.shape, -1)
        depth = np.full(group.shape, np.inf)
        for g, buffer in enumerate(limb):
            nearer = (buffer.face >= 0) & (buffer.depth < depth) & (g != hand.group)
            behind[nearer], depth[nearer] = g, buffer.depth[nearer]
        rows, cols, _ = find_nearest(others)
        behind = np.where(behind >= 0, behind, group[rows, cols])
        out[cloth] = behind[cloth]
    return out
