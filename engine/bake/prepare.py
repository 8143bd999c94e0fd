"""A user's own body file made ready: fitted, lifted, posed and trained on like the default one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body.atlas import surface_points
from ..body.expression_map import ExpressionMap
from ..body.model import Body, body_from_arrays, load_body, read_body_arrays, save_body
from ..core.types import FloatArray, IntArray, LikenessError, Progress
from ..files.weights import asset_path
from .carry_over import (
    append_inner_pieces,
    carry_actions,
    carry_atlas,
    carry_landmarks,
    match_surface,
    turn_jaw,
)
from .registration import IBUG_LANDMARKS, Registration, register_body

REMEDY = "Give SMPL-X's model file (SMPLX_NEUTRAL.npz or one of the others), unchanged."


@dataclass(frozen=True)
class PreparedBody:
    """A prepared body and its figures.

    Attributes:
        body: It.
        skin_mm: Distances between the two skins in millimetres, median and 95th percentile.
        to_actions: Share of the own expressions' motion that ARKit's actions leave over, 0..1.
        to_own: Share of the actions' motion that the own expressions leave over.
    """

    body: Body
    skin_mm: tuple[float, float]
    to_actions: float
    to_own: float


def prepare_body(source: Path, out: Path, actions: bool, progress: Progress) -> PreparedBody:
    """Prepare an SMPL-X file and write it.

    Args:
        source: SMPL-X's model file (.npz).
        out: The body file (.npz).
        actions: Add ARKit's 52 facial actions; without them the mouth opens at the jaw's joint.
        progress: Reports the stages.

    Raises:
        LikenessError: The file cannot be used.
    """
    progress("prepare", 0.0, "reading")
    arrays = read_body_arrays(source)
    target = body_from_arrays(arrays, str(source))
    default = load_default_body()
    progress("prepare", 0.1, "laying the default body onto it")
    try:
        registration = register_body(default, target, face_anchors(arrays, target))
    except LikenessError as error:
        raise LikenessError(f"'{source}' cannot be prepared: {error.message}.", REMEDY) from error
    progress("prepare", 0.5, "parts, atlas, landmarks and expressions")
    prepared = complete_body(default, target, registration, actions)
    progress("prepare", 0.9, f"writing {out.name}")
    save_body(prepared.body, out)
    progress("prepare", 1.0, "done")
    return prepared


def load_default_body() -> Body:
    """Load the default body with its landmarks.

    Raises:
        LikenessError: It has not been made, or without landmarks.
    """
    body = load_body(asset_path("body"))
    if body.landmarks is None:
        raise LikenessError(
            "The default body carries no landmarks.",
            "Run 'python build.py assets' to bake it anew.",
        )
    return body


def face_anchors(arrays: dict[str, np.ndarray], target: Body) -> tuple[IntArray, FloatArray] | None:  # type: ignore[type-arg]
    """Read the face's 51 landmarks of an SMPL-X file.

    Args:
        arrays: The file's.
        target: Its body.

    Returns:
        rows: [51] the default body's face landmarks.
        points: [51, 3] metres; None in place of both if the file has none.

    Raises:
        LikenessError: They lie on triangles that do not exist.
    """
    faces, bary = arrays.get("lmk_faces_idx"), arrays.get("lmk_bary_coords")
    if faces is None or bary is None:
        return None
    count = len(IBUG_LANDMARKS)
    if faces.shape != (count,) or bary.shape != (count, 3):
        return None
    if faces.min() < 0 or faces.max() >= len(target.f):
        raise LikenessError("lmk_faces_idx has triangles that do not exist", REMEDY)
    rows = np.asarray(faces, np.int64)
    points = surface_points(target.v_template.astype(np.float64), target.f, rows, bary)
    return np.array(IBUG_LANDMARKS), points


def complete_body(
    default: Body, target: Body, registration: Registration, actions: bool
) -> PreparedBody:
    """Give a body all that the default one has beyond SMPL-X.

    Args:
        default: The default body.
        target: The body it was laid onto.
        registration: How.
        actions: Add ARKit's facial actions.
    """
    match = match_surface(default, target, registration)
    body = replace(
        target,
        landmarks=carry_landmarks(default, target, registration),
        face_part=default.face_part[match.face],
        part_names=default.part_names,
    )
    atlas_vt, atlas_ft = carry_atlas(default, target, registration, match)
    body = replace(body, atlas_vt=atlas_vt, atlas_ft=atlas_ft)
    if len(body.ft) != len(body.f):  # some files carry no texture coordinates
        body = replace(body, vt=(atlas_vt * [1, -1] + [0, 1]).astype(np.float32), ft=atlas_ft)
    count = default.num_expression if actions else 0
    if actions:
        moved = carry_actions(default, target, registration, match)
        body = replace(
            body,
            exprdirs=np.concatenate([moved, target.exprdirs], 2).astype(np.float32),
            expression_names=(*default.expression_names, *target.expression_names),
        )
    body = append_inner_pieces(default, body, registration, count)
    if actions:
        body = turn_jaw(body)
    both = ExpressionMap.of(body)
    left = (0.0, 0.0) if both is None else both.errors()
    middle, most = (1000 * float(np.percentile(registration.error, q)) for q in (50, 95))
    return PreparedBody(body, (middle, most), *left)
