"""Held things and other people's limbs, which do not belong to an avatar's body.

Two things are searched for on the pixels that a matte assigns to the person. Beyond a hand, where
fingers close around something: colours that this person's skin, clothes and hair do not have, or
that are unlike everything around the hand. And far beside the body, farther than clothes stand
off: such colours, or skin that does not belong to the person's own limbs, or that the parser
denies (:mod:`.denied_skin`).

What a hand holds stays in the matte, marked, and follows that hand; or it goes. Nothing that it hid
is trusted then: in the matte it is painted over with what lies around it, or cut away beside the
body, and the lift completes the surfaces. What stands beside the person goes.

Colours that the person's clothes also have are never taken, so a bag of the coat's leather
stays: a bag that stays does less harm than torn clothes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ....body import Body
from ....core.color import rgb_to_lab
from ....core.distances import find_nearest, measure_depth
from ....core.landmark_names import POSE_BONES
from ....core.settings import register_settings
from ....core.types import HELD, BoolArray, Camera, FloatArray, Hand, Matte, Observation, Track
from ....imaging.color_model import fit_colors
from ....imaging.resize import resize, resize_rgba
from ..grids.pixel_grids import connected_patches, dilate, fit_grid, smooth_within
from ..pixels.labels_parser import ParserRuntime
from ..pixels.labels_pixels import COLOUR_SCALE, COMPONENTS
from ..pixels.labels_pixels import S as LABELS_PIXELS
from ..pixels.regions import Regions, find_regions
from ..surface.labels import HAIR, LOWER, SHOES, SKIN, UPPER
from ..surface.limbs import HEAD
from .denied_skin import find_denied_skin
from .held_marks import REMOVED


@dataclass(frozen=True)
class HeldSettings:
    """Things in hands and beside the person."""

    pixels: int = 24_000  # of the person on the grid that is searched
    min_palm: float = 4.0  # pixels from wrist to middle knuckle: smaller hands show nothing
    reach: float = 2.2  # palms (wrist to middle knuckle) around a hand where it holds something
    near: float = 1.3  # palms from its bones: the same for colours unlike those around it
    unlike: float = 9.0  # L*a*b* units from every colour around a hand: surely another thing
    unlike_rim: float = 5.0  # the same up to which that thing goes on
    rounds: int = 2  # in which its colours and those of the rest are learned
    min_unlike: float = 0.5  # squared palms of the smallest such thing
    finger: float = 0.14  # palms from a bone that are the hand itself
    off_hand: float = 0.4  # share of such a thing beside the bones
    grasp: float = 0.2  # palms between it and a bone, at most
    ring: tuple[float, float, float] = (0.5, 1.3, 3.0)
    """Palms from any hand's bones, and least and most from the hand's own: what is around it."""

    on_bone: float = 0.1  # palms from a bone where a hand shows its own colours
    skin: float = 16.0  # L*a*b* units from the face's skin within which these are skin
    redder: tuple[float, ...] = (0.75, 1.0, 1.3, 1.6)  # chroma of its skin over the face's
    brighter: float = 1.15  # lightness of its brightest skin over the face's
    common: float = 0.012  # share of pixels from which on a colour is one of those around
    color_step: float = 6.0  # L*a*b* units between colours that count as different
    shade: float = 0.35  # least lightness of a shaded colour, over its usual one
    skin_shade: float = 0.65  # the same of skin whose colour no bone of a hand shows
    calm: float = 0.7  # pixels over which colours are smoothed
    wrist: float = 0.3  # palms beyond the wrist: up to there are cuffs and watches
    touch: float = 0.5  # palms between a hand's points and what it holds, at most
    touch_denied: float = 0.8  # the same of what the parser denies to be skin
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


_FINGERS = (
    *((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17)),
    *((k, k + 1) for first in (1, 5, 9, 13, 17) for k in range(first, first + 3)),
)
"""Pairs of a hand's landmarks."""

