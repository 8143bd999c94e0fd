"""Colours without the photo's light, found again from an avatar's splats.

    photo colour = albedo x light(normal) x folds,  as the completion has it (lift/colors/colors.py)

The light is fitted to the splats of the photo's pixels (:mod:`.photo_shade`); what they do not
show was painted in the light that its part has in front. How bright the whole light was, and of
which colour, one photo cannot say. Cameras expose for what is well lit: in one-sided light the
bright side is taken to be exposed as in even light, and everything else is too dark. Weak cues are
followed part of the way: very dark skin is mostly in poor light and very light skin in strong
light, and skin of all tones has nearly the same hue. A face is alike on both sides: what bare skin
differs from its other side is mostly light.

Nothing is stored in avatar files: every file has what is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from ...body import Body
from ...core.color import lab_to_rgb, rgb_to_lab
from ...core.settings import register_settings
from ...core.types import LAYERS, PARTS, Avatar, BoolArray, BoundGaussians, FloatArray, IntArray
from ..lift.colors.colors import S as COLORS
from ..lift.surface.colors_occlusion import vertex_occlusion
from ..mesh_diffusion import mirror_vertices
from .photo_shade import find_light, turn_to_camera
from .surface_normals import find_surface_normals, place_normals


@dataclass(frozen=True)
class AlbedoSettings:
    """How light and colour are split."""

    caution: float = 0.1  # weight of the usual light in the fit, times that in the completion's
    lit: float = 97.0  # percentile of the light on the photo's splats that cameras expose for
    lit_trust: float = 0.8  # exponent of that light over the mean one: a factor on the albedo
    lit_most: float = 0.5  # most of the logarithm of that factor
    even: float = -0.1  # logarithm of a factor on every albedo, the whole of it in even light
    skin: tuple[float, float, float] = (60.0, 11.0, 17.0)  # CIE Lab of skin in white light
    usual_face: float = 55.0  # lightness of faces whose light is not doubted
    face_trust: float = 0.08  # of the light's logarithm, for a face that is ``odd_face`` off that
    odd_face: float = 30.0  # units of L*; nothing more is gone for what is farther off
    darkest_face: float = 30.0  # lightness of the darkest skin
    dark_trust: float = 0.8  # share of the way to it that a darker face goes
    dark_most: float = 2.0  # greatest factor for it
    skin_trust: float = 0.4  # share of the way to its hue
    tint: float = 0.15  # most that a channel's logarithm moves for it
    few: int = 100  # splats of a face, or of bare skin, from which they count
    rounds: int = 8  # of smoothing over skin, each over a vertex's neighbours
    one_sided: float = 0.9  # share of what skin differs from its other side that is light
    one_sided_rounds: int = 6  # of smoothing of that
    uneven: float = 0.5  # share of what both sides differ from skin elsewhere that is light
    uneven_rounds: int = 18  # of smoothing of that: lips and brows are smaller
    uneven_most: float = 0.5  # most of the logarithm that is taken for light
    odd_skin: float = 0.7  # most of the logarithm that one splat counts for
    solid: float = 0.5  # opacity of splats that count


S = register_settings("relight.albedo", AlbedoSettings())

_PHOTO = LAYERS.index("photo")
_FACE = PARTS.index("face")
_FLESH = [PARTS.index(name) for name in ("skin", "face", "eyes", "mouth")]
_SKIN = [PARTS.index(name) for name in ("skin", "face")]


@dataclass(frozen=True)
class Reflectance:
    """What N splats look like without light.

    Attributes:
        albedo: [N, 3] float32 sRGB 0..1.
        folds: [N] float32 0..1, the share of the light that reaches them past the body's own
            folds; renderers that cannot see into those multiply with it.
    """

    albedo: FloatArray
    folds: FloatArray


def find_reflectance(avatar: Avatar, normals: FloatArray) -> Reflectance:
    """Divide an avatar's colours by the light of its photo.

    Args:
        avatar: the avatar.
        normals: [N, 3] of :func:`.surface_normals.find_surface_normals`.
    """
    g, body = avatar.gaussians, avatar.body
    if not len(g):
        return Reflectance(np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    vertices = np.asarray(body.vertices(avatar.pose)[0], np.float64)
    facing = turn_to_camera(place_normals(normals, avatar, vertices), avatar)
    seen = (g.layer == _PHOTO) & (g.opacities > S.solid)
    weight = np.where(seen, np.clip(facing[:, 2], 0.0, 1.0), 0.0)
    light = find_light(avatar, facing, S.caution)
    shade = light.all_around(facing, g.part.astype(int), weight)
    exposure = _exposure(shade[seen], weight[seen])
    skin = np.flatnonzero(np.isin(g.part, _FLESH))
    near = _neighbours(body.f, len(vertices))
    if len(skin):
        shade[skin] = _smooth(shade[skin], g.take(skin), body.f, near)
    open_ = np.einsum("nk,nk->n", g.bary, vertex_occlusion(body)[body.f[g.triangle]])
    depth = np.where(np.isin(g.part, _SKIN), COLORS.skin_folds, COLORS.cloth_folds)
    folds = 1.0 - depth * (1.0 - np.clip(open_, 0.0, 1.0))
    albedo = np.asarray(g.colors, np.float64) / (shade * folds[:, None])
    albedo = albedo * exposure
    bare = np.flatnonzero(np.isin(g.part, _SKIN))
    if (g.opacities[bare] > S.solid).sum() >= S.few:
        albedo[bare] /= _uneven_light(albedo[bare].mean(1), g.take(bare), body, near)[:, None]
    albedo = albedo * _light_tint(albedo, seen, g.part)
    albedo = albedo * _face_level(albedo, seen, g.part)
    # What would be whiter than white, such as teeth, lies in less of a fold.
    over = np.clip(albedo.max(1), 1.0, 1.0 / folds)
    albedo = np.clip(albedo / over[:, None], 0, 1)
    return Reflectance(albedo.astype(np.float32), (folds * over).astype(np.float32))


def _smooth(shade: FloatArray, bound: BoundGaussians, f: IntArray, near: csr_array) -> FloatArray:
    """The light [N, 3] on splats without what is finer than a few triangles.

    A nose that lies a little beside the photo's would get a bright patch on its dark side.

    Args:
        shade: [N, 3].
        bound: the splats.
        f: [F, 3] triangles.
        near: [V, V] of :func:`_neighbours`.
    """
    spread = _corner_weights(bound, f, near.shape[0])
    total = spread.T @ np.ones((len(bound), 1))
    light = spread.T @ np.log(np.maximum(shade, 1e-3))
    for _ in range(S.rounds):
        light, total = near @ light, near @ total
    return np.asarray(np.exp(spread @ (light / np.maximum(total, 1e-9))))


def _corner_weights(bound: BoundGaussians, f: IntArray, count: int) -> csr_array:
    """[N, count] shares of the body's vertices in splats."""
    rows = np.repeat(np.arange(len(bound)), 3)
    return csr_array((bound.bary.ravel(), (rows, f[bound.triangle].ravel())), (len(bound), count))


