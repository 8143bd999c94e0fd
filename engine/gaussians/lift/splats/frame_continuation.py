"""Clothes and bare legs go on below the frame: a strip of the photo, mirrored at its lower edge.

What the frame cuts would end in a straight line between the photo's weave, stripes, prints and
shading and the completed, coarser surface. The mirrored strip carries them on for a hand's width
and fades into the completed one. The picture's sides mostly cut arms, onto which badges of the
chest would be mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import camera_position, crop_camera, unproject
from ....core.geometry import vertex_normals
from ....core.interpolation import smoothstep
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, Camera, FloatArray, IntArray, Matte
from ....imaging.resize import resize_rgba, scale_size
from ....render.mesh import MeshBuffer, rasterize_mesh
from ...binding import bind_gaussians
from ...squareness import cosine_to_camera
from ..garments.labels_surface import labels_at
from ..grids.pixel_grids import distance_inside, resize_nearest
from ..photo.open_fronts import OpenFront
from ..pixels.regions import Regions
from ..shape.dressed_mesh import DressedMesh
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import LEFT_LEG, RIGHT_LEG, TORSO
from ..surface.surfels import CORE, SHELL, pixel_centres, surfels_from_tangents, tangent_plane_steps
from .photo_splats import splat_sigma


@dataclass(frozen=True)
class ContinuationSettings:
    """The strip beyond the frame."""

    length: float = 0.10  # metres over which it fades away
    pitch: float = 0.0008  # metres between its splats, or a pixel of the photo if that is more
    solid: float = 0.95  # alpha of the matte that may be mirrored
    opacity: float = 0.95  # 0..1 of its splats beside the frame
    faded: float = 0.04  # opacity below which there are none
    facing: tuple[float, float] = (0.15, 0.4)
    """Cosines to the camera between which it fades in: edge-on it would smear."""

    another: tuple[float, float] = (0.02, 0.05)
    """Metres to the mirror image of something else (a collar, a hand) between which it fades in."""

    beside_leg: tuple[float, float] = (0.004, 0.015)
    """The same of the skin of a leg, beside which mostly nothing lies."""

    above: float = 0.001  # metres that it lies over the completed cloth
    above_leg: float = 0.0025  # the same over a leg's skin, whose discs are larger


S = register_settings("lift.frame_continuation", ContinuationSettings())


def continue_beyond_frame(
    matte: Matte,
    camera: Camera,
    regions: Regions,
    dressed: DressedMesh,
    shares: FloatArray,
    groups: IntArray,
    body: Body,
    vertices: FloatArray,
    budget: int,
    front: OpenFront | None = None,
) -> BoundGaussians:
    """Make the strip of cloth, and of the skin of legs, below the photo's frame.

    Args:
        matte: of the photo.
        camera: of the photo, whole.
        regions: of the photo, on a grid of the same view.
        dressed: the worn surface in the photo's pose.
        shares: [V, L] 0..1 of :func:`..garments.labels_surface.label_surface`.
        groups: [V] limb of each vertex.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        budget: most Gaussians; coarser ones if the strip needs more.
        front: the opening of a jacket, on the regions' grid; its edges go straight on.
    """
    height, width = matte.alpha.shape
    drawn = regions.body.face >= 0
    depth = float(np.median(regions.body.depth[drawn])) if drawn.any() else 1.0
    pitch = max(S.pitch, depth / float(camera.K[0, 0]))
    while True:
        scale = depth / float(camera.K[0, 0]) / pitch
        w, h = scale_size(width, height, scale)
        strip = _Strip.around(matte, camera.resized(w, h), regions, round(S.length / pitch), front)
        shown, fade, buffer = strip.match_surface(dressed, shares, groups)
        if shown.sum() <= budget or pitch > S.length:
            break
        pitch *= 1.05 * float(np.sqrt(shown.sum() / max(budget, 1)))
    ys, xs = np.nonzero(shown & (shown.sum() <= budget))
    points = unproject(pixel_centres(strip.camera)[ys, xs], buffer.depth[ys, xs], strip.camera)
    face, bary = buffer.face[ys, xs].astype(np.int64), buffer.bary[ys, xs].astype(np.float64)
    corners = vertex_normals(dressed.vertices, dressed.f)[dressed.f[face]]
    normals = np.einsum("nk,nkd->nd", bary, corners)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    du, dv = tangent_plane_steps(points, normals, buffer.depth[ys, xs] / strip.camera.K[0, 0])
    bare = strip.label[ys, xs] == SKIN
    world = surfels_from_tangents(
        points + np.where(bare, S.above_leg, S.above)[:, None] * normals,
        du,
        dv,
        splat_sigma(max(w, h)),
        strip.colors[ys, xs],
        S.opacity * fade[ys, xs],
    )
    layer = np.where(bare, CORE, SHELL).astype(np.uint8)
    return bind_gaussians(world, face, bary, layer, vertices, body)


@dataclass(frozen=True)
class _Strip:
    """The photo, mirrored below its lower edge by ``pad`` pixels.

    Attributes:
        camera: of the larger picture.
        colors: [H, W, 3] sRGB 0..1.
        label: [H, W] index into ``labels.LABELS``.
        same: [H, W] pixels below the frame that may be shown: all between them and its edge mirrors
            one solid cloth of one limb, or the skin of a leg.
        group: [H, W] limb of the frame's nearest pixel.
        beyond: [H, W] pixels to the frame, 0 in it.
        another: [H, W] pixels to the mirror image of something else.
    """

    camera: Camera
    colors: FloatArray
    label: IntArray
    same: BoolArray
    group: IntArray
    beyond: FloatArray
    another: FloatArray

    @staticmethod
    def around(
        matte: Matte, camera: Camera, regions: Regions, pad: int, front: OpenFront | None
    ) -> _Strip:
        w, h = camera.width, camera.height
        if front is not None:
            front = front.scaled(w / regions.label.shape[1], h / regions.label.shape[0])
            pad = max(pad, int(front.length) + 1)
        pad = min(pad, h - 1)
        colors, alpha = resize_rgba(matte.foreground, matte.alpha, w, h)
        label, group = (resize_nearest(m, (h, w)) for m in (regions.label, regions.group))
        label = np.where(alpha > S.solid, label, -1)
        below = ((0, pad), (0, 0))
        mirrored = [np.pad(m, below, mode="reflect") for m in (label, group)]
        shown = np.pad(colors, (*below, (0, 0)), mode="reflect")
        edge = [np.pad(m, below, mode="edge") for m in (label, group)]
        same = (mirrored[0] == edge[0]) & (mirrored[1] == edge[1])
        bare = (mirrored[0] == SKIN) & np.isin(mirrored[1], (LEFT_LEG, RIGHT_LEG))
        same &= np.isin(mirrored[0], (UPPER, LOWER)) | bare
        # Downwards from the frame, the first pixel of something else ends it.
        same[:h] = True
        same = np.logical_and.accumulate(same, axis=0)
        another = distance_inside(same)
        same[:h] = False
        beyond = np.repeat(np.maximum(np.arange(h + pad) - (h - 1), 0)[:, None], w, axis=1)
        if front is not None:
            shown[h:], within = front.paint_below(colors, label == UPPER, pad)
            mirrored[0][h:][within], edge[1][h:][within] = UPPER, TORSO
            same[h:][within], another[h:][within], beyond[h:][within] = True, float(w + h), 0
        return _Strip(
            crop_camera(camera, (0, 0, w, h + pad)),
            shown,
            mirrored[0],
            same,
            edge[1],
            beyond,
            another,
        )

    def match_surface(
        self, dressed: DressedMesh, shares: FloatArray, groups: IntArray
    ) -> tuple[BoolArray, FloatArray, MeshBuffer]:
        """Find the pixels [H, W] with the strip's label behind them, their fade, and the mesh."""
        buffer = rasterize_mesh(dressed.vertices, dressed.f, self.camera)
        corner = dressed.f[buffer.face]
        on_mesh = (buffer.face >= 0) & (groups[corner[..., 0]] == self.group)
        worn = np.full(buffer.face.shape, -1)
        own = on_mesh & self.same
        worn[own] = labels_at(shares, corner[own], buffer.bary[own].astype(np.float64))
        normals = vertex_normals(dressed.vertices, dressed.f)
        facing = cosine_to_camera(dressed.vertices, normals, camera_position(self.camera))
        facing = np.einsum("hwk,hwk->hw", buffer.bary, facing[corner])
        pixel = np.where(on_mesh, buffer.depth, 0.0) / self.camera.K[0, 0]
        fade = 1.0 - smoothstep(self.beyond * pixel, 0.0, S.length)
        free = smoothstep(self.another * pixel, *S.another)
        beside = smoothstep(self.another * pixel, *S.beside_leg)
        fade = fade * np.where(self.label == SKIN, beside, free) * smoothstep(facing, *S.facing)
        return own & (worn == self.label) & (S.opacity * fade > S.faded), fade, buffer