_BONES = (*(bone for bone in POSE_BONES if bone != (11, 12)), (15, 19), (16, 20))
"""Pairs of the pose's landmarks, down to the index fingers."""


def separate_held_objects(
    matte: Matte,
    observation: Observation,
    track: Track,
    body: Body,
    held: str = "keep",
    parser: ParserRuntime | None = None,
) -> tuple[Matte, tuple[str, ...]]:
    """Mark what hands hold in a matte, or remove it; remove other people's limbs.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own (``Body.personalised(track.betas)``).
        held: ``keep`` or ``remove`` what hands hold.
        parser: may deny that something is skin; None: skin's colours are skin.

    Returns:
        The matte, and warnings for the user.

    Raises:
        LikenessError: the parser's output is not finite.
    """
    size = fit_grid(matte.alpha, S.pixels)
    if size is None:
        return matte, ()
    height, width = matte.alpha.shape
    scale = size[0] / width
    camera = track.camera.resized(*size)
    colors, alpha = resize_rgba(matte.foreground, matte.alpha, *size)
    vertices, _ = body.vertices(track.pose)
    regions = find_regions(colors, alpha > 0.5, camera, vertices, body, observation, scale)
    lab = rgb_to_lab(colors)
    hands = [_SeenHand.of(hand, observation, regions, scale) for hand in observation.hands]
    in_hands = _in_hands(regions, lab, hands)
    alone = _beside(regions, lab / COLOUR_SCALE, observation, camera, scale)
    if parser is not None:
        for thing in find_denied_skin(regions, matte.foreground, camera, body, vertices, parser):
            around = dilate(thing, round(0.5 * np.sqrt(thing.sum()))) & regions.off_head
            thing |= _apart_from(thing, around, lab / COLOUR_SCALE)
            holder = min(hands, key=lambda hand: hand.to_point[thing].min(), default=None)
            if holder is not None and holder.to_point[thing].min() < S.touch_denied:
                in_hands = _of_one_hand([*in_hands, (thing, holder.side)])
            else:
                alone |= thing
    beside = dilate(alone, 1) & regions.mask
    for k, (hand, _) in enumerate(in_hands):  # a bag that hangs beside a hand is held
        patches, _ = ndimage.label(alone | hand)
        reaching = np.unique(patches[hand])
        own = np.isin(patches, reaching[reaching > 0]) & alone
        in_hands[k] = hand | own, in_hands[k][1]
        beside &= ~dilate(own, 1)
    names = sorted({name for _, name in in_hands})
    held_at = np.zeros(regions.mask.shape, np.uint8)
    for hand, name in in_hands:
        rim = dilate(hand, 1) & regions.mask & (held_at == 0) & (regions.label != SKIN)
        held_at[rim] = REMOVED
        held_at[hand] = HELD.index(f"in the {name} hand") if held == "keep" else REMOVED
    gone = held_at == REMOVED
    warnings = []
    if names and held != "keep":
        warnings.append(f"What the {' and the '.join(names)} hand holds is left out of the avatar.")
    if beside.any():
        warnings.append(
            "Something beside the person (held, or another person's) is left out of the avatar. "
            "Check the preview."
        )
    if not names and not beside.any():
        return matte, ()
    before = gone & (regions.body.face >= 0)
    out = _without(matte, before, (gone | beside) & ~before)
    if not names:
        return out, tuple(warnings)
    fine = np.zeros((height, width), np.uint8)
    for what in range(1, len(HELD)):
        wide = (held_at == what).astype(np.float32)
        fine[resize(wide, width, height, "bilinear") > 0.5] = what
    return replace(out, held=fine), tuple(warnings)


