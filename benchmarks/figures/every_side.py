"""Whether an avatar is closed and clean from every side, in poses other than its photo's.

Two figures come from drawings of the whole body and of the head from all around. A *hole* is
background inside the posed body's own projection. A *stray* splat is drawn farther from the posed
body than anything that a person wears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial import cKDTree

from ...engine.body.extension import piece_triangles
from ...engine.core.types import (
    JOINT_INDEX,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Matte,
    Pose,
)
from ...engine.gaussians.lift.skirts.skirt import PART as SKIRT
from ...engine.gaussians.posing import pose_avatar
from ...engine.imaging.resize import fit_size, resize
from ...engine.render import render_camera
from ...engine.render.mesh import MeshBuffer, rasterize_mesh
from ...engine.synth.random_poses import posture
from ...engine.visual.view_cameras import focus_camera

EDGE = 0.01
"""Metres of a projection's rim that are excluded: the body never fits the person exactly."""

NEAR, LOOSE = 0.06, 0.12
"""Metres from the body at which tight and loose parts (long hair, skirts) count as stray."""

_BODY_SIZE, _HEAD_SIZE = (288, 384), (288, 288)  # pixels; the body's are 5-6 mm, the head's 1.5
_HAND_SEEN = 0.2  # share of a hand's area that carries splats; below it the hand is left out
_INNER = ("mouth", "teeth", "tongue")  # parts of the body that are not visible from the side
_SAMPLING = 0.013  # metres
_SOLID = 0.3  # opacity from which a splat counts
_SHOWN = 0.5  # of the matte's alpha
_MATTE_SIDE = 320  # pixels of the longer side for detecting loose hair and cloth
_MAX_HAIR, _MAX_CLOTH = 0.0006, 0.012  # square metres off the body from which it counts as loose
_GAP = 0.04  # metres beside the body where short hair and trousers do not reach

_HAIR_JOINTS = (
    "head",
    "jaw",
    "left_eye_smplhf",
    "right_eye_smplhf",
    "neck",
    "spine3",
    "left_collar",
    "right_collar",
)
_CLOTH_JOINTS = (
    "pelvis",
    "spine1",
    *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")),
)


class ViewAngle(NamedTuple):
    """One camera about the posed avatar, degrees; ``focus`` as in :func:`.views.focus_camera`."""

    focus: str
    yaw: float
    pitch: float


VIEW_ANGLES: tuple[ViewAngle, ...] = tuple(
    ViewAngle(focus, yaw, pitches[k % 2])
    for focus, pitches in (("full", (0.0, 25.0)), ("head", (-15.0, 30.0)))
    for k, yaw in enumerate(range(0, 360, 30))
)
"""12 of the whole body and 12 of the head, all around, level and from above (or below) in turn."""

QUICK_VIEW_ANGLES: tuple[ViewAngle, ...] = VIEW_ANGLES[::3]


def _upright(joints: dict[str, FloatArray]) -> Callable[[Avatar], Pose]:
    """A pose of the body, standing straight; hands and face stay as in the photo."""

    def of(avatar: Avatar) -> Pose:
        full_pose = np.array(avatar.pose.full_pose, dtype=np.float64)
        full_pose[: JOINT_INDEX["right_wrist"] + 1] = 0.0
        return replace(avatar.pose, full_pose=full_pose).with_joints(**joints)

    return of


_HEAD_TURNED: dict[str, FloatArray] = {
    "neck": np.array([0.05, 0.4, 0.08]),
    "head": np.array([0.1, 0.4, 0.1]),
    "spine2": np.array([0.0, 0.15, 0.0]),
    "spine3": np.array([0.0, 0.15, 0.0]),
}

POSES: dict[str, Callable[[Avatar], Pose]] = {
    "as in the photo": lambda avatar: avatar.pose,
    "A-pose": _upright(posture("A", "A", "apart")),
    "arms raised": _upright(posture("raised", "raised", "apart")),
    "stepping": _upright(posture("swing back", "swing forward", "step")),
    "sitting": _upright(posture("on thigh", "on thigh", "sit")),
    "head turned": _upright(posture("on hip", "down", "contrapposto") | _HEAD_TURNED),
}
"""The six poses in which an avatar is examined."""


@dataclass(frozen=True)
class SurfaceCoverage:
    """Holes and stray splats of one avatar, in per cent.

    Attributes:
        holes: by pose, mean of 1 - alpha over the body's projection in all views.
        stray: by pose, share of the drawn alpha that belongs to stray splats.
        mouth: by pose, share of the drawn alpha, from beside and behind, that is the mouth's
            inside, seen through missing skin.
        left_out: hands that the avatar lacks; they do not count as holes.
        loose: which of ``hair`` and ``cloth`` may stand off up to ``LOOSE``, not ``NEAR``.
        photo_stray: share of the photo's own person that is as far off the fitted body.
    """

    holes: dict[str, float]
    stray: dict[str, float]
    mouth: dict[str, float]
    left_out: tuple[str, ...]
    loose: tuple[str, ...]
    photo_stray: float

    @property
    def holes_pct(self) -> float:
        return fmean(self.holes.values())

    @property
    def mouth_pct(self) -> float:
        return fmean(self.mouth.values())

    @property
    def stray_pct(self) -> float:
        return fmean(self.stray.values())


