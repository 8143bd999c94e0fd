"""A motion from any file for one avatar: read, retargeted, placed, at the wanted frame rate.

Other programs' skeletons come as BVH, or as a skeleton file that Blender writes from an armature
or an FBX file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.cameras import DEFAULT_FOCAL_FACTOR, photo_camera
from ..core.types import BoolArray, FloatArray, LikenessError, Motion
from ..files.untrusted import require_file
from . import reenact
from .bone_maps import detect_bones, read_bone_map
from .bvh import read_bvh
from .io import read_arrays, read_body_model, write_npz
from .motion_source import MotionSource, read_motion, resample_motion
from .placing import TargetAvatar, loop_motion, place_motion, smooth_motion
from .retarget import retarget_motion
from .skeleton import Skeleton, SkeletonMotion

SUFFIXES = (".npz", ".npy", ".bvh", ".csv", ".json")
"""File types read here; Blender reads FBX."""


@dataclass(frozen=True)
class MotionOptions:
    """The user's choices.

    Attributes:
        frame_rate: of the result; None for the file's.
        place: one of ``placing.PLACEMENTS``.
        loop: blend the end into the beginning.
        smooth: seconds, standard deviation of a zero-phase filter; 0 for none.
        start: seconds from which the file is used.
        end: seconds to which it is used; None for its end.
        up: axis that points up in an SMPL-X file: ``auto``, ``y``, ``z``, ``-y``.
        mean_hands: its hands count from the mean hand of ``smplx``, a model file.
        rest: what a skeleton rests in, one of ``retarget.RESTS``.
        bones: a map file for its bones.
    """

    frame_rate: float | None = None
    place: str = "stand"
    loop: bool = False
    smooth: float = 0.0
    start: float = 0.0
    end: float | None = None
    up: str = "auto"
    mean_hands: bool = False
    smplx: Path | None = None
    rest: str = "auto"
    bones: Path | None = None


def load_retargeted(path: Path, target: TargetAvatar, options: MotionOptions) -> MotionSource:
    """The motion of a file, retargeted to the target.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    path = Path(path)
    require_file(path, "Choose a motion file.")
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        source = retarget_skeleton(read_bvh(path), target, options)
    elif suffix in (".fbx", ".blend", ".glb", ".gltf", ".abc", ".usd", ".usdc", ".c3d"):
        raise LikenessError(
            f"'{path}' cannot be read outside Blender.",
            "Import it into Blender, then choose Retarget from Armature.",
        )
    else:
        model = None if options.smplx is None else read_body_model(options.smplx)
        source = read_motion(
            path,
            len(target.expressions),
            names=tuple(target.expressions),
            model=None if model is None else model.face,
            up=options.up,
            hands=None if model is None else model.hands,
            mean_hands=options.mean_hands,
        )
    return finalize_motion(source, target, options)


def finalize_motion(
    source: MotionSource, target: TargetAvatar, options: MotionOptions
) -> MotionSource:
    """Cut, smooth, place and resample a motion."""
    motion = source.motion
    if options.start > 0 or options.end is not None:
        motion = reenact.trim(motion, options.start, options.end)
    if options.smooth > 0:
        motion = smooth_motion(motion, options.smooth)
    source = replace(source, motion=motion)
    if options.frame_rate is not None:
        source = resample_motion(source, options.frame_rate)
    source = place_motion(source, target, options.place)
    return replace(source, motion=loop_motion(source.motion)) if options.loop else source


def retarget_skeleton(
    moved: SkeletonMotion, target: TargetAvatar, options: MotionOptions
) -> MotionSource:
    """A skeleton's motion on the target's joints.

    Raises:
        LikenessError: the bones are not recognised, or the map file is not a bone map.
    """
    found = detect_bones(
        moved.skeleton.names, read_bone_map(options.bones) if options.bones else None
    )
    done = retarget_motion(moved, found, target.joints, options.rest)
    motion = motion_from_poses(
        done.full_pose, done.transl, len(target.expressions), moved.frame_rate
    )
    legs = reenact.leg_length(target.joints)
    notes = (found.report(), *done.notes)
    return MotionSource(motion, done.known, False, target.joints[0], legs, notes)


