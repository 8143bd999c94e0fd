"""Rules for labels that hold whatever the colours say.

There are no crumbs, hair hangs from the head, and hats differ from hair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray, IntArray
from ..grids.pixel_grids import dilate, smooth_within
from ..surface.labels import HAIR, HAT, LOWER, NONE, SKIN, UPPER, Places
from .labels_parser import PARSED
from .labels_parser import S as PARSER


@dataclass(frozen=True)
class CleanupSettings:
    """Crumbs and hats.

    Of 17 portraits, the two with hats have a contrast of 43 and 64, are 0.94 and 0.99 compact,
    cover all of the top, and 6.5 squared eyes' distances; curls against the light have 51, 0.74,
    1.0 and 4.2, lit fair hair 30, 0.74, 0.92 and 2.6.
    """

    crumb: float = 0.06  # squared eyes' distances below which a patch of one label is removed
    hat_contrast: float = 36.0  # L*a*b* units between a hat and the hair below it
    hat_compact: float = 0.85
    """Share of a hat that an opening leaves (0.94 and 0.99 seen; curls 0.74)."""

    hat_top: float = 0.95  # share of the head's top that is hat
    hat_size: float = 1.5  # squared eyes' distances that a hat covers at least
    rim_below_brows: float = 1.2  # eyes' distances down to which a hat may reach
    midriff: tuple[float, float] = (-0.14, 0.32)  # metres over the pelvis that tell bare from worn
    band: float = 0.01  # metres over which the trunk is looked at
    bare_width: float = 0.7  # share of the trunk's width there: an open jacket leaves less
    free_band: float = 0.3  # pixels of the trunk in a band that counts, of the fullest band's
    bare_across: float = 0.1  # metres that its skin spans at least: a wrist before it is narrower
    sides: tuple[float, float] = (5.0, 95.0)  # percentiles of places across it, its two sides
    bare_bands: int = 2  # next to each other, that are skin between two garments
    clothed_bands: int = 4  # of the same, above and below them, that are clothes
    parsed_hair: float = 0.5  # the parser's probability of hair where a patch hangs loose
    parted: float = 0.4  # the same of a patch that a hand parts from the head's hair
    parted_size: float = 0.5  # squared eyes' distances that it covers at least
    on_head: float = 0.25  # share of a piece of hair on the head below which it hangs loose
    surely_hair: float = 0.75  # the parser's probability of hair from which on that is hair as well
    parted_color: float = 7.0
    """L*a*b* units between its color and that of the head's hair, if that varies less."""

    beside_face_size: float = 0.02  # squared eyes' distances that such a patch covers at least
    touching: float = 0.1  # eyes' distances between such a patch and what it touches
    nearer: float = 0.7  # distance of its color to the hair's, over that to the skin's, at most
    parsed_skin: float = 0.6  # the parser's probability of skin that is called hair
    lit_size: float = 0.1  # squared eyes' distances that it covers at least
    parsed_hat: tuple[float, float] = (0.5, 0.84)
    """The parser's share of hat in hat and hair: all over one, and in the midst of it."""


S = register_settings("lift.labels_cleanup", CleanupSettings())


def remove_crumbs(label: IntArray, unit: float) -> IntArray:
    """Give small patches the label around them.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        unit: pixels between the eyes.

    Returns:
        [H, W].
    """
    crumbs = np.zeros(label.shape, bool)
    for one in np.unique(label[label != NONE]):
        patches, count = ndimage.label(label == one)
        sizes = np.bincount(patches.ravel(), minlength=count + 1)
        small = sizes < max(3.0, S.crumb * unit**2)
        small[0] = False
        crumbs |= small[patches]
    kept = (label != NONE) & ~crumbs
    if not kept.any():
        return label
    rows, cols, _ = find_nearest(kept)
    return np.where(crumbs, label[rows, cols], label)