def measure_coverage(
    avatar: Avatar,
    matte: Matte,
    looks: Sequence[ViewAngle] = VIEW_ANGLES,
    poses: dict[str, Callable[[Avatar], Pose]] = POSES,
) -> SurfaceCoverage:
    """Examine an avatar from all around in every pose.

    A projection's rim of ``EDGE`` metres is excluded from the holes: the fitted body's outline is
    off the person's by as much in the photo itself, and an outline is soft. Strays are measured
    in space, to the nearest point of the posed body's surface, and weighed by their share of the
    drawing.

    Args:
        avatar: the avatar.
        matte: of the photo, which shows whether there is long hair or a skirt.
        looks: the cameras.
        poses: by name.
    """
    own = _own_triangles(avatar)
    f, missing = _without_missing_hands(avatar, own)
    loose = detect_loose_parts(avatar, matte)
    home = np.asarray(avatar.body.f)[avatar.gaussians.triangle, 0]
    limit = _vertex_limits(avatar, loose)[home]
    part = np.array(avatar.body.part_names)[avatar.body.face_part[avatar.gaussians.triangle]]
    inner = np.isin(part, _INNER)
    holes, stray, mouth = {}, {}, {}
    for name, pose_of in poses.items():
        pose = pose_of(avatar)
        vertices, _ = avatar.body.vertices(pose)
        posed = pose_avatar(avatar, pose)
        off = surface_distance(posed.means, vertices, own, LOOSE) > limit
        # The rasteriser blends any channels: one that is 1 on strays gives their part of alpha.
        marked = replace(posed, colors=np.stack([off, inner], axis=1).astype(np.float32))
        area = open_ = drawn = strayed = beside = shown_inside = 0.0
        for focus, yaw, pitch in looks:
            size = _HEAD_SIZE if focus == "head" else _BODY_SIZE
            camera = focus_camera(avatar, pose, focus, yaw, pitch, *size)
            shown = render_camera(marked, camera)
            inside = _inside(rasterize_mesh(vertices, f, camera), camera)
            area += float(inside.sum())
            open_ += float((1.0 - shown.alpha[inside]).sum(dtype=np.float64))
            drawn += float(shown.alpha.sum(dtype=np.float64))
            strayed += float(shown.rgb[..., 0].sum(dtype=np.float64))
            if np.cos(np.radians(yaw)) < 0.1:
                beside += float(shown.alpha.sum(dtype=np.float64))
                shown_inside += float(shown.rgb[..., 1].sum(dtype=np.float64))
        holes[name] = 100.0 * open_ / max(area, 1.0)
        stray[name] = 100.0 * strayed / max(drawn, 1.0)
        mouth[name] = 100.0 * shown_inside / max(beside, 1.0)
    return SurfaceCoverage(holes, stray, mouth, missing, loose, off_body_pct(avatar, matte))


def _inside(body: MeshBuffer, camera: Camera) -> BoolArray:
    """[H, W] the body's projection without its rim of two pixels or more."""
    covered = body.face >= 0
    if not covered.any():
        return covered
    pixel = float(np.median(body.depth[covered])) / camera.K[0, 0]
    out: BoolArray = binary_erosion(covered, iterations=max(2, round(EDGE / pixel)))
    return out


def surface_distance(
    points: FloatArray, vertices: FloatArray, f: IntArray, most: float
) -> FloatArray:
    """Distance [N] in metres to a mesh's surface; inf beyond ``most``.

    To the nearest of samples ``_SAMPLING`` apart: at 6 cm it is too large by 0.5 mm at most.

    Args:
        points: [N, 3] metres.
        vertices: [V, 3] metres, the same space.
        f: [F, 3] triangles.
        most: metres up to which distances are searched.
    """
    corners = np.asarray(vertices, np.float64)[f]
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(1)
    parts = np.maximum(np.ceil(edges / _SAMPLING), 1).astype(int)
    samples = [np.asarray(vertices, np.float64)[np.unique(f)]]
    for n in np.unique(parts[parts > 1]):
        i, j = np.nonzero(np.add.outer(np.arange(n + 1), np.arange(n + 1)) <= n)
        lattice = np.stack([i, j, n - i - j], axis=1) / n
        samples.append((lattice @ corners[parts == n]).reshape(-1, 3))
    nearest, _ = cKDTree(np.concatenate(samples)).query(points, distance_upper_bound=most * 1.001)
    return np.asarray(nearest)