def motion_from_poses(
    full_pose: FloatArray, transl: FloatArray, num_expression: int, frame_rate: float
) -> Motion:
    """A motion of the given poses, with defaults for everything else.

    Args:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        num_expression: size of the expression basis; all weights are zero.
        frame_rate: frames per second.
    """
    count = len(transl)
    return Motion(
        betas=np.zeros(0),
        full_pose=full_pose,
        transl=transl,
        expression=np.zeros((count, num_expression)),
        joint_confidence=np.ones((count, 55)),
        frame_state=np.zeros(count, np.uint8),
        shot=np.zeros(count, np.int32),
        camera=photo_camera(DEFAULT_FOCAL_FACTOR * 1024, 1024, 1024),
        frame_rate=frame_rate,
        framing="full",
        view="front",
        face_error=np.full(count, np.nan),
        pose_error=np.full(count, np.nan),
    )


# Skeletons between Blender and the worker ---------------------------------------------------


def save_skeleton(moved: SkeletonMotion, path: Path) -> None:
    """Write a skeleton's motion as an .npz."""
    rest = moved.skeleton
    np.savez(  # temporary: neither compressed nor atomic
        path,
        **{
            "names": np.array(rest.names, dtype=np.str_),
            "parents": np.array(rest.parents),
            "rest_heads": rest.heads,
            "rest_R": rest.R,
            "R": np.asarray(moved.R, np.float32),
            "heads": np.asarray(moved.heads, np.float32),
            "frame_rate": np.array(moved.frame_rate),
        },
    )


def load_skeleton(path: Path) -> SkeletonMotion:
    """Read what :func:`save_skeleton` wrote."""
    arrays = read_arrays(path)
    rest = Skeleton(
        tuple(str(name) for name in arrays["names"]),
        tuple(int(p) for p in arrays["parents"]),
        arrays["rest_heads"],
        arrays["rest_R"],
    )
    R, heads = (np.asarray(arrays[key], np.float64) for key in ("R", "heads"))
    return SkeletonMotion(rest, R, heads, float(arrays["frame_rate"]))


# What the worker hands back -----------------------------------------------------------------


def save_prepared(source: MotionSource, path: Path) -> None:
    """Write what gets keyed: poses, places, expressions, which joints, cuts, frame rate."""
    motion = source.motion
    write_npz(
        {
            "full_pose": np.asarray(motion.full_pose),
            "transl": np.asarray(motion.transl),
            "expression": np.asarray(motion.expression),
            "shot": np.asarray(motion.shot),
            "known": source.known,
            "face": np.array(source.face),
            "frame_rate": np.array(motion.frame_rate),
        },
        path,
    )


@dataclass(frozen=True)
class PreparedMotion:
    """A motion as :func:`save_prepared` writes it.

    Attributes:
        full_pose: [T, 55, 3] axis-angle, radians.
        transl: [T, 3] metres.
        expression: [T, E] weights.
        shot: [T] number of the shot.
        known: [55] which joints move.
        face: whether the expressions are the avatar's.
        frame_rate: frames per second.
    """

    full_pose: FloatArray
    transl: FloatArray
    expression: FloatArray
    shot: FloatArray
    known: BoolArray
    face: bool
    frame_rate: float

    def __len__(self) -> int:
        return len(self.transl)

    @staticmethod
    def load(path: Path) -> PreparedMotion:
        """Read what :func:`save_prepared` wrote."""
        arrays = read_arrays(path)
        keys = ("full_pose", "transl", "expression", "shot", "known")
        full_pose, transl, expression, shot, known = (arrays[key] for key in keys)
        return PreparedMotion(
            full_pose,
            transl,
            expression,
            shot,
            known,
            bool(arrays["face"]),
            float(arrays["frame_rate"]),
        )
