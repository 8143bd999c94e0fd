"""Whether an avatar stays whole when it moves: holes, stray splats and strangers' colours.

Holes and strays are measured in a fixed set of poses, strangers once. Nothing here uses the lift's
labels: limbs are those of the body's skinning, and colours are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from ...engine.body.atlas import surface_points
from ...engine.body.extension import piece_triangles
from ...engine.core.cameras import orbit, project
from ...engine.core.color import rgb_to_lab
from ...engine.core.framing import Box, crop_to_box
from ...engine.core.types import (
    JOINT_INDEX,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
    Pose,
)
from ...engine.gaussians.binding import place_gaussians
from ...engine.gaussians.lift.skirts.skirt import PART as SKIRT
from ...engine.gaussians.lift.surface.limbs import HEAD, vertex_groups
from ...engine.poses import build_pose, find_pose
from ...engine.poses.limbs import mirror_limbs, solve_arm
from ...engine.render import render_camera
from ...engine.render.mesh import rasterize_mesh

PIXEL = 0.006
"""Metres of a pixel at the middle of the person."""

YAWS = (0.0, 45.0, -45.0, 180.0)
"""Degrees from the photo's camera."""

SOLID = 0.7
"""Alpha below which the background shows through."""

TORN = 0.05
"""Metres behind the body's surface at which a view looks through its front."""

STRAY = 0.12
"""Metres off its own limb's surface from which a splat is stray."""

STRAY_HAIR = 0.20
"""The same on the head: hair stands off."""

BESIDE = 0.03
"""Metres in the picture from another limb within which a splat may have that limb's colour."""

OWN_REACH = 0.12
"""Metres on the body at rest within which a splat should find its like."""

UNLIKE, ALIKE = 14.0, 8.0
"""CIE Lab distances to its own limb's colours from which on, and to another limb's up to which, a
splat is a stranger."""

_RIM = 0.012  # metres of the body's outline that are not asked for: fits are that wide
_VISIBLE = 0.3  # opacity of a splat that counts
_SAMPLES = 40_000  # splats whose colours are compared
_SURFACE = 10_000  # points of a limb's surface that splats are held to
_NEIGHBOURS = 24
_LIKE = 3  # of them that are enough to belong


def _turned(**degrees: Sequence[float]) -> Callable[[Avatar], Pose]:
    """The relaxed pose with joints turned, degrees about x, y and z."""

    def make(avatar: Avatar) -> Pose:
        pose = build_pose("relaxed", avatar.body, avatar.pose)
        return pose.with_joints(**{name: np.radians(turn) for name, turn in degrees.items()})

    return make


def _named(name: str) -> Callable[[Avatar], Pose]:
    return lambda avatar: build_pose(name, avatar.body, avatar.pose)


def _arms(base: str, hand: str = "flat_hands", **arm: Sequence[float]) -> Callable[[Avatar], Pose]:
    """A pose of the library with both arms as :func:`limbs.solve_arm` has it, and other hands."""

    def make(avatar: Avatar) -> Pose:
        left = solve_arm(arm) if arm else {}
        hands = find_hand(hand)
        pose = build_pose(base, avatar.body, avatar.pose)
        return pose.with_joints(**left, **mirror_limbs(left), **hands)

    return make


def find_hand(name: str) -> dict[str, FloatArray]:
    """Return both hands' joints [3], axis-angle in radians, of a pose of the library."""
    return dict(find_pose(name).joints)


def _face(**weights: float) -> Callable[[Avatar], Pose]:
    def make(avatar: Avatar) -> Pose:
        pose = build_pose("relaxed", avatar.body, avatar.pose)
        known = {k: v for k, v in weights.items() if k in avatar.body.expression_index}
        return replace(pose, expression=avatar.body.expression(**known))

    return make