def _hand_triangles(avatar: Avatar, side: str) -> BoolArray:
    """[F] the triangles that a hand's joints hold."""
    joints = [
        i
        for name, i in JOINT_INDEX.items()
        if name.startswith(f"{side}_")
        and name[len(side) + 1 :].rstrip("123")
        in ("wrist", "index", "middle", "pinky", "ring", "thumb")
    ]
    held: BoolArray = (avatar.body.sum_weights(joints) > 0.5)[avatar.body.f[:, 0]]
    return held


def _own_triangles(avatar: Avatar) -> IntArray:
    """[F, 3] the triangles of the body itself, without pieces that hang around it."""
    return np.asarray(avatar.body.f)[~piece_triangles(avatar.body, SKIRT)]


def _without_missing_hands(avatar: Avatar, own: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """[F, 3] the body's ``own`` triangles without hands that carry no splats, and those hands.

    The lift leaves out a hand that a pocket or an arm hides, as its appearance is unknown.
    """
    f = own
    corners = np.asarray(avatar.body.v_template, np.float64)[f]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    solid = np.asarray(avatar.gaussians.opacities) > _SOLID
    carries = np.bincount(avatar.gaussians.triangle[solid], minlength=len(f))[: len(f)] > 0
    keep, missing = np.ones(len(f), bool), []
    for side in ("left", "right"):
        hand = _hand_triangles(avatar, side)[: len(f)]
        if hand.any() and area[hand & carries].sum() < _HAND_SEEN * area[hand].sum():
            keep &= ~hand
            missing.append(f"{side} hand")
    return f[keep], tuple(missing)


def _held(avatar: Avatar, joints: tuple[str, ...]) -> BoolArray:
    """[V] the vertices that the joints move most."""
    rows = [JOINT_INDEX[name] for name in joints]
    held: BoolArray = avatar.body.sum_weights(rows) > 0.5
    return held


class _Outline(NamedTuple):
    """The photo's person compared with the fitted body, by pixel [H, W].

    Attributes:
        area: square metres of the person.
        away: metres to the body's projection.
        nearest: vertex of the body at the nearest place of it.
    """

    area: FloatArray
    away: FloatArray
    nearest: IntArray


def _outline(avatar: Avatar, matte: Matte) -> _Outline | None:
    """None when the body is outside the picture."""
    camera = avatar.camera
    camera = camera.resized(*fit_size(camera.width, camera.height, _MATTE_SIDE))
    alpha = resize(np.asarray(matte.alpha), camera.width, camera.height)
    vertices, _ = avatar.body.vertices(avatar.pose)
    f = _own_triangles(avatar)
    drawn = rasterize_mesh(vertices, f, camera)
    if not (drawn.face >= 0).any():
        return None
    away, (row, col) = distance_transform_edt(drawn.face < 0, return_indices=True)
    pixel = drawn.depth[row, col] / camera.K[0, 0]  # metres
    area = np.where(alpha > _SHOWN, pixel**2, 0.0)
    return _Outline(area, away * pixel, f[drawn.face[row, col], 0])


def detect_loose_parts(avatar: Avatar, matte: Matte) -> tuple[str, ...]:
    """Which of ``hair`` and ``cloth`` the photo itself shows standing off the fitted body.

    Measured in the picture: the area of the person whose nearest place of the body's projection
    is the head or the neck (or the legs), 4 cm away or more.
    """
    outline = _outline(avatar, matte)
    if outline is None:
        return ()
    out = []
    for name, joints, most in (
        ("hair", _HAIR_JOINTS, _MAX_HAIR),
        ("cloth", _CLOTH_JOINTS, _MAX_CLOTH),
    ):
        own = _held(avatar, joints)[outline.nearest] & (outline.away > _GAP)
        if outline.area[own].sum() > most:
            out.append(name)
    return tuple(out)


def off_body_pct(avatar: Avatar, matte: Matte) -> float:
    """Per cent of the photo's own person that is off the body's projection.

    That is, by more than ``NEAR``, or ``LOOSE`` where hair or cloth is loose: as much of an avatar
    must count as stray.
    """
    outline = _outline(avatar, matte)
    if outline is None:
        return 100.0
    beyond = (
        outline.away > _vertex_limits(avatar, detect_loose_parts(avatar, matte))[outline.nearest]
    )
    return 100.0 * float(outline.area[beyond].sum() / max(float(outline.area.sum()), 1e-9))


def _vertex_limits(avatar: Avatar, loose: tuple[str, ...]) -> FloatArray:
    """[V] metres from the body beyond which splats attached to each vertex are stray."""
    limit = np.full(len(avatar.body.v_template), NEAR)
    for name, joints in (("hair", _HAIR_JOINTS), ("cloth", _CLOTH_JOINTS)):
        if name in loose:
            limit[_held(avatar, joints)] = LOOSE
    limit[np.unique(avatar.body.f[piece_triangles(avatar.body, SKIRT)])] = LOOSE
    return limit
