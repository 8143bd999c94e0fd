"""Clips: cameras that hold a whole motion or walk around a figure, and the frames they see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..core.cameras import look_at
from ..core.types import JOINT_INDEX, Avatar, BoundGaussians, Camera, FloatArray, Gaussians, Pose
from ..gaussians.binding import place_gaussians
from ..imaging.video_writer import to_uint8
from ..render import render_camera
from ..render.raster_types import RenderOutput
from .sheet import unpremultiply
from .view_cameras import FOCUS_FOV, part_vertices

DrawPicture = Callable[[Gaussians, Camera, FloatArray | None, str], RenderOutput]
"""Draws placed Gaussians: those, the camera, the background [3] or None, and the rasteriser."""

DEFAULT_FOCUS = {"head": "head", "half": "upper", "full": "full"}
"""What to show of an avatar by its photo's framing, leaving out what the photo does not show."""

MARGIN = {"head": 0.2, "upper": 0.06, "full": 0.06}
"""Of the picture's half size, left free on each side of what moves, by focus."""

FOLLOW_SECONDS = 0.5
"""Standard deviation of the smoothing of a camera that goes along."""

_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck")
_REACH = 2.0  # standard deviations of a splat that are well seen
_MAX_POINTS = 4000
_STRAY = 4  # splats that may stick out on each side: loose ones do not move the camera

Tell = Callable[[int], None]


# Where a figure goes ------------------------------------------------------------------------


class FramingPoints(NamedTuple):
    """What a camera must show, in world space (metres).

    Attributes:
        surface: [N, 3] of the body.
        splats: [M, 3] around it.
        radius: [M] of the splats, metres.
        middle: [3] of the trunk or the head.
    """

    surface: FloatArray
    splats: FloatArray
    radius: FloatArray
    middle: FloatArray


class AvatarOutline:
    """Points that stand for a part of an avatar in any pose.

    Args:
        avatar: the avatar.
        focus: ``head``, ``upper`` (down to the pelvis, also where arms hang lower: a half-length
            portrait does not show what is below) or ``full``.
    """

    def __init__(self, avatar: Avatar, focus: str) -> None:
        self.avatar = avatar
        chosen = part_vertices(avatar.body, focus)
        bound = avatar.gaussians
        solid = (bound.opacities > 0.3) & chosen[avatar.body.f[bound.triangle]].all(1)
        index = np.flatnonzero(solid)
        self._bound: BoundGaussians = bound.take(index[:: max(1, len(index) // _MAX_POINTS)])
        self._vertices = np.flatnonzero(chosen)
        self.focus = focus
        self._centre = ("head",) if focus == "head" else _TRUNK

    def points(self, pose: Pose) -> FramingPoints:
        """Return the points in a pose."""
        body = self.avatar.body
        vertices, posed = body.vertices(pose)
        middle = posed[[JOINT_INDEX[name] for name in self._centre]].mean(0)
        placed = place_gaussians(self._bound, vertices, body)
        splats, radius = placed.means, _REACH * placed.scales.max(1)
        surface = vertices[self._vertices]
        if self.focus == "upper":
            lowest = posed[0, 1]
            surface = surface[surface[:, 1] >= lowest]
            above = splats[:, 1] >= lowest
            splats, radius = splats[above], radius[above]
        return FramingPoints(surface, splats, radius, middle)


class _Bounds:
    """How far back a camera must stand so that all points are in the picture, exactly.

    In view axes (x right, y down, z forward) a camera at (cx, cy, -D) has a point in the picture
    when ``|x - cx| <= tx (z + D)``, that is, when ``D + cx / tx >= x / tx - z`` and
    ``D - cx / tx >= -x / tx - z``. So four running maxima are all that is needed of any number
    of frames.
    """

    def __init__(self, tx: float, ty: float) -> None:
        self.tx, self.ty = tx, ty
        self.most = np.full(4, -np.inf)

    def add(self, points: FloatArray, radius: FloatArray | float = 0.0, stray: int = 0) -> None:
        """Take in balls around points [N, 3] in view axes.

        Up to ``stray`` of them may stick out on each side. A ball is within a side of the view if
        its middle lies a radius within it.
        """
        x, y, z = points[:, 0] / self.tx, points[:, 1] / self.ty, points[:, 2]
        wide, high = (radius * np.hypot(1.0, 1.0 / t) for t in (self.tx, self.ty))
        sides = np.stack([x - z + wide, -x - z + wide, y - z + high, -y - z + high])
        if len(points) <= stray:
            return
        reached = -np.partition(-sides, stray, axis=1)[:, stray]
        self.most = np.maximum(self.most, reached)

    def nearest(self, *, on_axis: bool, room_above: bool) -> tuple[float, float, float]:
        """(cx, cy, D) of the nearest camera.

        Args:
            on_axis: cx is 0, so that the axis is in the middle of the picture.
            room_above: what room there is lies above the points, not below them.
        """
        right, left, down, up = self.most
        wide = max(right, left) if on_axis else (right + left) / 2
        distance = max(wide, (down + up) / 2)
        x = 0.0 if on_axis else self.tx * (right - left) / 2
        y = self.ty * ((down - distance) if room_above else (down - up) / 2)
        return x, y, distance


@dataclass(frozen=True)
class FrameSpec:
    """A picture's size and lens: ``focal`` in pixels."""

    width: int
    height: int

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(min(self.width, self.height) / 2 / np.tan(np.radians(FOCUS_FOV / 2)))

    def bounds(self, inside: float) -> _Bounds:
        """Return the bounds of the middle part ``inside`` (0..1) of the picture."""
        return _Bounds(inside * self.width / 2 / self.focal, inside * self.height / 2 / self.focal)

    def camera(self, R: FloatArray, origin: FloatArray, place: FloatArray) -> Camera:
        """Return the camera that looks along the third row of ``R``.

        Args:
            R: [3, 3] rotation from the world's axes to the view's.
            origin: [3] a point in world space, metres.
            place: [3] the camera's place from there, view axes, metres.
        """
        viewmat = np.eye(4)
        viewmat[:3, :3] = R
        viewmat[:3, 3] = -R @ origin - place
        K = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1]])
        return Camera(viewmat, K, self.width, self.height)


