"""The figures of many portraits: faces found from the side, medians, one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import Any

import numpy as np

from ...engine.core.cameras import orbit
from ...engine.core.framing import ball_box
from ...engine.core.types import Avatar
from ...engine.gaussians.posing import pose_avatar
from ...engine.render import render_camera
from ...engine.tracking.detectors import Detectors
from ...engine.visual.view_cameras import head_ball, orbit_centre

FRAMINGS = ("full", "half", "head")
FACE_YAWS = (0, -20, 20, -30, 30)
"""Degrees at which the detector has to find a face in a render."""

_RENDER_SIDE = 1024  # pixels of the longer side of a render for the detector


@dataclass(frozen=True)
class PortraitMetrics:
    """The results of one portrait.

    Attributes:
        kind: its framing.
        error: why there is no avatar, or "".
        face_error: % of the inter-ocular distance.
        pose_error: pixels at 512.
        psnr: dB, of the input view's foreground.
        ssim: of the input view.
        iou: overlap of the silhouettes.
        faces: yaw in degrees -> whether the render shows a face.
        seconds: of the build.
        stages: stage -> its seconds.
        memory_mb: of the build.
    """

    name: str
    kind: str
    error: str = ""
    face_error: float | None = None
    pose_error: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    iou: float | None = None
    faces: dict[int, bool] = field(default_factory=dict)
    seconds: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    memory_mb: float | None = None
    warnings: tuple[str, ...] = ()


def find_side_faces(
    avatar: Avatar, detectors: Detectors, yaws: Sequence[int] = FACE_YAWS, front: float = 0.0
) -> dict[int, bool]:
    """Whether the face detectors find the face, at its place, in renders from the sides.

    Args:
        avatar: the avatar.
        detectors: of faces and landmarks.
        yaws: degrees.
        front: degrees at which the yaws begin: 0 is where the photo was taken from.
    """
    gaussians = pose_avatar(avatar)
    size = avatar.camera.width, avatar.camera.height
    scale = min(1.0, _RENDER_SIDE / max(size))
    camera = avatar.camera.resized(*(round(side * scale) for side in size))
    centre = orbit_centre(gaussians, camera)
    head, radius = head_ball(avatar, avatar.pose)
    found = {}
    for yaw in yaws:
        view = orbit(camera, centre, front + yaw)
        picture = np.clip(render_camera(gaussians, view, np.full(3, 0.9)).rgb, 0, 1)
        place = ball_box(head, radius, view)
        middles = [(np.asarray(f.box[:2]) + f.box[2:]) / 2 for f in detectors.faces(picture)]
        found[yaw] = any(
            place.left < x < place.right and place.top < y < place.bottom for x, y in middles
        )
    return found


def _median(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return median(known) if known else None


def summarize(results: Sequence[PortraitMetrics]) -> dict[str, Any]:
    """JSON-able medians and counts, over all portraits and by framing."""
    built = [r for r in results if not r.error]
    by_kind = {}
    for kind in FRAMINGS:
        some = [r for r in built if r.kind == kind]
        if not some:
            continue
        by_kind[kind] = {
            "portraits": len(some),
            "psnr": _median([r.psnr for r in some]),
            "ssim": _median([r.ssim for r in some]),
            "iou": _median([r.iou for r in some]),
            "faces_found": {yaw: sum(r.faces.get(yaw, False) for r in some) for yaw in FACE_YAWS},
            "faces_found_at_all_yaws": sum(bool(r.faces) and all(r.faces.values()) for r in some),
        }
    return {
        "built": len(built),
        "portraits": len(results),
        "face_error": _median([r.face_error for r in built]),
        "pose_error": _median([r.pose_error for r in built]),
        "seconds": _median([r.seconds for r in built]),
        "seconds_max": max((r.seconds for r in built if r.seconds), default=None),
        "stage_seconds": {
            stage: _median([r.stages.get(stage) for r in built])
            for stage in dict.fromkeys(chain.from_iterable(r.stages for r in built))
        },
        "memory_mb_max": max((r.memory_mb for r in built if r.memory_mb), default=None),
        "by_framing": by_kind,
    }


_COLUMNS: tuple[tuple[str, int, Callable[[PortraitMetrics], str]], ...] = (
    ("portrait", 32, lambda r: r.name),
    ("framing", 8, lambda r: r.kind),
    ("face %", 7, lambda r: _number(r.face_error, 2)),
    ("pose px", 8, lambda r: _number(r.pose_error, 1)),
    ("fg dB", 7, lambda r: _number(r.psnr, 2)),
    ("SSIM", 7, lambda r: _number(r.ssim, 3)),
    ("IoU", 7, lambda r: _number(r.iou, 3)),
    ("faces", 7, lambda r: f"{sum(r.faces.values())}/{len(r.faces)}" if r.faces else "-"),
    ("s", 6, lambda r: _number(r.seconds, 1)),
    ("MB", 6, lambda r: _number(r.memory_mb, 0)),
)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def format_header() -> str:
    """The table's first line."""
    return "".join(f"{title:<{width}}" for title, width, _ in _COLUMNS)


def format_row(result: PortraitMetrics) -> str:
    """One portrait's line of the table."""
    line = "".join(f"{value(result):<{width}}" for _, width, value in _COLUMNS)
    return f"{result.name:<32}FAILED: {result.error}" if result.error else line


def format_summary(figures: dict[str, Any]) -> str:
    """The medians, a line per framing, as they stand below the table."""
    lines = [
        f"built {figures['built']}/{figures['portraits']}; face error, median "
        f"{_number(figures['face_error'], 2)} %; seconds, median {_number(figures['seconds'], 1)}, "
        f"most {_number(figures['seconds_max'], 1)}; memory, most "
        f"{_number(figures['memory_mb_max'], 0)} MB",
        "seconds by stage, median: "
        + ", ".join(f"{stage} {_number(s, 1)}" for stage, s in figures["stage_seconds"].items()),
    ]
    for kind, some in figures["by_framing"].items():
        found = ", ".join(f"{yaw:+d}: {n}" for yaw, n in some["faces_found"].items())
        lines.append(
            f"{kind:<5} {some['portraits']:>2} portraits: fg {_number(some['psnr'], 2)} dB, "
            f"SSIM {_number(some['ssim'], 3)}, IoU {_number(some['iou'], 3)}; faces found {found}; "
            f"at all yaws {some['faces_found_at_all_yaws']}"
        )
    return "\n".join(lines)
