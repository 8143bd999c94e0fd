"""Motion files: SMPL-X's npz keys, with the camera and how surely each joint was seen.

docs/MOTION.md describes every key. :mod:`.pose_file` reads and writes one frame through this
module, so that there is one table of keys. Files are never unpickled.

One thing is converted at this border, the jaw. Our faces open the mouth by ARKit's jaw actions,
as weights of ``expression``, and keep the jaw joint still. Readers that know SMPL-X but not these
actions expect the motion in ``jaw_pose``. So a file's ``jaw_pose`` is the joint's own rotation
times the one that comes nearest to the actions, and ``jaw_from_expression`` says how large that
part is; readers that use the expression subtract it (:func:`load_motion` does).
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..body import Body, load_body
from ..core.cameras import DEFAULT_FOCAL_FACTOR, photo_camera
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import (
    FRAME_STATES,
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    Camera,
    FloatArray,
    Gravity,
    LikenessError,
    Motion,
)
from ..core.upright import pack_gravities, unpack_gravities
from ..files.atomic import atomic_write
from ..files.untrusted import mmap_npy, read_npz, require_file
from .arkit_files import FACE_SUFFIXES, read_face_capture
from .face_keys import match_expression
from .smplx_keys import ROWS as ROWS
from .smplx_keys import Arrays, HandModel, columns_to_arrays, standardize_keys

DEFAULT_FRAME_RATE = 30.0
_JAW = JOINT_INDEX["jaw"]
_JAW_ACTIONS = {"jawOpen": (1, 0, 0), "jawLeft": (0, 1, 0), "jawRight": (0, -1, 0)}
_REMEDY = (
    "Give an .npz with SMPL-X's or AMASS's names (docs/MOTION.md); tracking a photo or a video "
    "writes one."
)

MAX_BYTES = 2 << 30
"""Bytes of an unpacked file; an hour of motion takes a tenth."""

MAX_FRAMES = 300_000
MAX_VALUE = 1e6  # metres and radians; larger values cannot be drawn


# Writing ------------------------------------------------------------------------------------


def save_motion(
    motion: Motion, path: Path, body: Body, notes: Mapping[str, str] | None = None
) -> None:
    """Write a tracked motion atomically.

    Args:
        motion: the motion.
        path: the .npz file.
        body: the body that was fitted (its expressions, its identity, its rest pelvis).
        notes: short texts to store under their own names, such as ``source`` and ``lens``.

    Raises:
        LikenessError: the folder is missing, full or read-only.
        ValueError: a note has the name of a motion key.
    """
    _, joints = body.shaped(np.asarray(motion.betas))
    camera = motion.camera
    arrays = pose_arrays(motion.full_pose, motion.transl, motion.expression, body) | {
        "betas": np.asarray(motion.betas, np.float32),
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(float(motion.frame_rate)),
        "camera_K": np.asarray(camera.K, np.float64),
        "camera_viewmat": np.asarray(camera.viewmat, np.float64),
        "camera_size": np.array([camera.width, camera.height], np.int64),
        "joint_names": np.array(JOINT_NAMES),
        "joint_confidence": np.asarray(motion.joint_confidence, np.float32),
        "frame_state": np.asarray(motion.frame_state, np.uint8),
        "frame_states": np.array(FRAME_STATES),
        "shot": np.asarray(motion.shot, np.int32),
        "gravity": pack_gravities(motion.gravities),
        "framing": np.array(motion.framing),
        "view": np.array(motion.view),
        "face_error": np.asarray(motion.face_error, np.float32),
        "pose_error": np.asarray(motion.pose_error, np.float32),
        "warnings": np.array(motion.warnings, dtype=np.str_),
        "pelvis": np.asarray(joints[0], np.float64),
        "body_sha256": np.array(body_digest(body)),
    }
    for name, text in (notes or {}).items():
        if name in arrays:
            raise ValueError(f"'{name}' is a key of the file itself")
        arrays[name] = np.array(str(text))
    write_npz(arrays, path)


def pose_arrays(
    full_pose: FloatArray, transl: FloatArray, expression: FloatArray, body: Body | None
) -> Arrays:
    """SMPL-X's keys for frames.

    AMASS's ``poses`` and ``trans``, which Blender's SMPL-X add-on reads, hold the same numbers.

    Args:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        expression: [T, E] weights.
        body: the body of the expressions; without it the jaw joint is written as it is.
    """
    rows = np.array(full_pose, np.float64)
    frames = len(rows)
    arrays: Arrays = {}
    if body is not None:
        share = jaw_from_expression(body)
        rows[:, _JAW] = _turned(rows[:, _JAW], np.asarray(expression) @ share)
        arrays["expression_names"] = np.array(body.expression_names, dtype=np.str_)
        arrays["jaw_from_expression"] = share
    rows = rows.astype(np.float32)
    arrays |= {key: rows[:, part].reshape(frames, -1) for key, part in ROWS.items()}
    arrays["expression"] = np.asarray(expression, np.float32)
    arrays["transl"] = np.asarray(transl, np.float32)
    arrays["poses"] = rows.reshape(frames, -1)
    arrays["trans"] = arrays["transl"]
    return arrays


def write_npz(arrays: Arrays, path: Path) -> None:
    """Write a compressed .npz without pickled content, atomically.

    Raises:
        TypeError: an array holds objects.
        LikenessError: the folder is missing, full or read-only.
    """
    pickled = [key for key, array in arrays.items() if array.dtype.hasobject]
    if pickled:
        raise TypeError(f"arrays of objects would be pickled: {', '.join(pickled)}")
    with atomic_write(path) as scratch, open(scratch, "wb") as file:
        np.savez_compressed(file, **arrays)


def jaw_from_expression(body: Body) -> FloatArray:
    """[E, 3] axis-angle, radians, of the jaw joint that one unit of each expression stands for.

    The turn about the joint (jawOpen about x, jawLeft and jawRight about y) that moves the
    vertices, each by its skinning weight, most nearly as the action does; zero for all other
    expressions. jawForward slides, which no turn can do.
    """
    share = np.zeros((body.num_expression, 3))
    weight = np.asarray(body.weights[:, _JAW], np.float64)
    arm = np.asarray(body.v_template, np.float64) - body.J_template[_JAW]
    for name, axis in _JAW_ACTIONS.items():
        index = body.expression_index.get(name)
        if index is None:
            continue
        moves = np.cross(np.array(axis, np.float64), arm)
        inertia = float(weight**2 @ (moves**2).sum(1))
        wanted = np.asarray(body.exprdirs[:, :, index], np.float64)
        if inertia > 0:
            share[index] = np.array(axis) * float(weight @ (moves * wanted).sum(1)) / inertia
    return share


def body_digest(body: Body) -> str:
    """SHA-256 of what ``betas`` and ``expression`` refer to: two bodies of one digest share them.

    Personalised bodies lack a shape basis and so have another digest.
    """
    digest = hashlib.sha256()
    for array in (body.v_template, body.shapedirs, body.exprdirs, body.J_template):
        digest.update(np.ascontiguousarray(array, np.dtype("<f4")).tobytes())
    return digest.hexdigest()


def _turned(axis_angle: FloatArray, by: FloatArray) -> FloatArray:
    """Rotations [T, 3] after the rotations ``by`` [T, 3], as axis-angle."""
    product = axis_angle_to_matrix(np.asarray(axis_angle)) @ axis_angle_to_matrix(np.asarray(by))
    return matrix_to_axis_angle(product)


# Reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PoseFrames:
    """The poses of a file.

    Attributes:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        expression: [T, E] weights.
    """

    full_pose: FloatArray
    transl: FloatArray
    expression: FloatArray


@dataclass(frozen=True)
class BodyModel:
    """What a user's SMPL-X file, or the body prepared from it, says about others' motions.

    Attributes:
        hands: the mean hands; None in a prepared body of a file without them.
        face: a prepared body, which turns expressions into ARKit's actions; None for SMPL-X's own.
    """

    hands: HandModel | None
    face: Body | None


def read_body_model(path: Path) -> BodyModel:
    """Read a user's SMPL-X model file, or the body prepared from it (.npz).

    Raises:
        LikenessError: the file is neither.
    """
    arrays = read_arrays(path)
    if "expression_names" not in arrays:
        return BodyModel(HandModel.from_arrays(arrays, path), None)
    hands = HandModel.from_arrays(arrays, path) if "hands_meanl" in arrays else None
    return BodyModel(hands, load_body(path))


def read_hand_model(path: Path) -> HandModel:
    """The hands of a user's SMPL-X model file (.npz).

    Raises:
        LikenessError: the file is not an SMPL-X model with hands.
    """
    return HandModel.from_arrays(read_arrays(path), path)


def read_arrays(path: Path) -> Arrays:
    """Read the arrays of a file: an npz, an npy of a known layout, or a face capture (.csv, .json).

    Arrays of an npz that would have to be unpickled are left out.

    Raises:
        LikenessError: the file is missing or none of these.
    """
    require_file(path, _REMEDY)
    if path.suffix.lower() in FACE_SUFFIXES:
        return read_face_capture(path)
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise LikenessError(
            f"'{path}' is a pickle, which could run any program when it is opened.",
            "If you trust it, save its arrays as .npz with numpy.savez('motion.npz', **loaded).",
        )
    try:
        with path.open("rb") as opened:
            if opened.read(6) == b"\x93NUMPY":
                return columns_to_arrays(mmap_npy(path), path)
        # Others' files carry a few pickled arrays, which are left out.
        return read_npz(path, most=MAX_BYTES, skip_pickled=True, never_skip=_POSE_KEYS)
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read as a pose ({error}).", _REMEDY) from error


_POSE_KEYS = {*ROWS, "poses", "trans", "transl", "expression", "root_orient", "pose_body"}


def pose_frames(
    arrays: Arrays, path: Path, num_expression: int, names: Sequence[str] = ()
) -> PoseFrames:
    """The poses of a file; what it lacks stays at rest.

    Each array is flat, [J, 3], [T, n] or [T, J, 3]; one frame stands for all.

    Args:
        arrays: the file's arrays by key.
        path: the file, for messages.
        num_expression: size of the body's expression basis. An expression of another size
            belongs to another basis and is left out, with a warning; the jaw joint then opens
            the mouth.
        names: of those expressions; with a basis of FLAME's or SMPL-X's among them, an expression
            without names belongs to it.

    Raises:
        LikenessError: an array has a wrong size or number of frames, or values that are not
            numbers.
    """
    arrays, notes = standardize_keys(arrays, path)
    for note in notes:
        warnings.warn(note, stacklevel=3)
    arrays = match_expression(arrays, names)
    if not arrays.keys() & ROWS.keys():
        raise LikenessError(f"'{path}' does not contain a pose.", _REMEDY)
    found = {
        key: _frames(arrays[key], 3 * _joints(part), key, path)
        for key, part in ROWS.items()
        if key in arrays
    }
    for key in ("trans", "transl"):
        if key in arrays:
            found[key] = _frames(arrays[key], 3, key, path)
    expression = arrays.get("expression")
    if expression is not None:
        size = expression.shape[-1] if expression.ndim else 0
        if size == num_expression and size > 0:
            found["expression"] = _frames(expression, size, "expression", path)
        elif size != num_expression:
            warnings.warn(
                f"'{path}' has an expression of {size} weights, this body has {num_expression}: "
                "only its jaw and eyes move the face.",
                stacklevel=3,
            )
    lengths = {len(array) for array in found.values()} - {1}
    if len(lengths) > 1:
        counts = ", ".join(f"{key} {len(array)}" for key, array in found.items())
        raise LikenessError(f"The arrays of '{path}' differ in length: {counts}.", _REMEDY)
    frames = lengths.pop() if lengths else 1
    if frames > MAX_FRAMES:
        raise LikenessError(f"'{path}' has {frames} frames.", "Cut it into shorter motions.")
    full_pose = np.zeros((frames, NUM_JOINTS, 3))
    for key in ROWS.keys() & found.keys():
        full_pose[:, ROWS[key]] = found[key].reshape(-1, _joints(ROWS[key]), 3)
    transl = np.zeros((frames, 3))
    transl[:] = found.get("transl", found.get("trans", 0.0))
    weights = np.zeros((frames, num_expression))
    share = arrays.get("jaw_from_expression")
    if "expression" in found:
        weights[:] = found["expression"]
        if share is not None:
            if share.dtype.kind != "f" or share.shape != (num_expression, 3):
                raise LikenessError(
                    f"jaw_from_expression in '{path}' is {share.shape}, not ({num_expression}, 3).",
                    _REMEDY,
                )
            full_pose[:, _JAW] = _turned(full_pose[:, _JAW], -(weights @ share))
    return PoseFrames(full_pose, transl, weights)


def load_motion(path: Path, num_expression: int) -> Motion:
    """Read a motion file, ours or another SMPL-X or AMASS npz.

    What only our files store gets a default in others: every joint seen, one shot, 30 frames a
    second and, with a warning, a default camera.

    Args:
        path: the .npz file.
        num_expression: as for :func:`pose_frames`.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    path = Path(path)
    return motion_from_arrays(read_arrays(path), path, num_expression)


