"""Errors of a track against the truth of a rendered person.

All errors are of the fitted mesh against the true one; both have the same vertices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...body.model import Body
from ...core.alignment import fit_rigid, fit_similarity
from ...core.cameras import project
from ...core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Observation,
    Track,
)
from ...render.mesh import rasterize_mesh
from .person_render import BODY_JOINTS, Truth

FACE_PARTS = ("face", "lips", "eyelid")
MIN_FACE_VERTICES = 100
MIN_TIPS = 3
EYES = (JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"])
HEAD, PELVIS, NECK = (JOINT_INDEX[name] for name in ("head", "pelvis", "neck"))
FINGER_ENDS = ("thumb3", "index3", "middle3", "ring3", "pinky3")


@dataclass(frozen=True)
class PersonMetrics:
    """Errors of one track; None where the picture shows nothing of the kind.

    Attributes:
        face_mm: mean distance of the visible face vertices after the best rotation and
            translation (no scale).
        face_px: mean distance in the picture of the same vertices, not aligned, at 512 pixels.
        joints_mm: mean distance of the visible body joints, pelvis (or, when that is outside the
            frame, neck) on pelvis; that joint itself is not counted.
        joint_mm: by name, those that were counted.
        joints_px: mean distance of the same in the picture, at 512 pixels.
        hands_px: mean distance in the picture of the visible finger tips, at 512 pixels, over
            hands that show at least 3 tips and were found.
        hands_seen: number of hands that show their tips.
        hands_found: number of those that were found.
        outside_pct: fitted body in the frame that lies outside the true matte, per cent of it.
        uncovered_pct: true matte that the fitted body leaves free, per cent of it (hair, clothes).
        head_deg: angle between the true and the fitted head.
        trunk_deg: angle between the true and the fitted chest (spine3).
        depth_pct: error of the head's distance from the camera, per cent, signed.
        pve_mm: mean distance of the vertices that lie in the frame, hidden or not, after the body
            was moved as for ``joints_mm``.
        pa_pve_mm: the same after the best similarity.
        gaze_deg: angle between the true and the fitted gaze relative to the head, mean of both
            eyes; where the face shows.
    """

    face_mm: float | None
    face_px: float | None
    joints_mm: float | None
    joints_px: float | None
    hands_px: float | None
    hands_seen: int
    hands_found: int
    outside_pct: float
    uncovered_pct: float
    head_deg: float
    trunk_deg: float
    depth_pct: float
    pve_mm: float | None = None
    pa_pve_mm: float | None = None
    gaze_deg: float | None = None
    joint_mm: dict[str, float] = field(default_factory=dict)


def face_rows(body: Body) -> IntArray:
    """Rows [R] of the open face's vertices: no ears, scalp, neck, eyeballs or mouth cavity."""
    return body.part_vertices(*FACE_PARTS)


def fingertip_rows(body: Body) -> dict[str, IntArray]:
    """Vertices [5] at the ends of thumb .. little finger, for ``left`` and ``right``.

    Each is the vertex of the last joint that lies farthest along the finger, at rest.
    """
    strongest = body.weights.argmax(1)
    out = {}
    for side in ("left", "right"):
        tips = []
        for name in FINGER_ENDS:
            joint = JOINT_INDEX[f"{side}_{name}"]
            rows = np.flatnonzero(strongest == joint)
            start = body.J_template[joint]
            along = start - body.J_template[joint - 1]
            tips.append(rows[np.argmax((body.v_template[rows] - start) @ along)])
        out[side] = np.array(tips)
    return out


def align_rigid(points: FloatArray, target: FloatArray) -> FloatArray:
    """Points [N, 3] rotated and moved onto others (least squares, no scale).

    Args:
        points: [N, 3] the points to move.
        target: [N, 3] their counterparts.
    """
    R, shift = fit_rigid(points, target)
    return np.asarray(points @ R.T + shift)


