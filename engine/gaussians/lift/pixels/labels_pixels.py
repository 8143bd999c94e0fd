"""What each pixel of a person shows: skin, hair, a hat, upper or lower wear, shoes.

Two log likelihoods are added, as in GrabCut: where on the fitted body the pixel lies (a scalp
carries hair, a thigh trousers), and which colours that label has in this picture (mixtures in
L*a*b*, first from the body's own parts, then from the labels themselves). The sum is smoothed over
the picture with weights that vanish at colour edges (the quadratic form of the random walker:
Grady 2006), so that regions decide, not pixels. Where that leaves bare skin, the parser's word may
be added as a third (:mod:`.labels_parser`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.threads import map_threads
from ....core.types import BoolArray, FloatArray, IntArray
from ....imaging.color_model import fit_colors
from ..grids.pixel_grids import erode
from ..grids.pixel_smoother import PixelSmoother
from ..surface.labels import (
    GLASSES,
    HAIR,
    HAT,
    LOWER,
    NONE,
    OBJECT,
    SHOES,
    SKIN,
    UPPER,
    Places,
    place_prior,
    ramp,
)
from ..surface.labels import S as LABELS
from .bald_crowns import bare_bald_crown
from .bare_skin import label_bare_skin
from .fallen_hair import follow_fallen_hair
from .garment_borders import measure_border, order_garments, part_garments
from .hair_rims import claim_hair_rims
from .hand_sleeves import label_hand_sleeves
from .labels_cleanup import find_parted_hair, keep_attached_hair, remove_crumbs, split_at_midriff
from .labels_parser import HEADWEAR, PARSED
from .skin_tone import measure_hue

SOLVED = (SKIN, HAIR, UPPER, LOWER, SHOES)  # labels that the random walker decides between
COLOUR_SCALE = np.array([280.0, 180.0, 180.0])
"""L*a*b* to features: a mixture's least deviation is 4 units of lightness, 2.5 of the others."""


@dataclass(frozen=True)
class PixelSettings:
    """Labels of the person's pixels."""

    colour_trust: float = 0.5  # weight of colour against place
    rounds: int = 3  # of learning colours and labelling
    surest: float = 6.0  # largest log odds of one pixel
    texture_scale: float = 0.35  # of fine texture, to features
    long_hair: float = 0.15  # squared eyes' distances of hair beside the neck that make it long
    min_seeds: int = 30  # pixels from which on a label's colours are learned
    neckline: float = 0.45  # most of the trunk's front that may be skin beside clothes
    parser: float = 2.0  # weight of the parser's log probabilities
    doubt: float = 0.02  # probability that the parser leaves every label
    sure: float = 0.8  # the parser's probability of what it may deny to be skin
    collar: float = 0.25  # the same of a throat that a collar may cover
    missed: float = 0.5  # of a label's pixels that are as sure and called skin: the rules missed it
    misplaced: float = 0.25  # how likely a fitted arm is not before the trunk where it is drawn
    wider: float = 0.04  # metres beside the trunk at which that is 1 / e as likely
    surely_bare: float = 0.87  # its probability of skin, 0.93 at most, against clothes and hair
    bare_area: float = 0.004  # share of the person that must be as surely bare


S = register_settings("lift.labels_pixels", PixelSettings())


OUTLIERS = {SKIN: -8.0, HAIR: -6.0, UPPER: -3.0, LOWER: -3.0, SHOES: -3.0}
"""Log density of any colour: the face and the scalp show what skin and hair look like, but
sleeves may have another colour than the chest."""
OVER_SKIN = (HAIR, LOWER, SHOES)
"""What the parser may make of pixels that the rules call skin. On real photos it errs where it
contradicts them elsewhere: it takes bare arms for sleeves. It may also part lower from upper wear,
where their colours differ: without that condition dresses would become skirts."""
FACE_PARTS = ("face", "lips", "eye", "eyelid", "scalp")
COMPONENTS = {SKIN: 4, HAIR: 4, UPPER: 6, LOWER: 4, SHOES: 3}
PALER = np.array([*(np.array([14.0, 6.0, 8.0]) / COLOUR_SCALE), 0.03])
"""Deviation of the skin elsewhere from the face's: shins are paler, hands redder; texture."""
_BROADLY = -float(np.log(PALER).sum()) - 2.0 * float(np.log(2 * np.pi)) - 1.0