def motion_from_arrays(
    arrays: Arrays, path: Path, num_expression: int, names: Sequence[str] = ()
) -> Motion:
    """Read a motion from a file's arrays, as :func:`load_motion` does.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    arrays, notes = standardize_keys(arrays, path)
    for note in notes:
        warnings.warn(note, stacklevel=3)
    poses = pose_frames(arrays, path, num_expression, names)
    frames = len(poses.transl)

    def per_frame(key: str, size: int, default: float) -> FloatArray:
        values = _numbers(arrays, key, np.full((frames, size), default), path)
        if values.size != frames * size:
            raise LikenessError(
                f"{key} in '{path}' is {values.shape}, not one row for each of {frames} frames.",
                "Track the clip again.",
            )
        return values.reshape((frames, size) if size > 1 else (frames,))

    rate = _numbers(arrays, "mocap_frame_rate", np.array(DEFAULT_FRAME_RATE), path)
    frame_rate = float(rate.reshape(-1)[0]) if rate.size == 1 else math.nan
    if not 1e-3 <= frame_rate <= 1e6:
        raise LikenessError(f"'{path}' has an impossible frame rate.", "Track the clip again.")
    betas = _numbers(arrays, "betas", np.zeros(0), path)
    states = per_frame("frame_state", 1, 0).astype(np.uint8)
    if states.max() >= len(FRAME_STATES):
        raise LikenessError(f"frame_state in '{path}' has unknown values.", "Track it again.")
    return Motion(
        betas=betas[0] if betas.ndim > 1 else betas.reshape(-1),
        full_pose=poses.full_pose,
        transl=poses.transl,
        expression=poses.expression,
        joint_confidence=per_frame("joint_confidence", NUM_JOINTS, 1.0),
        frame_state=states,
        shot=per_frame("shot", 1, 0).astype(np.int32),
        camera=_camera(arrays, path),
        frame_rate=frame_rate,
        framing=str(arrays.get("framing", "full")),
        view=str(arrays.get("view", "front")),
        face_error=per_frame("face_error", 1, np.nan),
        pose_error=per_frame("pose_error", 1, np.nan),
        warnings=tuple(str(text) for text in np.atleast_1d(arrays.get("warnings", []))),
        gravities=_gravities(arrays, path),
    )


def _gravities(arrays: Arrays, path: Path) -> tuple[Gravity, ...]:
    rows = _numbers(arrays, "gravity", np.zeros((0, 4)), path)
    try:
        return tuple(gravity or Gravity() for gravity in unpack_gravities(rows))
    except (IndexError, TypeError, ValueError) as error:
        raise LikenessError(
            f"'gravity' in '{path}' must be [S, 4] (pitch, roll, certainty and source of each "
            f"shot), not {list(rows.shape)}.",
            "Track the clip again.",
        ) from error


def _camera(arrays: Arrays, path: Path) -> Camera:
    keys = ("camera_K", "camera_viewmat", "camera_size")
    if not any(key in arrays for key in keys):
        warnings.warn(f"'{path}' has no camera; a typical lens is assumed.", stacklevel=3)
        return photo_camera(DEFAULT_FOCAL_FACTOR * 1024, 1024, 1024)
    try:
        K, viewmat, size = (np.asarray(arrays[key], np.float64) for key in keys)
        shapes = (K.shape, viewmat.shape, size.shape) == ((3, 3), (4, 4), (2,))
        if not shapes or not all(np.isfinite(a).all() for a in (K, viewmat, size)):
            raise ValueError(f"{K.shape}, {viewmat.shape}, {size.shape}")
    except (KeyError, ValueError) as error:
        raise LikenessError(
            f"The camera in '{path}' is not complete ({error}).", "Track the clip again."
        ) from error
    return Camera(viewmat, K, int(size[0]), int(size[1]))


def _numbers(arrays: Arrays, key: str, default: FloatArray, path: Path) -> FloatArray:
    values = arrays.get(key, default)
    if values.dtype.kind not in "biuf":
        raise LikenessError(
            f"{key} in '{path}' is not an array of numbers.", "Track the clip again."
        )
    return np.asarray(values, np.float64)


def _joints(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _frames(array: np.ndarray[Any, Any], size: int, key: str, path: Path) -> FloatArray:
    """[T, size] from an array that is flat, [J, 3], [T, size] or [T, J, 3]."""
    if array.dtype.kind not in "biuf" or array.size == 0 or array.size % size:
        hint = " Hands must be axis-angle, not PCA weights." if "hand" in key else ""
        raise LikenessError(
            f"{key} in '{path}' has {array.size} values, not {size}.{hint}", _REMEDY
        )
    frames = np.asarray(array, np.float64).reshape(-1, size)
    if not np.isfinite(frames).all():
        raise LikenessError(f"{key} in '{path}' has values that are not numbers.", _REMEDY)
    if np.abs(frames).max() > MAX_VALUE:
        raise LikenessError(f"{key} in '{path}' has values beyond {MAX_VALUE:,.0f}.", _REMEDY)
    return frames