def _in_hands(
    regions: Regions, lab: FloatArray, hands: Sequence[_SeenHand]
) -> list[tuple[BoolArray, str]]:
    """[H, W] what seen hands hold, and whose: ``left``, ``right``.

    Args:
        regions: the labelled pixels.
        lab: [H, W, 3] L*a*b* of the pixels.
        hands: the detected ones.
    """
    features = lab / COLOUR_SCALE
    hands = [hand for hand in hands if hand.palm >= S.min_palm]
    to_any = np.minimum.reduce([np.full(regions.mask.shape, np.inf), *(h.to_bone for h in hands)])
    open_ = regions.off_head
    out = []
    for hand in hands:
        zone = hand.to_point < S.reach
        theirs = _familiar(regions, features, ~zone & regions.mask)
        strange = zone & open_ & (theirs < S.strange) & (regions.label != SKIN) & hand.beyond
        thin = max(1, round(S.thick * hand.palm))
        found = np.zeros_like(zone)
        for patch in connected_patches(ndimage.binary_opening(strange, iterations=thin)):
            if patch.sum() > S.min_held * hand.palm**2 and hand.to_point[patch].min() < S.touch:
                patch = _whole(patch, regions, features)
                rim = dilate(patch, max(1, round(S.rim * hand.palm))) & (regions.label != SKIN)
                found |= (patch | rim) & regions.mask
        close = (hand.to_bone < S.near) & open_ & hand.beyond
        unlike = _unlike(close, regions, lab, hand, to_any)
        seeds = ndimage.binary_opening(unlike > S.unlike)
        for patch in connected_patches(ndimage.binary_opening(unlike > S.unlike_rim)):
            large = patch.sum() > S.min_unlike * hand.palm**2 and (patch & seeds).any()
            off_hand = float((to_any[patch] > S.finger).mean())
            if large and off_hand > S.off_hand and hand.to_bone[patch].min() < S.grasp:
                found |= _apart_from(patch, zone & open_, features)
        if found.any():
            out.append((found, hand.side))
    return _of_one_hand(out)


def _of_one_hand(found: list[tuple[BoolArray, str]]) -> list[tuple[BoolArray, str]]:
    """What hands hold, where a thing in two hands is in the one that has more of it."""
    if len(found) < 2:
        return found
    whole = np.zeros((len(found), *found[0][0].shape), bool)
    for patch in connected_patches(np.logical_or.reduce([hand for hand, _ in found])):
        whole[int(np.argmax([(patch & hand).sum() for hand, _ in found]))] |= patch
    return [(own, name) for own, (_, name) in zip(whole, found, strict=True) if own.any()]


def _apart_from(patch: BoolArray, zone: BoolArray, features: FloatArray) -> BoolArray:
    """[H, W] a patch, grown and shrunk to the pixels of a zone whose colours are more its own."""
    for _ in range(S.rounds):
        others = zone & ~dilate(patch, 1)
        if min(patch.sum(), others.sum()) < LABELS_PIXELS.min_seeds:
            return patch
        own, rest = (
            fit_colors(features[pixels], 4).log_density(features[zone])
            for pixels in (patch, others)
        )
        alike = np.zeros_like(zone)
        alike[zone] = own > rest
        numbers, _ = ndimage.label(ndimage.binary_opening(alike))
        inside = np.bincount(numbers[patch], minlength=2)
        inside[0] = 0
        if not inside.any():
            return patch
        patch = ndimage.binary_fill_holes(numbers == inside.argmax())
    return patch


@dataclass(frozen=True)
class _SeenHand:
    """A detected hand on the grid.

    Attributes:
        side: ``left`` or ``right``.
        palm: pixels from wrist to middle knuckle.
        to_point: [H, W] palms to its nearest landmark.
        to_bone: [H, W] palms to its nearest bone.
        beyond: [H, W] beyond its wrist.
    """

    side: str
    palm: float
    to_point: FloatArray
    to_bone: FloatArray
    beyond: BoolArray

    @staticmethod
    def of(hand: Hand, observation: Observation, regions: Regions, scale: float) -> _SeenHand:
        height, width = regions.mask.shape
        places = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
        points = hand.landmarks * scale
        wrist = points[0]
        palm = max(float(np.linalg.norm(points[9] - wrist)), 1e-6)
        steps = np.linspace(0.0, 1.0, 9)[:, None]
        bones = np.concatenate([points[a] + (points[b] - points[a]) * steps for a, b in _FINGERS])
        to_point, to_bone = (
            cKDTree(own).query(places.reshape(-1, 2))[0].reshape(height, width) / palm
            for own in (points, bones)
        )
        elbow = observation.pose[13 if hand.left else 14] * scale
        forearm = float(np.linalg.norm(wrist - elbow))
        beyond = np.linalg.norm(places - wrist, axis=-1) > S.wrist * palm
        # A forearm that points at the camera has no direction in the picture.
        seen = observation.pose_visibility[13 if hand.left else 14] > S.sure
        if forearm > 1.5 * palm and seen:
            beyond = (places - wrist) @ ((wrist - elbow) / forearm) > S.wrist * palm
        return _SeenHand("left" if hand.left else "right", palm, to_point, to_bone, beyond)


