"""How finely the photo becomes splats: the whole person, and the face at a higher resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core.cameras import crop_camera
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, BoundGaussians, FloatArray, Matte, Track
from ....imaging.resize import resize_rgba, scale_size
from ..grids.pixel_grids import dilate
from ..occlusion.held_marks import removed_pixels
from ..photo.photo_view import PhotoView
from ..shape.dressed_mesh import DressedMesh
from ..surface.surfels import TriangleBinding
from .photo_splats import front_layer, splat_sigma


@dataclass(frozen=True)
class PhotoLevelSettings:
    """Resolutions of the photo's splats."""

    face_ratio: float = 2.0  # most times that the face's splats are finer than the body's
    body_side: int = 640  # pixels of the picture whose resolution the body keeps at least
    min_alpha: float = 0.2  # 0..1, of a pixel that gets a splat: fainter ones are often haze
    margin: int = 8  # pixels around the person that are drawn


S = register_settings("lift.photo_levels", PhotoLevelSettings())


def _level_scales(rest: float, face: float, budget: int, side: int) -> tuple[float, float]:
    """Return the scales of the photo for the body and for the face, given their pixels.

    The face gets up to ``face_ratio`` times the body's resolution, as long as the body keeps that
    of a picture of ``body_side`` pixels. Neither gets more than the photo has.
    """
    for ratio in np.linspace(S.face_ratio, 1.0, 11):
        scale = float(np.sqrt(budget / max(rest + ratio**2 * face, 1.0)))
        if ratio * scale > 1.0:  # the face at the photo's own size, the rest for the body
            scale = float(np.sqrt(max(budget - face, 0.2 * budget) / max(rest, 1.0)))
        if scale * side >= S.body_side:
            break
    return min(1.0, scale), min(1.0, ratio * scale)


def make_photo_levels(
    matte: Matte,
    track: Track,
    view: PhotoView,
    homes: TriangleBinding,
    dressed: DressedMesh,
    budget: int,
) -> tuple[list[BoundGaussians], float]:
    """Turn the photo's pixels into splats: all of them, and the face's at up to twice that.

    Args:
        matte: of the portrait.
        track: of the portrait.
        view: of the photo.
        homes: bind the splats.
        dressed: the worn surface in the photo's pose.
        budget: most Gaussians.

    Returns:
        levels: the splats of the body, and of the face if it is seen.
        side: longer side of the picture in which the coarser splats are a pixel apart.
    """
    regions, source = view.regions, view.camera
    height, width = matte.alpha.shape
    visible = matte.alpha > S.min_alpha
    face = None
    face_area = 0.0
    if regions.face.any():
        ys, xs = np.nonzero(regions.face)
        pad = 0.35 * regions.unit
        k = width / source.width
        left, right = (xs.min() - pad) * k, (xs.max() + 1 + pad) * k
        top, bottom = (ys.min() - 1.6 * pad) * k, (ys.max() + 1 + pad) * k
        face = np.clip([left, top, right, bottom], 0, [width, height, width, height]).round()
        left, top, right, bottom = (int(s) for s in face)
        face_area = float(visible[top:bottom, left:right].sum())
    rest = float(visible.sum()) - face_area
    scale, face_scale = _level_scales(rest, face_area, budget, max(width, height))

    near = dilate(regions.mask, max(1, round(0.25 * regions.unit)))  # wisps of hair
    rows, cols, _ = find_nearest(regions.mask)
    near &= ~removed_pixels(regions)[rows, cols]  # but no wisps of removed objects
    person = _box_around(visible)
    out = []
    for level_scale, in_face in [(scale, False)] + [(face_scale, True)] * (face is not None):
        w, h = scale_size(width, height, level_scale)
        sides = np.array([w / width, h / height, w / width, h / height])
        face_box = None if face is None else np.round(face * sides).astype(int)
        if in_face and face_box is not None:
            left, top, right, bottom = (int(s) for s in face_box)
            left, top = min(left, w - 2), min(top, h - 2)
            box = left, top, max(right, left + 2), max(bottom, top + 2)
        else:
            box = _grow_box(person * sides, w, h)
        colors, alpha = resize_rgba(matte.foreground, matte.alpha, w, h, box)
        xs, ys = np.arange(box[0], box[2]), np.arange(box[1], box[3])
        across = np.minimum((xs + 0.5) / w * source.width, source.width - 1).astype(int)
        down = np.minimum((ys + 0.5) / h * source.height, source.height - 1).astype(int)
        select = (alpha > S.min_alpha) & near[np.ix_(down, across)]
        if face_box is not None:
            # The two levels overlap by a pixel: rounding must not leave a gap between them.
            overlap = 0 if in_face else 1
            left, top, right, bottom = face_box
            inside_x = (xs >= left + overlap) & (xs < right - overlap)
            inside_y = (ys >= top + overlap) & (ys < bottom - overlap)
            inside = inside_y[:, None] & inside_x
            select &= inside if in_face else ~inside
        if select.any():
            camera = crop_camera(track.camera.resized(w, h), box)
            sigma = splat_sigma(max(w, h))
            level = front_layer(colors, alpha, camera, select, sigma, view, homes, dressed)
            out.append(level)
    return out, scale * max(width, height)


def _box_around(mask: BoolArray) -> FloatArray:
    """[4] left, top, right and bottom of a mask's pixels; some must be in it."""
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])


def _grow_box(box: FloatArray, width: int, height: int) -> tuple[int, int, int, int]:
    """A box in whole pixels of a picture, with the neighbours of what is in it."""
    left, top = np.maximum(np.floor(box[:2]).astype(int) - S.margin, 0)
    right, bottom = np.minimum(np.ceil(box[2:]).astype(int) + S.margin, [width, height])
    return int(left), int(top), int(right), int(bottom)
