"""Another beard, or none: the photo's gives way to skin, and hairs grow in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from ..body.atlas import surface_points
from ..body.model import Body
from ..core.attributes import NothingToEditError, constant_span
from ..core.color import lab_to_rgb, rgb_to_lab
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.settings import register_settings
from ..core.types import (
    JOINT_INDEX,
    LAYERS,
    PARTS,
    Avatar,
    BoolArray,
    FloatArray,
    Gaussians,
    IntArray,
)
from ..gaussians.binding import place_gaussians
from ..gaussians.lift.colors.colors_base import beard_area
from ..gaussians.lift.surface.surfels import closest_barycentric
from .attribute_splats import COMES, GOES_AFTER, AddedSplats, find_own
from .beards import grow_beard
from .face_skin import FaceSkin
from .items import ItemRequest
from .mesh_splats import make_discs, no_discs
from .skin_tone import SkinTone


@dataclass(frozen=True)
class BeardEditSettings:
    """How the photo's beard is taken off."""

    few: int = 200  # splats that make a beard, at least
    beside: float = 0.012  # metres from it within which skin has its shade, and tells no tone,
    stubble: float = 0.035  # and within which darker skin changes with it,
    dark: tuple[float, float] = (3.0, 9.0)  # L* darker than expected: from none to all of it
    area: float = 0.1  # where beards grow at all
    fades: float = 0.05  # metres over which the skin's light passes into the face's usual one
    other: float = 26.0  # Lab distance to the face's usual tone beyond which a colour is not skin
    around: int = 240  # splats of skin whose hue a place follows
    usual: tuple[float, float, float] = (13.0, 8.0, 9.0)  # Lab beside the skin's that is none
    smooth: float = 0.018  # metres that smooth this
    light: float = 0.6  # share of the light's change from that skin to the place
    paler: float = 0.6  # power of that change which its colourfulness takes
    aside: tuple[float, float, float] = (0.03, 0.045, 0.03)
    """Metres from the middle, at least, above, and at least below the eyes: where the skin lies
    that gives its grain."""

    grain: float = 0.8  # of that grain
    opaque: float = 0.95
    wide: float = 1.4  # standard deviation of its splats in the hairs' widths
    widest: float = 0.003  # metres, or more where they lie apart
    least: float = 0.05  # share of the new colour below which a splat stays


S = register_settings("wardrobe.beard_edit", BeardEditSettings())

_PHOTO = LAYERS.index("photo")
_BEARD, _FACE, _SKIN = (PARTS.index(name) for name in ("beard", "face", "skin"))
_NOT_TONE = ("lips", "ear", "eyelid", "eye", "eye_socket", "scalp")
"""Parts of the body whose skin has other colours."""


def fit_beard(avatar: Avatar, request: ItemRequest) -> AddedSplats:
    """Make the splats of a beard, and of the skin below the photo's own.

    Args:
        avatar: with its attributes, without one of this category.
        request: of the category ``beard``.

    Raises:
        NothingToEditError: ``none`` was asked for, and the avatar has no beard.
        LikenessError: the face shows no skin.
    """
    body: Body = avatar.body
    gone = find_own(avatar) & (avatar.gaussians.part == _BEARD)
    if gone.sum() < S.few:
        gone = np.zeros(len(gone), bool)
        if request.item == "none":
            raise NothingToEditError(
                "Nothing in the avatar's file is marked as a beard, so none can be removed.",
                "List its parts with 'info'; build avatars of older versions again.",
            )
    splats, rows, gone, face = _uncover(avatar, gone)
    bound = avatar.gaussians
    triangle, bary = bound.triangle[rows], bound.bary[rows]
    span, count = constant_span(COMES, len(rows)), len(rows)
    if request.item != "none":
        hairs, homes, grown = grow_beard(body, request.item, np.array(request.color), request.seed)
        corners = np.asarray(body.v_template, np.float64)[body.f[homes]]
        places = closest_barycentric(np.asarray(hairs.means, np.float64), corners)
        if face is not None:  # on the skin that has come
            at = np.einsum("nk,nkd->nd", places, corners)
            out = vertex_normals(body.v_template, body.f)[body.f[homes]].mean(1)
            lifted = hairs.means + np.maximum(face.height(at), 0.0)[:, None] * out
            hairs = replace(hairs, means=lifted.astype(np.float32))
        splats = Gaussians.concatenate([splats, hairs])
        triangle, bary = np.concatenate([triangle, homes]), np.concatenate([bary, places])
        span = np.concatenate([span, grown])
    old = np.arange(len(splats)) < count
    return AddedSplats(
        splats,
        triangle,
        bary,
        span,
        gone,
        old,
        np.ones(len(splats)),
        np.where(old, _FACE, _BEARD),
        np.concatenate([rows, np.full((~old).sum(), -1)]),
        GOES_AFTER,
    )