def _view_axes(yaw: float, pitch: float) -> FloatArray:
    return look_at(np.zeros(3), 1.0, yaw, pitch)[:3, :3]


def steady_cameras(
    outline: AvatarOutline,
    poses: Sequence[Pose],
    frame: FrameSpec,
    yaws: Sequence[float],
    pitch: float,
    *,
    follow: float | None = None,
    tell: Tell | None = None,
) -> list[Camera]:
    """Return one camera for each frame, all at one distance, that hold everything in the frames.

    Args:
        outline: the avatar's outline in any pose.
        poses: one for each frame, or a single one for all of them.
        frame: the pictures' size and lens.
        yaws: degrees for each frame, as in :func:`cameras.look_at`. When they differ, the cameras
            circle about the upright axis through the trunk (or the head, where that is the focus),
            which stays in the middle of the picture.
        pitch: degrees, as in :func:`cameras.look_at`.
        follow: None for cameras that stay in place; else they go along with the figure, smoothed
            over this many frames.
        tell: called with the number of frames done.
    """
    circling = len(set(yaws)) > 1
    still = len(poses) == 1
    if follow is not None or circling:
        centres = np.array([outline.points(pose).middle for pose in poses])
        if follow is not None and not still:
            centres = _smoothed(centres, follow)
        else:
            centres = np.broadcast_to(centres.mean(0), centres.shape)
    else:
        centres = np.zeros((len(poses), 3))
    inside = 1 - MARGIN[outline.focus]
    bounds = frame.bounds(inside)
    points = outline.points(poses[0])
    for k, yaw in enumerate(yaws):
        if k and not still:
            points = outline.points(poses[k])
        centre, R = centres[0 if still else k], _view_axes(yaw, pitch)
        bounds.add((points.surface - centre) @ R.T)
        bounds.add((points.splats - centre) @ R.T, points.radius, _STRAY)
        if tell:
            tell(k + 1)
    upper = outline.focus == "upper"
    x, y, distance = bounds.nearest(on_axis=circling, room_above=upper)
    if upper:  # no margin below
        y -= (1 / inside - 1) * bounds.ty * distance
    beside = np.array([x, y, -distance])
    return [
        frame.camera(_view_axes(yaw, pitch), centres[0 if still else k], beside)
        for k, yaw in enumerate(yaws)
    ]


def _smoothed(path: FloatArray, sigma: float) -> FloatArray:
    """A path [T, 3] without its quick movements; it goes on beyond its ends as it came."""
    margin = min(len(path) - 1, int(np.ceil(4 * sigma)))
    longer = np.pad(path, ((margin, margin), (0, 0)), "reflect", reflect_type="odd")
    smooth = gaussian_filter1d(longer, sigma, axis=0, mode="nearest")
    return np.asarray(smooth[margin : margin + len(path)])


def turntable_yaws(count: int, turns: float, start: float = 0.0) -> FloatArray:
    """Return the yaws [count] of a turntable, degrees; whole turns end one step early, to loop.

    Args:
        count: how many frames.
        turns: how many turns they make.
        start: degrees of the first frame.

    >>> turntable_yaws(4, 1.0), turntable_yaws(3, 0.5)
    (array([  0.,  90., 180., 270.]), array([  0.,  90., 180.]))
    """
    whole = turns == round(turns)
    steps = count if whole else max(count - 1, 1)
    return start + 360.0 * turns * np.arange(count) / steps


# Frames -------------------------------------------------------------------------------------


def render_frames(
    avatar: Avatar,
    poses: Sequence[Pose],
    cameras: Sequence[Camera],
    background: FloatArray | None,
    backend: str = "cpu",
    draw: DrawPicture | None = None,
    surface: Callable[[int], FloatArray] | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Render one picture for each camera.

    Args:
        avatar: the avatar.
        poses: one for each camera, or a single one for all.
        cameras: the cameras.
        background: [3] 0..1, or None for a transparent one.
        backend: of :func:`render.rasterize`.
        draw: what draws instead of the rasteriser alone.
        surface: from a frame to the body's vertices [V, 3], world space, metres, where more than
            its pose moves them.

    Yields:
        [H, W, 3] uint8, or [H, W, 4] with straight alpha.
    """
    gaussians = None
    for k, camera in enumerate(cameras):
        if gaussians is None or len(poses) > 1:
            vertices = avatar.body.vertices(poses[k])[0] if surface is None else surface(k)
            gaussians = place_gaussians(avatar.gaussians, vertices, avatar.body)
        if draw is None:
            drawn = render_camera(gaussians, camera, background, backend)
        else:
            drawn = draw(gaussians, camera, background, backend)
        yield to_uint8(unpremultiply(drawn) if background is None else drawn.rgb)
