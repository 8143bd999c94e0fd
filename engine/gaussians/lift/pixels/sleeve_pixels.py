"""Which pixels beside a forearm are its sleeve's, or its own shaded skin.

A sleeve is wider than the arm in it, and in front of a trunk in the same cloth only its own edge
tells where it ends. Beyond the fitted arm its pixels would count as the trunk's, and stay there
when the arm is raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.distances import find_nearest, measure_depth
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray
from ....render.mesh import MeshBuffer
from ..grids.pixel_cuts import cut_along_edges
from ..grids.pixel_grids import blur_within, connected_patches, dilate
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS, FOREARM_JOINTS, TRUNK_AND_LEGS
from .skin_tone import S as SKIN_TONE
from .skin_tone import measure_hue


@dataclass(frozen=True)
class SleevePixelSettings:
    """Which pixels beside an arm are its skin or its sleeve, and which are the trunk's."""

    widest: float = 0.12  # metres beyond the bare arm up to which its sleeve is looked for
    usual: tuple[float, float] = (0.012, 0.07)  # metres: least and most usual width of one
    prior: float = 50.0  # cost per metre of a pixel's distance from the usual width
    calm: float = 0.7  # pixels over which colours are smoothed
    few: int = 6  # pixels of an outline: fewer tell no width
    shown: float = 0.05  # least share of a drawn forearm that must show for its sleeve to be sought
    ring: float = 0.02  # metres along an arm that are bare or covered together
    bare: float = 0.5  # share of skin in such a ring from which on the arm is bare there
    rim: int = 2  # pixels on either side of a border where cloth is compared
    like: float = 8.0  # L*a*b* units between both sides up to which it is one cloth
    bare_run: int = 3  # rings in a row that are surely bare
    below_shoulder: float = 0.3  # metres along an arm up to which skin may be the neck's
    same_cloth: float = 0.5  # share of lower wear on an arm whose sleeve looks like that
    some_skin: float = 0.1  # the same from which on it may be, if the other arm is
    some_beside: float = 0.3  # the same in a ring of an upper arm whose outline is skin
    pair_bare: float = 0.5  # share of the other upper arm's rings that are bare then, at least
    upper_arm: tuple[float, float] = (0.2, 0.46)
    """Metres along an arm of those rings: a hand may lie in front of a forearm."""

    beside_upper_arm: float = 0.04  # metres beside a fitted upper arm up to which its skin may lie

    above_wrist: float = 0.64  # metres along an arm up to which it may be: cuffs hang over hands
    sliver: float = 0.4  # of the other arm's pixels; an arm that shows less dresses as that one
    shaded: float = 0.035  # metres beside a bare arm's skin within which its shaded edge is sought
    hue: float = 3.0  # cost of a pixel with the skin's hue that stays cloth, and the reverse
    same_hue: float = 0.1  # most a*b* over L* between skin and its shade
    nearer: float = 0.6  # most distance to the skin's hue, of that to the cloth's
    deep: float = 0.65  # lightness of a deep shade, of the skin's beside it
    saturated: float = 4.0  # growth of a*b* over L* for each such lightness that it is darker
    shades: tuple[float, float] = (0.4, 1.02)  # lightness of the shade, of the skin's beside it
    outside: float = 300.0  # cost per metre of skin's distance beyond the fitted arm


S = register_settings("lift.sleeve_pixels", SleevePixelSettings())


