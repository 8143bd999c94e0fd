"""A check of the matte against the fitted body, and its repair.

The networks behind the matte sometimes miss an arm in front of a shelf or half a trunk in dark
clothes; the body, which is also fitted to landmarks, still shows where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.cameras import project
from ..core.distances import measure_depth
from ..core.types import (
    JOINT_NAMES,
    PARENTS,
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Matte,
    Observation,
    Portrait,
)
from ..render.mesh import rasterize_mesh
from .matting import is_cutout, make_matte
from .resize import fit_size, resize

CHECK_SIDE = 384
"""Longer side in pixels at which the body is drawn for the comparison."""

SHRUNK_BY = 0.02
"""Margin inside the body's outline that is ignored, in square roots of its area: fits err, and the
body's skin may lie outside tight clothes."""

LOST_SHARE = 0.1
"""Share of the body outside the matte that is too much. Good mattes lost at most 2.2 % on 17
portraits (0.6 % on all but one), 5.6 % where a person holds a helmet in front of their arm."""

LOST_PART, MIN_PART = 0.65, 0.025
"""The same for one limb, head or trunk of at least that share of the body: at most 38 % on the
same portraits (a shoulder at the picture's edge), 4 % otherwise."""

SURE_LIMB = 0.5
"""Minimum confidence of a limb's joint: an arm behind a table is a guess."""

HEAD, ARMS = 1, (2, 3)
"""Numbers of these in :func:`body_parts`."""

_BRANCHES = ("neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")


VISIBLE, FAR_OUTSIDE = 0.5, 0.08
"""Visibility from which a body landmark must lie in the mask, and the distance outside it that is
too far, in square roots of the mask's area: at most 0.043 on the good portraits, from 0.11 where
half of a mask was missing."""

