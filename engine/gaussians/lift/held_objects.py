"""Held things and other people's limbs, which do not belong to an avatar, are removed.

Two things are searched for on the pixels that a matte assigns to the person. Beyond a hand, where
fingers close around something: colours that this person's skin, clothes and hair do not have. And
far beside the body, farther than clothes stand off: such colours, or skin that does not belong to
the person's own limbs. What stands in front of the person is painted over
with what lies around it; what stands beside is cut from the matte.

Colours that the person's clothes also have are never removed, so a bag of the coat's leather
stays: a bag that stays does less harm than torn clothes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...body import Body
from ...core.color import rgb_to_lab
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, Matte, Observation, Track
from ...imaging.color_model import fit_colors
from ...imaging.resize import resize
from .labels import HAIR, LOWER, SHOES, SKIN, UPPER
from .labels_pixels import COLOUR_SCALE, COMPONENTS
from .labels_pixels import S as LABELS_PIXELS
from .photo_splats import resize_rgba
from .pixel_grids import dilate, nearest_known, smooth_within
from .regions import HEAD, Regions, find_regions


@dataclass(frozen=True)
class HeldSettings:
    """Things in hands and beside the person."""

    pixels: int = 24_000  # of the person on the grid that is searched
    reach: float = 2.2  # palms (wrist to middle knuckle) around a hand where it holds something
    wrist: float = 0.3  # palms beyond the wrist: up to there are cuffs and watches
    touch: float = 0.5  # palms between a hand's points and what it holds, at most
    min_held: float = 0.12  # squared palms of the smallest held thing
    thick: float = 0.1  # palms that an opening removes
    rim: float = 0.12  # palms around a held thing where its colours mix with others
    strange: float = -2.0  # log density under the person's own colours; below it: not theirs
    far: float = 0.10  # metres beside the fitted body: clothes seldom stand so far off
    min_beside: float = 0.06  # metres: side of the smallest thing beside a person
    growths: int = 6  # rounds in which a thing grows over its colours
    on_body: float = 0.35  # of a thing's pixels that may lie over the body
    own_limb: float = 0.14  # metres around the seen skeleton where skin is the person's own
    sure: float = 0.5  # visibility of a body point, or confidence of a joint, that counts


S = register_settings("lift.held_objects", HeldSettings())


_BONES = (
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
    (23, 25),
    (25, 27),
    (24, 26),
    (26, 28),
    (15, 19),
    (16, 20),
)


def remove_held_objects(
    matte: Matte, observation: Observation, track: Track, body: Body
) -> tuple[Matte, tuple[str, ...]]:
    """Remove held things and other people's limbs from a matte.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own (``Body.personalised(track.betas)``).

    Returns:
        The matte, and warnings for the user.
    """
    height, width = matte.alpha.shape
    area = float((matte.alpha > 0.5).sum())
    if area < 200:
        return matte, ()
    scale = min(1.0, float(np.sqrt(S.pixels / area)))
    w, h = max(8, round(width * scale)), max(8, round(height * scale))
    camera = track.camera.resized(w, h)
    colors, alpha = resize_rgba(matte.foreground, matte.alpha, w, h)
    vertices, _ = body.vertices(track.pose)
    regions = find_regions(colors, alpha > 0.5, camera, vertices, body, observation, w / width)
    features = rgb_to_lab(colors) / COLOUR_SCALE
    held, hands = _in_hands(regions, features, observation, w / width)
    beside = dilate(_beside(regions, features, observation, camera, w / width), 1) & regions.mask
    warnings = []
    if held.any():
        warnings.append(f"What the {' and the '.join(hands)} hand holds is left out of the avatar.")
    if beside.any():
        warnings.append(
            "Something beside the person (held, or another person's) is left out of the avatar. "
            "Check the preview."
        )
    if not warnings:
        return matte, ()
    before = held & (regions.body.face >= 0)
    return _without(matte, before, (held | beside) & ~before), tuple(warnings)


def _in_hands(
    regions: Regions, features: FloatArray, observation: Observation, scale: float
) -> tuple[BoolArray, list[str]]:
    """[H, W] what seen hands hold, and whose: ``left``, ``right``."""
    height, width = regions.mask.shape
    places = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    out, names = np.zeros((height, width), bool), []
    for hand in observation.hands:
        points = hand.landmarks * scale
        wrist = points[0]
        palm = float(np.linalg.norm(points[9] - wrist))
        elbow = observation.pose[13 if hand.left else 14] * scale
        if palm < 4.0:
            continue
        forearm = float(np.linalg.norm(wrist - elbow))
        beyond = np.linalg.norm(places - wrist, axis=-1) > S.wrist * palm
        # A forearm that points at the camera has no direction in the picture.
        if forearm > 1.5 * palm and observation.pose_visibility[13 if hand.left else 14] > S.sure:
            beyond = (places - wrist) @ ((wrist - elbow) / forearm) > S.wrist * palm
        to_hand = np.linalg.norm(places[..., None, :] - points, axis=-1).min(-1)
        zone = regions.mask & (to_hand < S.reach * palm)
        theirs = _familiar(regions, features, ~zone & regions.mask)
        strange = zone & (theirs < S.strange) & ~regions.face & (regions.group != HEAD)
        strange &= regions.label != SKIN
        strange &= beyond
        thin = max(1, round(S.thick * palm))
        strange = ndimage.binary_opening(strange, iterations=thin)
        patches, count = ndimage.label(strange)
        for k in range(1, count + 1):
            patch = patches == k
            if patch.sum() > S.min_held * palm**2 and to_hand[patch].min() < S.touch * palm:
                patch = _whole(patch, regions, features)
                rim = dilate(patch, max(1, round(S.rim * palm))) & (regions.label != SKIN)
                out |= (patch | rim) & regions.mask
                names.append("left" if hand.left else "right")
    return out, sorted(set(names))


def _whole(patch: BoolArray, regions: Regions, features: FloatArray) -> BoolArray:
    """[H, W] a patch of strange colours, grown over all connected pixels that have them."""
    for _ in range(S.growths):  # shading runs on from one round to the next
        if patch.sum() < LABELS_PIXELS.min_seeds:
            return patch
        model = fit_colors(features[patch], 4)
        tone = model.log_density(features.reshape(-1, 3)).reshape(patch.shape)
        alike = regions.mask & ~regions.face & (tone > np.percentile(tone[patch], 5) - 3.0)
        patches, _ = ndimage.label(alike | patch)
        grown = np.isin(patches, np.unique(patches[patch]))
        if grown.sum() < 1.02 * patch.sum():
            break
        patch = grown
    return patch


def _familiar(regions: Regions, features: FloatArray, known: BoolArray) -> FloatArray:
    """[H, W] log density of each colour under the best of the person's own mixtures.

    Args:
        regions: the labelled pixels.
        features: [H, W, 3] colours of the pixels.
        known: [H, W] pixels that the mixtures are learned from.
    """
    best = np.full(known.shape, -np.inf)
    for label in (SKIN, HAIR, UPPER, LOWER, SHOES):
        own = known & (regions.label == label)
        if own.sum() < LABELS_PIXELS.min_seeds:
            continue
        model = fit_colors(features[own], COMPONENTS[label])
        density = model.log_density(features.reshape(-1, 3)).reshape(known.shape)
        best = np.maximum(best, density)
    return best


def _beside(
    regions: Regions, features: FloatArray, observation: Observation, camera: Camera, scale: float
) -> BoolArray:
    """[H, W] what stands far beside the body and is not the person's."""
    far = regions.mask & (regions.places.beside > S.far) & (regions.group != HEAD)
    far &= regions.places.from_head > 2.0 * S.far
    nothing: BoolArray = np.zeros(far.shape, bool)
    on_body = regions.body.face >= 0
    if not far.any() or not on_body.any():
        return nothing
    metre = camera.K[0, 0] / float(np.median(regions.body.depth[on_body]))  # in pixels
    skin = regions.label == SKIN
    clear = _from_skeleton(observation, far.shape, scale) > S.own_limb * metre
    strange = far & clear & (skin | _only_beside(regions, features, far))
    strange = ndimage.binary_opening(strange, iterations=max(1, round(0.25 * S.min_beside * metre)))
    patches, count = ndimage.label(strange)
    out = nothing.copy()
    for k in range(1, count + 1):
        patch = patches == k
        if patch.sum() > (S.min_beside * metre) ** 2:
            out |= _whole(patch, regions, features)
    return out


