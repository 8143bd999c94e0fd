"""Moves and sizes the body's ears to those that the photo shows.

No landmark of a face is on an ear, and the shape basis knows little of them: a fitted ear lies a
centimetre beside the photo's, and is a quarter smaller. What stood out beside it would be scattered
over the skull.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.cameras import camera_position, crop_camera, project, unproject
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Pose
from ....imaging.resize import resize
from ....render.mesh import MeshBuffer, rasterize_mesh
from ..pixels.regions import Regions
from ..surface.labels import HAIR, SKIN, ramp
from ..surface.limbs import HEAD


@dataclass(frozen=True)
class EarPlaceSettings:
    """Where an ear may be, how large, and what shows it."""

    reach: tuple[float, float] = (0.012, 0.022)  # metres to the sides, and up and down
    sizes: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
    """Times the fitted ear's that are tried; what fits best at either end is something else."""

    calm: tuple[float, float] = (0.12, 0.8)
    """Share of an ear's pixels that a shift to the end of ``reach`` has to gain, and a size times
    the square of its logarithm.
    """

    hair: float = 0.25  # share of a drawn ear under hair from which on there is too little of it
    gain: float = 0.15  # more of its pixels than before have to lie on skin, and not beside it
    shown: float = 0.6  # least share of its pixels that lie on skin, less those beside it
    frontal: float = 0.88  # of a head, cosine to the view from which its ears are at its outline
    few: int = 12  # pixels of an ear on the region grid, or the picture is too small to tell
    finer: int = 4  # times the region grid's pixels along a side
    blend: float = 0.03  # metres around an ear over which the head follows it


S = register_settings("lift.ear_places", EarPlaceSettings())

COVERING = ("face", "neck", "eyelid", "lips")
"""Parts of the body that may be skin, whatever is before them, where they are drawn."""


@dataclass(frozen=True)
class Ears:
    """How the left and the right ear differ from the fitted body's.

    Attributes:
        shift: [2, 3] metres at rest.
        size: [2] times the fitted ear's.
    """

    shift: FloatArray
    size: FloatArray

    @property
    def differ(self) -> bool:
        """Whether they do."""
        return bool(self.shift.any() or (self.size != 1.0).any())


FITTED = Ears(np.zeros((2, 3)), np.ones(2))
"""Ears as the body has them."""


