"""A motion file for one avatar, for Blender: what has to be keyed.

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
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "motion": ...,
    "output": ...,
    "target": ...,
    "kind": "file",
    "options": {},
}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Read, retarget, place and write; see the module."""
    from ...motion.io import read_arrays, write_arrays
    from ...motion.placing import Target
    from ...motion.prepare import finished, load_skeleton, motion_for, of_skeleton
    from ...motion.recording import exported

    target, options = Target.of_json(request["target"]), motion_options(request["options"])
    path = Path(request["motion"])
    channel.progress("motion", 0.1, "reading the motion")
    if request["kind"] == "skeleton":
        source = finished(of_skeleton(load_skeleton(path), target, options), target, options)
    else:
        if request["kind"] == "recording":
            arrays = exported(read_arrays(path))
            path = path.with_name("recorded.npz")
            write_arrays(arrays, path)
        source = motion_for(path, target, options)
    return prepared(source, Path(request["output"]), source.notes)


def motion_options(values: dict[str, Any]) -> Any:
    """``MotionOptions`` of a request.

    Raises:
        LikenessError: it names options that do not exist.
    """
    from ...motion.prepare import MotionOptions

    paths = {k: Path(v) for k, v in values.items() if k in ("smplx", "bones") and v}
    try:
        return MotionOptions(**{**values, **paths})
    except TypeError as error:
        raise LikenessError(f"The request's options are wrong: {error}.") from error


def prepared(source: Any, output: Path, notes: tuple[str, ...]) -> dict[str, Any]:
    """Write what is keyed; the result of the job."""
    from ...motion.prepare import save_prepared

    save_prepared(source, output)
    return {
        "prepared": str(output),
        "frames": len(source.motion),
        "frame_rate": float(source.motion.frame_rate),
        "warnings": [],
        "notes": list(notes),
    }