def _neighbours(f: IntArray, count: int) -> csr_array:
    """[count, count] a vertex and those that share edges with it, twice where two triangles do."""
    ends = (f.ravel(), f[:, [1, 2, 0]].ravel())
    near = csr_array((np.ones(f.size), ends), (count, count))
    return near + near.T + csr_array((np.ones(count), (np.arange(count),) * 2), (count, count))


def _uneven_light(
    lightness: FloatArray, skin: BoundGaussians, body: Body, near: csr_array
) -> FloatArray:
    """[N] light that skin still has, 1 where it is as usual: cast shadows, and broad highlights.

    A face is alike on both sides, and light is not. What both sides have, such as the shadow below
    a chin, is light in part.

    Args:
        lightness: [N] linear in the albedo.
        skin: its splats.
        body: the avatar's.
        near: [V, V] of :func:`_neighbours`.
    """
    count = len(body.v_template)
    spread = _corner_weights(skin, body.f, count)
    mirror = mirror_vertices(body.v_template)
    solid = skin.opacities > S.solid
    log = np.log(np.maximum(lightness, 1e-2))
    off = np.clip(log - np.median(log[solid]), -S.odd_skin, S.odd_skin)
    total, light = spread.T @ solid.astype(float), spread.T @ (off * solid)
    one_sided, uneven = np.zeros(count), np.zeros(count)
    for done in range(max(S.one_sided_rounds, S.uneven_rounds) + 1):
        mean = light / np.maximum(total, 1e-30)
        both = (mirror >= 0) & (total > 0) & (total[mirror] > 0)
        if done == S.one_sided_rounds:
            one_sided = np.where(both, 0.5 * (mean - mean[mirror]), 0.0)
        if done == S.uneven_rounds:
            uneven = np.where(both, 0.5 * (mean + mean[mirror]), mean)
        total, light = near @ total, near @ light
    found = spread @ (S.one_sided * one_sided + S.uneven * uneven)
    return np.asarray(np.exp(np.clip(found, -S.uneven_most, S.uneven_most)))


def use_albedo(avatar: Avatar) -> Avatar:
    """Return an avatar whose colours are its albedo.

    Args:
        avatar: the avatar, in the photo's light.
    """
    found = find_reflectance(avatar, find_surface_normals(avatar))
    return replace(avatar, gaussians=replace(avatar.gaussians, colors=found.albedo))


def _exposure(shade: FloatArray, weight: FloatArray) -> float:
    """Factor on the albedo, for a photo exposed for its bright side rather than its mean light.

    Args:
        shade: [N, 3] light on the photo's splats.
        weight: [N] how squarely each is seen.
    """
    if not weight.any():
        return float(np.exp(S.even))
    log = np.log(shade.mean(1))
    above = float(np.percentile(log, S.lit) - np.average(log, weights=weight))
    return float(np.exp(np.clip(S.lit_trust * above, 0.0, S.lit_most) + S.even))


def _face_level(albedo: FloatArray, seen: BoolArray, part: IntArray) -> float:
    """The factor by which the face's lightness comes nearer to a likely one."""
    face = seen & (part == _FACE)
    if face.sum() < S.few:
        return 1.0
    lightness = float(np.median(rgb_to_lab(albedo[face])[:, 0]))
    off = np.clip((S.usual_face - lightness) / S.odd_face, -1.0, 1.0)
    darkest, own = lab_to_rgb(np.array([[S.darkest_face, 0, 0], [max(lightness, 1.0), 0, 0]]))[:, 0]
    dark = min((darkest / own) ** S.dark_trust, S.dark_most)
    return float(max(np.exp(S.face_trust * off), dark))


def _light_tint(albedo: FloatArray, seen: BoolArray, part: IntArray) -> FloatArray:
    """[3] factors of mean 1 by which the face comes nearer to the hue of skin."""
    face = seen & (part == _FACE)
    if face.sum() < S.few:
        return np.ones(3)
    own, usual = np.median(albedo[face], axis=0), lab_to_rgb(np.array(S.skin))
    ratio = np.log(np.maximum(own, 0.02) / usual)
    off = np.clip(S.skin_trust * (ratio[1] - ratio), -S.tint, S.tint)
    return np.asarray(np.exp(off - off.mean()))
