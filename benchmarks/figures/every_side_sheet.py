"""A sheet of an avatar from every side: 12 views, 6 poses, 4 expressions; two for comparison."""

from __future__ import annotations

import numpy as np

from ...engine.core.framing import Box
from ...engine.core.types import Avatar, FloatArray, Matte, Portrait, Pose
from ...engine.gaussians.posing import pose_avatar
from ...engine.visual.sheet import OPEN_MOUTH, SMILE, SheetStudio, Tile, layout_tiles
from ...engine.visual.view_cameras import focus_camera
from .every_side import POSES

WIDTH = 2100
"""Pixels of one sheet."""

VIEW_YAWS = tuple(range(0, 360, 30))
HEAD_YAWS = (0, 60, 120, 180, 240, 300)
POSE_YAWS = (0, 150, 40, -40, 30, 210)
"""Degrees from which each pose is shown: a sitting person shows most from the side."""

EXPRESSIONS = {
    "smile": SMILE,
    "open mouth": OPEN_MOUTH,
    "eyes closed": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "surprise": {
        "jawOpen": 0.35,
        "browInnerUp": 0.8,
        "browOuterUpLeft": 0.8,
        "browOuterUpRight": 0.8,
        "eyeWideLeft": 0.6,
        "eyeWideRight": 0.6,
    },
}

_FOCUS = {"full": "full", "half": "full", "head": "upper"}
_POSE_SIZE = (600, 800)


def draw_every_side_sheet(avatar: Avatar, portrait: Portrait, title: str = "") -> FloatArray:
    """Draw the sheet: [H, WIDTH, 3] sRGB 0..1."""
    matte = Matte(np.ones(portrait.rgb.shape[:2], np.float32), portrait.rgb)  # not drawn
    studio = SheetStudio(avatar, portrait, matte)
    views = [studio.view(f"{yaw:+d}" if yaw else "input view", yaw) for yaw in VIEW_YAWS]
    heads = [studio.close_up(f"head {yaw:+d}", yaw) for yaw in HEAD_YAWS]
    poses = [
        _posed(avatar, name, pose_of(avatar), yaw)
        for (name, pose_of), yaw in zip(POSES.items(), POSE_YAWS, strict=True)
    ]
    return layout_tiles(
        [
            [studio.photo("photo", portrait.rgb), *views[:6]],
            views[6:],
            heads,
            poses,
            studio.expressions(EXPRESSIONS),
        ],
        WIDTH,
        title,
    )


def _posed(avatar: Avatar, name: str, pose: Pose, yaw: float) -> Tile:
    width, height = _POSE_SIZE
    camera = focus_camera(avatar, pose, _FOCUS[avatar.framing], yaw, 10.0, width, height)
    box = Box(0.0, 0.0, float(width), float(height))
    return Tile(f"{name}, from {yaw:+d}", camera, box, pose_avatar(avatar, pose))


def place_side_by_side(left: FloatArray, right: FloatArray) -> FloatArray:
    """Place two sheets [H, W, 3] side by side, the shorter one padded below."""
    height = max(len(left), len(right))
    padded = [
        np.pad(sheet, ((0, height - len(sheet)), (0, 0), (0, 0)), mode="edge")
        for sheet in (left, right)
    ]
    return np.concatenate(padded, axis=1)
