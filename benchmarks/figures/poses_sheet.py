"""A sheet of an avatar in the poses of ``poses.py``, over a colour that nobody wears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...engine.core.cameras import orbit
from ...engine.core.framing import Box, ball_box
from ...engine.core.types import Avatar, FloatArray
from ...engine.gaussians.binding import place_gaussians
from ...engine.visual.sheet import Tile, layout_tiles
from ...engine.visual.view_cameras import head_ball
from .poses import POSES, YAWS, Shown, pose_view

BACKDROP = np.array([0.85, 0.25, 0.85])
"""sRGB 0..1: what shows through is a hole."""

OF_THE_HEAD = ("head", "jaw")
"""How the names of poses begin that are seen from near."""

_POSES_IN_ROW = 2
_ASPECTS = (0.6, 1.2)  # between these a tile is as wide as its person


def draw_poses_sheet(
    avatar: Avatar, title: str, names: Sequence[str] = tuple(POSES), width: int = 2200
) -> FloatArray:
    """Draw an avatar's poses from all sides, those of the head from near.

    Args:
        avatar: the avatar.
        title: above the rows.
        names: of the poses.
        width: of the sheet, pixels.

    Returns:
        [H, W, 3] sRGB 0..1.
    """
    shown = Shown.of(avatar)
    cells: list[list[Tile]] = []
    for name in names:
        pose = POSES[name](avatar)
        vertices, _ = avatar.body.vertices(pose)
        placed = place_gaussians(avatar.gaussians, vertices, avatar.body)
        tiles = []
        for yaw in YAWS:
            if name.startswith(OF_THE_HEAD):
                centre, radius = head_ball(avatar, pose)
                camera = orbit(avatar.camera, centre, yaw)
                box = ball_box(centre, 1.15 * radius, camera)
            else:
                camera = pose_view(avatar, vertices, shown, yaw)
                box = Box(0.0, 0.0, float(camera.width), float(camera.height))
                box = box.with_aspect(float(np.clip(box.width / box.height, *_ASPECTS)))
            tiles.append(Tile(f"{name} {yaw:+.0f}", camera, box, placed, backdrop=BACKDROP))
        cells.append(tiles)
    rows = [
        [tile for cell in cells[k : k + _POSES_IN_ROW] for tile in cell]
        for k in range(0, len(cells), _POSES_IN_ROW)
    ]
    return layout_tiles(rows, width, title)