@dataclass(frozen=True)
class HeadCues:
    """What the face says about the pixels of the head.

    Attributes:
        oval: [H, W] well inside the face's landmarks and below the brows: never hair.
        beard: [H, W] where hair would be a beard.
        above_brow: [H, W].
        skin: [H, W] sure skin: cheeks, nose, forehead of the skin's usual colours.
        scalp: [H, W] where hair would grow: the drawn scalp, or nothing of the body, above the
            brows.
        below_chin: [H, W].
        near: [H, W] pixels of the head, neck and shoulders.
        bald: whether the scalp there is skin.
        unit: pixels between the eyes.
    """

    oval: BoolArray
    beard: BoolArray
    above_brow: BoolArray
    skin: BoolArray
    scalp: BoolArray
    below_chin: BoolArray
    near: BoolArray
    bald: bool
    unit: float


def _pixel_prior(
    places: Places, mask: BoolArray, head: HeadCues, body: Body, long: bool
) -> FloatArray:
    """[N, L] the prior of every pixel of ``mask``, with what the face and the outline say.

    Args:
        places: where the pixels lie on the body.
        mask: [H, W] the person.
        head: what the face says about the head.
        body: the person's own.
        long: whether the hair may fall in front of the trunk.
    """
    prior = place_prior(places.rest[mask], places.part[mask], body)
    beside = places.beside[mask]
    off = ~places.on_body[mask]
    names = np.array(body.part_names)[places.part[mask]]
    # Arms never wear lower wear: where one was fitted too far in, trousers show instead.
    rows = np.nonzero((names == "arm") & (places.part_behind[mask] >= 0))[0]
    rest, part = places.rest_behind[mask][rows], places.part_behind[mask][rows]
    likely = S.misplaced * np.exp(-places.off_behind[mask][rows] / S.wider)
    prior[rows, LOWER] += likely * place_prior(rest, part, body)[:, LOWER]
    of_head = np.isin(names, ["scalp", "face", "ear", "neck"])
    # Beside a head there is hair; beside the rest clothes. Skin reaches as far as fits err.
    error = np.where(np.isin(names, ["hand", "arm"]), 0.04, 0.015)
    within = np.where(off, np.exp(-beside / error), 1.0)
    prior[:, SKIN] *= within
    up = places.rest[mask][:, 1]
    trunk = np.isin(names, ["torso", "neck"])
    if long:
        fallen = 0.8 * ramp(up, -0.05, 0.25)
        prior[:, HAIR] = np.where(trunk, np.maximum(prior[:, HAIR], fallen), prior[:, HAIR])
        prior[:, HAIR] = np.where(names == "arm", 0.08, prior[:, HAIR])
    else:
        prior[:, HAIR] = np.where(
            trunk | (names == "arm"), 0.02 * (names == "neck"), prior[:, HAIR]
        )
    hang = np.where(off & (up > 0.1), 0.12 if long else 0.01, 0.0)
    near = 0.6 * np.exp(-((places.from_head[mask] / 0.15) ** 2))
    hang = np.where(off, np.maximum(hang, near), 0.0)
    prior[:, HAIR] = np.maximum(prior[:, HAIR], hang)
    low = head.below_chin[mask]
    prior[:, UPPER] = np.where(off & of_head, np.where(low, 0.4, 0.03), prior[:, UPPER])
    forehead = (head.above_brow[mask]) & np.isin(names, ["face"])
    prior[forehead, SKIN], prior[forehead, HAIR] = 0.65 * within[forehead], 0.35
    edge = np.isin(names, ["face"]) & ~head.oval[mask] & ~forehead & ~head.beard[mask]
    prior[edge, SKIN], prior[edge, HAIR] = 0.75 * within[edge], 0.25
    surely = head.oval[mask] | (head.beard[mask] & of_head)
    prior[surely] = LABELS.unlikely**2
    prior[surely, SKIN] = 1.0
    if head.bald:
        prior[:, HAIR] *= 0.01
    prior[:, [NONE, GLASSES, OBJECT, HAT]] = 0.0
    return np.asarray(prior / prior.sum(1, keepdims=True))


