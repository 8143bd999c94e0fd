"""What limbs do to the pixels beside them: right in the photo's pose alone.

The shadows that they throw on others and on themselves are lightened before anything is made of
the photo, so that weave and folds stay. Pixels of clothes that mix with an arm's get the colour of
the cloth beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.threads import map_threads
from ....core.types import BoolArray, FloatArray
from ....imaging.resize import resize
from ..grids.pixel_grids import dilate, smooth_widely, smooth_within
from ..pixels.regions import Regions
from ..shape.depth_sheets import DepthSheet, LimbBorders, composite_sheets
from ..surface.labels import LOWER, SKIN, UPPER
from ..surface.limbs import ARMS, HEAD, TRUNK_AND_LEGS


@dataclass(frozen=True)
class ContactShadowSettings:
    """Shadows beside a limb in front."""

    reach: float = 0.45  # inter-ocular distances from the limb
    jump: float = 0.02  # metres that the limb stands in front, at least
    off_head: float = 0.08  # metres from the head: under a chin it is dark in every pose
    beside: float = 0.7  # inter-ocular distances over which the cloth's usual light is taken
    darker: float = 0.18  # of the logarithm, below that light
    steady: float = 2.0  # the same in deviations of the cloth's own folds
    hue: float = 0.05  # most that shares of red, green and blue differ: else it is an object
    black: float = 0.35  # by how much more they may where it is black, which has none
    most: float = 1.2  # of the logarithm, that a shadow is lightened
    deep: tuple[float, float] = (0.8, 1.6)
    """Depths of a shadow, of the logarithm, between which the cloth's usual colour takes over."""

    usual_hue: float = 0.5  # of the logarithm, lightened, from which on the hue is the usual one
    shown: float = 1e-3  # share of lit cloth around a place that tells its usual light
    feather: float = 0.7  # pixels over which the lightening begins
    hand: float = 0.5  # inter-ocular distances over which a hand's usual light is taken
    fingers: float = 0.15  # inter-ocular distances around a fitted hand that are still its fingers
    lit: float = 40.0  # percentile of a hand's light from which on its skin is lit
    crease: float = 0.35  # of the logarithm, that creases and knuckles may be darker than that
    crevice: float = 0.25  # share of what is darker still that stays
    warmth: tuple[float, float, float] = (0.75, 1.1, 1.2)  # powers of that shade: skin is redder
    repainted: float = 0.2  # of the logarithm, darker than creases, where that shade takes over
    redder: float = -0.01  # least share of red over the lit skin's: else it is cloth
    crook: float = 1.3  # inter-ocular distances around a bent arm's nearer end, in its own shade
    bent: float = 0.06  # metres that this end stands in front, at least
    rim: float = 0.08  # inter-ocular distances from an arm whose pixels may mix with it
    least_rim: int = 2  # pixels, the same at least
    rim_usual: float = 0.35  # inter-ocular distances over which the colours of cloth are taken
    strange: tuple[float, float] = (2.5, 4.0)
    """Deviations of the cloth's own colours between which a pixel there turns from cloth into a
    mixture."""

    plain: float = 0.025  # least deviation of a cloth's colours
    floor: float = 0.02  # added to colours before their logarithm


S = register_settings("lift.contact_shadows", ContactShadowSettings())


@dataclass(frozen=True)
class ContactShadows:
    """What limbs in front shade.

    Attributes:
        gain: [H, W] factor, 1 or more, that brings a pixel to the light around the shadow.
        usual: [H, W, 3] 0..1 colour around the shadow.
        hidden: [H, W] 0..1 how far that colour takes over: in deep shadow, and where pixels are
            mixtures.
    """

    gain: FloatArray
    usual: FloatArray
    hidden: FloatArray

    def lighten(self, colors: FloatArray) -> FloatArray:
        """Return colours without the shadows.

        Args:
            colors: [h, w, 3] in 0..1, on this grid or a finer one.

        Returns:
            [h, w, 3] in 0..1.
        """
        out = np.asarray(np.clip(colors, 0.0, 1.0), np.float32)
        rows, cols = np.nonzero((self.hidden > 0.0) | (self.gain != 1.0))
        if not len(rows):
            return out
        height, width = colors.shape[:2]
        down, across = (n / m for n, m in zip(colors.shape, self.gain.shape, strict=False))
        # A pixel's neighbours on the finer grid are mixed with it, and no others.
        top, left = (max(0, int((k.min() - 1) * s)) for k, s in ((rows, down), (cols, across)))
        bottom = min(height, int(np.ceil((rows.max() + 2) * down)))
        right = min(width, int(np.ceil((cols.max() + 2) * across)))
        box, here = (left, top, right, bottom), (slice(top, bottom), slice(left, right))

        def finer(values: FloatArray) -> FloatArray:
            return resize(values.astype(np.float32), width, height, "bilinear", box=box)

        gain, usual = finer(self.gain)[..., None], finer(self.usual)
        lit = colors[here] * gain
        # Light that cloth throws on itself makes its shade more saturated.
        even = usual * lit.mean(-1, keepdims=True) / np.maximum(usual.mean(-1, keepdims=True), 1e-3)
        share = np.clip(np.log(np.maximum(gain, 1.0)) / S.usual_hue, 0.0, 1.0)
        lit = np.clip((1.0 - share) * lit + share * even, 0.0, 1.0)
        share = finer(self.hidden)[..., None]
        out[here] = (1.0 - share) * lit + share * usual
        return out

    def cover(self, mixed: FloatArray, cloth: FloatArray) -> ContactShadows:
        """Return the same under a colour that hides them.

        Args:
            mixed: [H, W] 0..1 how far it does.
            cloth: [H, W, 3] 0..1, the colour.
        """
        share = mixed + (1.0 - mixed) * self.hidden
        part = np.divide(mixed, share, out=np.zeros_like(mixed), where=share > 0.0)[..., None]
        usual = part * cloth + (1.0 - part) * self.usual
        # Finer grids interpolate: right beside the cover the colour must not be the limb's.
        beside = dilate(mixed > 0.0, 1) & (share == 0.0) & (self.gain == 1.0)
        if beside.any():
            row, col, _ = find_nearest(mixed > 0.0)
            usual[beside] = cloth[row[beside], col[beside]]
        return ContactShadows(self.gain, usual, share)


