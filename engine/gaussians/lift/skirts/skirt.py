"""A skirt as a mesh of its own: a tube, open below, that hangs around both legs.

In front it covers exactly the pixels of its outline in the photo; behind it mirrors that, and it
is as deep as cloth that stands off its legs to the sides must be. Its top lies on the dressed
body, whose joints hold it there; lower down it follows both legs, each side more its own, so that
it hangs together in a step (``skirt_skinning.py``), and drapes over them (``skirt_drape.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....body import Body
from ....body.extension import BodyPiece, extend_body, unpose_points
from ....core.cameras import project, unproject
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray, Pose
from ....render.mesh import MeshBuffer, rasterize_mesh
from ..pixels.regions import Regions
from ..shape.dressed_mesh import DressedMesh
from ..surface.limbs import ARMS, vertex_groups
from .skirt_drape import DRIVERS, drape_correctives, drape_features
from .skirt_outline import SkirtOutline, find_outline
from .skirt_skinning import COLUMNS, RINGS, is_trunk_or_leg, skirt_weights

PART = "skirt"  # its name among the body's parts


@dataclass(frozen=True)
class SkirtSettings:
    """A skirt as a mesh of its own."""

    aspect: float = 0.66  # depth over width at the hem
    clear: float = 0.008  # metres from the legs to the cloth
    seam: float = 0.003  # metres from the dressed body to the top
    fully: float = 0.12  # of the skirt's length below its top, beyond which the body is tucked in
    under: float = 0.004  # metres that the body's own surface stays within below the skirt
    end: int = 3  # pixels from the photo's lower edge within which a skirt is cut by it
    density: float = 1.5  # of its texels along a line, over the body's own


S = register_settings("lift.skirt", SkirtSettings())


@dataclass(frozen=True)
class Skirt:
    """The skirt at rest; vertex ``r * COLUMNS + c`` lies on ring r (0 the waist) and column c.

    Columns begin in the middle of what the photo shows and go to the right of the picture; the
    outline lies at a quarter and at three quarters of them.

    Attributes:
        piece: what the body is extended by.
        label: of ``labels.LABELS``.
        depth: [V] of :func:`depth_below` for the body's own vertices.
        cut: whether the photo ends before the skirt does.
    """

    piece: BodyPiece
    label: int
    depth: FloatArray
    cut: bool = False

    @property
    def under(self) -> FloatArray:
        """[V] 0..1: whether the body's own vertices lie below it, feathered at the top."""
        inside = (self.depth > 0.0) & (self.depth < 1.0)
        return np.where(inside, np.clip(self.depth / S.fully, 0.0, 1.0), 0.0)

    @property
    def beyond(self) -> FloatArray:
        """[V] 0 or 1: whether the body's own vertices lie beyond its hem."""
        return np.where(self.depth >= 1.0, 1.0, 0.0)

    def on(self, body: Body) -> Body:
        """Return the person's body with the skirt."""
        return extend_body(body, self.piece)


def column_angles() -> FloatArray:
    """Return the columns' angles [COLUMNS], radians: 0 faces the camera, growing to its right."""
    return np.asarray(np.arange(COLUMNS) * (2.0 * np.pi / COLUMNS))


def skirt_faces() -> IntArray:
    """Return the triangles [2 (RINGS - 1) COLUMNS, 3], counter-clockwise seen from outside."""
    r, c = np.mgrid[: RINGS - 1, :COLUMNS]
    a, b = r * COLUMNS + c, r * COLUMNS + (c + 1) % COLUMNS
    d, e = a + COLUMNS, b + COLUMNS
    quads = np.stack([np.stack([a, d, b], -1), np.stack([b, d, e], -1)], 2)
    return np.asarray(quads.reshape(-1, 3))