def fine_texture(photo: FloatArray, mask: BoolArray) -> FloatArray:
    """Measure how much lightness varies from pixel to pixel, relative to itself.

    In strands it does, in plain cloth of the same colour it does not.

    Args:
        photo: [.., .., 3] 0..1, at its own size.
        mask: [H, W] pixels of the grid that count.

    Returns:
        [H, W] 0..1, 0 outside the mask.
    """
    out = np.zeros(mask.shape)
    if not mask.any():
        return out
    step = np.divide(photo.shape[:2], mask.shape)
    reach = int(4.0 * 3.0 * step.max()) + 8  # of the widest blur
    places = [
        ((np.arange(n) + 0.5) * s).astype(np.int64) for n, s in zip(mask.shape, step, strict=True)
    ]
    (top, left), (bottom, right) = (
        [int(place[rim(shown)]) for place, shown in zip(places, np.nonzero(mask), strict=True)]
        for rim in (np.min, np.max)
    )
    top, left = max(0, top - reach), max(0, left - reach)
    lightness = rgb_to_lab(photo[top : bottom + reach + 1, left : right + reach + 1])[..., 0]
    fine = (lightness - ndimage.gaussian_filter(lightness, 1.5)) ** 2
    local = np.sqrt(ndimage.gaussian_filter(fine, 1.5 * step.max()))
    share = local / (ndimage.gaussian_filter(lightness, 3.0 * step.max()) + 8.0)
    rows, cols = np.nonzero(mask)
    share = share[places[0][rows] - top, places[1][cols] - left]
    out[mask] = np.sqrt(np.clip(share, 0.0, 1.0))
    return out