def find_ears(regions: Regions, camera: Camera, body: Body, pose: Pose) -> Ears:
    """Find where the photo's ears are.

    A head that faces the camera has its ears at its outline. Each is moved in the picture to where
    it covers the most skin beside the drawn face and neck, and the least hair or background. One
    that is hidden is as the other. A turned head's ears stay: one lies amidst skin, and the other
    is out of sight.

    Args:
        regions: of the photo, on the grid of ``camera``.
        camera: of the region grid.
        body: the person's own.
        pose: the photo's.

    Returns:
        The ears, or ``FITTED`` where the photo does not show them.
    """
    vertices, _ = body.vertices(pose)
    turn = body.rest_and_transforms(pose)[2][JOINT_INDEX["head"]]
    lips = body.part_vertices("lips")
    if len(lips) == 0:
        return FITTED
    to_camera = camera_position(camera) - vertices[lips].mean(0)
    if turn[:, 2] @ to_camera < S.frontal * np.linalg.norm(to_camera):
        return FITTED
    ears = [_EarVertices.of(body, sign) for sign in (1.0, -1.0)]
    xy, depth = project(vertices[np.concatenate([ear.rows for ear in ears])], camera)
    if len(depth) == 0 or depth.min() <= 0.0:
        return FITTED
    margin = S.reach[1] * camera.K[0, 0] / depth.min()
    low = np.floor(np.maximum(xy.min(0) - margin, 0.0)).astype(int)
    high = np.ceil(np.minimum(xy.max(0) + margin, [camera.width, camera.height])).astype(int)
    if (high <= low).any():
        return FITTED
    near = crop_camera(camera, (*low, *high))
    near = near.resized(S.finer * near.width, S.finer * near.height)
    part = np.array(body.part_names)[body.face_part]
    faces = np.nonzero(np.isin(part, ("ear", "scalp", *COVERING)))[0]
    drawn = rasterize_mesh(vertices, body.f[faces], near)
    triangle = np.where(drawn.face >= 0, faces[drawn.face], -1)
    shown = np.where(triangle >= 0, part[triangle], "")

    window = slice(low[1], high[1]), slice(low[0], high[0])
    worth, hair = _weigh_pixels(regions, window, shown)
    mouth = float(body.v_template[lips, 1].mean())
    shift, size, found = np.zeros((2, 3)), np.ones(2), []
    for k, ear in enumerate(ears):
        own = (shown == "ear") & np.isin(body.f[triangle, 0], ear.rows)
        if own.sum() < S.few * S.finer**2 or hair[own].mean() > S.hair:
            continue
        middle = vertices[ear.rows].mean(0)
        lower = (mouth - body.v_template[ear.rows, 1].mean()) * turn[:, 1]
        above = _is_above(middle + lower, middle, near)
        root = vertices[ear.inner].mean(0)
        seen = _match_ear(own, np.where(above, worth, -1.0), near, drawn, root)
        if seen is not None:
            shift[k], size[k] = seen[0] @ turn, seen[1]
            found.append(k)
    if len(found) == 1:
        shift[1 - found[0]] = shift[found[0]] * [-1.0, 1.0, 1.0]
        size[:] = size[found[0]]
    return Ears(shift, size)


def move_ears(body: Body, ears: Ears) -> Body:
    """Move and size the ears, and with them the head around them.

    Args:
        body: the person's own.
        ears: how they differ from the body's.

    Returns:
        The person's own body with these ears.
    """
    rest = np.asarray(body.v_template, np.float64)
    head = body.sum_weights((JOINT_INDEX["head"],)) > 0.5
    moved = rest.copy()
    for shift, size, sign in zip(ears.shift, ears.size, (1.0, -1.0), strict=True):
        ear = _EarVertices.of(body, sign)
        if len(ear.rows) == 0 or (size == 1.0 and not shift.any()):
            continue
        away, _ = cKDTree(rest[ear.rows]).query(rest[head])
        grown = (size - 1.0) * (rest[head] - rest[ear.inner].mean(0))
        moved[head] += ramp(away, S.blend, 0.0)[:, None] ** 2 * (shift + grown)
    return replace(body, v_template=moved.astype(body.v_template.dtype))


@dataclass(frozen=True)
class _EarVertices:
    """The vertices of one ear.

    Attributes:
        rows: [n] all of them.
        inner: [m] those at the skull, where it is rooted.
    """

    rows: IntArray
    inner: IntArray

    @staticmethod
    def of(body: Body, sign: float) -> _EarVertices:
        """Those of the left ear for a ``sign`` of 1, of the right one for -1."""
        rows = body.part_vertices("ear")
        out = sign * np.asarray(body.v_template, np.float64)[rows, 0]
        rows, out = rows[out > 0], out[out > 0]
        inner = out <= (np.quantile(out, 0.25) if len(out) else 0.0)
        return _EarVertices(rows, rows[inner])


def _weigh_pixels(
    regions: Regions, window: tuple[slice, slice], shown: NDArray[np.str_]
) -> tuple[FloatArray, FloatArray]:
    """What says that an ear is at a pixel.

    Args:
        regions: of the photo.
        window: the part of their grid that is looked at.
        shown: [H, W] the part of the head that is drawn at each pixel of the same, finer.

    Returns:
        worth: [H, W] 1 on the photo's skin, -1 beside it, 0 where either may be.
        hair: [H, W] 0..1 how much of the pixel is hair.
    """
    label, of_head = regions.label[window], regions.group[window] == HEAD
    skin = 2.0 * (of_head & (label == SKIN)) - 1.0
    skin[regions.mask[window] & ~of_head] = 0.0  # a hand before it
    height, width = shown.shape
    worth = resize(skin, width, height, "bilinear")
    worth[np.isin(shown, COVERING)] = 0.0
    worth[shown == "scalp"] = np.minimum(worth[shown == "scalp"], 0.0)  # bald, it is skin as well
    return worth, resize(1.0 * (label == HAIR), width, height, "bilinear")


