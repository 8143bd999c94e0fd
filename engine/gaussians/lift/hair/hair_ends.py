"""Loose hair that the frame cuts goes on below it, in locks that end one by one.

Of a head whose portrait ends at the chin, hair beside the neck would end in a straight line in the
air. What lies on the body is completed with it (``shape/hair_volume.py``); what hangs free goes on
here, straight down, before what stands in its way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import camera_position, crop_camera, project
from ....core.interpolation import smoothstep
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer, rasterize_mesh
from ...binding import bind_gaussians, place_gaussians
from ..pixels.regions import Regions
from ..shape.dressed_mesh import DressedMesh
from ..splats.parts import name_all
from ..surface.labels import HAIR
from ..surface.surfels import surfels_from_tangents


@dataclass(frozen=True)
class HairEndSettings:
    """Locks below the frame. Lengths in metres."""

    edge: float = 0.004  # of the photo's hair above the frame that they go on from
    pitch: float = 0.0012  # between strands
    turned: float = 0.004  # most depth between two strands that one spans
    step: float = 0.003  # between the splats of a strand
    sigma: float = 0.7  # standard deviation of a splat, in such steps and pitches
    layers: int = 2  # of hair behind one another that go on
    least: float = 0.008  # breadth of hair that goes on
    depth: float = 0.03  # between two layers, or neighbours that do not belong together
    lock: tuple[float, float] = (0.010, 0.022)  # least and greatest breadth of a lock
    length: tuple[float, float] = (0.05, 0.10)  # least and greatest length of a lock
    outer: float = 0.6  # share of it that the outermost locks have
    shorter: float = 0.35  # share by which a lock's outer strands are shorter than its middle one
    point: float = 0.6  # share of its breadth that a lock loses towards its tip
    sway: float = 0.004  # by which a lock swings aside
    clear: float = 0.004  # before the body and its clothes
    lean: float = 0.8  # slope with which it comes forward before these
    shade: float = 0.12  # share of light that the strands between two locks lack
    opacity: tuple[float, float] = (0.95, 0.35)  # at the frame and at the tips


S = register_settings("lift.hair_ends", HairEndSettings())


@dataclass(frozen=True)
class _Strands:
    """Strands of one breadth of hair, from left to right.

    Attributes:
        roots: [M, 3] metres, where they leave the frame.
        colors: [M, 3] 0..1.
        source: [M] rows of the Gaussians that they go on from.
    """

    roots: FloatArray
    colors: FloatArray
    source: IntArray


@dataclass(frozen=True)
class _Surface:
    """The body and its clothes as the photo's camera sees them, also below the frame."""

    camera: Camera
    buffer: MeshBuffer

    def bring_before(self, points: FloatArray) -> FloatArray:
        """[M, T, 3] strands from root to tip, brought before what they would hang behind.

        They move along the camera's rays, so that the photo's view stays what it is.
        """
        xy, depth = project(points, self.camera)
        size = np.array([self.camera.width, self.camera.height])
        col, row = np.moveaxis(np.clip(xy.astype(int), 0, size - 1), -1, 0)
        covered = (xy[..., 0] >= 0) & (xy[..., 0] < size[0]) & (self.buffer.face[row, col] >= 0)
        most = np.where(covered, self.buffer.depth[row, col], np.inf) - S.clear
        rise = S.lean * S.step
        for k in range(most.shape[1] - 2, -1, -1):
            most[:, k] = np.minimum(most[:, k], most[:, k + 1] + rise)
        for k in range(1, most.shape[1]):
            most[:, k] = np.minimum(most[:, k], most[:, k - 1] + rise)
        steep = depth - 2.0 * rise * np.arange(1, depth.shape[1] + 1)
        wanted = np.minimum(depth, np.maximum(most, steep))
        eye = camera_position(self.camera)
        return np.asarray(eye + (points - eye) * (wanted / depth)[..., None])


def continue_hair_below_frame(
    shown: list[BoundGaussians],
    regions: Regions,
    dressed: DressedMesh,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
) -> BoundGaussians:
    """Make the locks in which the photo's hair goes on below its frame.

    Args:
        shown: the Gaussians of the photo, and those of the far side of its loose parts.
        regions: of the photo.
        dressed: the worn surface in the photo's pose.
        camera: of the regions' grid.
        vertices: [V, 3] in the photo's pose, world space, metres.
        body: the person's own.

    Returns:
        Gaussians bound to the triangles that hold the hair above them; none where it ends in the
        frame.
    """
    every = BoundGaussians.concatenate(shown)
    none = every.take(np.zeros(len(every), bool))
    if not (regions.label[-1] == HAIR).any():
        return none
    world = place_gaussians(every, vertices, body)
    means, colors = (np.asarray(a, np.float64) for a in (world.means, world.colors))
    xy, depth = project(means, camera)
    size = np.array([camera.width, camera.height])
    col, row = np.clip(xy.astype(int), 0, size - 1).T
    above = (camera.height - xy[:, 1]) * depth / camera.K[1, 1]
    edge = np.nonzero((regions.label[row, col] == HAIR) & (above < S.edge))[0]
    if len(edge) == 0:
        return none
    longest = S.length[1] * camera.K[1, 1] / depth[edge].min()
    wider = crop_camera(camera, (0, 0, camera.width, camera.height + int(longest) + 1))
    surface = _Surface(wider, rasterize_mesh(dressed.vertices, dressed.f, wider))
    locks = [none]
    for _ in range(S.layers):
        before = _is_nearest(means[edge], camera)
        own = edge[before]
        for strands in _find_strands(means[own], own, colors, camera):
            locks.append(_hang_locks(strands, every, surface, vertices, body))
        edge = edge[~before]
    return name_all(BoundGaussians.concatenate(locks), "hair")


