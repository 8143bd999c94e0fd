"""Frames of a recorded scene, drawn and polished."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.types import Avatar, FloatArray, LikenessError, Pose
from ..gaussians.polish.planes import SQUARELY_SEEN, PhotoShot, seen_splats, splat_marks
from ..gaussians.polish.polish_network import PolishRuntime, draw_change, is_baked
from ..render.raster_types import RenderOutput
from .frames import SceneFrames


class FramePolisher:
    """Draws frames together with what polishing changes in them.

    Avatars whose colours were polished when they were built stay as they are.

    Args:
        scene: the frames.
        network: to polish with.
        photo_poses: of the A avatars, in which their photos show them.

    Raises:
        LikenessError: no avatar is left to polish.
        ValueError: there are not A poses.
    """

    def __init__(
        self, scene: SceneFrames, network: PolishRuntime, photo_poses: Sequence[Pose]
    ) -> None:
        if len(photo_poses) != len(scene.avatars):
            raise ValueError(f"{len(photo_poses)} poses of photos, {len(scene.avatars)} avatars")
        if all(map(is_baked, scene.avatars)):
            raise LikenessError(
                "The avatars' colours were polished when they were built.",
                "Render them without polishing.",
            )
        self._scene = scene
        self._network = network
        self._photo_poses = photo_poses
        self._marks: dict[int, tuple[Avatar, FloatArray]] = {}

    def draw(self, t: int, backend: str) -> tuple[RenderOutput, FloatArray]:
        """Return the t-th frame on black, and the change [H, W, 3] of its colours.

        Args:
            t: index of the frame.
            backend: a rasteriser.

        Raises:
            LikenessError: the network's output is not finite.
        """
        marks = [self._marks_of(k, t) for k in range(len(self._scene.avatars))]
        camera = self._scene.camera(t)
        placed = self._scene.gaussians(t)
        return draw_change(self._network, placed, np.concatenate(marks), camera, backend)

    def _marks_of(self, k: int, t: int) -> FloatArray:
        """Marks [N, 5] of the k-th avatar; found once for frames in which it looks the same."""
        avatar = self._scene.avatar(k, t)
        kept = self._marks.get(k)
        if kept is not None and kept[0] is avatar:
            return kept[1]
        if is_baked(avatar):
            seen = np.full(len(avatar.gaussians), SQUARELY_SEEN)
        else:
            seen = seen_splats(avatar, [PhotoShot(avatar.camera, self._photo_poses[k])])
        marks = splat_marks(avatar.gaussians, seen)
        self._marks[k] = avatar, marks
        return marks