def label_pixels(
    lab: FloatArray,
    texture: FloatArray,
    mask: BoolArray,
    smoother: PixelSmoother,
    places: Places,
    head: HeadCues,
    body: Body,
    parsed: FloatArray | None = None,
) -> IntArray:
    """Label every pixel of a person as skin, hair, upper wear, lower wear or shoes.

    Args:
        lab: [H, W, 3] L*a*b*.
        texture: [H, W] of :func:`fine_texture`, or zeros.
        mask: [H, W] pixels of the person, at least one.
        smoother: of ``lab`` on the mask.
        places: where on the body each pixel lies.
        head: what the face says about the head.
        body: the person's own.
        parsed: [H, W, len(PARSED)] the parser's probabilities; None: the rules alone.

    Returns:
        [H, W] index into ``labels.LABELS``; none outside the mask.
    """
    out = np.zeros(mask.shape, np.int64)
    features = np.column_stack([lab[mask] / COLOUR_SCALE, S.texture_scale * texture[mask]])
    skin = _SkinTone.fitted(features, head.skin[mask], _far_from_face(places, mask, body))
    first, strands = _first_seeds(features, skin, mask, places, head, body)
    likely = None if parsed is None else _solved_probabilities(parsed[mask])
    # Hair that falls below the chin beside the neck may lie in front of the trunk as well.
    beside = ~places.on_body[mask] & head.below_chin[mask] & head.near[mask]
    long = (strands & beside).sum() > S.long_hair * head.unit**2
    if likely is not None and not head.bald:
        # What falls there is mostly lighter than the scalp's: it must not teach what cloth is.
        hair = likely[:, SOLVED.index(HAIR)]
        fallen = (hair > S.sure) & head.below_chin[mask]
        if fallen.sum() > S.long_hair * head.unit**2:
            long = True
            first = {**first, HAIR: first[HAIR] | fallen, UPPER: first[UPPER] & (hair < 0.5)}
    prior = _pixel_prior(places, mask, head, body, long)
    # Where place alone decides there are eyes, brows and beards: not colours to learn from.
    given = prior.max(1) > 0.999

    def solve(first: dict[int, BoolArray], said: FloatArray | float) -> tuple[IntArray, FloatArray]:
        """Labels [N], and the smooth scores [N, len(SOLVED)], with ``said`` beside the rules."""
        seeds, label = first, np.full(len(features), NONE)
        for _ in range(S.rounds):
            taught = [(known, seeds[known]) for known in SOLVED]
            tones = np.stack(map_threads(lambda one: _tones(features, *one), taught), 1)
            tones[:, SOLVED.index(SKIN)] = np.maximum(tones[:, SOLVED.index(SKIN)], skin.elsewhere)
            score = np.log(prior[:, SOLVED] + 1e-9) + said + S.colour_trust * tones
            score = np.maximum(score, score.max(1, keepdims=True) - S.surest)
            smooth = smoother(score - score.mean(1, keepdims=True))
            label = np.array(SOLVED)[smooth.argmax(1)]
            best = np.sort(smooth, axis=1)
            learnt = best[:, -1] - best[:, -2] > 1.0
            learnt &= (score.argmax(1) == smooth.argmax(1)) & ~given
            # The labels' own pixels teach the next round.
            seeds = {known: (label == known) & (learnt | first[known]) for known in SOLVED}
            seeds[SKIN] |= head.skin[mask]
        return label, smooth

    if likely is not None and first[UPPER].sum() < S.min_seeds:
        # A frame that ends at the chin shows no chest, but may show a collar or a hood.
        upper = likely[:, SOLVED.index(UPPER)]
        throat = head.below_chin[mask] & ~head.oval[mask] & (upper > S.collar)
        first = {**first, UPPER: throat & (upper > S.sure)}
        prior[throat] = LABELS.unlikely
        prior[throat, SKIN] = prior[throat, UPPER] = 0.5
    label, smooth = solve(first, 0.0)
    if likely is not None:
        denied, allowed = _find_contradictions(label, likely, mask, lab)
        if denied:
            doubted = allowed.any(1)
            bare = denied.get(SKIN, np.zeros(len(label), bool))
            taught = {k: (label == k) & first[k] & ~bare | denied.get(k, False) for k in SOLVED}
            surely_upper = taught[UPPER] & (likely[:, SOLVED.index(UPPER)] > 0.5)
            if (doubted & (label == UPPER)).any() and surely_upper.sum() >= S.min_seeds:
                taught[UPPER] = surely_upper
            taught[SKIN] = (label == SKIN) & (likely[:, SOLVED.index(SKIN)] > 0.5)
            taught[SKIN] |= head.skin[mask] | bare
            said = np.where(doubted[:, None], S.parser * np.log(likely), 0.0)
            again, changed = solve(taught, said)
            take = (allowed & (again[:, None] == SOLVED)).any(1)
            label, smooth = np.where(take, again, label), np.where(take[:, None], changed, smooth)
        if not head.bald:  # locks in front of a face, where the rules know skin only
            over = (label == SKIN) & (likely[:, SOLVED.index(HAIR)] > S.sure)
            label[over & (skin.face <= skin.usual)] = HAIR
    out[mask] = label
    if parsed is not None:
        of_skin, upper, lower = (
            parsed[mask][:, PARSED.index(name)] for name in ("skin", "upper", "lower")
        )
        names = np.array(body.part_names)[places.part[mask]]
        plain = ~(np.isin(names, FACE_PARTS) & places.on_body[mask]) | head.skin[mask]
        colors, cloth = features[:, :3], upper + lower
        out[:] = label_bare_skin(
            out, colors, of_skin, cloth, plain, names, mask, smoother, head.unit
        )
        out[:] = label_hand_sleeves(
            out,
            colors,
            measure_hue(lab[mask]),
            of_skin,
            upper,
            head.skin[mask],
            names,
            places.rest[mask][:, 0],
            PALER[:3],
            mask,
            smoother,
        )
        of_head = head.near & ~head.below_chin
        out[:] = bare_bald_crown(out, lab, parsed[..., PARSED.index("skin")], head.skin, of_head)
    out[:] = part_garments(out, parsed, lab, places.legs_of(mask))
    trunk_and_legs = [body.part_names.index(k) for k in ("torso", "leg") if k in body.part_names]
    out[:] = order_garments(out, lab, places.rest, np.isin(places.part, trunk_and_legs))
    if "torso" in body.part_names:
        out[:] = split_at_midriff(out, places, places.part == body.part_names.index("torso"))
    # What looks like hair but does not hang from the head takes its next likely label.
    seen_hair = None if parsed is None else parsed[..., HEADWEAR].sum(-1)
    held = keep_attached_hair(out, head.near & ~head.below_chin, head.unit, seen_hair)
    if seen_hair is not None:
        held |= find_parted_hair(out, held, seen_hair, lab, head.unit)
    loose = (out == HAIR) & ~held
    smooth[:, SOLVED.index(HAIR)] = -np.inf
    if likely is not None:  # beside a neck the rules know little but skin
        smooth[:, SOLVED.index(SKIN)] += S.parser * np.log(likely[:, SOLVED.index(SKIN)])
    out[loose] = np.array(SOLVED)[smooth.argmax(1)][loose[mask]]
    grid_features = np.zeros((*mask.shape, features.shape[1]))
    grid_features[mask] = features
    out[:] = follow_fallen_hair(out, grid_features, lab, head.below_chin, head.unit)
    out[:] = claim_hair_rims(out, lab, head.near & ~head.oval, head.unit)
    return remove_crumbs(out, head.unit)