POSES: dict[str, Callable[[Avatar], Pose]] = {
    "T pose": _named("tpose"),
    "arms up": _arms("relaxed", upper=(0.35, 0.93, 0.05), fore=(0.1, 0.99, 0.1), collar=(24, 0)),
    "arms crossed": _named("arms_crossed"),
    "hands on hips": _named("hands_on_hips"),
    "behind the head": _arms(
        "relaxed",
        "relaxed_hands",
        upper=(0.85, 0.5, -0.1),
        fore=(-0.75, 0.5, -0.45),
        palm=(-0.2, 0.0, 1.0),
        collar=(20, 0),
    ),
    "sit": _named("sit"),
    "squat": _named("squat"),
    "lunge": _named("lunge"),
    "kneel": _named("kneel"),
    "walk": _named("walk"),
    "head left 60": _turned(neck=(0, 25, 0), head=(0, 35, 0)),
    "head right 60": _turned(neck=(0, -25, 0), head=(0, -35, 0)),
    "head up and down": _turned(neck=(-20, 0, 0), head=(-30, 0, 0)),
    "fists": _arms("arms_forward", "fist_hands"),
    "pointing": _arms("tpose", "point_hands"),
    "jaw open, wink": _face(jawOpen=1.0, eyeBlinkLeft=1.0),
}
"""The poses that break avatars, by name."""


@dataclass(frozen=True)
class PoseFigures:
    """The figures of one avatar.

    Attributes:
        name: of the portrait.
        holes_pct: pose -> share (%) of the body's silhouette that is open.
        stray_pct: pose -> share (%) of splats that are stray.
        strangers_pct: share (%) of the surface whose colour is another limb's.
    """

    name: str
    holes_pct: dict[str, float]
    stray_pct: dict[str, float]
    strangers_pct: float


@dataclass(frozen=True)
class Shown:
    """What of an avatar is measured.

    Attributes:
        limb: [F] index into ``regions.GROUPS`` of each triangle; -1: a skirt's.
        triangles: [F] those that are asked for: no legs where the photo has none.
    """

    limb: IntArray
    triangles: BoolArray

    @staticmethod
    def of(avatar: Avatar) -> Shown:
        """Find it."""
        body = avatar.body
        limb = vertex_groups(body)[body.f[:, 0]].astype(np.int64)
        limb[piece_triangles(body, SKIRT)] = -1
        outer = ~np.isin(
            body.face_part,
            [k for k, n in enumerate(body.part_names) if n in ("mouth", "teeth", "tongue", "lash")],
        )
        legs = body.weights[
            :,
            [
                JOINT_INDEX[f"{s}_{j}"]
                for s in ("left", "right")
                for j in ("hip", "knee", "ankle", "foot")
            ],
        ].sum(1)
        whole = avatar.framing == "full"
        return Shown(limb, outer & (whole | (legs[body.f].mean(1) < 0.4)))


def pose_view(
    avatar: Avatar, vertices: FloatArray, shown: Shown, yaw: float, pixel: float = PIXEL
) -> Camera:
    """Return a camera around a posed body, ``yaw`` degrees from the photo's.

    Args:
        avatar: the avatar.
        vertices: [V, 3] posed, world space, metres.
        shown: what it is to show.
        yaw: degrees.
        pixel: metres of a pixel at the middle of the person.
    """
    points = vertices[np.unique(avatar.body.f[shown.triangles])]
    centre = (points.min(0) + points.max(0)) / 2
    turned = orbit(avatar.camera, centre, yaw)
    xy, z = project(points, turned)
    # Whoever comes near the camera (a fist) would fill it.
    farther = replace(turned, viewmat=turned.viewmat + _back_off(z))
    xy, _ = project(points, farther)
    (left, top), (right, bottom) = xy.min(0), xy.max(0)
    box = Box(float(left), float(top), float(right), float(bottom)).padded(0.06)
    scale = float(project(centre, farther)[1]) / farther.K[0, 0] / pixel
    size = max(8, round(box.width * scale)), max(8, round(box.height * scale))
    return crop_to_box(farther, box, *size)


def _back_off(z: FloatArray) -> FloatArray:
    """[4, 4] to add to a view: at least 2.5 m from the nearest point."""
    out = np.zeros((4, 4))
    out[2, 3] = max(0.0, 2.5 - float(z.min()))
    return out