def angle_between(A: FloatArray, B: FloatArray) -> float:
    """Degrees between two rotations.

    Args:
        A: [3, 3] one rotation.
        B: [3, 3] the other.
    """
    cosine = (np.trace(A @ B.T) - 1.0) / 2.0
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def measure_person(
    body: Body, camera: Camera, truth: Truth, observation: Observation, track: Track
) -> PersonMetrics:
    """Compare a track with the truth.

    Args:
        body: the default one.
        camera: the true one of the photo.
        truth: what is true in the picture.
        observation: what the detectors saw in it.
        track: the fit to compare.
    """
    at_512 = 512.0 / max(camera.width, camera.height)
    vertices, joints = body.vertices(track.pose, track.betas)
    _, _, R, _ = body.rest_and_transforms(track.pose, track.betas)

    def pixel_error(ours: FloatArray, true: FloatArray) -> FloatArray:
        a, b = project(ours, track.camera)[0], project(true, camera)[0]
        return np.asarray(np.linalg.norm(a - b, axis=1) * at_512)

    face = face_rows(body)
    face = face[truth.vertex_visible[face]]
    face_mm = face_px = None
    if len(face) >= MIN_FACE_VERTICES:
        aligned = align_rigid(vertices[face], truth.vertices[face])
        face_mm = 1e3 * float(np.linalg.norm(aligned - truth.vertices[face], axis=1).mean())
        face_px = float(pixel_error(vertices[face], truth.vertices[face]).mean())

    root = PELVIS if truth.joint_visible[PELVIS] else NECK
    counted = np.flatnonzero(truth.joint_visible & (np.arange(BODY_JOINTS) != root))
    off = (joints - joints[root]) - (truth.joints - truth.joints[root])
    joint_mm = {JOINT_NAMES[j]: 1e3 * float(np.linalg.norm(off[j])) for j in counted}

    in_frame = _in_frame(truth.vertices, camera)
    pve = pa_pve = None
    if in_frame.any():
        true_part, part = truth.vertices[in_frame], vertices[in_frame]
        moved = part - joints[root] + truth.joints[root]
        pve = 1e3 * float(np.linalg.norm(moved - true_part, axis=1).mean())
        scale, turn, shift = fit_similarity(part, true_part)
        fitted_part = scale * part @ turn.T + shift
        pa_pve = 1e3 * float(np.linalg.norm(fitted_part - true_part, axis=1).mean())
    gaze = None
    if face_mm is not None:
        gaze = float(np.mean([_gaze_between(R, truth.rotations, eye) for eye in EYES]))

    found = {"left" if hand.left else "right" for hand in observation.hands}
    errors: list[FloatArray] = []
    hands_seen = hands_found = 0
    for side, tips in fingertip_rows(body).items():
        shown: BoolArray = truth.vertex_visible[tips] | _tip_seen(body, truth, tips)
        if shown.sum() < MIN_TIPS:
            continue
        hands_seen += 1
        if side in found:
            hands_found += 1
            errors.append(pixel_error(vertices[tips[shown]], truth.vertices[tips[shown]]))

    fitted = rasterize_mesh(vertices, body.f, track.camera).face >= 0
    true = truth.alpha > 0.5
    head_distance = [-float(j[HEAD, 2]) for j in (joints, truth.joints)]
    return PersonMetrics(
        face_mm=face_mm,
        face_px=face_px,
        joints_mm=float(np.mean(list(joint_mm.values()))) if joint_mm else None,
        joints_px=float(pixel_error(joints[counted], truth.joints[counted]).mean())
        if len(counted)
        else None,
        hands_px=float(np.concatenate(errors).mean()) if errors else None,
        hands_seen=hands_seen,
        hands_found=hands_found,
        outside_pct=100.0 * float((fitted & ~true).sum()) / max(int(fitted.sum()), 1),
        uncovered_pct=100.0 * float((true & ~fitted).sum()) / max(int(true.sum()), 1),
        head_deg=angle_between(R[HEAD], truth.rotations[HEAD]),
        trunk_deg=angle_between(R[JOINT_INDEX["spine3"]], truth.rotations[JOINT_INDEX["spine3"]]),
        depth_pct=100.0 * (head_distance[0] / head_distance[1] - 1.0),
        pve_mm=pve,
        pa_pve_mm=pa_pve,
        gaze_deg=gaze,
        joint_mm=joint_mm,
    )


def _in_frame(points: FloatArray, camera: Camera) -> BoolArray:
    """[N] whether points [N, 3] project into the picture."""
    xy, depth = project(points, camera)
    inside = (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    out: BoolArray = inside & (depth > 0)
    return out


def _gaze_between(ours: FloatArray, true: FloatArray, eye: int) -> float:
    """Degrees between two gazes relative to the head, by world rotations [55, 3, 3]."""
    a, b = (R[HEAD].T @ R[eye, :, 2] for R in (ours, true))
    return float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0))))


def _tip_seen(body: Body, truth: Truth, tips: IntArray) -> BoolArray:
    """[5] whether any vertex within 8 mm of each tip is seen.

    A tip points away from the camera as often as not.
    """
    near = np.linalg.norm(truth.vertices[None] - truth.vertices[tips][:, None], axis=2) < 0.008
    out: BoolArray = (near & truth.vertex_visible).any(1)
    return out
