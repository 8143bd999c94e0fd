"""What each pixel of a person shows: skin, hair, a hat, upper or lower wear, shoes.

Two witnesses are asked and their log likelihoods added, as in GrabCut: where on the fitted body
the pixel lies (a scalp carries hair, a thigh trousers), and which colours that label has in this
picture (mixtures in L*a*b*, first from the body's own parts, then from the labels themselves).
The sum is smoothed over the picture with weights that vanish at colour edges (the quadratic form
of the random walker: Grady 2006), so that regions decide, not pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from ...body import Body
from ...imaging.colour_model import fit_colours
from ...render.mesh import MeshBuffer
from ...types import BoolArray, Camera, FloatArray, IntArray
from .grids import erode, nearest_known

LABELS = ("none", "skin", "hair", "upper", "lower", "shoes", "glasses", "object", "hat")
NONE, SKIN, HAIR, UPPER, LOWER, SHOES, GLASSES, OBJECT, HAT = range(len(LABELS))
WORN = (HAIR, UPPER, LOWER, SHOES, HAT)
"""Labels of what lies over the skin; glasses are no surface of their own."""

SOLVED = (SKIN, HAIR, UPPER, LOWER, SHOES)  # labels that the random walker decides between
COLOUR_SCALE = np.array([280.0, 180.0, 180.0])
"""L*a*b* to features: a mixture's least deviation is 4 units of lightness, 2.5 of the others."""

COLOUR_TRUST = 0.5  # weight of colour against place
OUTLIERS = {SKIN: -8.0, HAIR: -6.0, UPPER: -3.0, LOWER: -3.0, SHOES: -3.0}
"""Log density of any colour at all: the face and the scalp show what skin and hair look like, but
sleeves may have another colour than the chest."""
EDGE = 6.0  # L*a*b* units of a step between neighbours that is an edge
HOLD = 0.04  # weight of a pixel's own likelihood against a neighbour's
ROUNDS = 3
SUREST = 6.0  # largest log odds of one pixel
LEAST_SEEDS = 30
COMPONENTS = {SKIN: 4, HAIR: 4, UPPER: 6, LOWER: 4, SHOES: 3}
PALER = np.array([14.0, 6.0, 8.0]) / COLOUR_SCALE
"""Deviation of the skin elsewhere from the face's: shins are paler, hands redder."""
UNLIKELY = 1e-3


@dataclass(frozen=True)
class Places:
    """Where on the body each pixel lies; beside the body, what is nearest on the same limb.

    Attributes:
        rest: [H, W, 3] metres in the T-pose of the default build (y up, pelvis at 0).
        part: [H, W] index into ``Body.part_names``. on_body: [H, W].
        beside: [H, W] metres to the body's outline, 0 on the body.
        from_head: [H, W] metres to where the head is drawn.
    """

    rest: FloatArray
    part: IntArray
    on_body: BoolArray
    beside: FloatArray
    from_head: FloatArray


def standard_rest(body: Body) -> FloatArray:
    """[V, 3] the T-pose scaled to a common size: joints' heights make people comparable.

    One for the height of the neck over the pelvis (0.49), one below for the ankle's (-0.895).
    """
    rest: FloatArray = np.asarray(body.v_template, np.float64) - body.J_template[0]
    up = (body.J_template[12] - body.J_template[0])[1]
    down = -(body.J_template[[7, 8]] - body.J_template[0])[:, 1].mean()
    rest[:, 1] *= np.where(rest[:, 1] > 0, 0.49 / up, 0.895 / down)
    return rest


def find_places(
    buffer: MeshBuffer, group: IntArray, face_group: IntArray, body: Body, camera: Camera
) -> Places:
    """Look up the body below, or beside, every pixel.

    Args:
        group: [H, W] limb of each pixel of the person, -1 outside. face_group: [F].
    """
    on_body = buffer.face >= 0
    rest = np.zeros((*on_body.shape, 3))
    corners = standard_rest(body)[body.f[buffer.face[on_body]]]
    rest[on_body] = np.einsum("nk,nkd->nd", buffer.bary[on_body], corners)
    part = np.where(on_body, body.face_part[buffer.face], 0).astype(np.int64)
    seen = np.where(on_body, face_group[buffer.face], -1)
    beside = np.zeros(on_body.shape)
    for g in np.unique(group[group >= 0]):
        source = seen == g
        if not source.any():
            source = on_body
        if not source.any():
            continue
        rows, cols, distance = nearest_known(source)
        here = (group == g) & ~on_body
        rest[here], part[here] = rest[rows, cols][here], part[rows, cols][here]
        metres = distance * buffer.depth[rows, cols] / camera.K[0, 0]
        beside[here] = metres[here]
    heads = np.isin(part, [body.part_names.index(n) for n in ("face", "scalp", "ear")]) & on_body
    from_head = np.full(on_body.shape, np.inf)
    if heads.any():
        depth = float(np.median(buffer.depth[heads]))
        from_head = nearest_known(heads)[2] * depth / camera.K[0, 0]
    return Places(rest, part, on_body, beside, from_head)