def split_at_midriff(label: IntArray, places: Places, trunk: BoolArray) -> IntArray:
    """Make lower wear of upper wear below a bare midriff.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        places: where the pixels lie on the body.
        trunk: [H, W] pixels of it.

    Returns:
        [H, W].
    """
    across, height = places.rest[..., 0], places.rest[..., 1]
    seen = trunk & np.isin(label, [SKIN, UPPER, LOWER])
    edges = np.arange(S.midriff[0], S.midriff[1] + S.band, S.band)
    count, bare = (np.histogram(height[rows], edges)[0] for rows in (seen, seen & (label == SKIN)))
    # Of small people, bands are narrower than a pixel, and some are empty; where hands hide the
    # trunk, the few pixels left are mostly the hands' rims.
    filled = np.nonzero(count > S.free_band * count.max())[0]
    if len(filled) == 0:
        return label
    share = np.interp(np.arange(len(count)), filled, bare[filled] / count[filled])
    skin = share > S.bare_width
    worn = ~skin
    worn[: filled[0]] = worn[filled[-1] + 1 :] = False
    starts = np.nonzero(np.diff(1 * skin, prepend=0) == 1)[0]
    for start in starts:
        end = start + int(np.argmin(np.append(skin[start:], False)))
        midriff = seen & (label == SKIN) & (height >= edges[start]) & (height < edges[end])
        if (
            end - start >= S.bare_bands
            and np.ptp(np.percentile(across[midriff], S.sides)) > S.bare_across
            and worn[:start].sum() >= S.clothed_bands
            and worn[end:].sum() >= S.clothed_bands
        ):
            # At rest arms are spread, so that they are higher.
            return np.where((label == UPPER) & (height < edges[start]), LOWER, label)
    return label


def keep_attached_hair(
    label: IntArray, head: BoolArray, unit: float, likely: FloatArray | None = None
) -> BoolArray:
    """Return the pixels [H, W] of hair that are connected to that of the head.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        head: [H, W] pixels of the head above the chin.
        unit: pixels between the eyes.
        likely: [H, W] the parser's probability of hair or a hat; patches where it sees neither (a
            dark hood beside an ear) are left out, and so are large ones that come near the head's
            hair without a touch (a shaded neckline). Without it they stay.
    """
    patches, count = ndimage.label(ndimage.binary_dilation(label == HAIR, iterations=1))
    hair = label == HAIR
    held = np.unique(patches[hair & head])
    held = held[held > 0]
    if likely is not None and len(held):
        size, agreed = (
            np.bincount(patches[hair], weights=w, minlength=count + 1)[held]
            for w in (None, likely[hair])
        )
        confirmed = agreed > S.parsed_hair * size
        held = held[confirmed if confirmed.any() else size == size.max()]
    kept = hair & np.isin(patches, held)
    if likely is not None:
        pieces, _ = ndimage.label(kept)
        size, above, agreed = (
            np.bincount(pieces.ravel(), weights)
            for weights in (None, 1.0 * head.ravel(), likely.ravel())
        )
        loose = (size > S.parted_size * unit**2) & (above < S.on_head * size)
        loose &= agreed < S.surely_hair * size
        above[0] = 0.0  # what is not hair
        loose[above.argmax()] = False  # most of the head's own
        kept &= ~loose[pieces]
    return np.asarray(kept)


