"""What the face needs to know about itself: which triangles and pixels are lids, eyes, lips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ....body import Body
from ....core.cameras import project, unproject
from ....core.distances import find_nearest
from ....core.face_size import face_size
from ....core.sampling import bilinear
from ....core.settings import register_settings
from ....core.types import (
    JOINT_INDEX,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Matte,
    Observation,
    Track,
)
from ....render.mesh import rasterize_mesh
from ...mesh_diffusion import diffuse_values, mesh_laplacian
from ..surface.surfels import closest_barycentric

SIDES = ("right", "left")

EYE_RINGS = {
    "right": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
}
"""FaceMesh landmarks around an eye's opening: outer corner, lower lid, inner corner, upper lid."""
BROWS = {
    "right": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "left": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
}
LID_CREASES = {
    "right": (33, 247, 30, 29, 27, 28, 56, 190, 133),
    "left": (263, 467, 260, 259, 257, 258, 286, 414, 362),
}
"""The same on the crease of the upper lid, from corner to corner."""
IRISES = {"right": (468, 469, 470, 471, 472), "left": (473, 474, 475, 476, 477)}
UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""FaceMesh landmarks of the inner lips, from the right corner of the mouth to the left one."""

INNER_LIPS = (*UPPER_LIP, *LOWER_LIP[-2:0:-1])
"""All of them, around the mouth's opening."""

BLINK = {"left": "eyeBlinkLeft", "right": "eyeBlinkRight"}
WIDE = {"left": "eyeWideLeft", "right": "eyeWideRight"}
RAISED = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
BROW_EXPRESSIONS = (
    "browInnerUp",
    *(
        f"{name}{side}"
        for name in ("browDown", "browOuterUp", "cheekSquint", "noseSneer")
        for side in ("Left", "Right")
    ),
)
"""What moves the skin around an eye, and lids with it, without closing them."""
OUTER_PARTS = ("face", "lips", "eyelid")
NUM_MESH = 468


@dataclass(frozen=True)
class FacePartSettings:
    """The fitted face against its landmarks."""

    max_misfit: float = 0.12  # of the pupil distance; landmarks farther off are not trusted
    cast_side: int = 480  # pixels of the z-buffers that rays are cast with


S = register_settings("lift.face_parts", FacePartSettings())