def _tones(features: FloatArray, label: int, seeds: BoolArray) -> FloatArray:
    """[N] how well colours fit a label that they have at its ``seeds`` [N], a log density."""
    if seeds.sum() < S.min_seeds:
        return np.full(len(features), OUTLIERS[label])
    model = fit_colors(features[seeds], COMPONENTS[label])
    return np.asarray(np.logaddexp(model.log_density(features, equal=False), OUTLIERS[label]))


def _find_contradictions(
    label: IntArray, likely: FloatArray, mask: BoolArray, lab: FloatArray
) -> tuple[dict[int, BoolArray], BoolArray]:
    """Find the rules' labels that the parser contradicts.

    Args:
        label: [N] of the mask's pixels by the rules.
        likely: [N, len(SOLVED)] the parser's probabilities.
        mask: [H, W] the person.
        lab: [H, W, 3] L*a*b*.

    Returns:
        denied: label by the parser -> [N] pixels that surely are that, and have another one.
        allowed: [N, len(SOLVED)] labels that each pixel may take instead of its own.
    """
    sure = {k: likely[:, SOLVED.index(k)] > S.sure for k in OVER_SKIN}
    least = {k: max(S.min_seeds, S.missed * (label == k).sum()) for k in OVER_SKIN}
    skin = label == SKIN
    denied = {k: skin & sure[k] for k in OVER_SKIN}
    denied = {k: own for k, own in denied.items() if own.sum() >= least[k]}
    # They dress trunks, and let long hair cover them: midriffs and deep necklines are bare.
    likely_bare = np.isin(label, [UPPER, HAIR]) & (likely[:, SOLVED.index(SKIN)] > 0.5)
    bare = likely_bare & (likely[:, SOLVED.index(SKIN)] > S.surely_bare)
    if bare.sum() >= max(S.min_seeds, S.bare_area * len(label)):
        denied[SKIN] = bare
    allowed = np.zeros(likely.shape, bool)
    for k in denied:
        allowed[likely_bare if k == SKIN else skin, SOLVED.index(k)] = True
    # It takes the lower half of a dress for a skirt: what it parts must have two colours.
    lower = (label == UPPER) & sure[LOWER]
    if lower.sum() >= least[LOWER]:
        parted = np.full(mask.shape, NONE)
        parted[mask] = np.select([lower, label == UPPER], [LOWER, UPPER], NONE)
        if (measure_border(parted, lab) or 0.0) >= 1.0:
            denied[LOWER] = lower | denied.get(LOWER, False)
            allowed[label == UPPER, SOLVED.index(LOWER)] = True
    return denied, allowed


def _solved_probabilities(parsed: FloatArray) -> FloatArray:
    """[N, len(SOLVED)] of pixels [N, len(PARSED)]; none says nothing, glasses lie on skin."""
    of = {name: parsed[:, PARSED.index(name)] for name in PARSED}
    likely = np.stack(
        [of["skin"] + of["glasses"], of["hair"] + of["hat"], of["upper"], of["lower"], of["shoes"]],
        -1,
    )
    likely += (of["none"] / len(SOLVED))[:, None] + S.doubt
    return np.asarray(likely / likely.sum(1, keepdims=True))


