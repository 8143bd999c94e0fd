"""Files for other programs from Blender's scene: splats, sequences of them, rigged meshes.

Request::

    {"task": "export", "folder": "frames", "out": "me.glb", "poses": "poses.npz", "photo": null,
     "options": {"content": "both", "up": "-y", "texture": 2048, "name": "Avatar"}}

``folder`` holds what ``addon/scene/frame_recorder.py`` wrote, ``poses`` (or null) the poses of the
frames that animate the mesh: ``full_pose`` [T, 55, 3], ``transl`` [T, 3], ``expression`` [T, E],
``places`` [T, 4, 4] and ``frame_rate``. ``photo`` (or null) has the photo's pose in the same form,
from which the option ``albedo`` finds the photo's light. ``options`` are fields of
``ExportOptions``. An ``out`` that ends in ``.npz`` is the rigged mesh for Blender itself; one in
``.safetensors`` is the avatar, with the first of the poses as its own. Result::

    {"files": ["…/me.glb"], "warnings": []}
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.options import options_from_json
from ...core.types import Avatar, LikenessError
from ...formats.vrm_options import VrmOptions

if TYPE_CHECKING:
    from ...core.types import FloatArray, Pose
    from ...scene.frames import SceneFrames
    from .main import Channel

DEFAULTS: dict[str, Any] = {"folder": ..., "out": ..., "poses": None, "photo": None, "options": {}}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Write the files; see the module."""
    from ...files.atomic import atomic_write_files
    from ...scene.frames import SceneFrames
    from ..export_files import (
        SPLAT_SUFFIXES,
        VRM_SUFFIX,
        check_export_format,
        make_mesh,
        write_scene,
        write_sequence,
        write_splats,
        write_vrm_avatar,
    )
    from ..options import ExportOptions

    fields = dict(request["options"])
    vrm = fields.pop("vrm", None)
    options = options_from_json(ExportOptions, fields)
    if vrm is not None:
        options = replace(options, vrm=options_from_json(VrmOptions, vrm))
    out, folder = Path(request["out"]), Path(request["folder"])
    channel.progress("read", 0.0, "reading the scene")
    if out.suffix == ".safetensors":
        return {"files": [_avatar_file(folder, out, request["poses"])], "warnings": []}
    frames = SceneFrames.load(folder)
    if options.albedo:
        frames = _with_albedo(frames, request["photo"])
    avatar = frames.avatars[0]
    if out.suffix == ".npz":
        return {"files": [_mesh_for_blender(avatar, out, options.texture, channel)]}
    check_export_format(out, options, len(frames) > 1)
    if out.suffix.lower() in SPLAT_SUFFIXES:
        if len(frames) > 1:
            files = write_sequence(
                frames.gaussians,
                len(frames),
                out,
                options,
                channel.progress,
                [int(number) for number in frames.frames],
            )
        else:
            with atomic_write_files(out.absolute().parent) as scratch:
                write_splats(frames.gaussians(0), scratch / out.name, options)
            files = [out]
        channel.progress("write", 1.0, "written")
        return {"files": [str(file) for file in files], "warnings": []}
    if out.suffix.lower() == VRM_SUFFIX:
        files = write_vrm_avatar(avatar, out, options, channel.progress)
        return {"files": [str(file) for file in files], "warnings": []}
    pose, place = avatar.pose, frames.places[0, 0]
    if request["poses"] is not None:
        pose, place = _motion(Path(request["poses"]), avatar)
    files = write_scene(
        out,
        options,
        lambda: frames.gaussians(0),
        lambda: make_mesh(avatar, options),
        pose,
        place,
        channel.progress,
    )
    return {"files": [str(file) for file in files], "warnings": []}


def _with_albedo(frames: SceneFrames, photo: str | None) -> SceneFrames:
    """Frames of one avatar without the light of its photo, whose pose a file has."""
    from ...gaussians.relight.albedo import use_albedo

    if photo is None or len(frames.avatars) != 1:
        raise LikenessError("Albedo is exported of one avatar at a time.", "Export each by itself.")
    (avatar,) = frames.avatars
    plain = use_albedo(replace(avatar, pose=read_poses(Path(photo))[0][0]))
    return replace(frames, avatars=(replace(avatar, gaussians=plain.gaussians),))


def read_scene_avatar(folder: Path, poses: str | None) -> Avatar:
    """Read the first avatar of a recorded scene, with its sliders.

    Args:
        folder: of the recording.
        poses: a file whose first pose becomes the avatar's; None keeps its own.

    Raises:
        LikenessError: a file cannot be read.
    """
    from ...formats.avatar import load_editable_avatar
    from ...scene.frames import AVATAR_NAME

    avatar = load_editable_avatar(folder / AVATAR_NAME.format(0))
    return avatar if poses is None else replace(avatar, pose=read_poses(Path(poses))[0][0])


def _avatar_file(folder: Path, out: Path, poses: str | None) -> str:
    from ...files.atomic import atomic_write_files
    from ...formats.avatar import save_avatar

    avatar = read_scene_avatar(folder, poses)
    with atomic_write_files(out.absolute().parent) as scratch:
        save_avatar(avatar, scratch / out.name)
    return str(out)


def _motion(path: Path, avatar: Any) -> tuple[Any, Any]:
    from ..export_files import apply_object_motion, poses_to_motion

    poses, places, rate = read_poses(path)
    motion = poses_to_motion(avatar, poses, rate)
    return apply_object_motion(motion, places, avatar.body.J_template), places[0]


def read_poses(path: Path) -> tuple[list[Pose], FloatArray, float]:
    """Return the poses that Blender wrote, their places [T, 4, 4] and the frame rate.

    Raises:
        LikenessError: the file is missing or damaged.
    """
    from ...core.types import Pose
    from ...files.untrusted import read_npz, wrap_parser_errors

    try:
        file = read_npz(path)
        with wrap_parser_errors():
            rows = zip(file["full_pose"], file["transl"], file["expression"], strict=True)
            poses = [Pose(*row) for row in rows]
            return poses, file["places"], float(file["frame_rate"])
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"The scene's poses in '{path}' cannot be read: {error}.", "Export again."
        ) from error


def _mesh_for_blender(avatar: Any, out: Path, texture: int, channel: Channel) -> str:
    """The dressed body's arrays, and its texture as a PNG beside them."""
    import numpy as np

    from ...files.atomic import atomic_write
    from ...formats.glb import encode_png
    from ...gaussians.mesh_extraction import extract_mesh

    channel.progress("write", 0.1, "baking the texture")
    mesh = extract_mesh(avatar, texture)
    with atomic_write(out) as scratch, scratch.open("wb") as file:
        np.savez(
            file,
            vertices=mesh.body.v_template,
            rest=avatar.body.v_template,
            f=mesh.body.f,
            uv=mesh.uv,
            uv_f=mesh.uv_f,
            colors=mesh.colors,
        )
    with atomic_write(out.with_suffix(".png")) as scratch:
        scratch.write_bytes(encode_png(mesh.texture))
    channel.progress("write", 1.0, "baked")
    return str(out)