def _only_beside(regions: Regions, features: FloatArray, far: BoolArray) -> BoolArray:
    """[H, W] pixels of ``far`` with colours that hardly occur on the body itself.

    A skirt's and a coat's colours occur there too; those of a bag in the hand do not.
    """
    out = np.zeros_like(far)
    if far.sum() < LABELS_PIXELS.min_seeds:
        return out
    model = fit_colors(features[far], 4)
    everything = features[regions.mask]
    kind = model.posterior(everything).argmax(1)
    tone = model.log_density(everything)
    off = (regions.places.beside > S.far / 3)[regions.mask]
    own = far[regions.mask]
    for k in range(len(model.weights)):
        members = kind == k
        if not (members & own).any():
            continue
        members &= tone > np.percentile(tone[members & own], 5) - 3.0
        if (members & ~off).sum() < S.on_body * (members & off).sum():
            here = np.zeros_like(far)
            here[regions.mask] = members
            out |= here & far
    return out


def _from_skeleton(observation: Observation, shape: tuple[int, ...], scale: float) -> FloatArray:
    """[H, W] pixels to the nearest seen bone of arms and legs."""
    clear = np.ones(shape, bool)
    for a, b in _BONES:
        if min(observation.pose_visibility[[a, b]]) < S.sure:
            continue
        line = np.linspace(observation.pose[a], observation.pose[b], 64) * scale
        col, row = line.astype(np.int64).T
        inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
        clear[row[inside], col[inside]] = False
    return np.asarray(ndimage.distance_transform_edt(clear))


def _without(matte: Matte, before: BoolArray, beside: BoolArray) -> Matte:
    """The matte with ``before`` [h, w] painted over and ``beside`` [h, w] cut away."""
    height, width = matte.alpha.shape

    def enlarged(mask: BoolArray) -> FloatArray:
        return resize(mask.astype(np.float32), width, height, "bilinear")

    alpha = matte.alpha * (1.0 - enlarged(beside))
    gone = enlarged(before) > 0.25
    colors = matte.foreground
    if gone.any():
        solid = (matte.alpha > 0.9) & ~gone & (enlarged(beside) < 0.1)
        rows, cols, _ = nearest_known(solid)
        filled = np.where(gone[..., None], colors[rows, cols], colors)
        ring = max(2.0, 0.004 * max(height, width))
        calm = smooth_within(filled, matte.alpha > 0.9, ring)
        colors = np.where(gone[..., None], calm, colors).astype(np.float32)
    return Matte(np.asarray(alpha, np.float32), colors)
