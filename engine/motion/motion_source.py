"""What moved: a motion together with what its file does and does not say."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body.body_file import load_body
from ..body.model import Body
from ..core.types import FRAME_STATES, NUM_JOINTS, BoolArray, FloatArray, LikenessError, Motion
from ..files.weights import asset_path
from . import reenact
from .face_keys import ASSUMED_RATE, known_joints, match_expression
from .io import body_digest, motion_from_arrays, read_arrays
from .smplx_keys import ROWS, Arrays, HandModel, standardize_keys


@dataclass(frozen=True)
class MotionSource:
    """A motion in our axes, y up.

    Attributes:
        motion: poses of the body that moved.
        known: [55] which joints the file holds; the others are at rest in ``motion``.
        face: whether it holds expressions of the avatar's basis.
        pelvis: [3] metres, rest pelvis of that body: ``transl`` is added to it.
        legs: metres of that body's legs, None when unknown.
        notes: for the user, about what was decided or left out.
    """

    motion: Motion
    known: BoolArray
    face: bool
    pelvis: FloatArray
    legs: float | None
    notes: tuple[str, ...] = ()


def read_motion(
    path: Path,
    num_expression: int,
    *,
    names: Sequence[str] = (),
    model: Body | None = None,
    up: str = "auto",
    hands: HandModel | None = None,
    mean_hands: bool = False,
) -> MotionSource:
    """Read SMPL-X's, SMPL-H's or SMPL's poses from an .npz, or an .npy of a known layout.

    Args:
        path: the file.
        num_expression: size of the avatar's expression basis; others are left out with a note.
        names: of those expressions, as for :func:`.face_keys.match_expression`.
        model: as for :func:`.face_keys.match_expression`.
        up: the file's axis that points up (``y``, ``z`` or ``-y``), or ``auto``.
        hands: as for :func:`.smplx_keys.standardize_keys`.
        mean_hands: as for :func:`.smplx_keys.standardize_keys`.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    path = Path(path)
    arrays, notes = standardize_keys(read_arrays(path), path, hands, mean_hands)
    arrays, remarks = match_expression(arrays, names, model), list(notes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        motion = motion_from_arrays(arrays, path, num_expression)
        pelvis, legs = measure_source_body(arrays, path, motion)
    remarks += [str(w.message) for w in caught if "has no camera" not in str(w.message)]
    known = np.zeros(NUM_JOINTS, bool)
    for key in ROWS.keys() & arrays.keys():
        known[ROWS[key]] = True
    own = known_joints(arrays)
    known = known if own is None else known & own
    expression = arrays.get("expression")
    face = expression is not None and expression.ndim > 0 and num_expression > 0
    face = face and expression is not None and expression.shape[-1] == num_expression
    if ("mocap_frame_rate" not in arrays or ASSUMED_RATE in arrays) and len(motion) > 1:
        remarks.append(f"'{path.name}' has no frame rate; {motion.frame_rate:g} is assumed.")
    lost = int((motion.frame_state == FRAME_STATES.index("lost")).sum())
    if lost:
        remarks.append(f"In {lost} of {len(motion)} frames the tracker had lost the person.")
    if up == "auto":
        up = "y" if "camera_K" in arrays else reenact.up_axis(motion)
        if up != "y":
            remarks.append(f"'{path.name}' seems to have {up} up and was set upright.")
    motion = reenact.make_upright(motion, pelvis, up)
    return MotionSource(motion, known, face, pelvis, legs, tuple(remarks))


def measure_source_body(
    arrays: Arrays, path: Path, motion: Motion
) -> tuple[FloatArray, float | None]:
    """Find the rest pelvis and the leg length of the body that moved.

    The legs are the file's or, where it refers to the default body, those of its betas.

    Returns:
        The pelvis [3] at rest (zero when the file lacks it) and the leg length (None when
        unknown), in metres.

    Raises:
        LikenessError: the file's pelvis is not a position.
    """
    pelvis = np.asarray(arrays.get("pelvis", np.zeros(3)))
    if pelvis.shape != (3,) or pelvis.dtype.kind not in "iuf" or not np.isfinite(pelvis).all():
        raise LikenessError(
            f"pelvis in '{path}' is not a [3] position in metres.", "Track the clip again."
        )
    legs = np.asarray(arrays.get("leg_length", np.nan))
    if legs.size == 1 and legs.dtype.kind == "f" and 0.01 < float(legs) < 100:
        return pelvis, float(legs)
    if "body_sha256" not in arrays:
        return pelvis, None
    try:
        body = load_body(asset_path("body"))
    except LikenessError as error:
        warnings.warn(f"Steps are not fitted to the avatar's legs. {error}", stacklevel=2)
        return pelvis, None
    if body_digest(body) != str(arrays["body_sha256"]) or len(motion.betas) != body.num_betas:
        return pelvis, None
    return pelvis, reenact.leg_length(body.shaped(np.asarray(motion.betas))[1])


def resample_motion(source: MotionSource, fps: float) -> MotionSource:
    """The same motion at another frame rate, at the same speed."""
    motion = source.motion
    if len(motion) == 1 or abs(motion.frame_rate - fps) < 1e-6:
        return replace(source, motion=replace(motion, frame_rate=fps))
    return replace(source, motion=reenact.trim(motion, fps=fps))