def _drawn_below(
    outline: SkirtOutline, vertices: FloatArray, body: Body, camera: Camera
) -> FloatArray:
    """[V] 0..1: how far within the outline each vertex of trunk and legs is drawn.

    1 from a short way under its top.
    """
    xy, _ = project(vertices, camera)
    top = float(outline.top[:, 1].mean())
    hem = np.interp(xy[:, 0], outline.hem[:, 0], outline.hem[:, 1])
    inside = is_trunk_or_leg(body) & (xy[:, 1] > top) & (xy[:, 1] < hem)
    depth = (xy[:, 1] - top) / np.maximum(S.fully * (hem - top), 1.0)
    return np.where(inside, np.clip(depth, 0.0, 1.0), 0.0)


def depth_below(rest: FloatArray, body: Body) -> FloatArray:
    """Measure how far down the skirt each vertex of the body lies below it.

    Args:
        rest: [RINGS, COLUMNS, 3] the skirt at rest, metres.
        body: the person's own.

    Returns:
        [V] 0 at the skirt's top and 1 at its hem, beyond both in the same measure; -inf for what
        a skirt never covers.
    """
    v = np.asarray(body.v_template, np.float64)
    centre = rest.mean((0, 1))
    way = rest[-1][:, [0, 2]] - centre[[0, 2]]
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    column = ((v[:, [0, 2]] - centre[[0, 2]]) @ way.T).argmax(1)
    top, hem = rest[0, column, 1], rest[-1, column, 1]
    return np.where(is_trunk_or_leg(body), (top - v[:, 1]) / np.maximum(top - hem, 1e-3), -np.inf)


def tuck_under_skirt(
    dressed: DressedMesh, vertices: FloatArray, under: FloatArray, most: float | None = None
) -> DressedMesh:
    """Remove the skirt's stand-off from the dressed body, so that it stays inside the skirt.

    Args:
        dressed: the worn surface.
        vertices: [V, 3] of the body in the photo's pose, metres.
        under: [V] 0..1 whether each vertex lies below the skirt.
        most: metres that what is worn there stands off; as below a skirt if not given.
    """
    offset = np.minimum(dressed.offset, S.under if most is None else most)
    share = np.where(
        np.abs(dressed.offset) > 1e-9,
        offset / np.where(dressed.offset == 0, 1.0, dressed.offset),
        1.0,
    )
    near = vertices + share[:, None] * (dressed.vertices - vertices)
    mixed = dressed.vertices + under[:, None] * (near - dressed.vertices)
    return replace(
        dressed, vertices=mixed, offset=dressed.offset + under * (offset - dressed.offset)
    )


def fit_skirt(
    regions: Regions, camera: Camera, body: Body, pose: Pose, dressed: DressedMesh
) -> Skirt | None:
    """Fit the skirt that a photo shows around the dressed body.

    Args:
        regions: of the photo.
        camera: of the regions' grid.
        body: the person's own.
        pose: of the photo.
        dressed: the worn surface in that pose.

    Returns:
        The skirt, or None for trousers and bare legs.
    """
    vertices, joints = body.vertices(pose)
    outline = find_outline(regions, camera, joints)
    if outline is None:
        return None
    inside = tuck_under_skirt(dressed, vertices, _drawn_below(outline, vertices, body, camera))
    own = ~np.isin(vertex_groups(body), ARMS)[dressed.f[:, 0]]
    buffer = rasterize_mesh(inside.vertices, dressed.f[own], camera)
    points = build_skirt_tube(outline, buffer, camera)
    grid = points.reshape(RINGS, COLUMNS, 3)
    weights = skirt_weights(grid, body, pose)
    rest = unpose_points(points, weights, pose, body)
    skinned = rest.reshape(grid.shape), weights.reshape(RINGS, COLUMNS, -1)
    posedirs = drape_correctives(*skinned, body, pose).reshape(len(rest), 3, -1)
    rest = rest - posedirs @ drape_features(pose)
    vt, ft, corner = make_skirt_charts(grid, body)
    piece = BodyPiece(
        PART,
        rest.astype(np.float32),
        skirt_faces(),
        weights,
        vt,
        ft,
        corner,
        posedirs=posedirs,
        pose_joints=DRIVERS,
    )
    depth = depth_below(rest.reshape(grid.shape), body)
    return Skirt(piece, outline.label, depth, bool(outline.pixels[-S.end :].any()))