def find_contact_shadows(
    colors: FloatArray,
    regions: Regions,
    sheets: tuple[DepthSheet, ...],
    borders: LimbBorders,
    hands: Mapping[int, BoolArray],
) -> ContactShadows:
    """Find what limbs in front shade, and the shade between fingers.

    Args:
        colors: [H, W, 3] 0..1 of the foreground.
        regions: of the photo.
        sheets: the trunk and the arms.
        borders: where they end in front of each other.
        hands: arm -> [F] triangles of its hand.
    """
    shape = regions.mask.shape
    front = composite_sheets(sheets, "front")
    away = _measure_behind(front, regions.mask, borders) / regions.unit
    band = away < S.reach
    band &= (regions.group != HEAD) & (regions.places.from_head > S.off_head)
    light = np.log(colors.mean(-1) + S.floor)
    hue = (colors + S.floor) / (colors + S.floor).sum(-1, keepdims=True)
    width, (low, high) = S.beside * regions.unit, S.deep
    depth, hidden, usual = np.zeros(shape), np.zeros(shape), np.array(colors, np.float64)

    def alike(around: FloatArray) -> BoolArray:
        """[H, W] whether hues are those around, up to the noise of black."""
        other = np.abs(hue - around).max(-1)
        return np.asarray(other < S.hue + S.black * S.floor * np.exp(-light))

    def measure_shade(own: BoolArray, width: float) -> tuple[FloatArray, FloatArray]:
        """[H, W, 7] light, hue and colour of lit places around, [H, W] depth below creases."""
        shown = own & (light >= np.percentile(light[own], S.lit))
        around = smooth_widely(np.dstack([light, hue, colors]), shown, width)
        return around, around[..., 0] - light - S.crease

    def find_shaded(label: int) -> None:
        own = regions.mask & (regions.label == label) & (regions.group != HEAD)
        plain = own & ~band & ~borders.behind
        here = own & band
        if not here.any() or not plain.any():
            return
        around = smooth_widely(np.dstack([light, hue, colors]), plain, width)
        lit = around[..., 0]
        spread = np.sqrt(np.maximum(smooth_widely((light - lit) ** 2, plain, width), 0.0))
        near = _is_near(plain, width)
        least = np.maximum(S.darker, S.steady * spread)
        shaded = here & near & alike(around[..., 1:4]) & (light < lit - least)
        depth[shaded] = (lit - light)[shaded]
        hidden[shaded] = np.clip((depth[shaded] - low) / (high - low), 0.0, 1.0)
        usual[shaded] = around[shaded, 4:]

    def find_crevices(arm: int) -> None:
        own = regions.mask & (regions.group == arm) & (regions.label == SKIN)
        drawn = own & (regions.body.face >= 0) & hands[arm][regions.body.face]
        # Real fingers are not where fitted ones are drawn.
        own &= dilate(drawn, round(S.fingers * regions.unit))
        if not own.any():
            return
        around, deeper = measure_shade(own, S.hand * regions.unit)
        dark = own & (deeper > 0.0) & (hue[..., 0] > around[..., 1] + S.redder)
        depth[dark] = (1.0 - S.crevice) * deeper[dark]
        kept = np.exp(-S.crease - S.crevice * deeper[dark])
        usual[dark] = kept[:, None] ** S.warmth * around[dark, 4:]
        # Brightened as it is, the deep red between fingers would look like blood.
        hidden[dark] = np.minimum(deeper[dark] / S.repainted, 1.0)

    def find_crook(arm: int) -> None:
        limb = regions.mask & (regions.group == arm)
        window = 2 * round(S.crook * regions.unit) + 1
        nearest = ndimage.minimum_filter(np.where(limb, front, np.inf), window)
        shady = limb & (band | (front > nearest + S.bent))
        for label in (SKIN, UPPER):
            own = limb & (regions.label == label)
            if not (own & shady).any():
                continue
            around, deeper = measure_shade(own, width)
            dark = own & shady & alike(around[..., 1:4])
            dark &= (1.0 - S.crevice) * deeper > depth
            depth[dark] = (1.0 - S.crevice) * deeper[dark]
            hidden[dark] = np.clip((deeper[dark] - low) / (high - low), 0.0, 1.0)
            kept = np.exp(-S.crease - S.crevice * deeper[dark])
            usual[dark] = kept[:, None] * around[dark, 4:]

    map_threads(find_shaded, (SKIN, UPPER, LOWER))
    for arm in hands:
        find_crook(arm)
        find_crevices(arm)
    band |= depth > 0.0
    gain = np.where(band, np.exp(smooth_within(np.minimum(depth, S.most), band, S.feather)), 1.0)
    shadows = ContactShadows(gain, usual, hidden)
    behind_arms = measure_behind_arms(front, regions, borders)
    mixed, cloth = _find_mixed(shadows.lighten(colors), regions, behind_arms)
    return shadows.cover(mixed, cloth)