def _unlike(
    close: BoolArray, regions: Regions, lab: FloatArray, hand: _SeenHand, to_any: FloatArray
) -> FloatArray:
    """[H, W] how unlike (L*a*b* units) colours are to those around a hand, and to skin.

    What is common around the hand may also lie in the shade, and is paler in chroma there.

    Args:
        close: [H, W] the pixels that are asked for; 0 elsewhere.
        regions: the labelled pixels.
        lab: [H, W, 3] of them.
        hand: the hand.
        to_any: [H, W] palms to the nearest bone of any hand.
    """
    around = regions.mask & ~regions.face & (to_any > S.ring[0])
    around &= (hand.to_bone > S.ring[1]) & (hand.to_bone < S.ring[2])
    # Hands are often redder than faces, and paler where the light grazes them.
    tones = rgb_to_lab(regions.skin_color) * [[S.brighter, c, c] for c in S.redder]
    on_bone = lab[regions.mask & (to_any < S.on_bone)]
    fingers = on_bone[_shaded_distance(on_bone, tones, S.shade) < S.skin]
    palette = np.concatenate([_common_colors(lab[around]), _common_colors(fingers)])
    smooth = ndimage.gaussian_filter(lab, (S.calm, S.calm, 0.0))[close]
    # Dark skin beside no hand of that colour is hardly skin.
    out = np.zeros(close.shape)
    out[close] = np.minimum(
        _shaded_distance(smooth, palette, S.shade), _shaded_distance(smooth, tones, S.skin_shade)
    )
    return out


def _common_colors(lab: FloatArray) -> FloatArray:
    """[K, 3] the colours, in steps, that a share of the pixels [N, 3] have."""
    steps, count = np.unique(np.round(lab / S.color_step), axis=0, return_counts=True)
    return np.asarray(steps[count >= max(3.0, S.common * len(lab))] * S.color_step)


def _shaded_distance(lab: FloatArray, palette: FloatArray, shade: float) -> FloatArray:
    """[N] distances of colours [N, 3] to a palette [K, 3] in shades down to a share."""
    out = np.full(len(lab), np.inf)
    for color in palette:
        light = lab[:, 0] / max(color[0], 5.0)
        chroma = lab[:, 1:] - np.clip(light, shade, 1.0)[:, None] * color[1:]
        over = np.maximum(0.0, lab[:, 0] - 1.1 * color[0] - 4.0)
        under = np.maximum(0.0, 1.1 * shade * color[0] - lab[:, 0])
        away = np.sqrt((chroma**2).sum(1) + (0.5 * over) ** 2 + (0.5 * under) ** 2)
        out = np.minimum(out, away)
    return out


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
    return np.asarray(measure_depth(clear))


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
        rows, cols, _ = find_nearest(solid)
        filled = np.where(gone[..., None], colors[rows, cols], colors)
        ring = max(2.0, 0.004 * max(height, width))
        calm = smooth_within(filled, matte.alpha > 0.9, ring)
        colors = np.where(gone[..., None], calm, colors).astype(np.float32)
    return replace(matte, alpha=np.asarray(alpha, np.float32), foreground=colors)
