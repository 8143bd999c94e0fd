"""The work of a worker: one unit of a batch, made in a folder of its own."""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from ...core.attributes import apply_attributes
from ...core.progress import estimate_seconds, overall_progress, peak_memory_mb
from ...core.rotations import axis_angle_to_matrix
from ...core.types import Avatar, LikenessError, Progress
from ...formats.avatar import load_avatar
from ...imaging.load import load_portrait
from ...pipeline.build import BuildResult, build_avatar
from ...pipeline.options import BuildOptions
from ...pipeline.track import ExtraView
from ...visual.sheet import SheetStudio, Tile, save_image
from ..build_files import AVATAR_FILE, BLEND_FILE, write_build
from ..edit_avatar import EditList, edit_avatar, parse_edits
from ..executor import FatalWorkerError
from ..export_files import export_avatar
from ..options import ExportOptions
from .batch_folder import RESULT_FILE, VIEWS, result_files, write_result
from .remote_folder import make_remote
from .units import photo_sha256

VIEW_HEIGHT = 360
SIDE_DEGREES = 75.0
_STRAIGHT = 25.0  # degrees; a smaller turn is left as in the photo

WriteBlend = Callable[[Path, Path, Path], None]
"""``write_blend(avatar, target, photo)``: addon/blend_file.py."""

_FULL = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG}
_FULL_WORDS = tuple(f"os error {number})" for number in _FULL)


def make_unit(
    unit: Mapping[str, Any], write_blend: WriteBlend, progress: Progress | None = None
) -> dict[str, Any]:
    """Make the files of a unit, whose photos and work folder may be at addresses.

    Args:
        unit: as for :func:`make_local`.
        write_blend: as for :func:`make_local`.
        progress: called with the stage, 0..1 and a message.

    Returns:
        As of :func:`make_local`.

    Raises:
        LikenessError: a photo cannot be used.
        OutputError: the output cannot be written.
    """
    return make_remote(unit, lambda own, tell: make_local(own, write_blend, tell), progress)


def make_local(
    unit: Mapping[str, Any], write_blend: WriteBlend, progress: Progress | None = None
) -> dict[str, Any]:
    """Make the files of a unit in the folder ``unit["work"]``, ``batch.json`` last.

    Args:
        unit: as :func:`.units.unit_to_json` gives it, with ``work``, ``formats``, ``preview``, and
            ``avatar``: an existing avatar, of which only other files are wanted.
        write_blend: writes an avatar as a .blend file.
        progress: called with the stage, 0..1 and a message.

    Returns:
        ``seconds`` and ``memory_mb``, the most that this process ever held.

    Raises:
        LikenessError: a photo cannot be used.
        OutputError: the output cannot be written.
    """
    begun = time.perf_counter()
    work = Path(unit["work"])
    try:
        avatar, built = _opened(unit, work), None
        if avatar is None:
            built = _built(unit, work, progress)
            avatar = work / AVATAR_FILE
            write_result(work, unit["key"], unit["digest"])  # from here on it is not lost
        if unit["formats"]:
            person = built or load_avatar(avatar)
            for name in unit["formats"]:
                _export(person, avatar, name, unit, work, write_blend)
        write_result(work, unit["key"], unit["digest"])
    except (OSError, LikenessError) as error:
        if (reason := describe_output_error(error, work)) is not None:
            raise OutputError(*reason) from error
        raise
    return {"seconds": round(time.perf_counter() - begun, 3), "memory_mb": peak_memory_mb()}


def _opened(unit: Mapping[str, Any], work: Path) -> Path | None:
    """Make the work folder; returns the avatar if it is there, or None.

    A try that failed may have left one there, whole, and its other files in parts.
    """
    said = result_files(work)
    if said is not None and said[0] == unit["digest"] and AVATAR_FILE in said[1]:
        for path in [path for path in work.rglob("*") if path.is_file()]:
            if path.relative_to(work).as_posix() not in (*said[1], RESULT_FILE):
                path.unlink()
        return work / AVATAR_FILE
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return Path(unit["avatar"]) if unit["avatar"] else None


class OutputError(FatalWorkerError):
    """The output folder cannot be written, so that no unit can be made at present."""


def describe_output_error(error: BaseException, work: Path) -> tuple[str, str] | None:
    """Message and remedy of an error of the disk or the output folder; None for other errors."""
    if not work.parent.is_dir():
        return (
            f"'{work.parents[2]}' was removed or emptied while the batch was at work.",
            "Run the same command again: what is still there is kept.",
        )
    one: BaseException | None = error
    while one is not None:
        if _cannot_write(one, work):
            return (
                f"Cannot write to '{work.parents[2]}': {getattr(one, 'strerror', None) or one}.",
                "Free some space, or correct the permissions, and run the same command again: "
                "complete avatars are kept.",
            )
        one = one.__cause__ or one.__context__
    return None