_BODY_POINTS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Shoulders, elbows, wrists, hips, knees and ankles."""


@dataclass(frozen=True)
class BodyMap:
    """The visible parts of a fitted body in the photo.

    Attributes:
        part: [h, w] int8 number of the part at each pixel, negative where none was seen.
        likely: [h, w] the trunk and its clothes where its joints were not seen: the hips are
            below the picture or behind a table.
        inside: [h, w] pixels to the body's outline, positive inside and negative outside.
        shrink: Pixels by which the body is shrunk to where it is certain.
    """

    part: IntArray
    likely: BoolArray
    inside: FloatArray
    shrink: float

    @property
    def core(self) -> BoolArray:
        """Return the mask [h, w] of pixels where the person must be."""
        return np.asarray(self.inside > self.shrink)


@dataclass(frozen=True)
class MatteLoss:
    """The part of a body that a matte lacks.

    Attributes:
        share: Its share, 0..1, of the body's core.
        too_much: Whether a good matte loses less, of the whole or of one part.
        where: [h, w] the core's pixels outside the matte.
    """

    share: float
    too_much: bool
    where: BoolArray


def filter_landmarks(observation: Observation) -> Observation:
    """Replace a mask that lost part of the person, for the fit.

    A fit to such a mask squeezes the body into it, and then nothing would seem to be missing. So
    the mask becomes 1 everywhere, and the landmarks alone decide. An observation whose visible
    landmarks lie in the mask is returned unchanged.
    """
    mask = observation.person_mask > 0.5
    points = observation.pose[list(_BODY_POINTS)]
    sure = observation.pose_visibility[list(_BODY_POINTS)] > VISIBLE
    in_picture = ((points >= 0) & (points < mask.shape[::-1])).all(1)
    columns, rows = points[sure & in_picture].astype(int).T
    outside = measure_depth(~mask)[rows, columns]
    if not mask.any() or (outside <= FAR_OUTSIDE * np.sqrt(mask.sum())).all():
        return observation
    warning = "The outline of the person was found in part only; the body follows the landmarks."
    return replace(
        observation,
        person_mask=np.ones_like(observation.person_mask),
        warnings=(*observation.warnings, warning),
    )


def body_parts(weights: FloatArray, confidence: FloatArray) -> IntArray:
    """Number the parts of a body by vertex.

    Args:
        weights: [V, 55] skinning weights.
        confidence: [55] in 0..1, the joints' confidence from the fit.

    Returns:
        [V] int8: 0 for the trunk, 1 for head and neck, 2 to 5 for the limbs; -1 where the trunk
        was not seen, -2 elsewhere.
    """
    part_of = np.zeros(len(JOINT_NAMES), np.int8)
    for joint, name in enumerate(JOINT_NAMES):
        if name in _BRANCHES:
            part_of[joint] = 1 + _BRANCHES.index(name)
        elif joint:
            part_of[joint] = part_of[PARENTS[joint]]
    least = np.where(part_of < 2, 0.0, SURE_LIMB)
    seen = weights @ (np.asarray(confidence) > least) > 0.5
    part = part_of[weights.argmax(1)]
    return np.asarray(np.where(seen, part, np.where(part == 0, -1, -2)), np.int8)


def map_body(vertices: FloatArray, f: IntArray, parts: IntArray, camera: Camera) -> BodyMap | None:
    """Draw the visible parts of a body at ``CHECK_SIDE`` pixels; None if none is in the picture.

    Args:
        vertices: [V, 3] posed, world space, metres.
        f: [F, 3].
        parts: [V] as :func:`body_parts` gives them.
        camera: The photo's camera.
    """
    pixels, depth = project(vertices[parts >= 0], camera)
    pixels = pixels[depth > 0].clip(0, [camera.width, camera.height])
    if len(pixels) == 0 or np.ptp(pixels, axis=0).min() < 2:
        return None
    longer = max(camera.width, camera.height)
    side = min(longer, round(CHECK_SIDE * longer / np.ptp(pixels, axis=0).max()))
    camera = camera.resized(*fit_size(camera.width, camera.height, side))
    seen = f[(parts[f] >= 0).all(1)]
    face = rasterize_mesh(vertices, seen, camera).face
    drawn = face >= 0
    if not drawn.any():
        return None
    part = np.where(drawn, parts[seen[face, 0]], -1)
    trunk = rasterize_mesh(vertices, f[np.isin(parts[f], (0, -1)).all(1)], camera).face >= 0
    # The picture's edge is not an outline: the body continues beyond it.
    inside = measure_depth(np.pad(drawn, 1, mode="edge"))[1:-1, 1:-1]
    outside = measure_depth(~drawn)
    shrink = max(2.0, SHRUNK_BY * float(np.sqrt(drawn.sum())))
    signed = np.where(drawn, inside, -outside)
    likely = _with_clothes(trunk & ~drawn, drawn, shrink)
    return BodyMap(np.asarray(part, np.int8), likely, signed, shrink)


def _with_clothes(trunk: BoolArray, drawn: BoolArray, shrink: float) -> BoolArray:
    """Mask [h, w] of the unseen trunk and of gaps between it and the arms, which a jacket fills."""
    if not trunk.any():
        return trunk
    reach = 4 * shrink
    width = int(2 * reach) + 1
    body = np.pad(trunk | drawn, width, mode="edge")
    grown = measure_depth(~body) < reach
    closed = measure_depth(grown) > reach
    closed = closed[width:-width, width:-width]
    near = measure_depth(~trunk) < 2 * reach
    return np.asarray((trunk | (closed & near)) & ~drawn)


def measure_loss(alpha: FloatArray, body: BodyMap) -> MatteLoss:
    """Measure which part of the body a matte lacks: where its alpha is below a half.

    Args:
        alpha: [H, W] in 0..1, at any resolution.
        body: The fitted body in the photo.
    """
    height, width = body.part.shape
    core = body.core
    lost = core & (resize(np.asarray(alpha, np.float32), width, height, "area") < 0.5)
    everything = max(1, int(core.sum()))
    share = float(lost.sum() / everything)
    too_much = share > LOST_SHARE
    for part in range(len(_BRANCHES) + 1):
        of_part = core & (body.part == part)
        if of_part.sum() > MIN_PART * everything:
            too_much |= bool(lost[of_part].mean() > LOST_PART)
    return MatteLoss(share, too_much, lost)


def repair_matte(
    portrait: Portrait, observation: Observation, first: Matte, body: BodyMap | None
) -> tuple[Matte, tuple[str, ...]]:
    """Repair a matte that lost part of the person.

    A matte that lost little is returned unchanged. Otherwise another one is computed with the body
    as a hint around what was lost. It is used if it covers more of the body and did not gain more
    beside the body than on it.

    Args:
        portrait: The photo.
        observation: What the detectors found in it.
        first: The matte that :func:`.matting.make_matte` made of them.
        body: The fitted body in the photo.

    Returns:
        matte: The first or the second one.
        warnings: What the user should know.
    """
    before = None if body is None else measure_loss(first.alpha, body)
    if body is None or before is None or not before.too_much:
        return first, ()
    lost = f"{max(1, round(100 * before.share))} % of the person"
    if portrait.alpha is not None and is_cutout(portrait.alpha, observation.person_mask):
        return first, (
            f"The photo's own transparency seems to leave out {lost}: check the preview.",
        )
    second = make_matte(portrait, observation, body=_help_from(body, before, first.alpha.shape))
    after = measure_loss(second.alpha, body)
    if after.share >= before.share or _leaks(first, second, body):
        return first, (
            f"The background removal seems to have lost {lost}, and the fitted body did not "
            "help: check the preview, or use a photo whose background is already removed.",
        )
    warning = (
        f"The background removal had lost {lost}; the fitted body was used to repair it: "
        "check the preview."
    )
    if after.too_much:
        warning += f" It still lacks {max(1, round(100 * after.share))} %."
    return second, (warning,)


def _help_from(body: BodyMap, lost: MatteLoss, shape: tuple[int, ...]) -> FloatArray:
    """Return the body's probability [H, W] around what was lost, 0 elsewhere.

    It is 1 in the core, a half on the outline and 0 as far outside; where the trunk is only
    likely, it is so low that colour decides.
    """
    distance = measure_depth(~lost.where)
    near = distance < 4 * body.shrink
    probability = np.clip(0.5 + 0.5 * body.inside / body.shrink, 0, 1) * near
    likely = body.likely & (distance < 30 * body.shrink)
    probability = np.where(likely, np.maximum(probability, 0.6), probability)
    return resize(np.asarray(probability, np.float32), shape[1], shape[0], "bilinear")


def _leaks(first: Matte, second: Matte, body: BodyMap) -> bool:
    """Whether the second matte gained more beside the body and its clothes than on it."""
    height, width = body.part.shape
    gained = resize(np.clip(second.alpha - first.alpha, 0, 1), width, height, "area") > 0.5
    beside = gained & (body.inside < -6 * body.shrink)
    return bool(beside.sum() > (gained & (body.inside > 0)).sum())