@dataclass(frozen=True)
class _SkinTone:
    """How much pixels [N] look like skin.

    Attributes:
        face: log density by the face's mixture.
        usual: what most of the face has.
        elsewhere: log density by one broad Gaussian around the face's tone; never near the head.
        apart: deviations from the face's tone, texture left aside; far away near the head.
    """

    face: FloatArray
    usual: float
    elsewhere: FloatArray
    apart: FloatArray

    @staticmethod
    def fitted(features: FloatArray, seeds: BoolArray, far: BoolArray) -> _SkinTone:
        nothing = np.full(len(features), OUTLIERS[SKIN])
        if seeds.sum() < S.min_seeds:
            return _SkinTone(nothing, 0.0, nothing, np.full(len(features), np.inf))
        known = features[seeds]
        face = fit_colors(known, COMPONENTS[SKIN]).log_density(features)
        squared = ((features - np.median(known, axis=0)) / PALER) ** 2
        elsewhere = np.where(far, _BROADLY - 0.5 * squared.sum(1), nothing)
        apart = np.where(far, np.sqrt(squared[:, :3].sum(1)), np.inf)
        return _SkinTone(face, float(np.percentile(face[seeds], 5)), elsewhere, apart)

    def alike(self, deviations: float) -> BoolArray:
        """[N] colours that skin may well have."""
        return np.asarray((self.face > self.usual) | (self.apart < deviations))


def _far_from_face(places: Places, mask: BoolArray, body: Body) -> BoolArray:
    """[N] pixels of the limbs, where skin may be lighter or darker than in the face."""
    limbs = [body.part_names.index(name) for name in ("arm", "hand", "leg", "foot", "torso")]
    return np.isin(places.part[mask], limbs)


def _first_seeds(
    features: FloatArray,
    skin: _SkinTone,
    mask: BoolArray,
    places: Places,
    head: HeadCues,
    body: Body,
) -> tuple[dict[int, BoolArray], BoolArray]:
    """Pixels [N] whose place alone decides their label, and all that look like the scalp's hair.

    Pixels of other labels that are plainly skin are left out of the first.
    """
    names = np.array(body.part_names)[places.part[mask]]
    y = places.rest[mask][:, 1]
    on = places.on_body[mask] & erode(mask, 1)[mask]
    thigh = on & (names == "leg") & (y < -0.22) & (y > -0.42)
    hips = on & np.isin(names, ["torso", "leg"]) & (y < -0.05) & (y > -0.22)
    seeds = {
        SKIN: head.skin[mask],
        HAIR: head.scalp[mask] & (not head.bald) & (skin.face <= skin.usual),
        UPPER: on & (names == "torso") & (y > 0.12) & (y < 0.42),
        SHOES: on & (names == "foot") & ~skin.alike(2.2),
    }
    chest_shown = seeds[UPPER].sum() >= S.min_seeds
    strands = np.zeros(len(features), bool)
    if seeds[HAIR].sum() >= S.min_seeds:
        model = fit_colors(features[seeds[HAIR]], COMPONENTS[HAIR])
        tone = model.log_density(features, equal=False)
        strands = tone > np.percentile(tone[seeds[HAIR]], 10)
        other = seeds[UPPER] & ~strands
        if other.sum() > 0.25 * seeds[UPPER].sum():
            seeds[UPPER] = other
    # Pixels of the chest that look like skin mostly are: a neckline, or a hand in front of it.
    if skin.alike(2.2)[seeds[UPPER]].sum() < S.neckline * seeds[UPPER].sum():
        seeds[UPPER] &= ~skin.alike(2.2)
    if not chest_shown:  # a portrait that ends at the shoulders
        seeds[UPPER] = on & (names == "torso") & (y > 0.12) & ~skin.alike(3.0) & ~strands
    lower = thigh & ~skin.alike(3.0)
    if lower.sum() < max(S.min_seeds, 0.25 * thigh.sum()):  # bare thighs, or none in the frame
        lower = hips & ~skin.alike(3.0)
    if seeds[UPPER].sum() >= S.min_seeds and lower.any():
        # A shirt may end below the hips, and a dress does: their material is not trousers'.
        model = fit_colors(features[seeds[UPPER]], COMPONENTS[UPPER])
        usual = np.percentile(model.log_density(features[seeds[UPPER]]), 5)
        other = lower.copy()
        other[lower] = model.log_density(features[lower]) < usual
        lower = other if other.sum() > 0.25 * lower.sum() else np.zeros_like(lower)
    seeds[LOWER] = lower
    return seeds, strands