@dataclass(frozen=True)
class Forearm:
    """A forearm of the fitted body in the picture.

    Attributes:
        group: index of its arm in ``limbs.GROUPS``.
        drawn: [H, W] where the bare arm is drawn alone.
        near: [H, W] pixels whose nearest pixel of it is the forearm's.
        beyond: [H, W] metres to that pixel.
        below: [H, W] 0..1 how far straight below that pixel they lie.
        depth: [H, W] metres along the view axis, of that pixel.
    """

    group: int
    drawn: BoolArray
    near: BoolArray
    beyond: FloatArray
    below: FloatArray
    depth: FloatArray

    @staticmethod
    def of(
        group: int,
        elbow: int,
        wrist: int,
        buffer: MeshBuffer,
        f: IntArray,
        body: Body,
        camera: Camera,
    ) -> Forearm:
        """Find a forearm in the picture.

        Args:
            group: of its arm.
            elbow: joint.
            wrist: joint.
            buffer: of the arm alone, which must show in the picture.
            f: [F, 3] the arm's triangles, which that was drawn of.
            body: the person's own.
            camera: of the grid.
        """
        drawn = buffer.face >= 0
        row, col, away = find_nearest(drawn)
        own = body.weights[:, elbow][f].mean(1) > 0.5
        own &= body.weights[:, wrist][f].mean(1) < 0.5
        depth = buffer.depth[row, col]
        below = (np.arange(len(drawn))[:, None] - row) / np.maximum(away, 1.0)
        return Forearm(
            group,
            drawn,
            own[buffer.face[row, col]],
            away * depth / camera.K[0, 0],
            np.clip(below, 0.0, 1.0),
            depth,
        )


def find_upper_arm(buffer: MeshBuffer, f: IntArray, body: Body, camera: Camera) -> BoolArray:
    """Find the pixels [H, W] on an upper arm and right beside it.

    Args:
        buffer: of the arm alone, which must show in the picture.
        f: [F, 3] the arm's triangles, which that was drawn of.
        body: the person's own.
        camera: of the grid.
    """
    row, col, away = find_nearest(buffer.face >= 0)
    own = (body.sum_weights(FOREARM_JOINTS)[f].mean(1) < 0.5)[buffer.face[row, col]]
    metres = away * buffer.depth[row, col] / camera.K[0, 0]
    return np.asarray(own & (metres < S.beside_upper_arm))


def pixel_size(buffer: MeshBuffer, camera: Camera) -> float:
    """Return how many metres a pixel spans at a limb that ``buffer`` shows, in the middle."""
    return float(np.median(buffer.depth[buffer.face >= 0]) / camera.K[0, 0])


def settle_sleeve_pixels(
    group: IntArray,
    label: IntArray,
    lab: FloatArray,
    forearms: list[Forearm],
    behind: dict[int, MeshBuffer],
) -> IntArray:
    """Assign the pixels beside forearms that show their sleeves to the arms.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        forearms: those that the picture shows.
        behind: z-buffers of the limbs in front of which a sleeve may hang, each drawn alone.

    Returns:
        [H, W] limb of each pixel.
    """
    out = group.copy()
    calm = ndimage.gaussian_filter(lab, (S.calm, S.calm, 0.0))
    cloth = np.isin(label, (UPPER, LOWER))
    rest = np.min([np.where(b.face >= 0, b.depth, np.inf) for b in behind.values()], axis=0)
    for arm in forearms:
        own = out == arm.group
        if (own & arm.drawn).sum() <= S.shown * arm.drawn.sum():
            continue
        row, col, _ = find_nearest(own & arm.drawn)
        free = own & cloth & arm.near & dilate(group < 0, 1) & (arm.below > 0.5)
        least = most = S.usual[0]
        if free.sum() >= S.few:  # how far it hangs in front of the background
            most = float(np.clip(np.median(arm.beyond[free]), *S.usual))
        width = least + (most - least) * arm.below  # sleeves hang
        may = np.isin(out, list(behind)) & cloth & cloth[row, col] & arm.near
        may &= (arm.beyond < S.widest) & (arm.depth < rest)
        if may.any():
            cost = S.prior * (arm.beyond - width)
            out[cut_along_edges(may, own, group >= 0, calm, cost)] = arm.group
    return out