def build_skirt_tube(outline: SkirtOutline, buffer: MeshBuffer, camera: Camera) -> FloatArray:
    """Build the skirt's tube.

    Args:
        outline: of the skirt in the picture.
        buffer: the dressed body's z-buffer, without arms.
        camera: of the regions' grid.

    Returns:
        [RINGS * COLUMNS, 3] in the photo's pose, world space, metres.
    """
    angle = column_angles()
    front = np.cos(angle) > -1e-9
    down, across = np.linspace(0.0, 1.0, RINGS), 0.5 + 0.5 * np.sin(angle)
    pixels = outline.patch(down, across)  # [R, C, 2], the back's on those of the front
    near, far = _body_depths(buffer)
    middle = _middle(outline, near, far, down)[:, None]
    focal = float(camera.K[0, 0])
    half = 0.5 * (pixels[..., 0].max(1) - pixels[..., 0].min(1))[:, None] * middle / focal
    bulge = S.aspect * half * np.abs(np.cos(angle))

    def body_at(depth: FloatArray, places: FloatArray) -> FloatArray:
        rows, cols = np.clip(places[..., 1] - 0.5, 0, None), np.clip(places[..., 0] - 0.5, 0, None)
        return np.asarray(ndimage.map_coordinates(depth, [rows, cols], order=1, mode="nearest"))

    clear = S.seam + (S.clear - S.seam) * np.clip(6.0 * down, 0.0, 1.0)[:, None]
    on_body = np.clip(1.0 - 5.0 * down, 0.0, 1.0)[:, None]  # the top lies on the body all around
    side = np.abs(np.cos(angle)) < 1e-6
    floor = np.maximum(middle - body_at(near, pixels) + clear, 0.0)
    ahead = _thickness(bulge, floor, on_body, front, side)
    places = unproject(pixels, np.broadcast_to(middle - ahead, pixels.shape[:2]), camera)
    # Behind: the same heights as in front, and straight behind the outline's own plane.
    base = unproject(pixels, np.broadcast_to(middle, pixels.shape[:2]), camera)
    behind = bulge
    for _ in range(3):
        point = np.stack([base[..., 0], places[..., 1], base[..., 2] - behind], -1)
        seen, _ = project(point, camera)
        floor = np.maximum(body_at(far, seen) - middle + clear, 0.0)
        behind = _thickness(bulge, floor, on_body, ~front, side)
    back = np.stack([base[..., 0], places[..., 1], base[..., 2] - behind], -1)
    # Not below the front's hem in the picture, where nothing was seen.
    limit = unproject(pixels, middle + behind, camera)[..., 1]
    back[..., 1] = np.maximum(back[..., 1], limit)
    return np.where(front[:, None], places, back).reshape(-1, 3)


def _body_depths(buffer: MeshBuffer) -> tuple[FloatArray, FloatArray]:
    """[H, W] depths of the body's front and back, beside it those of the nearest place's middle."""
    drawn = buffer.face >= 0
    rows, cols, _ = find_nearest(drawn)
    mid = 0.5 * (buffer.depth[rows, cols] + buffer.back_depth[rows, cols])
    return np.where(drawn, buffer.depth, mid), np.where(drawn, buffer.back_depth, mid)


