"""The low-frequency colours of what the photo does not show.

Clothes have one robust albedo for each fabric (``fabrics.py``), all around; what the photo shows
beside a seam fades into it within a few centimetres. Skin and hair carry theirs over the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....body import Body
from ....core.cameras import in_picture
from ....core.settings import register_settings
from ....core.threads import map_threads
from ....core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ...mesh_diffusion import mesh_edges
from ..photo.photo_light import S as LIGHT
from ..photo.photo_light import weighted_median
from ..pixels.skin_tone import measure_hue
from ..surface.labels import HAIR, LOWER, SHOES, SKIN, UPPER
from ..surface.limbs import HEAD, LEFT_LEG, RIGHT_LEG
from ..surface.texel_patch import TexelPatch
from .collar_bands import find_collar, find_neckwear
from .colors_texels import Texels
from .fabric_clusters import fabric_lab, has_hue, have_same_hue
from .fabrics import find_fabrics
from .face_light import extend_face_light
from .sandals import are_sandals
from .skin_shade import tint_shade
from .stray_colors import find_fallen_hair, find_shaded_skin

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class BaseColorSettings:
    """Low-frequency colours carried over the surface."""

    cloth_smooth: float = 12.0  # edges, squared, over which seen cloth is averaged
    cloth_fade: float = 0.025  # metres after which seen cloth's deviations have faded
    cloth_hold: float = 0.05  # and where it is
    end_fade: float = 0.09  # metres after which they have, where the frame cuts cloth off
    end_hold: float = 30.0  # trust in what is seen right there
    end_rim: float = 0.35  # inter-ocular distances from the frame within which it counts
    squarest: float = 1.15  # less the cosine to the camera: how much a texel says of the back
    most: float = 0.7  # most that seen cloth differs from its fabric, of the logarithm
    skin_smooth: float = 2.0  # edges, squared, over which seen skin is averaged
    skin_drift: float = 0.01  # pull of unseen skin to the usual tone, per unit of smoothing
    hair_smooth: float = 25.0  # the same of hair
    hair_tones: tuple[float, float] = (20.0, 80.0)  # percentiles of lightness averaged for it
    hair_drift: float = 0.05  # the same of hair
    min_texels: int = 40  # texels of a class that show its colour
    candidates: int = 12  # most common colours that are tried
    material_span: float = 10.0  # L*a*b* units that one material spans
    majority: float = 0.4  # share of a material that makes it the usual one
    trousers: tuple[float, float] = (0.45, 0.13)
    """Lightness of unseen trousers: as a share of the upper wear's, and the least.

    They are never so much lighter than dark upper wear that a suit falls apart (``suit``).
    """

    shoes: tuple[float, float] = (0.3, 0.075)  # the same of shoes
    suit: tuple[float, float] = (1.3, 0.07)
    """Lightness of trousers over that of dark upper wear, at most; and what shows folds."""

    own_hue: tuple[float, float] = (0.3, 0.7)  # share of the upper wear's hue: usual, and dark
    glimpse: float = 0.06  # share of the trousers seen up to which they have but one colour
    borrowed: float = 0.1  # share of the upper wear in that hue which makes it the upper wear's
    same_cloth: float = 12.0  # L*a*b* units from a shirt's colour within which legs show the shirt
    own_cloth: float = 10.0  # inter-ocular distances, squared, from which it is theirs nonetheless
    fade: float = 0.06  # screening of skin at a seam: faded after four edges
    beard_fade: float = 0.004  # the same where beards grow: after fifteen
    match_fade: float = 0.15  # the same of hair that is as light as the photo's around it
    gilded_fade: float = 0.03  # the same of hair with a light behind it: after six
    least_match: float = 0.6  # the least that hair's light is multiplied by, to match the photo's
    inside: float = 0.97  # the matte's alpha from which on no background shines through hair
    jaw: float = 0.04  # metres over which one fade passes into the other
    shoulder: float = 1.0  # squared inter-ocular distances below which skin's hue is skin
    vivid: float = 2.0  # times the strength of the skin's hue: cloth all the same


S = register_settings("lift.colors_base", BaseColorSettings())

UNSEEN_HAIR = np.array([0.20, 0.15, 0.12])  # where none is shown: not the clothes' colour
UNSEEN_CLOTH = np.array([0.35, 0.36, 0.40])


def base_colors(
    t: Texels, trust: FloatArray, seen: FloatArray, body: Body, view: PhotoView
) -> tuple[FloatArray, IntArray, BoolArray]:
    """Find the smooth colour of every texel, lit.

    Args:
        t: the texels.
        trust: [N] 0..1 how far a texel's seen colour may be carried.
        seen: [N] 0..1 how surely it shows its own class.
        body: the person's own.
        view: the photo.

    Returns:
        base: [N, 3] low-frequency colour of every texel.
        fabric: [N] number of its fabric within its class.
        printed: [N] whether that has a pattern of several colours.
    """
    albedo = np.clip(t.color / t.shade, 0.0, 1.5)
    out = np.zeros_like(t.color)
    fabric = np.zeros(len(out), np.int64)
    printed = np.zeros(len(out), bool)
    edges = mesh_edges(body.f)

    def fill(label: int) -> None:
        own = np.nonzero(t.label == label)[0]
        mesh = TexelPatch.of(t.corner[own], t.bary[own], edges, len(body.v_template))
        if label in (SKIN, HAIR):
            smooth, drift = (
                (S.skin_smooth, S.skin_drift) if label == SKIN else (S.hair_smooth, S.hair_drift)
            )
            middle = _usual_albedo(albedo, trust, own, label, view)
            light = t.shade[own]
            if label == SKIN:
                light = light * tint_shade(t.color[own], light, trust[own])
            own_albedo = np.clip(t.color[own] / light, 0.0, 1.5)
            solved = mesh.diffuse(own_albedo, trust[own], smooth, middle, smooth * drift)
            base = solved * light
            if label == SKIN:
                seen_color, known = t.color[own], t.known[own]
                beard = beard_area(body)[mesh.vertices]
                base = base * extend_face_light(base, seen_color, known, beard, mesh, body)
                # Where the photo ends its colour fades into the completed one.
                rest = np.clip(seen_color - base, -0.6, 0.25)
                fade = S.fade * (S.beard_fade / S.fade) ** beard
                base = base + mesh.diffuse(rest, 4.0 * known, 1.0, np.zeros(3), fade)
            else:
                base = _match_hair(base, t.known[own], mesh, view)
                base = _gild_hair(base, t.color[own], t.known[own], mesh, view.backlight)
        else:
            default = default_albedo(label, view)
            shown = seen[own] * (label != UPPER or find_cloth_color(view) is not None)
            counts = shown * ~find_shaded_skin(albedo[own], seen[own], view.regions.skin_color)
            fallen = np.zeros(len(own), bool)
            if label == UPPER:
                hair = albedo[(t.label == HAIR) & (seen > 0.3)]
                fallen = find_fallen_hair(albedo[own], seen[own], t.rest[own], t.group[own], hair)
                counts *= ~fallen
            patterned = label in view.prints.patterned
            if label == LOWER and (counts > 0.3).mean() < S.glimpse and not patterned:
                default = _glimpsed_trousers(t, albedo, seen, default, view)
                counts = np.zeros_like(counts)
            # What is seen nearest to the outline goes round; the middle of the front may not.
            aside = trust[own] * np.clip(S.squarest - t.facing[own], 0.0, 1.0) ** 2
            # Pairs of shoes and of trousers' legs are one thing.
            limb = np.where(t.group[own] == RIGHT_LEG, LEFT_LEG, t.group[own])
            limb = np.zeros(len(own), int) if label == SHOES else limb
            found = find_fabrics(
                albedo[own],
                counts,
                aside,
                t.rest[own],
                limb,
                default,
                patterned=patterned,
                lettered=label in view.prints.lettered,
            )
            fabric[own] = np.where(found.seen >= 0, found.seen, found.around)
            printed[own] = found.printed[fabric[own]] | patterned
            colors = list(found.colors)
            if label == SHOES:  # not the mean of straps and skin
                weights = [seen[own] * (found.seen == k) for k in range(len(colors))]
                colors = [
                    most_common_color(albedo[own], weight) if weight.any() else color
                    for weight, color in zip(weights, colors, strict=True)
                ]
                skin = _skin_in_sandals(albedo, seen, t.label == SKIN, view)
                colors = colors if skin is None else [skin] * len(colors)
            collar = find_collar(view) if label == UPPER else None
            if collar is not None and (counts > 0.0).any():
                on_collar = np.searchsorted(own, collar.find_texels(t))
                fabric[own[on_collar[found.seen[on_collar] < 0]]] = len(colors)
                colors.append(collar.color / np.median(t.shade[own[counts > 0.0]], axis=0))
            elif label == UPPER:
                shown_fabric, around = np.full((2, len(out)), -1)
                shown_fabric[own], around[own] = found.seen, found.around
                round_neck, kinds = find_neckwear(t, seen, shown_fabric, around)
                hidden = shown_fabric[round_neck] < 0
                fabric[round_neck[hidden]] = kinds[hidden]
                printed[round_neck[hidden]] = found.printed[kinds[hidden]] | patterned
            if fallen.any():  # none of the cloth's folds either
                fabric[own[fallen]] = len(colors)
                colors.append(np.median(albedo[own[fallen]], axis=0))
            plain = np.stack(colors)[fabric[own]] + LIGHT.floor
            rest = np.clip(np.log((albedo[own] + LIGHT.floor) / plain), -S.most, S.most)
            # A hand's print on a shirt does not stain it all around.
            hold = trust[own] * (found.seen >= 0)
            # But where the frame cuts a thing off, it goes on for a while as it is there.
            ends = _frame_ends(t.xy[own], view)
            hold = np.maximum(hold, S.end_hold * ends * shown)
            beyond = mesh.at_vertices(1.0 * ~in_picture(t.xy[own], view.camera))
            length = S.cloth_fade + (S.end_fade - S.cloth_fade) * beyond
            fade = S.cloth_smooth * (mesh.edge_lengths(body.v_template) / length) ** 2
            pull = S.cloth_hold + fade * (1.0 - mesh.at_vertices(np.minimum(hold, 1.0)))
            near = mesh.diffuse(rest, hold, S.cloth_smooth, np.zeros(3), pull)
            base = (plain * np.exp(near) - LIGHT.floor) * t.shade[own]
        out[own] = np.maximum(base, 0.0)  # a dark seam fades into shade

    map_threads(fill, [int(label) for label in np.unique(t.label)])
    return out, fabric, printed


def _frame_ends(xy: FloatArray, view: PhotoView) -> FloatArray:
    """[N] 0..1: how near the frame's sides and lower edge places [N, 2] in the picture lie."""
    size = np.array([view.camera.width, view.camera.height])
    to_edge = np.minimum(xy[:, 0], (size - xy).min(1)) / view.regions.unit
    return np.asarray(np.clip(1.0 - to_edge / S.end_rim, 0.0, 1.0) * in_picture(xy, view.camera))


