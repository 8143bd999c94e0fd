"""What a refined avatar has to look like: the photo, and the photo as seen from beside.

The input view alone is a bad target: the splats that match it best are wrong from everywhere
else. So the photo is also carried by the lift's own depth to cameras a little to the side; what
it does not show there is held to what the lift drew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.cameras import crop_camera, project, unproject
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, Gaussians, IntArray, Matte
from ...imaging.resize import fit_size, resize
from ...render import render_camera
from ...render.mesh import rasterize_mesh
from ..lift.grids.pixel_grids import erode


@dataclass(frozen=True)
class TargetSettings:
    """The pictures that refining aims for.

    Besides ``rim_weight``, ``ParameterRange.rim_color`` bounds what a bad estimate can bring from
    the background into the rim's splats.
    """

    solid: float = 0.95  # alpha of a solid pixel
    rim_weight: float = 0.5  # of a soft pixel's colour, less sure than its coverage
    held_cover: float = 0.1  # of the lift's outline from beside, whose softness is a guess
    held_weight: float = 0.5  # of what the lift drew, against 1 for what the photo shows
    max_slope: float = 4.0  # depth per step sideways between pixels; steeper is an edge, or a smear
    depth_tolerance: float = 0.008  # metres between the carried surface and what the lift draws


S = register_settings("refine.targets", TargetSettings())


@dataclass(frozen=True)
class RefineView:
    """One camera's wanted picture.

    Attributes:
        camera: of the picture.
        light: [H, W, 3] sRGB 0..1 times alpha.
        alpha: [H, W] 0..1.
        color_weight: [H, W] how much a pixel's colour counts.
        cover_weight: how much alpha counts.
    """

    camera: Camera
    light: FloatArray
    alpha: FloatArray
    color_weight: FloatArray
    cover_weight: float = 1.0


def make_photo_target(
    matte: Matte, camera: Camera, side: int, box: IntArray | None = None
) -> RefineView:
    """Make the target of a photo, or of a part of it.

    Args:
        matte: of the photo, straight colours.
        camera: of the photo.
        side: pixels along the picture's longer side, at most as many as the photo has.
        box: [4] left, top, right, bottom of the part, pixels; all of it when None.
    """
    alpha, colors = matte.alpha, matte.foreground
    if box is not None:
        left, top, right, bottom = (int(v) for v in box)
        camera = crop_camera(camera, (left, top, right, bottom))
        alpha, colors = alpha[top:bottom, left:right], colors[top:bottom, left:right]
    height, width = alpha.shape
    w, h = fit_size(width, height, side)
    light = resize(colors * alpha[..., None], w, h)
    alpha = np.clip(resize(alpha, w, h), 0.0, 1.0)
    solid = erode(alpha > S.solid, 1)
    weight = np.where(solid, 1.0, S.rim_weight)
    return RefineView(camera.resized(w, h), light, alpha, weight)


class PhotoSurface:
    """The photo's solid pixels as a mesh at the depths that the lift gave them.

    Args:
        photo: the target of the photo, or of a part of it.
        lifted: what the lift made, in world space.
    """

    def __init__(self, photo: RefineView, lifted: Gaussians) -> None:
        camera = photo.camera
        shown = render_camera(lifted, camera)
        solid = erode((photo.alpha > S.solid) & (shown.alpha > S.solid), 1)
        columns, rows = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
        self._lifted = lifted
        self._straight = photo.light / np.maximum(photo.alpha, 1e-3)[..., None]
        self._pixels = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
        self._points = unproject(self._pixels, shown.depth.reshape(-1), camera)
        self._f = _grid_triangles(solid, shown.depth, S.max_slope / float(camera.K[0, 0]))

    def target(self, camera: Camera, carried: bool) -> RefineView:
        """Return the picture that another camera of the person should show.

        Args:
            camera: the other camera.
            carried: whether to carry the photo there, or to hold all to what the lift drew.
        """
        drawn = render_camera(self._lifted, camera)
        light, weight = drawn.rgb, np.full(drawn.alpha.shape, S.held_weight, np.float32)
        if carried:
            seen = rasterize_mesh(self._points, self._f, camera, cull_back=True)
            # Only where nothing that the photo doesn't show stands in front of it.
            valid = (seen.face >= 0) & (np.abs(seen.depth - drawn.depth) < S.depth_tolerance)
            valid = erode(valid & (drawn.alpha > S.solid), 1)
            corners = self._pixels[self._f[seen.face[valid]]]
            at = np.einsum("nk,nkd->nd", seen.bary[valid], corners)
            light[valid] = bilinear(self._straight, at) * drawn.alpha[valid][:, None]
            weight[valid] = 1.0
        return RefineView(camera, light, drawn.alpha, weight, S.held_cover)


def _grid_triangles(solid: BoolArray, depth: FloatArray, slope: float) -> IntArray:
    """[F, 3] triangles between neighbouring solid pixels whose depths belong together.

    Args:
        solid: [H, W] pixels to span.
        depth: [H, W] metres.
        slope: largest step in depth, as a fraction of the depth.
    """
    index = np.arange(solid.size).reshape(solid.shape)
    corners = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]
    whole = np.all([solid.reshape(-1)[c] for c in corners], axis=0)
    depths = np.stack([depth.reshape(-1)[c] for c in corners])
    whole &= np.ptp(depths, axis=0) < slope * depths.min(0)
    a, b, c, d = (corner[whole] for corner in corners)
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def head_box(vertices: FloatArray, head: BoolArray, camera: Camera, margin: float) -> IntArray:
    """Return left, top, right, bottom [4] of the head in the photo, in whole pixels inside it.

    Args:
        vertices: [V, 3] posed, world space, metres.
        head: [V] vertices of the head.
        camera: of the photo.
        margin: around the head, of its size.
    """
    xy, _ = project(vertices[head], camera)
    low, high = xy.min(0), xy.max(0)
    pad = margin * float((high - low).max())
    box = np.array([*(low - pad), *(high + pad)]).round()
    size = [camera.width, camera.height] * 2
    return np.asarray(np.clip(box, 0, size).astype(int))
