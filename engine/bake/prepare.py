"""A user's own body file made ready: fitted, lifted, posed and trained on like the default one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body.atlas import surface_points
from ..body.body_file import body_from_arrays, load_body, read_body_arrays, save_body
from ..body.expression_map import ExpressionMap
from ..body.model import Body
from ..core.types import NUM_JOINTS, FloatArray, IntArray, LikenessError, Progress
from ..files.folders import make_parents
from ..files.untrusted import CorruptFileError, mmap_npy
from ..files.weights import asset_path
from .carry_over import (
    INNER_PARTS,
    NUM_MESH,
    append_inner_pieces,
    carry_actions,
    carry_atlas,
    carry_landmarks,
    match_surface,
    turn_jaw,
)
from .flame import (
    Flame,
    flame_on_joints,
    load_flame,
    match_by_ids,
    match_by_surface,
    rim_of_neck,
    with_flame_head,
)
from .mhr_body import load_mhr_body
from .registration import (
    HEAD_PARTS,
    IBUG_LANDMARKS,
    UNCHANGED,
    Registration,
    part_faces,
    register_body,
)


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


def prepare_body(
    source: Path | None,
    out: Path,
    actions: bool,
    progress: Progress,
    flame: Path | None = None,
    vertex_ids: Path | None = None,
) -> PreparedBody:
    """Prepare an SMPL-X file, an EHM of it and FLAME, or one of the default body, and write it.

    Args:
        source: SMPL-X's model file (.npz), or the folder of MHR's; None for the default body.
        out: The body file (.npz).
        actions: Add ARKit's 52 facial actions; without them the mouth opens at the jaw's joint.
        progress: Reports the stages.
        flame: FLAME's model file (.npz), whose head the body gets.
        vertex_ids: SMPL-X's file of FLAME's vertices in SMPL-X (.npy, [5023]).

    Raises:
        LikenessError: A file cannot be used.
    """
    if source is None and flame is None:
        raise LikenessError(
            "There is nothing to prepare: the default body is ready.",
            "Give SMPL-X's model file, --flame with FLAME's, or both.",
        )
    if vertex_ids is not None and (flame is None or source is None):
        raise LikenessError(
            "FLAME's vertices in SMPL-X are for SMPL-X with FLAME's head.",
            "Give SMPL-X's and FLAME's model files with them, or leave them out.",
        )
    with make_parents(out):
        progress("prepare", 0.0, "reading")
        return _prepare(source, out, actions, progress, flame, vertex_ids)


def _prepare(
    source: Path | None,
    out: Path,
    actions: bool,
    progress: Progress,
    flame: Path | None,
    vertex_ids: Path | None,
) -> PreparedBody:
    """Read, register, complete and write."""
    default, anchors = load_default_body(), None
    arrays: dict[str, np.ndarray] = {}  # type: ignore[type-arg]
    if source is None:
        target = without_inner_pieces(default)
    elif source.is_dir():
        target = load_mhr_body(source, default)
        if flame is not None:
            raise LikenessError(
                "FLAME's head goes onto SMPL-X and the default body only.", "Leave --flame out."
            )
    else:
        arrays = read_body_arrays(source)
        target = body_from_arrays(arrays, str(source))
        if target.landmarks is not None:
            raise LikenessError(f"'{source}' is prepared already.", "Give it to --body as it is.")
        with _of_file(source):
            anchors = face_anchors(arrays, target)
    progress("prepare", 0.1, "laying the default body onto it")
    if flame is not None:
        head = load_flame(flame)
        target = _ehm(default, target, anchors, head, flame, vertex_ids, source is None)
        # The landmarks' triangles are the new face's, too.
        anchors = own_anchors(default, target) if source is None else face_anchors(arrays, target)
    with _of_file(source or flame):
        registration = register_body(default, target, anchors)
    progress("prepare", 0.5, "parts, atlas, landmarks and expressions")
    prepared = complete_body(default, target, registration, actions)
    progress("prepare", 0.9, f"writing {out.name}")
    hands = {key: array for key, array in arrays.items() if key.startswith("hands_")}
    save_body(prepared.body, out, **hands)
    progress("prepare", 1.0, "done")
    return prepared


@contextmanager
def _of_file(path: Path | None) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    try:
        yield
    except LikenessError as error:
        raise LikenessError(f"'{path}' cannot be prepared: {error.message}.", UNCHANGED) from error


def _ehm(
    default: Body,
    target: Body,
    anchors: tuple[IntArray, FloatArray] | None,
    head: Flame,
    flame: Path,
    vertex_ids: Path | None,
    is_default: bool,
) -> Body:
    """The target with FLAME's head."""
    if vertex_ids is not None:
        ids = read_vertex_ids(vertex_ids, len(head.v_template), len(target.v_template))
        return with_flame_head(target, head, match_by_ids(ids, len(target.v_template)))
    with _of_file(flame):
        alone = flame_on_joints(head, default)
        on_flame = register_body(default, alone, None, HEAD_PARTS, rim_of_neck(head))
    if is_default:
        turns = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
        vertices = default.v_template.astype(np.float64)
        on_body = Registration(vertices, turns, np.zeros(1))
    else:
        on_body = register_body(default, target, anchors)
    match = match_by_surface(default, target, on_body, head, on_flame)
    return with_flame_head(target, head, match)