def _ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """0 at ``low``, 1 at ``high``, straight between and flat beyond."""
    out: FloatArray = np.clip((x - low) / (high - low), 0.0, 1.0)
    return out


def place_prior(rest: FloatArray, part: IntArray, body: Body) -> FloatArray:
    """[N, len(LABELS)] how often each label is met at places of the body.

    Args:
        rest: [N, 3] as of :func:`standard_rest`. part: [N] index into ``body.part_names``.
    """
    out = np.full((len(rest), len(LABELS)), UNLIKELY)
    name = np.array(body.part_names)[part]
    y = rest[:, 1]
    ground = np.zeros(len(rest), bool)

    def put(where: BoolArray, **shares: FloatArray | float) -> None:
        for label, share in shares.items():
            column = LABELS.index(label)
            value = np.broadcast_to(share, len(rest))
            out[where, column] = value[where]
        ground[where] = True

    neckline = _ramp(y, 0.30, 0.48)  # from the chest up
    waist = _ramp(y, 0.12, -0.06)  # from the waist down
    calf, ankle = _ramp(y, -0.35, -0.55), _ramp(y, -0.80, -0.88)
    put(
        name == "torso",
        skin=0.05 + 0.25 * neckline, hair=0.005 + 0.10 * _ramp(y, 0.0, 0.4),
        upper=0.9 - 0.85 * waist, lower=0.02 + 0.85 * waist,
    )  # fmt: skip
    reach = _ramp(np.abs(rest[:, 0]), 0.25, 0.65)
    put(name == "arm", skin=0.40 + 0.1 * reach, upper=0.60 - 0.1 * reach, hair=0.04 * (1 - reach))
    put(name == "hand", skin=0.85, upper=0.12)
    put(
        name == "leg", skin=0.25 + 0.15 * calf, lower=0.6 - 0.15 * calf,
        upper=0.15 - 0.1 * calf, shoes=0.02 + 0.2 * ankle,
    )  # fmt: skip
    put(name == "foot", shoes=0.75, skin=0.2, lower=0.05)
    put(name == "neck", skin=0.65, hair=0.12, upper=0.23)
    put(name == "ear", skin=0.6, hair=0.4)
    put(name == "scalp", hair=0.8, skin=0.2, upper=0.01)
    put(~ground, skin=0.97, hair=0.03)  # the face and what is in it
    shares: FloatArray = out / out.sum(1, keepdims=True)
    return shares


@dataclass(frozen=True)
class Head:
    """What the face says about the pixels of the head.

    Attributes:
        oval: [H, W] well inside the face's landmarks and below the brows: never hair.
        beard: [H, W] where hair would be a beard. above_brow: [H, W].
        skin: [H, W] sure skin: cheeks, nose, forehead of the skin's usual colours.
        scalp: [H, W] where hair would grow: the drawn scalp, or nothing of the body, above the
            brows. below_chin: [H, W]. bald: whether the scalp there is skin.
    """

    oval: BoolArray
    beard: BoolArray
    above_brow: BoolArray
    skin: BoolArray
    scalp: BoolArray
    below_chin: BoolArray
    bald: bool


