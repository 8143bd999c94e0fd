"""Avatars as files for other programs: splats, rigged meshes, and sequences of splats.

The command line and Blender's worker go through here. Files are written atomically, and
predictable errors are raised before the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..core.types import Avatar, FloatArray, Gaussians, LikenessError, Motion, Pose, Progress
from ..files.atomic import atomic_write_files
from ..formats.glb import write_glb
from ..formats.ply import UPS, write_ply
from ..formats.spz import write_spz
from ..formats.surface_mesh import SurfaceMesh
from ..formats.usd import write_usda, write_usdz
from ..gaussians.binding import place_gaussians
from ..gaussians.mesh_extraction import extract_mesh, floor_offset, translate_pose
from ..gaussians.posing import pose_avatar
from ..gaussians.swing_rig import make_swing_rig
from ..imaging.image_sequence import NumberedFiles
from ..motion.swing import swing_vertices
from ..motion.swing_options import SwingOptions
from .options import CONTENTS, PLACES, ClipOptions, ExportOptions

SPLAT_SUFFIXES = (".ply", ".spz")
_WRITERS = {".glb": write_glb, ".usda": write_usda, ".usdz": write_usdz}
SCENE_SUFFIXES = tuple(_WRITERS)
VRM_SUFFIX = ".vrm"
SUFFIXES = (*SPLAT_SUFFIXES, *SCENE_SUFFIXES, VRM_SUFFIX)

_ELSEWHERE = {
    ".fbx": "FBX files come from Blender: File > Export > Likeness Rigged Mesh (FBX).",
    ".gltf": "Choose .glb, the same in one file.",
    ".usd": "Choose .usda, which every USD program reads.",
    ".usdc": "Choose .usda, which every USD program reads.",
    ".safetensors": "It would be the avatar itself: copy the file.",
}


def check_export_format(out: Path, options: ExportOptions, moving: bool) -> None:
    """Check a name and its options, before the work.

    Args:
        out: the file.
        options: what it holds.
        moving: whether a motion is exported.

    Raises:
        LikenessError: names the file, and the alternatives.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        remedy = f"Choose a name that ends in {', '.join(SUFFIXES)}."
        remedy = _ELSEWHERE.get(suffix, remedy)
        raise LikenessError(f"'{out}' has no format for an export.", remedy)
    for name, value, known in (
        ("content", options.content, CONTENTS),
        ("axis that points up", options.up, tuple(UPS)),
        ("place", options.place, PLACES),
    ):
        if value not in known:
            raise LikenessError(f"There is no {name} '{value}'.", f"Choose {', '.join(known)}.")
    if suffix in SPLAT_SUFFIXES:
        if options.content == "mesh":
            raise LikenessError(f"'{out}' cannot hold a mesh.", "Choose .glb, .usda or .usdz.")
        if moving:
            parse_sequence_name(out)
    if options.swing and not (moving and suffix in SPLAT_SUFFIXES):
        raise LikenessError(
            f"Hair and skirts cannot swing in '{out}'.",
            "Give a motion and a name such as me_%04d.ply, for one file of each frame.",
        )
    if suffix == VRM_SUFFIX:
        _check_vrm(out, options, moving)
    elif options.vrm is not None:
        raise LikenessError(f"'{out}' has no author and licence.", "Only .vrm files have them.")
    if out.is_dir():
        raise LikenessError(f"'{out}' is a folder.", "Name a file.")


def _check_vrm(out: Path, options: ExportOptions, moving: bool) -> None:
    if moving:
        raise LikenessError(f"'{out}' cannot hold a motion.", "Choose .glb, .usda or .usdz.")
    if options.content == "splats":
        raise LikenessError(f"'{out}' cannot hold splats.", "Choose .ply, .spz, .glb or .usda.")
    if options.place == "photo":
        raise LikenessError(f"'{out}' stands at the origin.", "Leave the place out.")
    if options.vrm is None or not any(author.strip() for author in options.vrm.authors):
        raise LikenessError(f"'{out}' needs an author.", "Name one.")


def parse_sequence_name(out: Path) -> NumberedFiles:
    """The files of a sequence.

    Args:
        out: a name with a place for the number, such as ``me_%04d.ply``.

    Raises:
        LikenessError: the name has no place for a number.
    """
    try:
        return NumberedFiles(out)
    except LikenessError as error:
        raise LikenessError(
            f"'{out}' is the name of one file; a motion gives one for each frame.",
            f"Put the number's place into the name: {out.stem}_%04d{out.suffix}.",
        ) from error


def write_splats(gaussians: Gaussians, path: Path, options: ExportOptions) -> None:
    """Write Gaussians as PLY or SPZ, by the suffix."""
    if path.suffix.lower() == ".spz":
        write_spz(gaussians, path)
    else:
        write_ply(gaussians, path, options.up)