def beard_area(body: Body) -> FloatArray:
    """Return where beards grow: 0..1 for each vertex [V], on chin, jaw and throat.

    Args:
        body: the person's own.
    """
    rest, joints = np.asarray(body.v_template, np.float64), body.J_template
    neck, head = joints[JOINT_INDEX["neck"]], joints[JOINT_INDEX["head"]]

    def middle(name: str) -> FloatArray:
        own = np.array(body.part_names)[body.face_part] == name
        points = rest[body.f[own]].reshape(-1, 3)
        return np.asarray(points.mean(0) if len(points) else head)

    mouth, ear = middle("lips"), middle("ear")
    # Its upper edge rises towards the ears.
    back = np.clip((mouth[2] - rest[:, 2]) / max(mouth[2] - ear[2], 1e-3), 0.0, 1.0)
    edge = mouth[1] + back * (ear[1] - mouth[1])
    below = np.clip((edge - rest[:, 1]) / S.jaw + 0.6, 0.0, 1.0)
    throat = np.clip((rest[:, 1] - neck[1]) / S.jaw, 0.0, 1.0)
    before = np.clip((rest[:, 2] - 0.5 * (head[2] + neck[2])) / S.jaw + 0.5, 0.0, 1.0)
    return np.asarray(below * throat * before)