@dataclass(frozen=True)
class FittedFace:
    """A fitted face and its photo.

    Attributes:
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        joints: [55, 3] in the same pose, world space, metres.
        registered: [V, 3] the vertices moved across the picture until the landmarks fit exactly:
            for finding out what a pixel shows. Splats are always bound to ``vertices``.
        track: of the portrait.
        matte: of the portrait.
        points: [478, 2] observed landmarks, pixels.
        part: [F] name of each triangle's part.
        left: [F] on the body's left side.
        unit: pixels between the pupils, if the face looked to the camera.
        coarseness: factor on the spacing of completed splats.
    """

    body: Body
    vertices: FloatArray
    registered: FloatArray
    joints: FloatArray
    track: Track
    matte: Matte
    points: FloatArray
    part: np.ndarray  # type: ignore[type-arg]
    left: BoolArray
    unit: float
    coarseness: float

    @property
    def camera(self) -> Camera:
        """The photo's camera."""
        return self.track.camera

    def faces(self, *parts: str) -> BoolArray:
        """Return which triangles [F] belong to these parts."""
        return np.asarray(np.isin(self.part, parts))

    def skin_tone(self) -> FloatArray:
        """Return the colour [3] (0..1) of the cheeks."""
        cheeks = self.points[[50, 280, 117, 346, 205, 425]]
        return np.asarray(np.median(bilinear(self.matte.foreground, cheeks), axis=0))

    def window(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the photo's colours [h, w, 3] between two pixels, and their first pixel [2].

        Args:
            low: [2] x and y of the top left corner, pixels.
            high: [2] x and y of the bottom right corner, pixels.
        """
        height, width = self.matte.alpha.shape
        left, top = np.clip(np.floor(low), 0, [width - 2, height - 2]).astype(int)
        right, bottom = np.clip(np.ceil(high), [left + 2, top + 2], [width, height]).astype(int)
        corner = np.array([left, top], np.float64)
        return self.matte.foreground[top:bottom, left:right], corner

    def lower(self) -> BoolArray:
        """Return which triangles [F] of the lips, the teeth and the mouth go with the jaw.

        Lips by how far opening the jaw moves them, compared with others as far from the middle:
        near the corners both lips move half as much.
        """
        body = self.body
        drop = -body.exprdirs[:, 1, body.expression_index["jawOpen"]].astype(np.float64)
        drop = drop[body.f].mean(1)
        out: BoolArray = body.weights[body.f, JOINT_INDEX["jaw"]].mean(1) > 0.5
        lips = np.nonzero(self.faces("lips"))[0]
        middle = body.v_template[body.f[lips]].mean(1)[:, 0]
        middle = np.abs(middle - np.median(middle))
        bins = np.minimum((middle / 0.002).astype(int), int(middle.max() / 0.002) - 1)
        for b in np.unique(bins):
            own = lips[bins == b]
            out[own] = drop[own] > (drop[own].min() + drop[own].max()) / 2
        return out

    def brow_motion(self) -> FloatArray:
        """Return how the brows and cheeks move each vertex [V, 3 M], metres, at rest."""
        index = self.body.expression_index
        columns = [index[name] for name in BROW_EXPRESSIONS if name in index]
        return np.asarray(self.body.exprdirs[:, :, columns]).reshape(len(self.vertices), -1)

    def blinked(self) -> FloatArray:
        """Return the vertices [V, 3] in the photo's pose with both eyes closed."""
        return self._with_actions(BLINK.values())

    def widened(self) -> FloatArray:
        """Return the vertices [V, 3] in the photo's pose with both eyes wide open."""
        return self._with_actions(WIDE.values())

    def with_raised_brows(self) -> FloatArray:
        """Return the vertices [V, 3] in the photo's pose with raised brows."""
        return self._with_actions(RAISED)

    def _with_actions(self, actions: Iterable[str]) -> FloatArray:
        pose = self.track.pose
        expression = np.array(pose.expression, np.float64)
        for name in actions:
            if name in self.body.expression_index:  # a body may do without wide eyes
                expression[self.body.expression_index[name]] = 1.0
        vertices, _ = self.body.vertices(replace(pose, expression=expression))
        return vertices


def make_face(
    body: Body,
    vertices: FloatArray,
    track: Track,
    observation: Observation,
    matte: Matte,
    coarseness: float = 1.0,
) -> FittedFace | None:
    """Gather what the face's finish needs.

    Args:
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        track: of the portrait.
        observation: of the portrait.
        matte: of the portrait.
        coarseness: factor on the spacing of completed splats.

    Returns:
        The face, or None if the body lacks eyes, teeth, blinks or landmarks, or the photo a face.
    """
    needed = {"jawOpen", *BLINK.values()} <= set(body.expression_names)
    there = {body.part_names[k] for k in np.unique(body.face_part)}
    parts = {"eye", "eye_socket", "teeth", "tongue", "mouth", *OUTER_PARTS} <= there
    if observation.face is None or body.landmarks is None or not (needed and parts):
        return None
    _, joints = body.vertices(track.pose)
    points = np.asarray(observation.face, np.float64)
    unit = face_size(points)
    return FittedFace(
        body=body,
        vertices=np.asarray(vertices, np.float64),
        registered=vertices + _misfit(body, vertices, points, track.camera),
        joints=joints,
        track=track,
        matte=matte,
        points=points,
        part=np.array(body.part_names)[body.face_part],
        left=body.v_template[body.f].mean(1)[:, 0] > 0,
        unit=unit,
        coarseness=coarseness,
    )


def _misfit(body: Body, vertices: FloatArray, points: FloatArray, camera: Camera) -> FloatArray:
    """[V, 3] steps across the picture that take the fitted landmarks to the observed ones.

    Carried over the mesh, so that the two lips do not mix; they fade out away from the face.
    """
    marks = body.landmarks
    if marks is None:
        return np.zeros_like(vertices)
    corner = body.f[marks.face_triangle[:NUM_MESH]]
    bary = marks.face_bary[:NUM_MESH]
    xy, _ = project(np.einsum("nk,nkd->nd", bary, vertices[corner]), camera)
    residual = points[:NUM_MESH] - xy
    limit = S.max_misfit * face_size(points)
    length = np.maximum(np.linalg.norm(residual, axis=1), 1e-9)
    trust = marks.face_weight[:NUM_MESH] * (length < limit)
    weight = np.zeros(len(vertices))
    total = np.zeros((len(vertices), 2))
    for k in range(3):
        np.add.at(weight, corner[:, k], bary[:, k] * trust)
        np.add.at(total, corner[:, k], (bary[:, k] * trust)[:, None] * residual)
    value = total / np.maximum(weight, 1e-9)[:, None]
    laplacian = mesh_laplacian(body.f, len(vertices))
    step = diffuse_values(laplacian, value, 8.0 * weight, np.zeros(2), 0.01)
    _, depth = project(vertices, camera)
    metres = step * (depth / camera.K[0, 0])[:, None]
    return np.asarray(metres @ camera.viewmat[:2, :3])


@dataclass(frozen=True)
class RayHits:
    """Where N rays meet triangles; a ray that misses takes the nearest one in the picture.

    Attributes:
        triangle: [N] rows of ``body.f``.
        bary: [N, 3], clamped to the triangle.
        depth: [N] metres along the camera's axis.
        met: [N] whether the ray really meets it.
        away: [N] pixels to it in the picture.
    """

    triangle: IntArray
    bary: FloatArray
    depth: FloatArray
    met: BoolArray
    away: FloatArray


def cast_rays(face: FittedFace, xy: FloatArray, faces: BoolArray) -> RayHits | None:
    """Find the nearest of some registered triangles along the rays of pixels.

    Args:
        face: the fitted face.
        xy: [N, 2] pixels.
        faces: [F] the triangles that count.

    Returns:
        The hits, or None where the triangles are out of sight.
    """
    vertices, body, camera = face.registered, face.body, face.camera
    rows = np.nonzero(faces)[0]
    corners, z = project(vertices[body.f[rows]], camera)
    low = np.maximum(xy.min(0) - 2.0, corners.min((0, 1)) - 2.0)
    high = np.minimum(xy.max(0) + 2.0, corners.max((0, 1)) + 2.0)
    if (high - low < 1.0).any() or z.min() <= 0:
        return None
    scale = S.cast_side / float((high - low).max())
    K = np.array(camera.K, np.float64)
    K[:2, 2] -= low
    K[:2] *= scale
    width, height = np.maximum(np.ceil((high - low) * scale), 2).astype(int)
    window = Camera(camera.viewmat, K, int(width), int(height))
    buffer = rasterize_mesh(vertices, body.f[rows], window)
    known = buffer.face >= 0
    if not known.any():
        return None
    pixel = np.clip(((xy - low) * scale).astype(int), 0, [width - 1, height - 1])
    r, c = pixel[:, 1], pixel[:, 0]
    distance = np.zeros(len(xy))
    if not known[r, c].all():
        near_rows, near_cols, away = find_nearest(known)
        r, c, distance = near_rows[r, c], near_cols[r, c], away[r, c]
    outside = np.abs((xy - low) * scale - pixel - 0.5).max(1)
    away = (distance + np.where(outside > 1.0, outside, 0.0)) / scale
    triangle = rows[buffer.face[r, c]]
    depth = buffer.depth[r, c].astype(np.float64)
    bary = closest_barycentric(unproject(xy, depth, camera), vertices[body.f[triangle]])
    return RayHits(triangle, bary, depth, away == 0, away)


def eye_triangles(face: FittedFace, side: str) -> BoolArray:
    """Return which triangles [F] are the eyeball's."""
    return np.asarray(face.faces("eye", "eye_back") & (face.left == (side == "left")))


def inside_polygon(xy: FloatArray, polygon: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Return which points lie in a polygon, and how far each is from its edge.

    Args:
        xy: [N, 2] points.
        polygon: [M, 2] corners, in the points' unit.

    Returns:
        inside: [N] whether each lies within.
        distance: [N] to the edge, in the same unit.
    """
    a, b = polygon, np.roll(polygon, -1, axis=0)
    x, y = xy[:, :1], xy[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
    crossing = x < (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / rise + a[:, 0]
    inside = (spans & crossing).sum(1) % 2 == 1
    edge = b - a
    t = ((xy[:, None] - a) * edge).sum(-1) / np.maximum((edge**2).sum(-1), 1e-9)
    foot = a + np.clip(t, 0.0, 1.0)[..., None] * edge
    return inside, np.linalg.norm(xy[:, None] - foot, axis=-1).min(1)


def spread_points(corners: FloatArray, spacing: float | FloatArray) -> tuple[IntArray, FloatArray]:
    """Spread points evenly on triangles: one for each ``spacing``² of area.

    They come from the R2 sequence (Roberts 2018): the same triangles always carry the same points.

    Args:
        corners: [K, 3, 3] metres.
        spacing: metres, for all or [K].

    Returns:
        row: [N] the triangle of each point.
        bary: [N, 3] on that triangle.
    """
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wanted = np.cumsum(0.5 * np.linalg.norm(across, axis=1) / spacing**2)
    count = np.diff(np.round(wanted).astype(int), prepend=0)
    row = np.repeat(np.arange(len(corners)), count)
    index = np.arange(len(row)) + 1.0
    u, v = (0.7548776662466927 * index) % 1.0, (0.5698402909980532 * index) % 1.0
    fold = u + v > 1.0
    u, v = np.where(fold, 1.0 - u, u), np.where(fold, 1.0 - v, v)
    return row, np.stack([1.0 - u - v, u, v], -1)


def inner_lips(face: FittedFace) -> FloatArray:
    """Return the polygon [20, 2] between the lips, pixels."""
    return face.points[list(INNER_LIPS)]


def lip_line(face: FittedFace, x: FloatArray) -> FloatArray:
    """Return the rows [N] (pixels) of the line between the lips at some columns.

    The line runs through the middles of the inner lips, so it also holds for a tilted head.

    Args:
        face: the fitted face.
        x: [N] columns, pixels.
    """
    middle = (face.points[list(UPPER_LIP)] + face.points[list(LOWER_LIP)]) / 2
    order = np.argsort(middle[:, 0])
    return np.asarray(np.interp(x, middle[order, 0], middle[order, 1]))