def claim_shaded_skin(
    group: IntArray,
    label: IntArray,
    lab: FloatArray,
    along: FloatArray,
    limb: dict[int, MeshBuffer],
    camera: Camera,
) -> tuple[IntArray, IntArray]:
    """Assign the shaded edges of bare arms to their skin where they were taken for cloth.

    Shade leaves a colour its hue. Beside cloth in a skin-like colour it is what parts the two; the
    skin that stays with the cloth would stay on the trunk when the arm is raised.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        along: [H, W] metres from the middle of the body at rest: along the arms.
        limb: z-buffers of the arms by group, each drawn alone.
        camera: of the grid.

    Returns:
        [H, W] limb and label of each pixel.
    """
    group, label = group.copy(), label.copy()
    ring = (np.abs(along) / S.ring).astype(int)
    for arm, buffer in limb.items():
        skin = (label == SKIN) & (group == arm)
        if not (skin & (buffer.face >= 0)).any():
            continue
        pixel = pixel_size(buffer, camera)
        bare = _measure_bareness(group, label, ring, arm)[0] > S.bare
        margin = round(3.0 * S.shaded / pixel)
        near = tuple(
            slice(max(side.start - margin, 0), side.stop + margin)
            for side in ndimage.find_objects(skin.astype(int))[0]
        )
        won = _shaded_skin(
            skin[near],
            np.isin(label, (UPPER, LOWER))[near],
            bare,
            ring[near],
            ndimage.gaussian_filter(lab[near], (S.calm, S.calm, 0.0)),
            buffer.face[near] < 0,
            pixel,
        )
        group[near][won], label[near][won] = arm, SKIN
    return group, label


def claim_bare_skin(
    group: IntArray, label: IntArray, arms: dict[int, BoolArray], upper: dict[int, BoolArray]
) -> IntArray:
    """Assign skin to a bare arm where the fitted trunk reaches over it.

    Skin within the arm's own silhouette that is connected to the arm's skin and has clothes on the
    trunk's side can only be the arm's, and so can a strip between an upper arm and the background.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        arms: [H, W] silhouette of each arm, drawn alone, by its number in ``group``.
        upper: [H, W] what lies on each upper arm or right beside it, likewise.

    Returns:
        [H, W] limb of each pixel.
    """
    out = group.copy()
    skin, clothes = label == SKIN, np.isin(label, (UPPER, LOWER))
    of_trunk = np.isin(group, TRUNK_AND_LEGS)
    drawn = np.any(list(arms.values()), axis=0)
    row, col, _ = find_nearest(of_trunk & ~drawn & (skin | clothes))
    beside_clothes = (row >= 0) & clothes[row, col]
    for arm, silhouette in arms.items():
        may = skin & of_trunk & silhouette & beside_clothes
        own = skin & (group == arm)
        pieces, _ = ndimage.label(may | own, np.ones((3, 3)))
        out[may & np.isin(pieces, np.unique(pieces[own]))] = arm
        inner = skin & (out == arm) & upper[arm]
        out[_find_outside(inner, skin & of_trunk & upper[arm], group >= 0, of_trunk)] = arm
    return out


def _find_outside(arm: BoolArray, skin: BoolArray, mask: BoolArray, trunk: BoolArray) -> BoolArray:
    """Find the ``skin`` [H, W] that lies between an ``arm`` [H, W] and the background beside it.

    Args:
        arm: the arm's own skin.
        skin: what may be more of it.
        mask: [H, W] the person.
        trunk: [H, W] on whose other side the arm hangs.
    """
    out = np.zeros_like(arm)
    if not (arm.any() and trunk.any()):
        return out
    # Mirrored where needed, so that the arm hangs to the right of the trunk.
    flip = slice(None, None, -1 if arm.nonzero()[1].mean() < trunk.nonzero()[1].mean() else 1)
    arm, skin, mask, seen = arm[:, flip], skin[:, flip], mask[:, flip], out[:, flip]
    for row in np.nonzero(arm.any(1))[0]:
        start = int(np.nonzero(arm[row])[0][-1]) + 1
        length = int(np.argmin(np.append(skin[row, start:], False)))
        if start + length < mask.shape[1] and not mask[row, start + length]:
            seen[row, start : start + length] = True
    return out