def _middle(
    outline: SkirtOutline, near: FloatArray, far: FloatArray, down: FloatArray
) -> FloatArray:
    """[R] depth of the plane between front and back: straight, through the body's own."""
    height, width = near.shape
    inside = outline.patch(down, np.linspace(0.25, 0.75, 15))
    rows = np.clip(inside[..., 1].astype(int), 0, height - 1)
    cols = np.clip(inside[..., 0].astype(int), 0, width - 1)
    mid = 0.5 * (near[rows, cols] + far[rows, cols])
    line = np.polyfit(np.repeat(down, mid.shape[1]), mid.ravel(), 1)
    return np.asarray(np.polyval(line, down))


def _thickness(
    bulge: FloatArray, floor: FloatArray, on_body: FloatArray, own: BoolArray, side: BoolArray
) -> FloatArray:
    """[R, C] metres from the middle plane: round, and outside the body everywhere."""
    floor = np.where(own | side, floor, 0.0)
    thick = np.maximum(bulge, floor)
    smooth = ndimage.gaussian_filter(thick, (1.5, 1.5), mode=("nearest", "wrap"))
    thick = np.maximum(smooth, np.maximum(floor, 0.0))
    thick = on_body * floor + (1.0 - on_body) * thick
    # Both halves meet at the sides, smoothly.
    return np.where(side, 0.0, thick)


def make_skirt_charts(grid: FloatArray, body: Body) -> tuple[FloatArray, IntArray, float]:
    """Unroll front and back in the atlas, as dense as the body's own charts.

    Args:
        grid: [RINGS, COLUMNS, 3] in the photo's pose, metres.
        body: the person's own.

    Returns:
        vt: [t, 2] in the unit square.
        ft: [m, 3] rows of ``vt``.
        corner: 0..1, side of the square that is left for the body.
    """
    f, v = body.f, np.asarray(body.v_template, np.float64)
    surface = 0.5 * np.linalg.norm(
        np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]]), axis=1
    )
    a, b, c = (body.atlas_vt[body.atlas_ft[:, k]].astype(np.float64) for k in range(3))
    drawn = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    density = float(np.sqrt(drawn.sum() / surface.sum()))  # of the unit square, per metre
    half = COLUMNS // 2
    steps = np.linalg.norm(np.diff(grid, axis=0), axis=2)
    length = np.concatenate([[0.0], np.cumsum(steps.mean(1))])
    corner = float(np.clip(1.0 / (1.0 + S.density * density * length[-1]), 0.5, 0.97))
    pad = 0.02 * (1.0 - corner)
    along = corner + pad + (1.0 - corner - 2 * pad) * length / length[-1]
    places, triangles = [], []
    for k, first in enumerate((-half // 2, half // 2)):
        columns = (first + np.arange(half + 1)) % COLUMNS
        strip = grid[:, columns]
        arc = np.linalg.norm(np.diff(strip, axis=1), axis=2)
        arc = np.concatenate([np.zeros((RINGS, 1)), np.cumsum(arc, 1)], 1)
        room = (1.0 if k == 0 else corner) - 2 * pad
        scale = min(S.density * density * corner, room / arc[:, -1].max())
        middle = 0.5 * (1.0 if k == 0 else corner)
        cross = middle + scale * (arc - 0.5 * arc[:, -1:])
        other = np.broadcast_to(along[:, None], cross.shape)
        uv = np.stack([other, cross] if k == 0 else [cross, other], -1)
        places.append(uv.reshape(-1, 2))
        r, c = np.mgrid[: RINGS - 1, :half]
        at = k * RINGS * (half + 1) + r * (half + 1) + c
        a0, b0, d0, e0 = at, at + 1, at + half + 1, at + half + 2
        quads = np.stack([np.stack([a0, d0, b0], -1), np.stack([b0, d0, e0], -1)], 2)
        triangles.append((quads, (first + c[0]) % COLUMNS))
    # In the order of :func:`skirt_faces`: by ring, then by column.
    quads = np.concatenate([t[0] for t in triangles], axis=1)
    order = np.argsort(np.concatenate([t[1] for t in triangles]))
    return np.concatenate(places), quads[:, order].reshape(-1, 3), corner
