"""Where the photo's frame ends: the avatar's soft end, or its clean cut, below the last row.

The end is a place on the body at rest, one height of the trunk and the legs and one length of each
arm, so that it stays where it is in every pose. An arm whose elbow lies above the end stays whole:
it moves, and a hand belongs to it. A cut is as of a sculpted bust: never above the armpits, with
a rim of fine splats, a small bevel and a cap that closes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body import Body
from ..core.cameras import project
from ..core.rotations import quaternion_to_matrix
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, Avatar, BoolArray, BoundGaussians, FloatArray, Matte, Track
from ..dual_uv.sampling import sample_surface
from .binding import place_gaussians
from .frame_cut import S as CUT
from .frame_cut import Section, close_sections
from .lift.lift_multiview import thin_gaussians
from .lift.surface.limbs import ARM_JOINTS


@dataclass(frozen=True)
class FrameEndSettings:
    """The end of what the photo shows, and what is made of it."""

    ring: float = 0.01  # metres along the body that end together
    samples: int = 192  # texels along a side of the atlas whose places are looked at
    shown: float = 0.1  # of a ring's places that the photo shows at least
    shown_arm: float = 0.3  # the same of an arm's
    solid: float = 0.5  # alpha of the person
    ankle: float = 0.04  # metres above the ankles: photos that show so much show everything
    fade: float = 0.22  # metres over which a soft end fades
    layers: float = 3.5  # splats that cover each place of a surface
    faded: float = 0.01  # opacity below which splats are dropped
    armpit: float = 0.27  # standard height (neck 0.49, pelvis 0) of the highest cut, metres
    stump: float = 0.12  # metres of upper arm that a cut leaves at least
    reach: float = 2.5  # standard deviations of a splat that stay above the edge


S = register_settings("frame_end", FrameEndSettings())

WHOLE = 9.0  # metres: no end


@dataclass(frozen=True)
class FrameEnd:
    """Where on the body at rest the photo ends, metres.

    Attributes:
        height: of the trunk and the legs, in the axes of ``Body.v_template``; None: nowhere.
        arms: length of the left and of the right arm from its shoulder on; ``WHOLE``: nowhere.
    """

    height: float | None
    arms: tuple[float, float]

    def above(self, points: FloatArray, arm: FloatArray, body: Body) -> FloatArray:
        """Return how far [N] above the end places lie, metres; negative below it.

        Args:
            points: [N, 3] on or around the body at rest.
            arm: [N] 0..1 how much an arm holds each.
            body: the person's own.
        """
        if self.height is None:
            return np.full(len(points), WHOLE)
        along = along_arms(points, body)
        end = np.where(points[:, 0] > body.J_template[0, 0], *self.arms)
        return np.asarray((1.0 - arm) * (points[:, 1] - self.height) + arm * (end - along))


def along_arms(points: FloatArray, body: Body) -> FloatArray:
    """Measure how far outwards from the shoulders points lie.

    Args:
        points: [N, 3] metres, on the body at rest.
        body: the person's own.

    Returns:
        [N] metres, negative inwards.
    """
    middle = body.J_template[0, 0]
    shoulder = abs(body.J_template[JOINT_INDEX["left_shoulder"], 0] - middle)
    return np.asarray(np.abs(points[:, 0] - middle) - shoulder)


def arm_share(body: Body) -> FloatArray:
    """Return how much (0..1) an arm holds each vertex [V]; not to be changed."""
    return body.sum_weights(ARM_JOINTS)


def find_frame_end(body: Body, shots: Sequence[tuple[Matte, Track]], bust: bool) -> FrameEnd:
    """Find where on the body its photos end.

    Args:
        body: the person's own.
        shots: mattes and fits of the photos.
        bust: whether the end has to leave head and shoulders.
    """
    samples = sample_surface(body, S.samples)
    shown = np.zeros(len(samples.triangle), bool)
    for matte, track in shots:  # also what an arm hides, say
        xy, z = project(samples.points(body.vertices(track.pose)[0], body.f), track.camera)
        rows, cols = matte.alpha.shape
        inside = (z > 0) & (xy >= 0).all(1) & (xy < [cols, rows]).all(1)
        col, row = np.clip(xy.astype(int), 0, [cols - 1, rows - 1]).T
        shown |= inside & (matte.alpha[row, col] > S.solid)
    rest = samples.points(body.v_template, body.f)
    on_arm = samples.points(arm_share(body)[:, None], body.f)[:, 0] > 0.5
    joint = {name: body.J_template[k] for name, k in JOINT_INDEX.items()}
    low = _last_ring(-rest[:, 1], ~on_arm, shown, S.shown)
    height = float(joint["neck"][1]) if low is None else -low
    if height < joint["left_ankle"][1] + S.ankle:
        return FrameEnd(None, (WHOLE, WHOLE))
    if bust:
        pelvis, neck = joint["pelvis"][1], joint["neck"][1]
        height = min(height, float(pelvis + S.armpit * (neck - pelvis) / 0.49))
    along = along_arms(rest, body)
    ends = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        own = on_arm & (sign * (rest[:, 0] - joint["pelvis"][0]) > 0)
        hanging = float(joint[f"{side}_shoulder"][1] - height)
        seen = _last_ring(along, own, shown, S.shown_arm)
        end = max(hanging, S.stump if bust else -WHOLE, -WHOLE if seen is None else seen)
        elbow = float(np.linalg.norm(joint[f"{side}_elbow"] - joint[f"{side}_shoulder"]))
        ends.append(end if end < elbow else WHOLE)
    return FrameEnd(height, (ends[0], ends[1]))


def _last_ring(along: FloatArray, own: BoolArray, shown: BoolArray, share: float) -> float | None:
    """Where along [N] the last ring of a limb ends of whose places a share is shown."""
    first = along[own].min()
    ring = ((along[own] - first) / S.ring).astype(int)
    total = np.bincount(ring)
    seen = np.nonzero(np.bincount(ring, shown[own]) > share * total)[0]
    return None if len(seen) == 0 else float(first + S.ring * (seen[-1] + 1))


def end_avatar(avatar: Avatar, shots: Sequence[tuple[Matte, Track]], below: str) -> Avatar:
    """End an avatar where its photos end; one that they show to its feet stays as it is.

    Args:
        avatar: as lifted, without levels of detail.
        shots: mattes and fits of its photos.
        below: ``full``, ``fade`` or ``cut``.
    """
    if below == "full":
        return avatar
    body: Body = avatar.body
    end = find_frame_end(body, shots, below == "cut")
    if end.height is None:
        return avatar
    bound = avatar.gaussians
    if below == "fade":
        return replace(avatar, gaussians=_fade(bound, end, body))
    kept = bound.take(_heights(bound, end, body) > CUT.bevel)
    added = thin_gaussians(
        close_sections(avatar, _sections(end, body)), max(1, len(bound) - len(kept))
    )
    return replace(avatar, gaussians=BoundGaussians.concatenate([kept, added]))


def _heights(bound: BoundGaussians, end: FrameEnd, body: Body) -> FloatArray:
    """[N] metres above the end: of each Gaussian's lower edge, or of its foot on the body."""
    corner, bary = body.f[bound.triangle], np.asarray(bound.bary, np.float64)
    arm = np.einsum("nk,nk->n", bary, arm_share(body)[corner]).round()
    rest = np.asarray(body.v_template, np.float64)
    foot = np.einsum("nk,nkd->nd", bary, rest[corner])
    placed = place_gaussians(bound, rest, body)
    turned = quaternion_to_matrix(np.asarray(placed.quats, np.float64))
    across = np.where(arm > 0.5, 0, 1)[:, None, None]
    axes = np.take_along_axis(turned, across, 1)[:, 0] * placed.scales
    edge = np.minimum(S.reach * np.linalg.norm(axes, axis=1), CUT.rim)
    means = np.asarray(placed.means, np.float64)
    return np.minimum(end.above(foot, arm, body), end.above(means, arm, body) - edge)