def _usual_albedo(
    albedo: FloatArray, trust: FloatArray, own: IntArray, label: int, view: PhotoView
) -> FloatArray:
    """[3] the usual colour of a class: one person has one skin, and one hair."""
    rows = own[trust[own] > 0.3]
    if len(rows) <= S.min_texels:
        return default_albedo(label, view)
    if label == HAIR:  # strands are of all tones around it, and none of them is the commonest
        light = albedo[rows].mean(-1)
        low, high = np.percentile(light, S.hair_tones)
        rows = rows[(light >= low) & (light <= high)]
        return np.asarray(np.average(albedo[rows], axis=0, weights=trust[rows]))
    return most_common_color(albedo[rows], trust[rows])


def _match_hair(
    base: FloatArray, known: BoolArray, mesh: TexelPatch, view: PhotoView
) -> FloatArray:
    """[N, 3] base colours of hair, darkened behind towards the photo's median.

    What is trusted, because it is seen squarely and not in shade, may be lighter than the rest.

    Args:
        base: [N, 3] of every texel of hair.
        known: [N] texels that the photo shows.
        mesh: of these texels.
        view: the photo.
    """
    shown = view.colors[(view.regions.label == HAIR) & (view.alpha > S.inside)].mean(-1)
    if min(len(shown), (~known).sum()) <= S.min_texels:
        return base
    ratio = np.median(shown) / max(float(np.median(base[~known].mean(1))), 1e-3)
    near = mesh.diffuse(1.0 * known[:, None], 1.0 * known, 1.0, np.zeros(1), S.match_fade)
    darker = np.clip(ratio, S.least_match, 1.0) ** (1.0 - np.clip(near, 0.0, 1.0))
    return np.asarray(base * darker)


