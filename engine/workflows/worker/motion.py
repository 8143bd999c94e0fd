"""A motion file prepared for one avatar, as keys for Blender.

Request::

    {"task": "motion", "motion": "walk.bvh", "output": "prepared.npz", "kind": "file",
     "target": {"joints": [[...]], "sole": 0.0, "pelvis": [...], "front": [...], "floor": 0.0,
                "expressions": [...]},
     "options": {"frame_rate": 24.0, "place": "stand"}}

``target`` is ``retarget.placing.Target``, ``options`` are fields of
``retarget.files.MotionOptions``. ``kind`` is ``file``, or what Blender wrote: ``skeleton`` of an
armature, ``recording`` of an avatar. Result::

    {"prepared": "…/prepared.npz", "frames": 300, "frame_rate": 24.0, "warnings": [], "notes": []}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.types import LikenessError

if TYPE_CHECKING:
    from ...motion.placing import TargetAvatar
    from ...motion.prepare_motion import MotionOptions
    from .main import Channel

Notes = tuple[str, ...]

DEFAULTS: dict[str, Any] = {
    "motion": ...,
    "output": ...,
    "target": ...,
    "kind": "file",
    "options": {},
}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Read, retarget, place and write; see the module."""
    from ...motion.io import read_arrays, write_npz
    from ...motion.placing import TargetAvatar
    from ...motion.prepare_motion import (
        finalize_motion,
        load_retargeted,
        load_skeleton,
        retarget_skeleton,
    )
    from ...motion.recording import export_recording

    target, options = (
        TargetAvatar.of_json(request["target"]),
        parse_motion_options(request["options"]),
    )
    path = Path(request["motion"])
    channel.progress("motion", 0.1, "reading the motion")
    if request["kind"] == "skeleton":
        source = finalize_motion(
            retarget_skeleton(load_skeleton(path), target, options), target, options
        )
    else:
        if request["kind"] == "recording":
            arrays = export_recording(read_arrays(path))
            path = path.with_name("recorded.npz")
            write_npz(arrays, path)
        source = load_retargeted(path, target, options)
    return write_prepared(source, Path(request["output"]), source.notes)


def parse_motion_options(values: dict[str, Any]) -> MotionOptions:
    """``MotionOptions`` of a request.

    Raises:
        LikenessError: it names options that do not exist.
    """
    from ...motion.prepare_motion import MotionOptions

    paths = {k: Path(v) for k, v in values.items() if k in ("smplx", "bones") and v}
    try:
        return MotionOptions(**{**values, **paths})
    except TypeError as error:
        raise LikenessError(f"The request's options are wrong: {error}.") from error


def parse_target(request: dict[str, Any]) -> tuple[TargetAvatar | None, MotionOptions]:
    """The avatar that a request also prepares its motion for, if any, and how.

    Raises:
        LikenessError: it names options that do not exist.
    """
    from ...motion.placing import TargetAvatar

    target = TargetAvatar.of_json(request["target"]) if request["prepared"] else None
    return target, parse_motion_options(request["motion"])


def prepare_for(
    motion_file: Path, target: TargetAvatar, options: MotionOptions, output: Path, notes: Notes = ()
) -> dict[str, Any]:
    """Prepare a written motion for one avatar; returns the result of the job."""
    from ...motion.prepare_motion import load_retargeted

    source = load_retargeted(motion_file, target, options)
    return write_prepared(source, output, (*notes, *source.notes))


def write_prepared(source: Any, output: Path, notes: tuple[str, ...]) -> dict[str, Any]:
    """Write the keys of a motion; returns the result of the job."""
    from ...motion.prepare_motion import save_prepared

    save_prepared(source, output)
    return {
        "prepared": str(output),
        "frames": len(source.motion),
        "frame_rate": float(source.motion.frame_rate),
        "warnings": [],
        "notes": list(notes),
    }