def _fade(bound: BoundGaussians, end: FrameEnd, body: Body) -> BoundGaussians:
    """The Gaussians with opacities that fall to nothing below the end."""
    corner = body.f[bound.triangle]
    arm = np.einsum("nk,nk->n", bound.bary, arm_share(body)[corner])
    means = place_gaussians(bound, body.v_template, body).means
    t = np.clip(1.0 + end.above(np.asarray(means, np.float64), arm, body) / S.fade, 0.0, 1.0)
    left = t * t * (3.0 - 2.0 * t)
    # Several splats cover each place: all together they are to fade so.
    opacities = np.minimum(bound.opacities, 1.0 - (1.0 - left) ** (1.0 / S.layers))
    opacities = np.where(left >= 1.0, bound.opacities, opacities).astype(np.float32)
    return replace(bound, opacities=opacities).take(opacities > S.faded)


def _sections(end: FrameEnd, body: Body) -> list[Section]:
    """Where the end cuts through the trunk or the legs, and through the arms that it cuts."""
    assert end.height is not None
    middle = float(body.J_template[0, 0])
    shoulder = abs(body.J_template[JOINT_INDEX["left_shoulder"], 0] - middle)
    on_arm = arm_share(body)[body.f].mean(1) > 0.5
    left = np.asarray(body.v_template)[body.f].mean(1)[:, 0] > middle
    cuts = [Section(~on_arm, 1, end.height, 1.0)]
    for side, sign, length in ((left, 1.0, end.arms[0]), (~left, -1.0, end.arms[1])):
        if length < WHOLE:
            cuts.append(Section(on_arm & side, 0, middle + sign * (shoulder + length), -sign))
    return cuts