def write_sequence(
    frame: Callable[[int], Gaussians],
    count: int,
    out: Path,
    options: ExportOptions,
    progress: Progress | None = None,
    numbers: Sequence[int] | None = None,
) -> list[Path]:
    """Write one PLY or SPZ file for each of ``count`` frames, all or none.

    Args:
        frame: gives the Gaussians of a frame, counted from 0.
        count: number of frames.
        out: a name with a place for the number.
        options: of the format.
        progress: called with the stage, 0..1 and a message.
        numbers: [count] ascending, of the files; from 0 when left out.

    Returns:
        The files written.

    Raises:
        LikenessError: the name has no place for a number, or files of a longer sequence would be
            left among these.
    """
    names = parse_sequence_name(out)
    numbers = range(count) if numbers is None else numbers
    left = names.beyond(numbers[-1] + 1)
    if left:
        raise LikenessError(
            f"'{left[0]}' is a frame of another sequence, longer than this one of {count} frames.",
            "Choose another folder or name, or remove the old frames.",
        )
    files = [names.path(number) for number in numbers]
    with atomic_write_files(out.absolute().parent) as scratch:
        for k, file in enumerate(files):
            write_splats(frame(k), scratch / file.name, options)
            if progress:
                progress("write", (k + 1) / count, f"frame {k + 1} of {count}")
    return files