def _uncover(
    avatar: Avatar, beard: BoolArray
) -> tuple[Gaussians, IntArray, BoolArray, FaceSkin | None]:
    """Skin where the photo's beard was.

    Returns:
        splats: K at rest, in the photo's light.
        rows: [K] the avatar's Gaussians in whose places they are.
        gone: [N] those that go: the beard, and the stubble around it.
        face: the skin beside it; None without a beard.
    """
    body, bound = avatar.body, avatar.gaussians
    if not beard.any():
        none = np.zeros(0, np.int64)
        return no_discs(), none, beard, None
    rest = np.asarray(body.v_template, np.float64)
    feet = surface_points(rest, body.f, bound.triangle, bound.bary)
    skin = find_own(avatar) & np.isin(bound.part, [_FACE, _SKIN])
    away = cKDTree(feet[beard]).query(feet)[0]
    name = np.array(body.part_names)[body.face_part][bound.triangle]
    clean = skin & (away > S.beside) & ~np.isin(name, _NOT_TONE)
    rows = np.nonzero(skin & (away < S.stubble) & ~np.isin(name, _NOT_TONE))[0]
    rows = rows[beard_area(body)[body.f[bound.triangle[rows]]].mean(1) > S.area]
    face = FaceSkin(avatar, clean)
    rows = np.concatenate([np.nonzero(beard)[0], rows])
    hair = beard[rows]
    color = _find_color(avatar, clean, face, rows, feet)
    own = np.asarray(bound.colors[rows], np.float64)
    darker = (rgb_to_lab(color) - rgb_to_lab(own))[:, 0]
    # Around the beard, what is darker than skin is stubble and shade.
    share = np.maximum(smoothstep(darker, *S.dark), smoothstep(away[rows], S.beside, 0.0))
    share = np.where(hair, 1.0, share)
    shown = share > S.least
    rows, hair, share = rows[shown], hair[shown], share[shown]
    color, own = color[shown], own[shown]
    gone = np.zeros(len(bound), bool)
    gone[rows] = True
    old = place_gaussians(bound.take(rows), body.v_template, body)
    normals = np.einsum(
        "nk,nkd->nd", bound.bary[rows], vertex_normals(rest, body.f)[body.f[bound.triangle[rows]]]
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    size = np.sort(np.asarray(bound.scales[rows], np.float64), axis=1)[:, 1]
    at = feet[rows] + face.height(feet[rows])[:, None] * normals
    sigma = np.clip(_spread(feet[rows]), S.wide * size, np.maximum(S.wide * size, S.widest))
    color = own + share[:, None] * (color - own)
    flat = make_discs(at, normals, sigma, color, np.full(len(rows), S.opaque))
    mixed = {
        name: np.where(
            hair.reshape(-1, *(1,) * (getattr(flat, name).ndim - 1)),
            getattr(flat, name),
            getattr(old, name),
        )
        for name in ("means", "quats", "scales", "opacities")
    }
    return replace(flat, **mixed), rows, gone, face


def _find_color(
    avatar: Avatar, clean: BoolArray, face: FaceSkin, rows: IntArray, feet: FloatArray
) -> FloatArray:
    """[K, 3] skin in the photo's light, in the hue of the skin beside it, with a cheek's grain."""
    bound = avatar.gaussians
    tone = SkinTone(avatar, clean, S.fades, S.other)
    lab = rgb_to_lab(tone.tone(bound.triangle[rows], bound.bary[rows]))
    seen = clean & (bound.layer == _PHOTO)
    known = np.nonzero(seen if seen.sum() > S.around else clean)[0]
    every = rgb_to_lab(np.asarray(bound.colors[known], np.float64))
    usual = np.abs(every - np.median(every, axis=0)) < S.usual  # no nostrils, no gap of the lips
    known, every = known[usual.all(1)], every[usual.all(1)]
    distance, near = cKDTree(feet[known]).query(feet[rows], min(S.around, len(known)))
    own = every[near]
    weight = 1.0 / (distance**2 + S.smooth**2)[..., None]
    beside = (weight * own).sum(1) / weight.sum(1)
    # Chin and jaw lie in shade: most of it is already there at the skin beside them.
    lab[:, 0] = beside[:, 0] + S.light * (lab[:, 0] - beside[:, 0])
    lab[:, 1:] = beside[:, 1:] * (lab[:, :1] / np.maximum(beside[:, :1], 1.0)) ** S.paler
    cheek = feet[rows]
    side = np.where(cheek[:, 0] < 0.0, -1.0, 1.0)
    eyes = np.asarray(avatar.body.J_template)[JOINT_INDEX["left_eye_smplhf"], 1]
    cheek[:, 0] = side * np.maximum(np.abs(cheek[:, 0]), S.aside[0])
    cheek[:, 1] = np.minimum(cheek[:, 1] + S.aside[1], eyes - S.aside[2])
    return np.asarray(np.clip(lab_to_rgb(lab) + S.grain * face.grain(cheek), 0.0, 1.0))


def _spread(feet: FloatArray) -> FloatArray:
    """[N] metres between places, so that splats there leave no gap."""
    return np.asarray(cKDTree(feet).query(feet, min(5, len(feet)))[0][:, -1])