def _pixel_prior(places: Places, mask: BoolArray, head: Head, body: Body) -> FloatArray:
    """[N, L] the prior of every pixel of ``mask``, with what the face and the outline say."""
    prior = place_prior(places.rest[mask], places.part[mask], body)
    beside = places.beside[mask]
    off = ~places.on_body[mask]
    names = np.array(body.part_names)[places.part[mask]]
    of_head = np.isin(names, ["scalp", "face", "ear", "neck"])
    # Beside a head there is hair; beside the rest clothes. Skin reaches as far as fits err.
    error = np.where(np.isin(names, ["hand", "arm"]), 0.04, 0.015)
    prior[:, SKIN] *= np.where(off, np.exp(-beside / error), 1.0)
    up = places.rest[mask][:, 1]
    hang = np.where(off & (up > 0.1), 0.12, 0.0)  # long hair beside the trunk
    near = 0.6 * np.exp(-((places.from_head[mask] / 0.15) ** 2))
    hang = np.where(off, np.maximum(hang, near), 0.0)
    prior[:, HAIR] = np.maximum(prior[:, HAIR], hang)
    low = head.below_chin[mask]
    prior[:, UPPER] = np.where(off & of_head, np.where(low, 0.4, 0.03), prior[:, UPPER])
    forehead = (head.above_brow[mask]) & np.isin(names, ["face"])
    prior[forehead, SKIN], prior[forehead, HAIR] = 0.65, 0.35
    edge = np.isin(names, ["face"]) & ~head.oval[mask] & ~forehead & ~head.beard[mask]
    prior[edge, SKIN], prior[edge, HAIR] = 0.75, 0.25
    surely = head.oval[mask] | (head.beard[mask] & of_head)
    prior[surely] = UNLIKELY**2
    prior[surely, SKIN] = 1.0
    if head.bald:
        prior[:, HAIR] *= 0.01
    prior[:, [NONE, GLASSES, OBJECT, HAT]] = 0.0
    out: FloatArray = prior / prior.sum(1, keepdims=True)
    return out


class _Smoother:
    """Solves (hold + Laplacian) x = hold b on the pixels of a mask; edges cut the Laplacian."""

    def __init__(self, lab: FloatArray, mask: BoolArray) -> None:
        height, width = mask.shape
        index = np.full((height, width), -1)
        count = int(mask.sum())
        index[mask] = np.arange(count)
        calm = ndimage.gaussian_filter(lab, (0.7, 0.7, 0.0))
        rows, cols, links = [], [], []
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a = (slice(0, height - dy), slice(max(0, -dx), width - max(0, dx)))
            b = (slice(dy, height), slice(max(0, dx), width + min(0, dx)))
            both = mask[a] & mask[b]
            step = np.linalg.norm(calm[a] - calm[b], axis=-1)[both]
            links.append((np.exp(-0.5 * (step / EDGE) ** 2) + 1e-3) / np.hypot(dy, dx))
            rows.append(index[a][both])
            cols.append(index[b][both])
        row, col, link = np.concatenate(rows), np.concatenate(cols), np.concatenate(links)
        A = sparse.csr_matrix((link, (row, col)), (count, count))
        A = A + A.T
        degree = np.asarray(A.sum(1)).ravel()
        system = sparse.diags(degree + HOLD) - A
        self._solve = splu(sparse.csc_matrix(system), permc_spec="MMD_AT_PLUS_A").solve

    def __call__(self, values: FloatArray) -> FloatArray:
        """[N, C] -> [N, C]."""
        return np.asarray(self._solve(HOLD * np.ascontiguousarray(values)))


def label_pixels(
    lab: FloatArray, mask: BoolArray, places: Places, head: Head, body: Body
) -> IntArray:
    """[H, W] index into LABELS for every pixel of ``mask``: skin, hair, upper, lower, shoes.

    Args:
        lab: [H, W, 3] L*a*b*. mask: [H, W] pixels of the person.
    """
    out = np.zeros(mask.shape, np.int64)
    if not mask.any():
        return out
    features = lab[mask] / COLOUR_SCALE
    prior = _pixel_prior(places, mask, head, body)
    smoother = _Smoother(lab, mask)
    skin = _SkinTone.fitted(features, head.skin[mask], _far_from_face(places, mask, body))
    first = _first_seeds(features, skin, mask, places, head, body)
    # Where the place alone decides there are eyes, brows and beards: no colours to learn from.
    given = prior.max(1) > 0.999
    seeds = first
    label = np.full(len(features), NONE)
    for _ in range(ROUNDS):
        score = np.log(prior[:, SOLVED] + 1e-9)
        for column, known in enumerate(SOLVED):
            tone = np.full(len(features), OUTLIERS[known])
            if seeds[known].sum() >= LEAST_SEEDS:
                model = fit_colours(features[seeds[known]], COMPONENTS[known])
                tone = np.logaddexp(model.log_density(features, equal=False), OUTLIERS[known])
            if known == SKIN:
                tone = np.maximum(tone, skin.elsewhere)
            score[:, column] += COLOUR_TRUST * tone
        score = np.maximum(score, score.max(1, keepdims=True) - SUREST)
        smooth = smoother(score - score.mean(1, keepdims=True))
        label = np.array(SOLVED)[smooth.argmax(1)]
        best = np.sort(smooth, axis=1)
        learnt = (best[:, -1] - best[:, -2] > 1.0) & (score.argmax(1) == smooth.argmax(1)) & ~given
        # The labels' own pixels teach the next round.
        seeds = {known: (label == known) & (learnt | first[known]) for known in SOLVED}
        seeds[SKIN] |= head.skin[mask]
    out[mask] = label
    return out