def _cannot_write(error: BaseException, work: Path) -> bool:
    if isinstance(error, SafetensorError):
        return any(word in str(error) for word in _FULL_WORDS)
    if not isinstance(error, OSError):
        return False
    own = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name]
    return error.errno in _FULL or any(path.is_relative_to(work) for path in own)


def _built(unit: Mapping[str, Any], work: Path, progress: Progress | None) -> Avatar:
    photo = Path(unit["photo"])
    asked = dict(unit["options"])
    body, edits = asked.pop("body", None), parse_edits(asked.pop("edit", ()))
    others = [ExtraView(Path(path), direction) for direction, path in unit["views"]]
    seconds = estimate_seconds(
        asked.get("refine", "fast"),
        network=asked.get("network") != "none",
        photos=1 + len(others),
        preview=bool(unit["preview"]),
        polish=asked.get("polish", "off") != "off",
    )

    def tell(stage: str, fraction: float, message: str) -> None:
        whole = overall_progress(stage, fraction, seconds)
        if progress is not None and whole is not None:
            progress(stage, whole, message)

    views = work / VIEWS
    views.mkdir()
    _save_small(load_portrait(photo, 720).rgb, views / "input.jpg")
    result = build_avatar(photo, BuildOptions(**asked), tell, Path(body) if body else None, others)
    _check_unchanged(unit)
    result = _edit(result, edits)
    write_build(result, work, bool(unit["preview"]), tell)
    result = replace(result, avatar=apply_attributes(result.avatar))
    draw_views(result, views)
    return result.avatar


def _edit(result: BuildResult, edits: EditList) -> BuildResult:
    """The build with the edits of its portrait, which its report lists.

    One batch edits many people: who has no glasses to take off gets a warning.
    """
    if edits == EditList():
        return result
    notes: list[str] = []
    avatar = edit_avatar(
        result.avatar,
        edits.add,
        edits.values,
        tints=edits.tints,
        skipped=lambda error: notes.append(f"An edit was skipped: {error.message}"),
    )
    report = {
        **result.report,
        "edits": avatar.provenance.get("edits", []),
        "warnings": [*result.report["warnings"], *notes],
    }
    return replace(result, avatar=avatar, report=report)


def _check_unchanged(unit: Mapping[str, Any]) -> None:
    paths = [unit["photo"], *(path for _, path in unit["views"])]
    for path, before in zip(paths, unit["photos"], strict=True):
        if photo_sha256(Path(path)) != before:
            raise LikenessError(
                f"'{path}' was changed while the batch was at work.", "Run the batch again."
            )


def _export(
    avatar: Avatar,
    file: Path,
    name: str,
    unit: Mapping[str, Any],
    work: Path,
    write_blend: WriteBlend,
) -> None:
    if name == "blend":
        write_blend(file, work / BLEND_FILE, Path(unit["photo"]))
    else:
        options = ExportOptions(name=Path(unit["key"]).name)
        export_avatar(avatar, work / f"avatar.{name}", avatar.pose, options)


def draw_views(result: BuildResult, folder: Path) -> None:
    """Small pictures of an avatar from all sides, for the report."""
    studio = SheetStudio(result.avatar, result.portrait, result.matte)
    straight = trunk_yaw(result.avatar)
    tiles = {
        "input": studio.photo("input", result.portrait.rgb),
        "front": studio.view("front", straight),
        "side": studio.view("side", straight + SIDE_DEGREES),
        "back": studio.view("back", straight + 180.0),
        "pose": studio.moving()[0],
    }
    for name, tile in tiles.items():
        save_image(_drawn(tile), folder / f"{name}.jpg")


def _drawn(tile: Tile) -> Any:
    return tile.draw(max(1, round(VIEW_HEIGHT * tile.aspect)), VIEW_HEIGHT)


def trunk_yaw(avatar: Avatar) -> float:
    """Degrees by which the trunk is turned from the camera to the picture's right.

    A camera must swing by as much to face it; 0 where the photo is about straight.
    """
    ahead = axis_angle_to_matrix(np.asarray(avatar.pose.full_pose)[0]) @ np.array([0.0, 0.0, 1.0])
    degrees = math.degrees(math.atan2(ahead[0], ahead[2]))
    return degrees if abs(degrees) > _STRAIGHT else 0.0


def _save_small(rgb: Any, path: Path) -> None:
    from ...imaging.resize import resize

    height, width = rgb.shape[:2]
    small = VIEW_HEIGHT / height
    save_image(resize(rgb, max(1, round(width * small)), VIEW_HEIGHT), path)