def own_anchors(default: Body, target: Body) -> tuple[IntArray, FloatArray]:
    """Return the face's landmarks on the default body with another head.

    Args:
        default: The default body.
        target: Of :func:`without_inner_pieces`, moved.

    Returns:
        rows: [468] the landmarks.
        points: [468, 3] metres.
    """
    marks = default.landmarks
    assert marks is not None
    rows = np.arange(NUM_MESH)
    kept = np.setdiff1d(np.arange(len(default.f)), part_faces(default, INNER_PARTS))
    faces = np.searchsorted(kept, marks.face_triangle[rows])
    points = target.v_template.astype(np.float64)
    return rows, surface_points(points, target.f, faces, marks.face_bary[rows])


def read_vertex_ids(path: Path, count: int, vertices: int) -> IntArray:
    """Read the vertices of SMPL-X that FLAME's are.

    Args:
        path: SMPL-X's file (.npy).
        count: FLAME's vertices.
        vertices: SMPL-X's.

    Returns:
        [count] rows of SMPL-X's vertices.

    Raises:
        LikenessError: It is another kind of file.
    """
    remedy = "Give SMPL-X__FLAME_vertex_ids.npy of SMPL-X's downloads, or leave it out."
    try:
        ids = mmap_npy(path)
    except (OSError, CorruptFileError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", remedy) from error
    if ids.shape != (count,) or ids.dtype.kind not in "iu":
        raise LikenessError(f"'{path}' does not hold {count} vertex numbers.", remedy)
    if ids.min() < 0 or ids.max() >= vertices or len(np.unique(ids)) < count:
        raise LikenessError(
            f"'{path}' contains numbers outside the model's vertices, or duplicates.", remedy
        )
    return ids.astype(np.int64)


def without_inner_pieces(body: Body) -> Body:
    """Return the default body as SMPL-X is: skin and eyeballs alone, without expressions.

    Args:
        body: The default body.
    """
    faces = np.setdiff1d(np.arange(len(body.f)), part_faces(body, INNER_PARTS))
    rows, corner = np.unique(body.f[faces], return_inverse=True)
    return replace(
        body,
        v_template=body.v_template[rows],
        f=corner.reshape(-1, 3).astype(np.int32),
        weights=body.weights[rows],
        shapedirs=body.shapedirs[rows],
        exprdirs=np.zeros((len(rows), 3, 0), np.float32),
        expression_names=(),
        ft=body.ft[faces],
        atlas_ft=body.atlas_ft[faces],
        face_part=body.face_part[faces],
        landmarks=None,
    )


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
        raise LikenessError("lmk_faces_idx has triangles that do not exist", UNCHANGED)
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
