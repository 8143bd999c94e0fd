"""Matting of the person: alpha with hair detail, and colours free of the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree

from ..core.distances import add_places, find_nearest, measure_depth
from ..core.landmark_names import POSE_BONES
from ..core.types import BoolArray, FloatArray, Matte, Observation, Portrait
from .closed_form import estimate_foreground, solve_alpha
from .color_model import fit_colors
from .focus import find_focus
from .guided import guided_filter
from .load import TRANSPARENT
from .missed_cloth import find_missed_cloth
from .resize import fit_size, resize
from .rims import tighten_rim

WORK_SIDE = 768
"""Longer side in pixels of the person's crop at which alpha is solved."""

REFINE_SIDE = 448
"""The same for the refinement of the mask by colour."""

SOLID_ALPHA = 0.95
"""Alpha from which a pixel shows the person alone, without the background."""

_ROUNDS = 3
_EVIDENCE_FOR, _EVIDENCE_AGAINST = 1.0, 2.2
"""Limits of colour's evidence for and against the person, as log ratios: the background's colours
are seen right beside the doubtful pixel, while objects in the person's colours are common."""

_NOISE = 2e-5
"""Colour variance below which the matting Laplacian sees no edge: sensor noise, JPEG blocks."""

_PRIOR_WEIGHT = 1e-2
"""Weight of the refined mask inside the band against the matting Laplacian."""

_PRIOR_CLEAR = 0.3
"""The prior is 0 where the refined mask is below this, and 1 where it is above 1 minus this. Before
a busy background the mask's small doubts would become haze."""

_MISSED = 0.95
"""Probability of cloth that the networks missed."""

_EARS = ((127, 234, 93), (356, 454, 323))
"""FaceMesh landmarks on the right and on the left border of the face, beside the ears."""

_EAR_WIDTH = 0.09
"""How far an ear certainly reaches from that border, as a share of the face's width. Ears may be as
red as a curtain or a brick wall behind them; hair that covers them is the person's as well."""