def _columns(means: FloatArray, camera: Camera) -> IntArray:
    """[K] columns of strands that the Gaussians lie in, from left to right."""
    return np.asarray(np.floor(means @ camera.viewmat[0, :3] / S.pitch), np.int64)


def _is_nearest(means: FloatArray, camera: Camera) -> BoolArray:
    """[K] whether Gaussians are of the layer of hair that is nearest to the camera."""
    ahead = means @ camera.viewmat[2, :3]
    _, column = np.unique(_columns(means, camera), return_inverse=True)
    nearest = np.full(int(column.max(initial=-1)) + 1, np.inf)
    np.minimum.at(nearest, column, ahead)
    return np.asarray(ahead < nearest[column] + S.depth)


def _find_strands(
    means: FloatArray, rows: IntArray, colors: FloatArray, camera: Camera
) -> list[_Strands]:
    """Sort the Gaussians at the frame's edge, which lie at ``means`` [K, 3], into strands."""
    right, down, forward = camera.viewmat[:3, :3]
    column = _columns(means, camera)
    roots, shades, source = [], [], []
    for k in np.unique(column):
        own = np.nonzero(column == k)[0]
        lowest = own[(means[own] @ down).argmax()]
        roots.append(means[lowest])
        shades.append(colors[rows[own]].mean(0))
        source.append(rows[lowest])
    if not roots:
        return []
    every = _Strands(np.array(roots), np.array(shades), np.array(source))
    gap = np.abs(np.diff(every.roots @ right)) > 3.0 * S.pitch
    gap |= np.abs(np.diff(every.roots @ forward)) > S.depth
    spans = np.split(np.arange(len(every.roots)), np.nonzero(gap)[0] + 1)
    return [
        _Strands(every.roots[own], every.colors[own], every.source[own])
        for own in spans
        if np.ptp(every.roots[own] @ right) > S.least
    ]


def _hang_locks(
    strands: _Strands, shown: BoundGaussians, surface: _Surface, vertices: FloatArray, body: Body
) -> BoundGaussians:
    """The locks of one breadth of hair."""
    right, _, ahead = surface.camera.viewmat[:3, :3]
    x = strands.roots @ right
    rng = np.random.default_rng(len(x))
    lock = np.zeros(len(x), int)
    at = x[0]
    while at < x[-1]:
        at += rng.uniform(*S.lock)
        lock += x > at
    count = lock.max() + 1
    middle, half = np.zeros(count), np.zeros(count)
    for k in range(count):
        own = x[lock == k]
        middle[k], half[k] = 0.5 * (own.min() + own.max()), 0.5 * np.ptp(own) + S.pitch
    aside = (x - middle[lock]) / half[lock]
    inner = np.minimum(x - x[0], x[-1] - x) / S.lock[1]
    outer = S.outer + (1.0 - S.outer) * np.clip(inner, 0.0, 1.0)
    length = rng.uniform(*S.length, count)[lock] * outer * (1.0 - S.shorter * aside**2)
    sway = rng.normal(0.0, S.sway, count)[lock]
    below = np.arange(0.5 * S.step, S.length[1], S.step)
    done = below / length[:, None]
    narrower = S.point * np.clip(done, 0.0, 1.0) ** 1.5
    shift = -(aside * half[lock])[:, None] * narrower + sway[:, None] * done**2
    points = strands.roots[:, None] + shift[..., None] * right
    points[..., 1] -= below
    points = surface.bring_before(points)
    along = np.gradient(points, axis=1)
    # Where the hair turns away, strands beside one another lie behind one another.
    turned = np.clip(np.gradient(points @ ahead, axis=0), -S.turned, S.turned)
    thin = (1.0 - narrower)[..., None] * (S.pitch * right + turned[..., None] * ahead)
    light = 1.0 - S.shade * aside**2
    opacity = S.opacity[0] + (S.opacity[1] - S.opacity[0]) * smoothstep(done, 0.6, 1.0)
    keep = done < 1.0
    of = np.repeat(np.arange(len(x))[:, None], len(below), axis=1)[keep]
    world = surfels_from_tangents(
        points[keep],
        thin[keep],
        along[keep],
        S.sigma,
        (light[:, None] * strands.colors)[of],
        opacity[keep],
    )
    held = strands.source[of]
    layer = np.asarray(shown.layer)[held]
    return bind_gaussians(world, shown.triangle[held], shown.bary[held], layer, vertices, body)
