"""Polishing written into the splats' colours, so that every renderer shows it and nothing flickers.

The changed pictures from all around become targets, and the colours approach them as they do in
refining (:mod:`..refine.color_steps`). What the photo shows squarely keeps its colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.cameras import orbit, project
from ...core.framing import Box, ball_box, crop_to_box
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, Avatar, Camera, FloatArray, Gaussians, Progress
from ...render import SAMPLES, rasterize_vjp
from ...render.cpu_weights import blending_weights
from ..posing import pose_avatar
from ..refine.color_steps import ColorSteps
from ..refine.parameters import COLORS, COLUMNS
from .planes import PhotoShot, draw_planes, seen_splats, splat_marks
from .polish_network import PolishRuntime


@dataclass(frozen=True)
class PolishBakeSettings:
    """From where, and how far colours go."""

    yaws: tuple[float, ...] = (180.0, 90.0, -90.0, 135.0, -135.0, 45.0, -45.0, 0.0)
    side: int = 512  # pixels of the longer side of the whole person
    head_side: int = 320  # the same of the head
    head_radius: float = 2.2  # of the spread of the head's splats
    passes: int = 2  # over all views
    most: float = 0.15  # change of a colour


S = register_settings("polish.bake", PolishBakeSettings())


@dataclass(frozen=True)
class _Target:
    camera: Camera
    wanted: FloatArray
    painted: FloatArray


def bake_polish(
    avatar: Avatar,
    network: PolishRuntime,
    shots: Sequence[PhotoShot] = (),
    backend: str = "cpu",
    progress: Progress | None = None,
) -> Avatar:
    """Write what polishing changes into an avatar's colours.

    Args:
        avatar: to polish.
        network: to polish with.
        shots: all photos; by default the avatar's own.
        backend: a rasteriser.
        progress: called with the stage, 0..1 and a message.

    Returns:
        The avatar with other colours; those that the photos show squarely keep theirs.

    Raises:
        LikenessError: the network's output is not finite.
    """
    bound = avatar.gaussians
    seen = seen_splats(avatar, shots)
    marks = splat_marks(bound, seen)
    placed = pose_avatar(avatar)
    cameras = list(bake_cameras(avatar, placed))
    steps, done = len(cameras) * (1 + S.passes), 0

    def tell(message: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("polish", done / steps, message)

    targets = []
    for camera in cameras:
        planes, _ = draw_planes(placed, marks, camera, backend)
        wanted = planes[..., :3] + network.change(planes)
        targets.append(_Target(camera, wanted, blending_weights(placed, camera)))
        tell(f"view {done + 1} of {len(cameras)}")
    numbers = np.zeros((len(bound), COLUMNS), np.float32)
    numbers[:, COLORS] = bound.colors
    before = np.array(bound.colors, np.float32)
    free = np.repeat((1.0 - seen)[:, None], 3, 1).astype(np.float32)
    low, high = np.maximum(before - S.most, 0.0), np.minimum(before + S.most, 1.0)
    colors = ColorSteps(free, np.minimum(low, before), np.maximum(high, before))
    for k in range(S.passes * len(targets)):
        target = targets[k % len(targets)]
        residual = _residual(replace(placed, colors=numbers[:, COLORS]), target, backend)
        colors.take(numbers, residual, target.painted, k / (S.passes * len(targets)))
        tell("writing the colours")
    return replace(avatar, gaussians=replace(bound, colors=numbers[:, COLORS].copy()))


def bake_cameras(avatar: Avatar, placed: Gaussians) -> Iterator[Camera]:
    """Yield the cameras around an avatar and around its head.

    Args:
        avatar: the avatar.
        placed: its splats in the photo's pose.
    """
    solid = placed.opacities > 0.3
    if not solid.any():
        return
    body, bound = avatar.body, avatar.gaussians
    points = np.asarray(placed.means, np.float64)
    centre = np.percentile(points[solid], [2, 98], axis=0).mean(0)
    head = body.weights[body.f[bound.triangle, 0]].argmax(1) == JOINT_INDEX["head"]
    head &= solid
    for yaw in S.yaws:
        camera = orbit(avatar.camera, centre, yaw)
        xy, z = project(points[solid], camera)
        low, high = np.percentile(xy[z > 0], [0.1, 99.9], axis=0)
        box = Box(*(float(v) for v in (*(low - 1.0), *(high + 1.0)))).padded(0.03)
        scale = S.side / max(box.width, box.height)
        yield crop_to_box(
            camera, box, max(1, round(scale * box.width)), max(1, round(scale * box.height))
        )
        if head.any():
            middle = points[head].mean(0)
            radius = S.head_radius * float(points[head].std(0).max()) + 1e-3
            near = orbit(avatar.camera, middle, yaw)
            yield crop_to_box(near, ball_box(middle, radius, near), S.head_side, S.head_side)


def _residual(drawn: Gaussians, target: _Target, backend: str) -> FloatArray:
    """[N, 3] what is wanted less what is drawn, summed with each splat's weights."""
    camera = target.camera
    views = (camera.viewmat[None], camera.K[None], camera.width, camera.height)
    render, vjp = rasterize_vjp(drawn, *views, None, backend, SAMPLES)
    return np.asarray(vjp(rgb=(target.wanted - render.rgb[0])[None]).colors)