def find_parted_hair(
    label: IntArray, attached: BoolArray, likely: FloatArray, lab: FloatArray, unit: float
) -> BoolArray:
    """Return the pixels [H, W] of hair that something else parts from the head's: a hand, a phone.

    The parser has to see hair there, too, and its color is that of the head's: ties and collars
    are called hair as well.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        attached: [H, W] pixels of :func:`keep_attached_hair`.
        likely: [H, W] the parser's probability of hair or a hat.
        lab: [H, W, 3] L*a*b*.
        unit: pixels between the eyes.
    """
    out = np.zeros(label.shape, bool)
    if not attached.any():
        return out
    usual = np.median(lab[attached], axis=0)
    varies = float(np.median(np.linalg.norm(lab[attached] - usual, axis=-1)))
    patches, _ = ndimage.label((label == HAIR) & ~attached)
    for k, at in enumerate(ndimage.find_objects(patches), 1):
        patch = patches[at] == k
        if patch.sum() < S.parted_size * unit**2 or likely[at][patch].mean() < S.parted:
            continue
        off = float(np.linalg.norm(np.median(lab[at][patch], axis=0) - usual))
        out[at] |= patch & (off < max(S.parted_color, varies))
    return out


def claim_hair_beside_face(
    label: IntArray,
    lab: FloatArray,
    tone: FloatArray,
    likely: FloatArray,
    where: BoolArray,
    unit: float,
) -> IntArray:
    """Make hair of skin beside the face that parser and color both call hair.

    The body has its cheeks, ears and neck there, and hair in the shade has nearly the color of
    skin in the shade: curls at the nape and locks along the jaw would be painted on the skin.
    Apart from all hair, such a patch beside clothes is the shaded inside of their collar, unless
    the parser is sure.

    Args:
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b*.
        tone: [3] L*a*b* of the skin.
        likely: [H, W] the parser's probability of hair.
        where: [H, W] pixels near the head, beside the face.
        unit: pixels between the eyes.

    Returns:
        [H, W] labels.
    """
    hair = label == HAIR
    if not hair.any():
        return label
    to_hair, to_skin = _distances(lab, np.median(lab[hair], axis=0), tone)
    taken = where & (label == SKIN) & (likely > S.parsed_hair) & (to_hair < S.nearer * to_skin)
    patches, _ = ndimage.label(taken, np.ones((3, 3)))
    size = np.bincount(patches.ravel())
    sure = np.bincount(patches.ravel(), likely.ravel()) > S.surely_hair * size
    near = max(round(S.touching * unit), 1)
    beside_hair, beside_cloth = (
        np.isin(np.arange(len(size)), patches[dilate(label == kind, near)])
        for kind in (HAIR, UPPER)
    )
    made = np.where(beside_cloth & ~beside_hair & ~sure, UPPER, HAIR)
    large = taken & (size > S.beside_face_size * unit**2)[patches]
    return np.where(large, made[patches], label)


def release_lit_skin(
    label: IntArray,
    lab: FloatArray,
    tone: FloatArray,
    likely: FloatArray,
    head: BoolArray,
    unit: float,
) -> IntArray:
    """Relabel skin that was called hair because of its light: a forehead in the sun.

    It touches other skin; curls with the sun behind them do not. Two colours of hair would also
    make the upper one a hat.

    Args:
        label: [H, W] labels of the pixels.
        lab: [H, W, 3] L*a*b*.
        tone: [3] of the face's skin.
        likely: [H, W] the parser's probability of skin.
        head: [H, W] pixels of the head.
        unit: pixels between the eyes.

    Returns:
        [H, W] the labels.
    """
    hair = (label == HAIR) & head
    if not hair.any():
        return label
    to_hair, to_skin = _distances(lab, np.median(lab[hair], axis=0), tone)
    taken = hair & (likely > S.parsed_skin) & (to_skin < S.nearer * to_hair)
    patches, _ = ndimage.label(taken, np.ones((3, 3)))
    large = np.bincount(patches.ravel()) > S.lit_size * unit**2
    beside = dilate(label == SKIN, max(round(S.touching * unit), 1))
    large[np.setdiff1d(patches, patches[beside])] = False
    return np.where(taken & large[patches], SKIN, label)