def _is_near(shown: BoolArray, width: float) -> BoolArray:
    """[H, W] whether enough of what is shown lies around a pixel to tell its usual look."""
    return np.asarray(smooth_widely(shown.astype(float), np.ones(shown.shape), width) > S.shown)


def _measure_behind(front: FloatArray, mask: BoolArray, borders: LimbBorders) -> FloatArray:
    """[H, W] pixels to the nearest border of what is in front; infinite where nothing is."""
    row, col = np.moveaxis(borders.nearer, -1, 0)
    rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]]
    behind = mask & (row >= 0) & (front > front[row, col] + S.jump)
    return np.where(behind, np.hypot(row - rows, col - cols), np.inf)


def measure_behind_arms(front: FloatArray, regions: Regions, borders: LimbBorders) -> FloatArray:
    """Return the pixels [H, W] to the nearest arm in front; infinite where none is.

    Args:
        front: [H, W] depth of what is seen, metres.
        regions: of the photo.
        borders: where limbs end in front of each other.
    """
    away = _measure_behind(front, regions.mask, borders)
    row, col = np.moveaxis(borders.nearer, -1, 0)
    return np.where(np.isin(regions.group[row, col], ARMS), away, np.inf)


def _find_mixed(
    colors: FloatArray, regions: Regions, away: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find pixels of cloth beside an arm in front that show a mixture of both.

    In any other pose they are a line across the garment. Patterned cloth deviates from its usual
    colour by itself, and stays as it is.

    Args:
        colors: [H, W, 3] 0..1 of the foreground, without shadows.
        regions: of the photo.
        away: [H, W] pixels to the nearest arm in front; infinite where none is.

    Returns:
        mixed: [H, W] 0..1 how far they are a mixture.
        cloth: [H, W, 3] 0..1 colour of the cloth that they belong to.
    """
    mixed, cloth = np.zeros(away.shape), np.array(colors, np.float64)
    wide = max(S.rim * regions.unit, S.least_rim)
    fade = np.clip(wide + 1.0 - away, 0.0, 1.0)
    rim = (fade > 0.0) & (regions.places.from_head > S.off_head)
    worn = np.isin(regions.label, (UPPER, LOWER))
    sure = regions.mask & ~rim & np.isin(regions.group, TRUNK_AND_LEGS)
    if not ((sure & worn).any() and rim.any()):
        return mixed, cloth
    row, col, _ = find_nearest(sure)
    # An arm's own skin that was taken for the trunk's lies beside cloth, a neckline beside skin.
    named = np.where(regions.label == SKIN, regions.label[row, col], regions.label)
    rim = rim & np.isin(regions.group, TRUNK_AND_LEGS)
    width, (low, high) = S.rim_usual * regions.unit, S.strange
    for label in (UPPER, LOWER):
        own, here = sure & (regions.label == label), rim & (named == label)
        if not (own.any() and here.any()):
            continue
        usual = smooth_widely(colors, own, width)
        off = np.linalg.norm(colors - usual, axis=-1)
        spread = np.sqrt(np.maximum(smooth_widely(off**2, own, width), 0.0))
        odd = (off / np.maximum(spread, S.plain) - low) / (high - low)
        here &= _is_near(own, width)
        mixed[here] = (np.clip(odd, 0.0, 1.0) * fade)[here]
        cloth[here] = usual[here]
    return mixed, cloth