@dataclass(frozen=True)
class _SkinTone:
    """Log densities [N] of the skin's colours.

    Attributes:
        face: by the face's mixture. elsewhere: by one broad Gaussian around the face's tone;
            never near the head.
    """

    face: FloatArray
    elsewhere: FloatArray
    usual: float

    @staticmethod
    def fitted(features: FloatArray, seeds: BoolArray, far: BoolArray) -> _SkinTone:
        nothing = np.full(len(features), OUTLIERS[SKIN])
        if seeds.sum() < LEAST_SEEDS:
            return _SkinTone(nothing, nothing, 0.0)
        known = features[seeds]
        face = fit_colours(known, COMPONENTS[SKIN]).log_density(features)
        squared = (((features - np.median(known, axis=0)) / PALER) ** 2).sum(1)
        broad = -0.5 * squared - np.log(PALER).sum() - 1.5 * np.log(2 * np.pi) - 1.0
        elsewhere = np.where(far, broad, nothing)
        return _SkinTone(face, elsewhere, float(np.percentile(face[seeds], 5)))

    @property
    def alike(self) -> BoolArray:
        """[N] colours that skin may well have."""
        least = -0.5 * 2.0**2 - np.log(PALER).sum() - 1.5 * np.log(2 * np.pi) - 1.0
        return np.asarray((self.face > self.usual) | (self.elsewhere > least))


def _far_from_face(places: Places, mask: BoolArray, body: Body) -> BoolArray:
    """[N] pixels of the limbs, where skin may be lighter or darker than in the face."""
    limbs = [body.part_names.index(name) for name in ("arm", "hand", "leg", "foot", "torso")]
    return np.isin(places.part[mask], limbs)


def _first_seeds(
    features: FloatArray,
    skin: _SkinTone,
    mask: BoolArray,
    places: Places,
    head: Head,
    body: Body,
) -> dict[int, BoolArray]:
    """Pixels whose place alone tells what they most likely are, less what is plainly skin."""
    names = np.array(body.part_names)[places.part[mask]]
    y = places.rest[mask][:, 1]
    on = places.on_body[mask] & erode(mask, 1)[mask]
    thigh = on & (names == "leg") & (y < -0.22) & (y > -0.42)
    hips = on & np.isin(names, ["torso", "leg"]) & (y < -0.05) & (y > -0.22)
    seeds = {
        SKIN: head.skin[mask],
        HAIR: head.scalp[mask] & (not head.bald) & (skin.face <= skin.usual),
        UPPER: on & (names == "torso") & (y > 0.12) & (y < 0.42),
        SHOES: on & (names == "foot") & ~skin.alike,
    }
    # What of the chest looks like skin is mostly skin: a neckline, or a hand before it.
    if skin.alike[seeds[UPPER]].sum() < 0.35 * seeds[UPPER].sum():
        seeds[UPPER] &= ~skin.alike
    lower = thigh & ~skin.alike
    if lower.sum() < max(LEAST_SEEDS, 0.25 * thigh.sum()):  # bare thighs, or none in the frame
        lower = hips & ~skin.alike
    if seeds[UPPER].sum() >= LEAST_SEEDS and lower.any():
        # A shirt may end below the hips, and a dress does: what it is made of is no trousers.
        model = fit_colours(features[seeds[UPPER]], COMPONENTS[UPPER])
        usual = np.percentile(model.log_density(features[seeds[UPPER]]), 5)
        other = lower.copy()
        other[lower] = model.log_density(features[lower]) < usual
        lower = other if other.sum() > 0.25 * lower.sum() else np.zeros_like(lower)
    seeds[LOWER] = lower
    return seeds