def find_hat(
    label: IntArray, lab: FloatArray, head: BoolArray, brow: float, unit: float
) -> IntArray:
    """Separate a hat from the hair below it.

    A hat is compact, lies on top of the head, and differs in colour from the hair that shows
    below. Without visible hair it stays labelled as hair, which sits as still on the head.

    Args:
        label: [H, W] labels of the pixels.
        lab: [H, W, 3] L*a*b*.
        head: [H, W] pixels of the head.
        brow: row of the brows.
        unit: pixels between the eyes.

    Returns:
        [H, W] the labels with the hat.
    """
    row = np.mgrid[: len(label), :1][0]
    hair = (label == HAIR) & head & (row < brow + S.rim_below_brows * unit)
    rows = np.nonzero(hair)[0]
    if len(rows) < 50:
        return label
    colours = ndimage.gaussian_filter(lab, (1.0, 1.0, 0.0))[hair]
    top = np.median(colours[rows <= np.percentile(rows, 25)], axis=0)
    apart = np.linalg.norm(colours - top, axis=1)
    centres = np.stack([top, np.median(colours[apart >= np.percentile(apart, 85)], axis=0)])
    for _ in range(6):
        second = _nearer(colours, centres)
        if second.all() or not second.any():
            return label
        centres = np.stack([colours[~second].mean(0), colours[second].mean(0)])
    hat = np.zeros(label.shape, bool)
    hat[hair] = ~_nearer(colours, centres)
    reach = max(1, round(0.2 * unit))
    compact = ndimage.binary_opening(np.pad(hat, reach), iterations=reach).sum()
    crown = hair & (row < rows.min() + 0.5 * unit)
    if (
        np.linalg.norm(centres[0] - centres[1]) < S.hat_contrast
        or hat.sum() < S.hat_size * unit**2
        or compact < S.hat_compact * hat.sum()
        or hat[crown].mean() < S.hat_top
    ):
        return label
    # The ribbon is the hat's, and crumbs of its colour in the hair are the hair's.
    width = max(1, round(0.3 * unit))
    whole = ndimage.binary_closing(np.pad(hat, width), iterations=width)[width:-width, width:-width]
    whole = ndimage.binary_opening(ndimage.binary_fill_holes(whole), iterations=max(1, reach // 2))
    patches, _ = ndimage.label(whole & hair)
    held = np.unique(patches[crown & whole])
    return np.where(hair & np.isin(patches, held[held > 0]), HAT, label)


def find_parsed_hat(label: IntArray, parsed: FloatArray, head: BoolArray, unit: float) -> IntArray:
    """Separate a hat from the hair where the parser sees one.

    Args:
        label: [H, W] labels of the pixels.
        parsed: [H, W, len(PARSED)] the parser's probabilities.
        head: [H, W] pixels of the head.
        unit: pixels between the eyes.

    Returns:
        [H, W] the labels with the hat.
    """
    hat, hair = parsed[..., PARSED.index("hat")], parsed[..., PARSED.index("hair")]
    share = hat / np.maximum(hat + hair, 1e-9)
    worn = (label == HAIR) & head
    calm = smooth_within(share, worn, max(0.5, 0.1 * unit))
    likely, sure = S.parsed_hat
    midst, _ = ndimage.label(worn & (calm > sure))
    large = np.bincount(midst.ravel()) > S.hat_size * unit**2
    patches, _ = ndimage.label(worn & (calm > likely))
    of_hats = np.unique(patches[(midst > 0) & large[midst]])
    return np.where(np.isin(patches, of_hats), HAT, label)


def _distances(lab: FloatArray, *colors: FloatArray) -> list[FloatArray]:
    """[H, W] distances of L*a*b* colours [H, W, 3] to each of some, in deviations of skin's."""
    return [np.linalg.norm((lab - color) / PARSER.spread, axis=-1) for color in colors]


def _nearer(colours: FloatArray, centres: FloatArray) -> BoolArray:
    """[N] whether a colour is nearer to the second of two."""
    to = np.linalg.norm(colours[:, None] - centres, axis=-1)
    return np.asarray(to[:, 1] < to[:, 0])