def write_scene(
    out: Path,
    options: ExportOptions,
    splats: Callable[[], Gaussians],
    mesh: Callable[[], SurfaceMesh],
    pose: Pose | Motion,
    place: FloatArray | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a GLB or USD file of what ``options.content`` names.

    Args:
        out: the file, .glb, .usda or .usdz.
        options: what it holds.
        splats: gives the splats; called only if they are wanted.
        mesh: gives the mesh; called only if it is wanted.
        pose: of the mesh.
        place: [4, 4] from the pose's space to the splats' world, metres; the identity by default.
        progress: called with the stage, 0..1 and a message.

    Returns:
        The files written.
    """

    def tell(part: float, message: str) -> None:
        if progress:
            progress("write", part, message)

    tell(0.0, "placing the splats")
    held = splats() if options.content != "mesh" else None
    tell(0.1, "baking the texture")
    body = mesh() if options.content != "splats" else None
    tell(0.8, f"writing {out.name}")
    write = _WRITERS[out.suffix.lower()]
    with atomic_write_files(out.absolute().parent) as scratch:
        write(scratch / out.name, held, body, pose, options.name, place)
        files = [out.parent / path.name for path in sorted(scratch.iterdir())]
    tell(1.0, "written")
    return files


def make_mesh(avatar: Avatar, options: ExportOptions) -> SurfaceMesh:
    """Make the mesh of an avatar, whose colours are albedo if the options say so.

    Args:
        avatar: the avatar.
        options: texture size and albedo.
    """
    return replace(extract_mesh(avatar, options.texture), lit=options.albedo)


def export_avatar(
    avatar: Avatar,
    out: Path,
    pose: Pose | Motion,
    options: ExportOptions | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write an avatar for other programs, in the format of ``out``'s suffix.

    Args:
        avatar: the avatar.
        out: the file.
        pose: how it stands. A motion gives an animated mesh, with the splats in its first frame;
            in formats of splats, one file for each frame.
        options: None for the defaults.
        progress: called with the stage, 0..1 and a message.

    Returns:
        The files written.

    Raises:
        LikenessError: the name, an option or the folder cannot be used; it says what to do.
    """
    options = options or ExportOptions()
    moving = isinstance(pose, Motion)
    check_export_format(out, options, moving)
    if options.albedo:
        from ..gaussians.relight.albedo import use_albedo  # late: with all of the lift

        avatar = use_albedo(avatar)
    pose = place_pose(avatar, pose, options.place)
    if out.suffix.lower() in SCENE_SUFFIXES:
        first = pose.pose(0) if isinstance(pose, Motion) else pose
        return write_scene(
            out,
            options,
            lambda: pose_avatar(avatar, first),
            lambda: make_mesh(avatar, options),
            pose,
            progress=progress,
        )
    if out.suffix.lower() == VRM_SUFFIX:
        return write_vrm_avatar(avatar, out, options, progress)
    if isinstance(pose, Motion):
        posed = _posed_frames(avatar, pose, options.swing)
        return write_sequence(posed, len(pose), out, options, progress)
    with atomic_write_files(out.absolute().parent) as scratch:
        write_splats(pose_avatar(avatar, pose), scratch / out.name, options)
    return [out]


def _posed_frames(avatar: Avatar, motion: Motion, swing: float) -> Callable[[int], Gaussians]:
    """From a frame of a motion to the Gaussians, with hair and skirts that swing if asked for."""
    if not swing:
        return lambda k: pose_avatar(avatar, motion.pose(k))
    swung, rig, _ = make_swing_rig(avatar)
    poses = [motion.pose(k) for k in range(len(motion))]
    springs = SwingOptions(amount=swing)
    surface = swing_vertices(rig, poses, motion.frame_rate, springs, motion.shot)
    return lambda k: place_gaussians(swung.gaussians, surface(k), swung.body)


def write_vrm_avatar(
    avatar: Avatar, out: Path, options: ExportOptions, progress: Progress | None = None
) -> list[Path]:
    """Write an avatar as VRM 1.0, in the T-pose.

    Args:
        avatar: the avatar; its colours are albedo if the options say so.
        out: the file.
        options: with the author, the licence, texture size and albedo.
        progress: called with the stage, 0..1 and a message.

    Returns:
        The file written.

    Raises:
        LikenessError: an author is missing, or the folder cannot be written to.
    """
    from ..formats.vrm import write_vrm
    from ..visual.sheet import draw_thumbnail

    _check_vrm(out, options, moving=False)
    assert options.vrm is not None
    if progress:
        progress("write", 0.0, "baking the texture")
    mesh = make_mesh(avatar, options)
    if progress:
        progress("write", 0.8, f"writing {out.name}")
    picture = draw_thumbnail(avatar)
    with atomic_write_files(out.absolute().parent) as scratch:
        write_vrm(scratch / out.name, mesh, options.vrm, options.name, picture, avatar.provenance)
    if progress:
        progress("write", 1.0, "written")
    return [out]


def load_export_motion(
    avatar: Avatar,
    path: Path,
    fps: float | None = None,
    stretch: tuple[int, int] | None = None,
    expression: dict[str, float] | None = None,
) -> tuple[Motion, list[str]]:
    """A motion file as this avatar does it, upright at the origin, and notes for the user.

    Args:
        avatar: the avatar that moves.
        path: the motion file.
        fps: frames a second instead of the file's.
        stretch: the frames [first, last) to keep.
        expression: weights by name that replace the motion's own.

    Raises:
        LikenessError: the file cannot be read, is not a motion, or lacks the frames.
    """
    from .clip_files import load_clip_motion

    notes: list[str] = []
    motion = load_clip_motion(avatar, path, ClipOptions(motion=path, fps=fps), notes)
    if stretch is not None:
        if stretch[1] > len(motion):
            raise LikenessError(
                f"'{path}' has no frame {stretch[1] - 1}.", f"It has frames 0 to {len(motion) - 1}."
            )
        rows = slice(*stretch)
        names = (
            "full_pose",
            "transl",
            "expression",
            "joint_confidence",
            "frame_state",
            "shot",
            "face_error",
            "pose_error",
        )
        motion = replace(motion, **{name: getattr(motion, name)[rows] for name in names})
    if expression:
        weights = avatar.body.expression(**expression)
        index = [avatar.body.expression_index[name] for name in expression]
        moved_faces = np.array(motion.expression, np.float64)
        moved_faces[:, index] = weights[index]
        motion = replace(motion, expression=moved_faces)
    return motion, notes


def place_pose(avatar: Avatar, pose: Pose | Motion, place: str) -> Pose | Motion:
    """A pose or motion moved to a place, one of ``PLACES``; a motion by its first frame."""
    if place == "photo":
        return pose
    first = pose.pose(0) if isinstance(pose, Motion) else pose
    vertices, joints = avatar.body.vertices(first)
    by = floor_offset(vertices, joints[0])
    if isinstance(pose, Motion):
        return replace(pose, transl=np.asarray(pose.transl) + by)
    return translate_pose(pose, by)


def poses_to_motion(avatar: Avatar, poses: Sequence[Pose], frame_rate: float) -> Motion:
    """Poses one after another as a motion of an avatar."""
    count = len(poses)
    return Motion(
        betas=np.zeros(0),
        full_pose=np.stack([np.asarray(p.full_pose) for p in poses]),
        transl=np.stack([np.asarray(p.transl) for p in poses]),
        expression=np.stack([np.asarray(p.expression) for p in poses]),
        joint_confidence=np.ones((count, len(poses[0].full_pose))),
        frame_state=np.zeros(count, np.uint8),
        shot=np.zeros(count, np.int32),
        camera=avatar.camera,
        frame_rate=frame_rate,
        framing=avatar.framing,
        view="front",
        face_error=np.full(count, np.nan),
        pose_error=np.full(count, np.nan),
    )


def apply_object_motion(motion: Motion, places: FloatArray, joints: FloatArray) -> Motion:
    """A motion whose armature itself moves, as one in the space of its first frame.

    Args:
        motion: in the armature's space.
        places: [T, 4, 4] from the motion's space to the world, without changes of scale; metres.
        joints: [55, 3] metres at rest; the motion turns about the pelvis.
    """
    from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle

    ways = np.linalg.inv(places[0]) @ places
    root = axis_angle_to_matrix(np.asarray(motion.full_pose[:, 0], np.float64))
    pelvis = np.asarray(joints, np.float64)[0]
    at = np.einsum("tab,tb->ta", ways[:, :3, :3], pelvis + motion.transl) + ways[:, :3, 3]
    full_pose = np.array(motion.full_pose, np.float64)
    full_pose[:, 0] = matrix_to_axis_angle(ways[:, :3, :3] @ root)
    return replace(motion, full_pose=full_pose, transl=at - pelvis)
