"""Colours of everything the photo does not show.

    photo colour = albedo x light  ->  one albedo for each fabric, or carried over the surface
                 -> x light: the fitted one in front, the front's usual one behind
                 -> + texture: painted folds, quilted prints, patches of hair, mirrored skin

Every surface class (skin, hair, upper and lower wear, shoes) is completed by itself, so that
hems and hairlines stay crisp. Where the photo shows a texel squarely its colour stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....body import Body
from ....core.cameras import in_picture, project
from ....core.color import rgb_to_lab
from ....core.settings import register_settings
from ....core.threads import start_thread
from ....core.types import BoolArray, FloatArray, IntArray
from ....dual_uv.sampling import SurfaceSamples
from ...squareness import cosine_to_camera
from ..grids.pixel_grids import dilate, erode
from ..photo.colors_sources import find_deep_hair, select_lit_hair, wraparound_weights
from ..photo.photo_light import PhotoLight, fit_light
from ..photo.photo_light import S as LIGHT
from ..surface.labels import HAIR, HAT, LABELS, LOWER, SHOES, SKIN, UPPER
from ..surface.limbs import ARMS, LEFT_LEG, RIGHT_LEG, vertex_groups
from .colors_base import base_colors
from .colors_detail import texture_colors
from .colors_texels import Texels
from .fabric_clusters import cluster_colors, fabric_lab
from .hems import find_hems

if TYPE_CHECKING:
    from ..photo.photo_view import PhotoView


@dataclass(frozen=True)
class ColorSettings:
    """Which seen colours may be carried to unseen places."""

    other_tone: float = 20.0  # a*b* units from the face's skin beyond which nothing is skin
    doubted: float = 0.003  # trust (0..1) in colours that are carried only for lack of others
    seen_light: tuple[float, float] = (5.0, 95.0)  # percentiles of light that holds on beyond it
    border: int = 2  # pixels beside another label whose colours may be mixed
    inner: float = 0.5  # least share of a label farther from it
    skin_folds: float = 0.6  # share of light lost on fully occluded skin
    cloth_folds: float = 0.25  # the same on everything else
    bare: int = 250  # seen texels of skin from which on limbs have a light of their own behind
    own_light: float = 1.1  # how far that may differ from all skin's


S = register_settings("lift.colors", ColorSettings())


def complete_texels(
    points: FloatArray,
    normals: FloatArray,
    label: IntArray,
    known: BoolArray,
    color: FloatArray,
    radius: FloatArray,
    samples: SurfaceSamples,
    body: Body,
    openness: FloatArray,
    view: PhotoView,
) -> tuple[FloatArray, FloatArray]:
    """Give every texel a colour, and hair its direction.

    Args:
        points: [N, 3] metres on the dressed surface, world axes of the photo's camera.
        normals: [N, 3] unit, in the same axes.
        label: [N] index into ``labels.LABELS``.
        known: [N] whether the photo shows the texel squarely.
        color: [N, 3] 0..1, what it shows there.
        radius: [N] metres, standard deviation of each texel's splat.
        samples: the texels.
        body: the person's own.
        openness: [V] 0..1 of its vertices, of :func:`..surface.colors_occlusion.vertex_occlusion`.
        view: the photo.

    Returns:
        colors: [N, 3] 0..1; ``color`` where known.
        hair_way: [N, 3] unit tangents along the hair, from root to tip; zero where there is none.
    """
    found = start_thread(find_hems, view)
    corner = body.f[samples.triangle]
    rest = samples.points(body.v_template, body.f)
    group = vertex_groups(body)[corner[np.arange(len(corner)), samples.bary.argmax(1)]]
    facing = cosine_to_camera(points, normals)
    light = estimate_light(normals, color, label, known, facing, view)
    xy, _ = project(points, view.camera)
    open_ = np.einsum("nk,nk->n", samples.bary, openness[corner])
    depth = np.where(label == SKIN, S.skin_folds, S.cloth_folds)
    folds = (1.0 - depth * (1.0 - open_))[:, None]
    row, col = _pixels(xy, view)
    agrees = view.regions.label[row, col] == label  # hair in front of a shirt is not the shirt
    seen = np.where(known & agrees, np.clip((facing - 0.25) / 0.3, 0.1, 1.0), 0.0)
    seen = np.where(_off_borders(label, row, col, seen, view), seen, 0.0)
    shown = known * agrees * np.clip(facing, 0.0, 1.0)
    lit = _light_all_around(light, normals, label, group, shown)
    for garment in (UPPER, LOWER):
        own = label == garment
        lit[own] = _light_on_cloth(
            light, normals[own], color[own] / folds[own], lit[own], seen[own], shown[own]
        )
    beyond = ~in_picture(xy, view.camera)
    lit[beyond] = _within_seen(lit, label, known & agrees, beyond)
    shade = lit * folds
    texels = Texels(
        points,
        normals,
        label,
        known,
        color,
        corner,
        samples.bary,
        rest,
        group,
        xy,
        shade,
        facing,
        radius,
    )
    trust = _trust(texels, agrees, view)
    hems = [(hem, *hem.measure(texels)) for hem in found.result()]
    for _, rows, _ in hems:
        trust[rows] = 0.0  # what ends a garment is not its fabric
    base, fabric, printed = base_colors(texels, trust, seen, body, view)
    detail, way = texture_colors(texels, trust, base, fabric, printed, body, view)
    whole = base + detail
    for hem, rows, metres in hems:
        whole[rows] = hem.paint(metres, whole[rows])
    return np.where(known[:, None], color, np.clip(whole, 0.0, 1.0)), way


def _light_all_around(
    light: PhotoLight, normals: FloatArray, label: IntArray, group: IntArray, shown: FloatArray
) -> FloatArray:
    """[N, 3] the light on N texels, also where normals face away.

    Where arms or legs show much bare skin, their backs take the light of their own fronts, which
    often differs from the face's. Both legs share one: calves in two tones look wrong.
    """
    lit = light.all_around(normals, label, shown)
    surface = label.copy()
    for number, pair in enumerate((ARMS, (LEFT_LEG, RIGHT_LEG))):
        own = (label == SKIN) & np.isin(group, pair)
        if (shown[own] > 0.0).sum() >= S.bare:
            surface[own] = len(LABELS) + number
    if (surface == label).all():
        return lit
    of_limbs = light.all_around(normals, surface, shown)
    return np.asarray(np.clip(of_limbs, lit / S.own_light, lit * S.own_light))


def _light_on_cloth(
    light: PhotoLight,
    normals: FloatArray,
    color: FloatArray,
    lit: FloatArray,
    seen: FloatArray,
    shown: FloatArray,
) -> FloatArray:
    """[N, 3] the light on a garment's N texels, as far as its own fabrics show it.

    Skin, from which ``light`` mostly is, scatters it in a tint of its own.

    Args:
        light: the photo's.
        normals: [N, 3] unit.
        color: [N, 3] 0..1, as seen.
        lit: [N, 3] the photo's light on them.
        seen: [N] 0..1 how surely a texel shows its own class.
        shown: [N] how much it shows of the light.
    """
    fabric = cluster_colors(fabric_lab(color / lit), seen)
    weight = np.where(seen > 0.0, shown, 0.0)
    cloth = fit_light(normals, color, fabric, weight, light)
    return cloth.all_around(normals, np.zeros(len(normals), np.int64), shown)


def _within_seen(
    lit: FloatArray, label: IntArray, seen: BoolArray, beyond: BoolArray
) -> FloatArray:
    """[M, 3] the light on texels ``beyond`` [N] the frame, no stronger or weaker than is seen."""
    out = lit[beyond]
    for kind in np.unique(label[beyond]):
        shown = lit[seen & (label == kind)]
        if len(shown) >= LIGHT.few:
            own = label[beyond] == kind
            out[own] = np.clip(out[own], *np.percentile(shown, S.seen_light, axis=0))
    return np.asarray(out)


def _off_borders(
    label: IntArray, row: IntArray, col: IntArray, seen: FloatArray, view: PhotoView
) -> BoolArray:
    """[N] whether what a texel shows lies off the borders of its label, where colours mix.

    Of what is hardly more than a border, as straps are, all counts.
    """
    out = np.ones(len(label), bool)
    for kind in (UPPER, LOWER):
        own = label == kind
        inner = own & erode(view.regions.label == kind, S.border)[row, col]
        if seen[inner].sum() > S.inner * seen[own].sum():
            out[own] = inner[own]
    return out


def _pixels(xy: FloatArray, view: PhotoView) -> tuple[IntArray, IntArray]:
    """[N] row and [N] column of places [N, 2] in the photo, the nearest inside."""
    height, width = view.alpha.shape
    col, row = np.clip(xy.astype(int), 0, [width - 1, height - 1]).T
    return row, col


def estimate_light(
    normals: FloatArray,
    color: FloatArray,
    label: IntArray,
    known: BoolArray,
    facing: FloatArray,
    view: PhotoView,
) -> PhotoLight:
    """Estimate the photo's light, mostly from its skin.

    Args:
        normals: [N, 3] unit, world axes of the photo's camera.
        color: [N, 3] 0..1, as photographed.
        label: [N] index into ``labels.LABELS``.
        known: [N] whether the photo shows the texel squarely.
        facing: [N] cosine to the camera.
        view: the photo.
    """
    weight = np.where(known, np.clip(facing, 0.0, 1.0), 0.0)
    say = np.zeros(len(LABELS))
    say[[SKIN, HAIR, UPPER, LOWER, SHOES, HAT]] = 1.0, 0.1, 0.35, 0.35, 0.1, 0.1
    weight = weight * say[label]
    # Beards, lips and shadows do not show the light on skin.
    skin = label == SKIN
    odd = np.abs(np.log((color + 0.03) / (view.regions.skin_color + 0.03))).mean(1) > 0.5
    weight = np.where(skin & odd, 0.1 * weight, weight)
    total = weight[skin].sum()
    others = weight[~skin].sum()
    if others > total > 0:  # however much cloth there is, skin speaks loudest
        weight = np.where(skin, weight, weight * total / others)
    return fit_light(normals, color, np.where(known, label, -1), weight)


def _trust(t: Texels, agrees: BoolArray, view: PhotoView) -> FloatArray:
    """[N] 0..1: how far a texel's seen colour may be carried to unseen ones."""
    trust = np.where(t.known, np.clip((t.facing - 0.25) / 0.3, 0.1, 1.0), 0.0)
    regions = view.regions
    row, col = _pixels(t.xy, view)
    albedo = t.color / t.shade
    trust *= np.where(agrees, 1.0, S.doubted)
    for label in (UPPER, LOWER, SHOES, HAT):
        # A badge or a hand does not show the cloth that goes round.
        own = np.nonzero(t.known & (t.label == label) & agrees)[0]
        if len(own) > 0:
            # How square a limb's side is to the camera, however the surface leans along it.
            arm = np.isin(t.group[own], ARMS)
            rise = np.where(arm, 0.0, t.normals[own, 1])
            flat = np.sqrt(np.maximum(1.0 - rise**2, 0.05))
            square = np.clip(t.facing[own] / flat, 0.0, 1.0)
            along = np.where(arm, np.abs(t.rest[own, 0]), -t.rest[own, 1])
            trust[own] *= wraparound_weights(
                albedo[own], square, 1.0 - np.abs(rise), t.group[own], along
            )
    skin = t.known & (t.label == SKIN)
    # Beards, tattoos and deep shadows stay where they are.
    dark = np.log((albedo + 0.05) / (view.regions.skin_color + 0.05)).mean(1)
    trust[skin] *= np.clip((dark[skin] + 0.55) / 0.25, S.doubted, 1.0)
    # Nor is a collar's edge, or what mixes with it, skin.
    tone = rgb_to_lab(np.clip(albedo[skin], 0.0, 1.0)) - rgb_to_lab(regions.skin_color)
    pale = np.linalg.norm(tone[:, 1:], axis=1) + np.maximum(tone[:, 0], 0.0) / 3.0
    trust[skin] *= np.clip((S.other_tone - pale) / 8.0, S.doubted, 1.0)
    if regions.hair.any():
        near_skin = dilate(regions.skin, max(1, round(0.1 * regions.unit)))
        deep = find_deep_hair(view.backlight, view.inside)
        good = select_lit_hair(view.colors, view.alpha, regions.hair, near_skin, deep)
        hair = t.known & (t.label == HAIR)
        trust[hair] *= np.where(good[row[hair], col[hair]], 1.0, 0.02)
    return trust