def _gild_hair(
    base: FloatArray, shown: FloatArray, known: BoolArray, mesh: TexelPatch, backlight: float
) -> FloatArray:
    """[N, 3] base colours of hair that a light behind it gilds beyond the outline, too.

    Args:
        base: [N, 3] of every texel of hair.
        shown: [N, 3] the photo's colours of the ``known`` ones.
        known: [N].
        mesh: of these texels.
        backlight: 0..1 how surely there is such a light.
    """
    if backlight == 0.0 or not known.any():
        return base
    gold = mesh.diffuse(shown - base, 1.0 * known, 1.0, np.zeros(3), S.gilded_fade)
    apart = mesh.lies_apart(known)
    hidden = ~known & ~apart
    if hidden.any():
        gold[apart] = gold[hidden].mean(0)
    return np.asarray(base + backlight * gold)


def most_common_color(values: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    """Find the colour that most values are near to, or their median if there is none.

    A black ring must not turn the back of an orange suit brown, but a print is as much of one
    colour as of the other.

    Args:
        values: [N, 3] 0..1.
        weight: [N] of each; without it they all weigh the same.

    Returns:
        [3] 0..1.
    """
    weight = np.ones(len(values)) if weight is None else weight
    lab = fabric_lab(values)
    cell = np.round(lab / S.material_span).astype(np.int64)
    cell -= cell.min(0)
    number = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))  # sorted faster than rows
    _, first, which = np.unique(number, return_index=True, return_inverse=True)
    common = np.argsort(-np.bincount(which.ravel(), weight), kind="stable")[: S.candidates]
    sets = [np.linalg.norm(lab - lab[k], axis=1) < 1.5 * S.material_span for k in first[common]]
    near = max(sets, key=lambda own: float(weight[own].sum()))
    if weight[near].sum() < S.majority * weight.sum():
        return weighted_median(values, weight)
    return weighted_median(values[near], weight[near])


def _skin_in_sandals(
    albedo: FloatArray, seen: FloatArray, skin: BoolArray, view: PhotoView
) -> FloatArray | None:
    """[3] the skin's colour if the shoes are sandals, else None.

    ``skin`` [N] are texels that are skin by their label.
    """
    if (seen[skin] > 0.3).sum() < S.min_texels or not are_sandals(view.regions, view.colors):
        return None
    return most_common_color(albedo[skin], seen[skin])