def find_holes(
    avatar: Avatar, placed: Gaussians, vertices: FloatArray, shown: Shown, camera: Camera
) -> tuple[BoolArray, BoolArray]:
    """Find the pixels [H, W] of the body's silhouette, and those of them that are open.

    Open is where the background shows through, or where the nearest splats lie behind the body.

    Args:
        avatar: the avatar.
        placed: its posed splats.
        vertices: [V, 3] posed, world space, metres.
        shown: what is measured.
        camera: of the view.
    """
    f = np.array(avatar.body.f)
    f[~shown.triangles] = f[~shown.triangles][:, :1]
    mesh = rasterize_mesh(vertices, f, camera)
    drawn = render_camera(placed, camera)
    inside = binary_erosion(mesh.face >= 0, iterations=max(1, round(_RIM / PIXEL)))
    behind = np.asarray(drawn.depth) > mesh.depth + TORN
    return inside, inside & ((np.asarray(drawn.alpha) < SOLID) | behind)


def measure_stray(avatar: Avatar, placed: Gaussians, vertices: FloatArray, shown: Shown) -> float:
    """Return the share (%) of splats farther than ``STRAY`` off their own limb's surface.

    Args:
        avatar: the avatar.
        placed: its posed splats.
        vertices: [V, 3] posed, world space, metres.
        shown: what is measured.
    """
    limb = shown.limb[avatar.gaussians.triangle]
    count = (placed.opacities > _VISIBLE) & shown.triangles[avatar.gaussians.triangle]
    stray = 0
    for own in np.unique(limb[count]):
        rows = np.nonzero(limb == own)[0][:: max(1, int((limb == own).sum()) // _SURFACE)]
        homes = avatar.gaussians.take(rows)
        corners = vertices[np.unique(avatar.body.f[shown.limb == own])]
        surface = surface_points(vertices, avatar.body.f, homes.triangle, homes.bary)
        away, _ = cKDTree(np.concatenate([corners, surface])).query(
            placed.means[count & (limb == own)],
            distance_upper_bound=STRAY_HAIR if own == HEAD else STRAY,
        )
        stray += int(np.isinf(away).sum())
    return 100.0 * stray / max(int(count.sum()), 1)


def find_strangers(avatar: Avatar, shown: Shown) -> tuple[FloatArray, FloatArray]:
    """Find the splats that carry the colour of another limb beside which the photo shows them.

    Hands are left out: their skin often differs from the rest of the arm, and resembles the face.

    Returns:
        rows: [M] splats that are compared.
        strange: [M] whether each is a stranger.
    """
    bound, body = avatar.gaussians, avatar.body
    limb = shown.limb[bound.triangle]
    rows = np.nonzero((bound.opacities > _VISIBLE) & (limb >= 0) & shown.triangles[bound.triangle])[
        0
    ]
    rows = rows[:: max(1, len(rows) // _SAMPLES)]
    limb = limb[rows]
    hands = [k for k, part in enumerate(body.part_names) if part == "hand"]
    hand = np.isin(body.face_part[bound.triangle[rows]], hands)
    vertices, _ = body.vertices(avatar.pose)
    means = np.asarray(place_gaussians(bound, vertices, body).means, np.float64)[rows]
    xy, z = project(means, avatar.camera)
    metre = np.median(z) / avatar.camera.K[0, 0]
    rest = surface_points(
        np.asarray(body.v_template, np.float64), body.f, bound.triangle[rows], bound.bary[rows]
    )
    lab = rgb_to_lab(np.clip(np.asarray(bound.colors, np.float64)[rows], 0.0, 1.0))
    border = np.zeros(len(rows), bool)
    to_other = np.full(len(rows), np.inf)
    for other in np.unique(limb):
        mine = np.nonzero((limb != other) & ~hand)[0]
        theirs = np.nonzero(limb == other)[0]
        away, near = cKDTree(xy[theirs] * metre).query(
            xy[mine] * metre, _NEIGHBOURS, distance_upper_bound=BESIDE
        )
        # Where limbs meet, as at a shoulder, they may well be of one cloth.
        far = np.linalg.norm(
            rest[theirs][np.minimum(near, len(theirs) - 1)] - rest[mine][:, None], axis=2
        )
        counts = np.isfinite(away) & (far > OWN_REACH)
        border[mine] |= counts.any(1)
        difference = np.linalg.norm(
            lab[theirs][np.minimum(near, len(theirs) - 1)] - lab[mine][:, None], axis=2
        )
        nearest = np.sort(np.where(counts, difference, np.inf), axis=1)[:, _LIKE - 1]
        to_other[mine] = np.minimum(to_other[mine], nearest)
    to_own = np.full(len(rows), np.inf)
    for own in np.unique(limb):
        mine = np.nonzero(limb == own)[0]
        sure = mine[~border[mine]]
        if len(sure) < _NEIGHBOURS:
            to_own[mine] = 0.0
            continue
        sure = sure[:: max(1, len(sure) // 3000)]
        tree = cKDTree(rest[sure])
        away, near = tree.query(rest[mine], 10 * _NEIGHBOURS, distance_upper_bound=OWN_REACH)
        difference = np.linalg.norm(
            lab[sure][np.minimum(near, len(sure) - 1)] - lab[mine][:, None], axis=2
        )
        difference = np.sort(np.where(np.isfinite(away), difference, np.inf), axis=1)
        enough = np.isfinite(difference[:, _NEIGHBOURS - 1])
        to_own[mine] = np.where(enough, difference[:, _LIKE - 1], 0.0)
    return rows, border & (to_own > UNLIKE) & (to_other < ALIKE)


def measure_poses(name: str, avatar: Avatar, yaws: Sequence[float] = YAWS) -> PoseFigures:
    """Measure one avatar in all poses.

    Args:
        name: of the portrait.
        avatar: the avatar.
        yaws: degrees of the views.
    """
    shown = Shown.of(avatar)
    rows, strange = find_strangers(avatar, shown)
    area = np.prod(avatar.gaussians.scales[rows][:, :2], axis=1)
    holes, strays = {}, {}
    for pose_name, make in POSES.items():
        vertices, _ = avatar.body.vertices(make(avatar))
        placed = place_gaussians(avatar.gaussians, vertices, avatar.body)
        strays[pose_name] = measure_stray(avatar, placed, vertices, shown)
        inside, open_ = 0, 0
        for yaw in yaws:
            camera = pose_view(avatar, vertices, shown, yaw)
            whole, holed = find_holes(avatar, placed, vertices, shown, camera)
            inside, open_ = inside + int(whole.sum()), open_ + int(holed.sum())
        holes[pose_name] = 100.0 * open_ / max(inside, 1)
    share = 100.0 * float(area[strange].sum() / max(float(area.sum()), 1e-12))
    return PoseFigures(name, holes, strays, share)


def summarize(found: Sequence[PoseFigures]) -> dict[str, Any]:
    """Return JSON-able means over avatars and poses; None without any."""
    if not found:
        return {"portraits": 0, "holes_pct": None, "stray_pct": None, "strangers_pct": None}
    return {
        "portraits": len(found),
        "holes_pct": float(np.mean([list(one.holes_pct.values()) for one in found])),
        "stray_pct": float(np.mean([list(one.stray_pct.values()) for one in found])),
        "strangers_pct": float(np.mean([one.strangers_pct for one in found])),
        "holes_of": {p: float(np.mean([one.holes_pct[p] for one in found])) for p in POSES},
    }


def format_header() -> str:
    """Return the head of the table of :func:`format_row`."""
    return f"{'portrait':<30}{'holes %':>9}{'stray %':>9}{'strangers %':>13}  worst pose"


def format_row(one: PoseFigures) -> str:
    """Return a line of the table."""
    worst = max(one.holes_pct, key=lambda pose: one.holes_pct[pose])
    holes, stray = (np.mean(list(f.values())) for f in (one.holes_pct, one.stray_pct))
    return (
        f"{one.name:<30}{holes:>9.2f}{stray:>9.3f}{one.strangers_pct:>13.2f}  "
        f"{worst} ({one.holes_pct[worst]:.1f} %)"
    )