def _match_ear(
    own: BoolArray, worth: FloatArray, camera: Camera, drawn: MeshBuffer, root: FloatArray
) -> tuple[FloatArray, float] | None:
    """How far an ear moves in the world, and its size; None if it is not seen.

    Args:
        own: [H, W] pixels of the drawn ear.
        worth: [H, W] 1 on the photo's skin, -1 beside it, 0 where either may be.
        camera: of the pixels.
        drawn: the head.
        root: [3] metres in the world, where the ear stays as it grows.

    Returns:
        [3] metres, and the size; or None.
    """
    count = int(own.sum())
    middle = float(np.median(drawn.depth[own]))
    right, down = np.ceil(np.array(S.reach) * camera.K[[0, 1], [0, 1]] / middle).astype(int)
    padded = np.pad(worth, ((down, down), (right, right)), constant_values=-1.0)
    v, u = np.mgrid[-down : down + 1, -right : right + 1]
    far = (u / right) ** 2 + (v / down) ** 2
    (x, y), _ = project(root, camera)
    at = np.array([y, x]) - 0.5
    before = float((worth * own).sum()) / count
    best, found = -np.inf, None
    for size in S.sizes:
        # A pixel shows what was at ``root`` plus its way from there over ``size``.
        grown = ndimage.affine_transform(
            own.astype(np.float32), np.eye(2) / size, at - at / size, order=1, prefilter=False
        )
        rows, cols = ndimage.find_objects((grown > 0.0).astype(np.int8))[0]
        around = padded[rows.start : rows.stop + 2 * down, cols.start : cols.stop + 2 * right]
        gained = _correlate(around, grown[rows, cols]) / count
        score = gained - S.calm[0] * far - S.calm[1] * np.log(size) ** 2
        k = np.unravel_index(np.argmax(score), score.shape)
        if score[k] > best:
            best = float(score[k])
            ends = np.array([[x, y], [x + u[k], y + v[k]]])
            start, end = unproject(ends, np.full(2, middle), camera)
            bare = float(gained[k]) * count > S.shown * float(grown.sum())
            inner = far[k] < 1.0 and S.sizes[0] < size < S.sizes[-1]
            found = (np.asarray(end - start), float(size)) if bare and inner else None
    if found is not None and best < before + S.gain:
        return np.zeros(3), 1.0
    return found


def _correlate(image: FloatArray, part: FloatArray) -> FloatArray:
    """[H - h + 1, W - w + 1] sums of ``part`` [h, w] times ``image`` [H, W], wherever it fits."""
    size = [fft.next_fast_len(n, real=True) for n in image.shape]
    product = fft.rfft2(image, size) * np.conj(fft.rfft2(part, size))
    fits = [n - m + 1 for n, m in zip(image.shape, part.shape, strict=True)]
    return np.asarray(fft.irfft2(product, size)[: fits[0], : fits[1]])


def _is_above(end: FloatArray, start: FloatArray, camera: Camera) -> BoolArray:
    """[H, W] pixels before the end of a way, seen along it; both [3] metres in the world."""
    xy, _ = project(np.stack([start, end]), camera)
    rows, cols = np.mgrid[: camera.height, : camera.width] + 0.5
    along = np.stack([cols, rows], -1) - xy[1]
    return np.asarray(along @ (xy[1] - xy[0]) < 0.0)