def _shaded_skin(
    skin: BoolArray,
    cloth: BoolArray,
    bare: BoolArray,
    ring: IntArray,
    lab: FloatArray,
    beyond: BoolArray,
    pixel: float,
) -> BoolArray:
    """Find the pixels [H, W] of ``cloth`` that are the shaded edge of an arm.

    Args:
        skin: [H, W] the arm's for sure.
        cloth: [H, W] labelled as cloth.
        bare: [R] whether the arm is bare in each ring.
        ring: [H, W] ring of each pixel.
        lab: [H, W, 3] L*a*b*, smoothed.
        beyond: [H, W] pixels beside the fitted arm.
        pixel: metres.
    """
    band = S.shaded / pixel
    row, col, away = find_nearest(skin)
    may = cloth & bare[ring[row, col]] & (away < band)
    other = cloth & (away >= band)
    if not (may.any() and other.any()):
        return np.zeros_like(may)
    hue = measure_hue(lab)
    skin_like, cloth_like = (
        blur_within(np.dstack([hue, lab[..., :1]]), kind, band) for kind in (skin, other)
    )
    shade = lab[..., 0] / np.maximum(skin_like[..., 2], SKIN_TONE.darkest)
    # Light that skin throws on skin makes a deep shade more saturated.
    own = skin_like[..., :2]
    most = 1.0 + S.saturated * np.clip(S.deep - shade, 0.0, None)
    times = np.clip((hue * own).sum(-1) / np.maximum((own**2).sum(-1), 1e-6), 1.0, most)
    to_skin = np.linalg.norm(hue / times[..., None] - own, axis=-1)
    to_cloth = np.linalg.norm(hue - cloth_like[..., :2], axis=-1)
    shaded = (to_skin < S.same_hue) & (to_skin < S.nearer * to_cloth)
    shaded &= (shade > S.shades[0]) & (shade < S.shades[1])
    cost = np.where(shaded, -S.hue, S.hue)
    cost += S.outside * measure_depth(beyond) * pixel
    return cut_along_edges(may, skin, skin | cloth, lab, cost)


def _measure_bareness(
    group: IntArray, label: IntArray, ring: IntArray, arm: int
) -> tuple[FloatArray, IntArray]:
    """[R] share of skin in each ring [H, W] along an arm, and [R] its pixels there."""
    count = int(ring.max()) + 1
    own = (group == arm) & np.isin(label, (SKIN, UPPER, LOWER))
    total = np.bincount(ring[own], minlength=count)
    skin = np.bincount(ring[own & (label == SKIN)], minlength=count)
    return skin / np.maximum(total, 1), np.asarray(total)


def _find_runs(bare: BoolArray) -> BoolArray:
    """Return which rings [R] begin a run of bare ones that is long enough; [R - run + 1]."""
    if len(bare) < S.bare_run:
        return np.zeros(0, bool)
    return np.asarray(np.convolve(bare, np.ones(S.bare_run), "valid") >= S.bare_run)


def _rings_beyond_skin(bare: BoolArray) -> BoolArray:
    """[R] whether rings lie beyond the first bare ones of an arm: no sleeve begins again."""
    run = _find_runs(bare)
    run &= np.arange(len(run)) >= S.below_shoulder / S.ring
    return np.asarray(np.arange(len(bare)) >= (run.argmax() if run.any() else len(bare)))