def _glimpsed_trousers(
    t: Texels, albedo: FloatArray, seen: FloatArray, default: FloatArray, view: PhotoView
) -> FloatArray:
    """[3] the one colour of trousers of which the photo shows next to nothing.

    Of enough pixels of trousers it is the commonest, as above bare legs, else that which clothes
    show on the legs, whatever they were called. But a shirt that hangs over them, the hem of a red
    jacket, or a purple stripe, does not give trousers its colour.
    """
    regions = view.regions
    if (regions.mask & (regions.label == LOWER)).sum() > S.own_cloth * regions.unit**2:
        return default
    legs = np.isin(t.group, (LEFT_LEG, RIGHT_LEG)) & (seen > 0.3)
    bare = legs & (t.label == SKIN)
    if bare.sum() >= max(S.min_texels, legs.sum() / 2):
        return default
    legs &= ~bare
    if legs.sum() >= S.min_texels:
        default = most_common_color(albedo[legs], seen[legs])
    upper = regions.mask & ~regions.skin & ~np.isin(regions.group, [HEAD, LEFT_LEG, RIGHT_LEG])
    upper &= regions.label != LOWER
    tone = fabric_lab(default)
    if not upper.any():
        return default
    away = np.linalg.norm(tone - fabric_lab(most_common_color(view.colors[upper])))
    if away < S.same_cloth and not (t.label[legs] == LOWER).any():
        return _unseen_trousers(default_albedo(UPPER, view))
    if not has_hue(tone):
        return default
    lab = fabric_lab(view.colors[upper])
    if (has_hue(lab) & have_same_hue(lab, tone)).mean() < S.borrowed:
        return default
    return _unseen_trousers(default_albedo(UPPER, view))


def default_albedo(label: int, view: PhotoView) -> FloatArray:
    """Return the colour [3] (0..1) of a class that the photo hardly shows, if it does."""
    regions = view.regions
    if label == SKIN:
        return regions.skin_color
    if label != UPPER:
        shown = regions.mask & (regions.label == label)
        if shown.sum() > S.min_texels:
            return most_common_color(view.colors[shown])
    if label == HAIR:
        return UNSEEN_HAIR
    cloth = find_cloth_color(view)
    upper = UNSEEN_CLOTH if cloth is None else cloth
    if label == UPPER:
        return upper
    return _unseen_trousers(upper) if label == LOWER else _darker_tone(upper, *S.shoes)


def find_cloth_color(view: PhotoView) -> FloatArray | None:
    """Return the commonest colour [3] (0..1) of upper and lower wear; None if there is none.

    Below a face alone a patch in the skin's hue is a bare shoulder, unless it is far more vivid.

    Args:
        view: the photo.
    """
    regions = view.regions
    worn = regions.mask & np.isin(regions.label, (UPPER, LOWER))
    if worn.sum() <= S.min_texels:
        return None
    color = most_common_color(view.colors[worn])
    if (worn & (regions.group != HEAD)).sum() < S.shoulder * regions.unit**2:
        lab, skin = fabric_lab(color), fabric_lab(regions.skin_color)
        strength, usual = (np.linalg.norm(measure_hue(one)) for one in (lab, skin))
        if has_hue(lab) and have_same_hue(lab, skin) and strength < S.vivid * usual:
            return None
    return color


def _unseen_trousers(upper: FloatArray) -> FloatArray:
    """[3] a darker, greyer tone of the upper wear; below a dark jacket, the suit's own."""
    share, least = S.trousers
    most, dark = S.suit
    return _darker_tone(upper, share, float(np.clip(most * upper.mean(), dark, least)))


def _darker_tone(upper: FloatArray, share: float, least: float) -> FloatArray:
    """[3] a greyer ``share`` of a colour [3]; not so dark that no fold can be seen on it."""
    keep = S.own_hue[int(upper.mean() < S.trousers[1])]
    tone = np.maximum(keep * upper + (1.0 - keep) * upper.mean(), 1e-3)
    return np.asarray(tone * max(share, least / float(tone.mean())))
