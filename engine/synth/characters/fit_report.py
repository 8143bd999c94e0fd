"""How well a fitted body lies in a character, in millimetres, by region; and a picture of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...body.model import Body
from ...core.geometry import vertex_normals
from ...core.types import JOINT_NAMES, FloatArray
from ...tracking.fit_state import FitState, PosedJoints
from ...visual.overlay import OverlayPainter
from .body_fit import (
    BARE,
    BARE_PARTS,
    CLOTHED,
    COVERED,
    TURN_WEIGHT,
    CharacterTarget,
    expected_kind,
)
from .surface_scan import SurfaceScanner, build_tree

REGIONS = {
    "face": ("face", "lips", "eyelid", "ear"),
    "head": ("scalp", "neck"),
    "trunk": ("torso",),
    "arms": ("arm",),
    "hands": ("hand",),
    "legs": ("leg",),
    "feet": ("foot",),
}
HEAD = ("face", "head")
OUTSIDE = 0.003  # metres by which a body may poke through clothes unseen
FAR_OFF = 0.06  # metres beyond which nothing of the surface belongs to a point
MAX_UNMATCHED = 0.2
"""Share of a region without any surface near it from which a fit has failed."""
GOOD_FACE, GOOD_BARE, MAX_OUTSIDE, UNUSUAL = 4.0, 12.0, 0.05, 3.5
PICTURE_YAWS, PICTURE_SIZE = (0.0, 90.0, 180.0, 45.0), 512


def measure_fit(body: Body, state: FitState, target: CharacterTarget) -> dict[str, Any]:
    """The figures of a fit, JSON-able.

    ``regions``: distances in mm from the body to what cameras see of the character, along its
    normal where a point of it is near: rms, 95 %, and which share of the region lies at skin, at
    clothes and at hair, and how much is alone. Distances to clothes hold the gap between cloth and
    skin; those to hair, and on the head to anything but skin, are left out.
    """
    vertices, _ = body.vertices(state.pose, state.betas)
    normals = vertex_normals(vertices, body.f)
    cloud = target.cloud
    found = build_tree(cloud, TURN_WEIGHT).query(
        np.concatenate([vertices, TURN_WEIGHT * normals], 1)
    )[1]
    straight = np.linalg.norm(vertices - cloud.points[found], axis=1)
    along = ((vertices - cloud.points[found]) * cloud.normals[found]).sum(1)
    # The cloud's points are millimetres apart, which is not an error of the fit.
    beside = np.sqrt(np.maximum(straight**2 - along**2, 0.0))
    distance = np.hypot(along, np.maximum(beside - 0.005, 0.0))
    of = {
        name: np.isin(np.arange(len(vertices)), body.part_vertices(*parts))
        for name, parts in (("bare", BARE_PARTS), ("scalp", ("scalp",)))
    }
    kind = expected_kind(target.kind[found], of["bare"], of["scalp"], along)
    regions: dict[str, Any] = {}
    for name, parts in REGIONS.items():
        rows = body.part_vertices(*parts)
        near = rows[straight[rows] < FAR_OFF]
        counts = kind[near] == BARE if name in HEAD else kind[near] != COVERED
        regions[name] = {
            **_spread(distance[near[counts]]),
            "skin": _share(kind[near] == BARE),
            "clothes": _share(kind[near] == CLOTHED),
            "hair": _share(kind[near] == COVERED),
            "alone": round(1.0 - len(near) / max(len(rows), 1), 3),
        }
    rows = body.part_vertices(*(part for parts in REGIONS.values() for part in parts))
    alone = max(region["alone"] for region in regions.values())
    dressed = rows[(kind[rows] == CLOTHED) & (straight[rows] < FAR_OFF)]
    bare = rows[(kind[rows] == BARE) & (straight[rows] < FAR_OFF)]
    return {
        "regions": regions,
        "bare_skin": _spread(distance[bare]),
        "fits": bool(alone < MAX_UNMATCHED),
        "outside_clothes": _share(along[dressed] > OUTSIDE),
        "joints_mm": _joint_errors(body, state, target),
        "landmark_views": {} if target.marks is None else target.marks.views,
        "largest_beta": round(float(np.abs(state.betas).max()), 2),
        "height_m": round(float(np.ptp(_standing(body, state)[:, 1])), 3),
    }


def _spread(distance: FloatArray) -> dict[str, float | None]:
    if not len(distance):
        return {"rms_mm": None, "p95_mm": None}
    return {
        "rms_mm": round(1e3 * float(np.sqrt((distance**2).mean())), 2),
        "p95_mm": round(1e3 * float(np.percentile(distance, 95)), 2),
    }


def _share(hit: FloatArray) -> float:
    return round(float(np.mean(hit)), 3) if len(hit) else 0.0


def _standing(body: Body, state: FitState) -> FloatArray:
    return body.shaped(state.betas)[0]


def _joint_errors(body: Body, state: FitState, target: CharacterTarget) -> dict[str, float]:
    away = np.linalg.norm(PosedJoints(body, state).p[target.joints] - target.places, axis=1)
    return {JOINT_NAMES[j]: round(1e3 * float(d), 1) for j, d in zip(target.joints, away)}


def fit_warnings(figures: dict[str, Any], target: CharacterTarget) -> list[str]:
    """Warn of what the user should know before using the character."""
    out = []
    if not figures["fits"]:
        lost = [name for name, r in figures["regions"].items() if r["alone"] >= MAX_UNMATCHED]
        out.append(
            f"The fit failed: nothing of the character is near the body's {', '.join(lost)}. Do "
            "not train with it. A rig, or a pose with the arms off the trunk, helps."
        )
    face, bare = figures["regions"]["face"], figures["bare_skin"]
    if face["rms_mm"] is not None and face["rms_mm"] > GOOD_FACE:
        out.append(f"The face is {face['rms_mm']:.0f} mm off: it is shaped as people's hardly are.")
    if bare["rms_mm"] is not None and bare["rms_mm"] > GOOD_BARE:
        out.append(
            f"The skin is {bare['rms_mm']:.0f} mm off: the proportions are outside the body model's"
            " (a toon, a child, a costume)."
        )
    if figures["largest_beta"] > UNUSUAL:
        out.append(
            f"A shape coefficient is {figures['largest_beta']:.1f} standard deviations from the "
            "mean: the proportions are unusual."
        )
    if figures["outside_clothes"] > MAX_OUTSIDE:
        out.append(f"{100 * figures['outside_clothes']:.0f} % of the body under clothes pokes out.")
    marks = target.marks
    if marks is None:
        out.append("No person was seen in its pictures: only bones and surface were used.")
        return out
    if not (marks.face_weight > 0).any():
        out.append("No face was seen: the expression is a guess.")
    for left, name in ((True, "left"), (False, "right")):
        rigged = any(JOINT_NAMES[j].startswith(f"{name}_index") for j in target.joints)
        if left not in marks.hands and not rigged:
            out.append(f"The {name} hand was not seen: its fingers lie in the surface as found.")
    return out


def render_fit_preview(looker: SurfaceScanner, body: Body, state: FitState) -> FloatArray:
    """[H, W, 3] sRGB 0..1: the character above, the fitted body over it below.

    From four sides; then the head from two.
    """
    painter = OverlayPainter(body, state.betas)
    posed = PosedJoints(body, state)
    front = float(np.degrees(np.arctan2(posed.R[0, 0, 2], posed.R[0, 2, 2])))
    head = posed.p[JOINT_NAMES.index("head")] + posed.R[JOINT_NAMES.index("head")] @ [0, 0.08, 0.02]
    spots = [(looker.centre, looker.reach, yaw) for yaw in PICTURE_YAWS]
    spots += [(head, 0.17, yaw) for yaw in (0.0, 60.0)]
    columns = []
    for target, reach, yaw in spots:
        camera = looker.camera(target, reach, front + yaw, 4.0, PICTURE_SIZE)
        rgb, _ = looker.picture(camera)
        over = painter.draw(0.6 * rgb + 0.4, state.pose, camera)
        # A standing figure needs no square.
        cut = slice(None) if reach == 0.17 else _cut(looker, camera.width)
        columns.append(np.concatenate([rgb[:, cut], over[:, cut]], 0))
    return np.concatenate(columns, 1)


def _cut(looker: SurfaceScanner, size: int) -> slice:
    used = looker.surface.vertices[np.unique(looker.surface.f)] - looker.centre
    half = np.linalg.norm(used[:, [0, 2]], axis=1).max() / looker.reach
    margin = int(size / 2 * max(0.0, 0.97 - half))
    return slice(margin, size - margin)