@dataclass(frozen=True)
class _Window:
    """The crop around the person: a box of the picture and its working size."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int

    def take(self, image: FloatArray, method: str = "area") -> FloatArray:
        part = image[self.top : self.bottom, self.left : self.right]
        return resize(part, self.width, self.height, method)

    @property
    def scale(self) -> float:
        return self.width / (self.right - self.left)


def make_matte(
    portrait: Portrait, observation: Observation, body: FloatArray | None = None
) -> Matte:
    """Compute alpha and foreground colours of the observed person, at the portrait's size.

    The file's own alpha is used if it cuts the person out. Otherwise colour models refine the
    person mask, and alpha is solved in a band around its outline (closed-form
    matting, Levin et al. 2008) whose width follows the size of the person, wider around the
    head. Alpha is exactly 1 inside the band and exactly 0 outside it. Foreground colours are
    estimated by multi-level foreground estimation (Germer et al. 2020).

    Args:
        portrait: The photo.
        observation: What the detectors found in it.
        body: [H, W] in 0..1, probability of the fitted body where the person mask is known to
            have lost it; it is added to the mask, and 1 is certain foreground.
    """
    rgb = np.asarray(portrait.rgb, np.float32)
    if portrait.alpha is not None and is_cutout(portrait.alpha, observation.person_mask):
        alpha = _only_person(portrait.alpha, observation.person_mask)
        return Matte(alpha, _spread(rgb, alpha > TRANSPARENT))
    alpha = np.clip((_solve(rgb, observation, body) - HAZE) / (1.0 - 2.0 * HAZE), 0.0, 1.0)
    alpha = np.asarray(alpha, np.float32)
    return Matte(alpha, foreground_colors(rgb, alpha))


_HALF_SEEN = 0.25
"""Probability above which the networks half saw a pixel, and colours may add it."""

_NEARBY, _ALIKE = 8.0, 0.05
"""Over so many times the least error of the outline, and so much of a feature, continuity fades."""

HAZE = 0.12
"""Alpha below this, or above 1 minus this, is the solver's doubt in front of a busy background,
visible as haze around the head and glassy ears; it spares strands of hair."""


def is_cutout(alpha: FloatArray, person_mask: FloatArray) -> bool:
    """Whether a file's alpha keeps the person and removes something else.

    Args:
        alpha: [H, W] in 0..1.
        person_mask: [H, W] probability of the person.
    """
    person = person_mask > 0.5
    kept = float(alpha[person].mean()) if person.any() else 0.0
    return kept > 0.8 and float((alpha < 0.1).mean()) > 0.02


def _only_person(alpha: FloatArray, person_mask: FloatArray) -> FloatArray:
    labels, count = ndimage.label(alpha > TRANSPARENT)
    if count == 0:
        return alpha
    person = ndimage.sum_labels(person_mask > 0.5, labels, np.arange(count + 1))
    person[0] = 0
    return np.asarray(alpha * (labels == int(person.argmax())), np.float32)


def _spread(rgb: FloatArray, known: BoolArray) -> FloatArray:
    """Fill colours that are not ``known`` with those of the nearest known pixel."""
    return np.asarray(rgb[find_nearest(known)[:2]])


def _solve(rgb: FloatArray, observation: Observation, body: FloatArray | None) -> FloatArray:
    height, width = rgb.shape[:2]
    person = observation.person_mask
    missed = find_missed_cloth(rgb, person, observation)
    if missed is not None:
        person = np.where(missed, np.maximum(person, _MISSED), person)
    if body is not None:
        person = np.maximum(person, body)
    window = _window(person)
    small = window.take(rgb)
    head = _Head.find(observation, window)
    reach = _reach(head, window)
    mask = window.take(person)
    sure = _certain(observation, window) & (mask > 0.4)
    if body is not None:
        sure |= window.take(body) > 0.99
    focus = find_focus(small, mask > 0.5, head.hair, reach)
    refined = _refine_small(small, np.where(sure, 0.99, mask), reach)
    refined = _drop_blurred(refined, mask, focus)
    refined[sure] = np.maximum(refined[sure], 0.95)
    band = _band(refined, reach) & ~sure
    alpha = _solve_band(small, refined, band, reach)
    alpha = _main_parts(_drop_blurred(alpha, np.where(refined > 0.5, alpha, 0.0), focus))
    alpha = tighten_rim(small, alpha)
    part = rgb[window.top : window.bottom, window.left : window.right]
    if window.scale < 1:
        fine = _upsample(alpha, small, part)
    else:
        fine = resize(alpha, part.shape[1], part.shape[0], "area")
    full = np.zeros((height, width), np.float32)
    full[window.top : window.bottom, window.left : window.right] = fine
    return full


def _window(mask: FloatArray) -> _Window:
    """Return the box around the person, with a margin of an eighth of its size."""
    height, width = mask.shape
    solid = mask > 0.3
    if not solid.any():
        return _Window(0, 0, width, height, *fit_size(width, height, WORK_SIDE))
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    margin = int(0.125 * max(np.ptp(rows), np.ptp(columns))) + 4
    left, right = max(0, columns[0] - margin), min(width, columns[-1] + 1 + margin)
    top, bottom = max(0, rows[0] - margin), min(height, rows[-1] + 1 + margin)
    return _Window(
        int(left),
        int(top),
        int(right),
        int(bottom),
        *fit_size(int(right - left), int(bottom - top), WORK_SIDE),
    )


@dataclass(frozen=True)
class _Head:
    """Where the head is, in pixels of a window.

    Attributes:
        above: [h, w] rows above the middle of the face.
        distance: [h, w] from there.
        size: of the face.
    """

    above: FloatArray
    distance: FloatArray
    size: float

    @staticmethod
    def find(observation: Observation, window: _Window) -> _Head:
        points = observation.pose[:11] if observation.face is None else observation.face
        size = max(float(np.ptp(points, axis=0).max()) * window.scale, 1.0)
        x, y = (points.mean(0) - [window.left, window.top]) * window.scale
        rows, columns = np.indices((window.height, window.width)) + 0.5
        return _Head(y - rows, np.hypot(columns - x, rows - y), size)

    @property
    def hair(self) -> FloatArray:
        """[h, w] 0..1 where short hair may be: around the head, above the chin."""
        around = np.clip(2.5 * (1.8 - self.distance / self.size), 0.0, 1.0)
        return np.asarray(around * np.clip(5.0 * (0.45 + self.above / self.size), 0.0, 1.0))


def _reach(head: _Head, window: _Window) -> FloatArray:
    """Return how far [h, w] in pixels the outline may be off: little, but more around the head.

    Hair stands out by up to a third of the head; elsewhere the masks' own coarseness counts,
    about a hundredth of the person.
    """
    near_head = np.clip(2.4 - head.distance / head.size, 0, 1)
    plain = max(2.5, 0.009 * max(window.width, window.height))
    return np.asarray(plain + near_head * max(0.12 * head.size - plain, 0), np.float32)


def _certain(observation: Observation, window: _Window) -> BoolArray:
    """Return the mask [h, w] of what is the person whatever its colour.

    These are the face, the ears, the bones of the hands, and the middle of visible limbs.
    """
    canvas = Image.new("1", (window.width, window.height))
    draw = ImageDraw.Draw(canvas)

    def drawn(points: FloatArray) -> list[tuple[float, float]]:
        moved = (points - [window.left, window.top]) * window.scale
        return [(float(x), float(y)) for x, y in moved]

    if observation.face is not None:
        # Shrunk a little: the oval's own points lie on the outline.
        face = observation.face
        outline = face[ConvexHull(face).vertices]
        draw.polygon(drawn(face.mean(0) + 0.9 * (outline - face.mean(0))), fill=1)
        for side, other in zip(_EARS, reversed(_EARS), strict=True):
            out = _EAR_WIDTH * (face[list(side)] - face[list(other)])
            draw.polygon(
                drawn(np.concatenate([face[list(side)], (face[list(side)] + out)[::-1]])), fill=1
            )
    for hand in observation.hands:
        for finger in range(5):
            bones = [0, *range(4 * finger + 1, 4 * finger + 4)]
            draw.line(drawn(hand.landmarks[bones]), fill=1)
    for a, b in POSE_BONES:
        if min(observation.pose_visibility[[a, b]]) > 0.8:
            draw.line(drawn(observation.pose[[a, b]]), fill=1)
    return np.array(canvas, dtype=bool)


def _refine_small(image: FloatArray, mask: FloatArray, reach: FloatArray) -> FloatArray:
    """:func:`_refine` at ``REFINE_SIDE``, upsampled along the edges of ``image``."""
    height, width = mask.shape
    size = fit_size(width, height, REFINE_SIDE)
    coarse = [resize(x, *size, "area") for x in (image, mask, reach * size[0] / width)]
    refined = _refine(*coarse)
    if size == (width, height):
        return refined
    fine = guided_filter(refined, coarse[0], 2, 1e-4, image)
    plain = resize(refined, width, height, "bilinear")
    return np.asarray(np.clip(fine, plain - 0.4, plain + 0.4).clip(0.001, 0.999), np.float32)


def _refine(image: FloatArray, mask: FloatArray, reach: FloatArray) -> FloatArray:
    """Move the outline of a mask [h, w] to where the colours change.

    Alternately, colour models are learned from both sides and applied to the pixels near the
    outline; a guided filter makes neighbours of one colour agree. Far inside and outside, the
    mask stays.
    """
    prior = np.clip(mask, 0.01, 0.99).astype(np.float64)
    refined = prior
    features = _features(image)
    near, half_seen = (
        np.exp(-0.5 * (measure_depth(prior <= seen) / reach) ** 2) for seen in (0.5, _HALF_SEEN)
    )
    half_seen *= _measure_continuity(features, prior, reach)
    evidence = np.zeros_like(prior)
    for number in range(_ROUNDS):
        inside = measure_depth(refined > 0.5)
        outside = measure_depth(refined <= 0.5)
        sure_in = (inside > 0.5 * reach) & (prior > 0.7)
        sure_out = (outside > 1.0 * reach) & (prior < 0.3)
        if sure_in.sum() < 200 or sure_out.sum() < 200:
            break
        person, rest = fit_colors(features[sure_in]), fit_colors(features[sure_out])
        distance = np.where(refined > 0.5, inside, outside)
        # Doubt: near the outline, and wherever the networks were unsure.
        doubt = np.exp(-0.5 * (distance / (1.5 * reach)) ** 2)
        doubt = np.maximum(doubt, np.clip(1 - np.abs(2 * prior - 1) / 0.9, 0, 1))
        asked = doubt > 0.02
        evidence = np.zeros_like(prior)
        evidence[asked] = person.log_density(features[asked]) - rest.log_density(features[asked])
        evidence = np.clip(evidence, -_EVIDENCE_AGAINST, _EVIDENCE_FOR)
        evidence = guided_filter(evidence, image, 3, 1e-4)
        held = np.log(prior / (1 - prior)) * (1 - 0.5 * doubt)
        # Colour may remove what the networks doubt, but adds only along their outline. In the last
        # round it also adds what they half saw, if that continues what is certain.
        if number + 1 == _ROUNDS:
            near = np.maximum(near, half_seen)
            held = np.where(held < 0, held * (1 - half_seen), held)
        weight = np.where(evidence > 0, np.minimum(doubt, near), doubt)
        refined = np.asarray(1 / (1 + np.exp(-held - weight * evidence)))
        refined = np.clip(guided_filter(refined, image, 4, 1e-4), 0.001, 0.999)
    return np.asarray(_closed(refined, prior, evidence, reach), np.float32)


def _measure_continuity(features: FloatArray, prior: FloatArray, reach: FloatArray) -> FloatArray:
    """Measure how surely doubtful pixels continue in colour what is certain beside them.

    A hem or a thumb that the networks half saw does; what shows between an arm and the trunk may
    have a colour that the person wears elsewhere.

    Args:
        features: [h, w, 3] of :func:`_features`.
        prior: [h, w] 0..1 probability of the person.
        reach: [h, w] pixels by which the outline may be off; the least is the measure of distance.

    Returns:
        [h, w] 0..1.
    """
    points = add_places(features / _ALIKE, 1.0 / (_NEARBY * float(reach.min())))
    sure, doubtful = prior > 0.9, (prior > 0.5 * _HALF_SEEN) & (prior < 0.9)
    out = np.zeros_like(prior)
    if sure.any() and doubtful.any():
        out[doubtful] = np.exp(-0.5 * cKDTree(points[sure]).query(points[doubtful])[0] ** 2)
    return out


def _features(image: FloatArray) -> FloatArray:
    """Brightness and two colour differences [h, w, 3]; colour counts more than shading."""
    r, g, b = np.moveaxis(np.asarray(image, np.float64), -1, 0)
    light = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([light, 1.5 * (r - light), 1.5 * (b - light)], -1)


def _closed(
    refined: FloatArray, prior: FloatArray, evidence: FloatArray, reach: FloatArray
) -> FloatArray:
    """Fill doubtful holes in the person.

    These are specks, holes that no network saw, and half-seen ones whose colours are not clear.
    """
    holes, count = ndimage.label(refined <= 0.5)
    if count == 0:
        return refined
    index = np.arange(count + 1)
    area = ndimage.sum_labels(np.ones_like(refined), holes, index)
    least = ndimage.minimum(prior, holes, index)
    colour = ndimage.mean(evidence, holes, index)
    unclear = (least > 0.3) & (colour > -0.7 * _EVIDENCE_AGAINST)
    fill = (area < float(reach.min()) ** 2) | (least > 0.7) | unclear
    fill[0] = False
    return np.where(fill[holes], np.maximum(refined, 0.95), refined)


def _drop_blurred(values: FloatArray, least: FloatArray, focus: FloatArray) -> FloatArray:
    """Lower what exceeds ``least`` [h, w] where it is out of focus, and open to the background.

    A smooth ear has no fine detail either, but lies amidst the person.
    """
    sharp = np.minimum(values, least) + focus * np.maximum(values - least, 0.0)
    return np.where(ndimage.binary_fill_holes(sharp > 0.5), values, sharp)


def _band(refined: FloatArray, reach: FloatArray) -> BoolArray:
    """Return the mask [h, w] of unknown alpha around the outline of the refined mask."""
    inside = measure_depth(refined > 0.5)
    outside = measure_depth(refined <= 0.5)
    # Hair is thin outside the mask; inside it the band needs less room.
    inner = (inside > 0) & (inside <= 0.6 * reach)
    return np.asarray(inner | ((outside > 0) & (outside <= reach)))


def _solve_band(
    image: FloatArray, refined: FloatArray, band: BoolArray, reach: FloatArray
) -> FloatArray:
    """Closed-form matting of the unknown pixels alone, with the refined mask as a weak prior.

    The prior grows towards the band's outer rim: before a busy background the Laplacian alone
    leaves haze there.
    """
    alpha = (refined > 0.5).astype(np.float64)
    if not band.any():
        return alpha.astype(np.float32)
    distance = measure_depth(refined <= 0.5)[band] / reach[band]
    weight = _PRIOR_WEIGHT * (1 + 24 * distance**2)
    prior = (refined[band].astype(np.float64) - _PRIOR_CLEAR) / (1.0 - 2.0 * _PRIOR_CLEAR)
    prior = np.clip(prior, 0.0, 1.0)
    alpha[band] = np.clip(solve_alpha(image, alpha, band, prior, weight, _NOISE), 0, 1)
    return alpha.astype(np.float32)


def _main_parts(alpha: FloatArray) -> FloatArray:
    """Snap haze to 0 and 1, and remove what is not connected to the largest part."""
    snapped = np.clip((alpha - 0.06) / 0.9, 0, 1)
    labels, count = ndimage.label(snapped > 0.1, structure=np.ones((3, 3)))
    if count == 0:
        return snapped
    index = np.arange(count + 1)
    sizes = ndimage.sum_labels(snapped, labels, index)
    sizes[0] = 0
    keep = ndimage.binary_dilation(labels == int(sizes.argmax()), iterations=2)
    return np.asarray(snapped * keep, np.float32)


def _upsample(alpha: FloatArray, small: FloatArray, part: FloatArray) -> FloatArray:
    """Upsample alpha to the picture's resolution; exact where it is 0 or 1 all around."""
    height, width = part.shape[:2]
    fine = np.clip(guided_filter(alpha, small, 2, 1e-5, part), 0, 1)
    soft = resize(alpha, width, height, "bilinear")
    low = resize(ndimage.minimum_filter(alpha, 3), width, height, "bilinear")
    high = resize(ndimage.maximum_filter(alpha, 3), width, height, "bilinear")
    fine = np.clip(fine, low, high)
    fine[(high <= 1e-4)] = 0
    fine[(low >= 1 - 1e-4)] = 1
    # Without an edge in the guide the linear model is empty: use the plain value.
    return np.asarray(np.where(np.abs(fine - soft) > 0.5, soft, fine), np.float32)


def foreground_colors(rgb: FloatArray, alpha: FloatArray) -> FloatArray:
    """Remove the background's colour from a photo; an alpha of 1 changes nothing.

    Args:
        rgb: [H, W, 3] sRGB in 0..1.
        alpha: [H, W] in 0..1.

    Returns:
        [H, W, 3] sRGB in 0..1.
    """
    solid = alpha > 0
    if not solid.any():
        return rgb
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    top, bottom = max(0, rows[0] - 8), rows[-1] + 9
    left, right = max(0, columns[0] - 8), columns[-1] + 9
    part, opacity = rgb[top:bottom, left:right], alpha[top:bottom, left:right]
    colours = np.where(opacity[..., None] >= 1, part, estimate_foreground(part, opacity))
    result = _spread(rgb, _inside(alpha.shape, top, bottom, left, right))
    result[top:bottom, left:right] = colours
    return np.asarray(result, np.float32)


def _inside(shape: tuple[int, ...], top: int, bottom: int, left: int, right: int) -> BoolArray:
    box = np.zeros(shape[:2], bool)
    box[top:bottom, left:right] = True
    return box