def release_other_cloth(
    group: IntArray,
    label: IntArray,
    lab: FloatArray,
    along: FloatArray,
    pointing: dict[int, BoolArray],
    handless: tuple[int, ...] = (),
) -> IntArray:
    """Assign cloth beside arms and hands, and not theirs, to the limb whose cloth it continues.

    Bare arms wear none: a flounce covers only their inner side. Lower wear is never a sleeve, and
    no sleeve begins again beyond bare skin: what looks like the cloth beside it there covers the
    hand, and anything else may be a glove. Where a forearm points at the camera, its sleeve shows
    around the hand, and stays the arm's unless skin shows before the wrist.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        along: [H, W] metres from the middle of the body at rest: along the arms.
        pointing: arm -> [H, W] where the forearm and its sleeve would be drawn, of those that point
            at the camera.
        handless: those whose hands the photo hides, maybe together with the forearms.

    Returns:
        [H, W] limb of each pixel.
    """
    out = group.copy()
    cloth = np.isin(label, (UPPER, LOWER))
    before_wrist = slice(round(S.below_shoulder / S.ring), round(S.above_wrist / S.ring))
    ring = (np.abs(along) / S.ring).astype(int)
    rings = {arm: _measure_bareness(group, label, ring, arm) for arm in ARMS}
    outline = dilate(group < 0, S.rim)
    upper_arm = slice(round(S.upper_arm[0] / S.ring), round(S.upper_arm[1] / S.ring))
    for arm in ARMS:
        others = cloth & (group >= 0) & (group != arm)
        share, shown = rings[arm]
        bare = share > S.bare
        # Cloth over an arm's inner side alone is the trunk's: sleeves go round, and come in pairs.
        outer = _measure_bareness(np.where(outline, group, -1), label, ring, arm)
        inner = (outer[0] > S.bare) & (outer[1] >= S.few) & (share > S.some_beside)
        pair = rings[ARMS[1] if arm == ARMS[0] else ARMS[0]]
        shows = pair[1][upper_arm] >= S.few
        if shows.any() and (pair[0][upper_arm][shows] > S.bare).mean() > S.pair_bare:
            bare[upper_arm] |= inner[upper_arm]
        # An arm of which a sliver shows beside the trunk is as bare as the other one, and so is
        # one whose skin shows beside cloth all along: sleeves end across arms.
        for other_share, other_shown in rings.values():
            sliver = shown.sum() < S.sliver * other_shown.sum()
            beside = (share > S.some_skin) & (np.arange(len(share)) < S.above_wrist / S.ring)
            bare |= (other_share > S.bare) & (sliver | beside)
        if arm in handless:
            bare |= _rings_beyond_skin(bare)
        own = (group == arm) & cloth
        lower = own & (label == LOWER)
        if lower.sum() > S.same_cloth * own.sum():
            # Sleeves that look like the trousers, if not a skirt in the hand of a bare arm.
            lower &= _rings_beyond_skin(bare)[ring]
        patches, _ = ndimage.label(own & bare[ring] | lower, np.ones((3, 3)))
        touching = np.unique(patches[dilate(others, 1) & (patches > 0)])
        beyond = own & ~bare[ring] & _rings_beyond_skin(bare)[ring]
        released = _find_continued(beyond, others, lab) | np.isin(patches, touching)
        skin = (bare & (shown >= S.few))[before_wrist]
        if arm in pointing and not _find_runs(skin).any():
            released &= ~pointing[arm] | (label != UPPER)
        if released.any():
            row, col, _ = find_nearest(others)
            out = np.where(released, group[row, col], out)
    return out


def _find_continued(cloth: BoolArray, others: BoolArray, lab: FloatArray) -> BoolArray:
    """Find the patches [H, W] of ``cloth`` that look like the ``others`` beside them.

    ``lab`` [H, W, 3] are the photo's colours.
    """
    out = np.zeros_like(cloth)
    for patch in connected_patches(cloth):
        beside = dilate(patch, S.rim) & others
        rim = dilate(beside, S.rim) & patch
        if rim.sum() >= S.few:
            off = np.median(lab[rim], axis=0) - np.median(lab[beside], axis=0)
            out |= patch & bool(np.linalg.norm(off) < S.like)
    return out
