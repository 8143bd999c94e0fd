"""Colours and outlines that look like the photo once they are drawn.

Overlapping splats blur, and the nearer of two neighbours hides part of the other, which shifts a
slanted surface's picture by up to half a pixel. A few residual steps (Van Cittert's iteration
with the rasteriser itself as the blur) undo both. Steps are small, clamped, and only touch photo
splats in the solid inside: unclamped ones fit the input view and poison every other. Opacities
are lowered only where the drawn outline would be harder than the photo's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ....body import Body
from ....core.cameras import crop_camera, in_picture, project
from ....core.color import lab_to_rgb, rgb_to_lab
from ....core.distances import measure_depth
from ....core.kernels import kernel
from ....core.sampling import bilinear, sample_bilinear
from ....core.settings import register_settings
from ....core.threads import run_parts
from ....core.types import (
    HELD,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
    Matte,
)
from ....imaging.resize import fit_size, resize
from ....render import paint_camera, render_camera
from ...binding import place_gaussians
from ...squareness import photo_trust
from ..grids.pixel_grids import SOLID, erode
from ..photo.hand_texels import find_leaving_hands
from ..pixels.regions import hidden_below
from ..surface.limbs import ARMS, HEAD, TRUNK_AND_LEGS, vertex_groups
from ..surface.surfels import PHOTO
from .photo_splats import S as PHOTO_SPLATS


@dataclass(frozen=True)
class CalibrateSettings:
    """Colours and rims calibrated to the photo."""

    view_sides: tuple[int, int] = (256, 1024)
    """Pixels, least and most, of the picture that colours are made for."""

    steps: int = 5  # residual steps of the colours
    gain: float = 1.0  # of a residual that one step adds
    clamp: float = 0.15  # 0..1, most that a colour changes
    tint: float = 0.05  # 0..1, most that it changes in hue: hardly seen splats would turn red
    own_share: tuple[float, float] = (0.5, 0.9)
    """Shares of a pixel that a splat's own limb has, between which its residual begins to count."""

    apart: float = 0.015  # metres off what a pixel shows from which on that is asked

    rim_steps: int = 4  # steps of the rim's opacities
    rim_alpha: float = 0.97  # alpha of the matte up to which a pixel belongs to the rim
    sigmas: float = 4.0  # standard deviations beyond which a splat contributes nothing
    margin: int = 16  # pixels around the person that are drawn
    most_grey: float = 99.0  # percentile of a black-and-white photo's pixels without a hue
    grey: float = 0.03  # 0..1, largest difference of red, green and blue of such a pixel
    beyond: float = 0.1  # alpha of the matte below which nothing of the person should be


S = register_settings("lift.calibrate", CalibrateSettings())

SPLATS_PER_PART = 8192  # at least, for a thread

_MAX_OPACITY = 0.9999
"""Keeps log(1 - opacity) finite."""


def fill_removed(
    portrait: Matte,
    wanted: Matte,
    bound: BoundGaussians,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    near_hidden: BoolArray,
) -> tuple[Matte, Matte]:
    """Fill in what the lift shows in place of removed objects, and of arms hidden from the matte.

    Args:
        portrait: the matte that colours are calibrated to.
        wanted: the matte that the Gaussians should show, with the same removed objects.
        bound: everything that the lift made.
        camera: of the portrait.
        vertices: [V, 3] in the photo's pose, world space, metres.
        body: the person's own.
        near_hidden: [H, W] of any size: beside forearms that something outside the matte hides.

    Returns:
        portrait: with the colours of the lift in place of removed objects.
        wanted: the same, and with the hidden arms added.
    """
    height, width = wanted.alpha.shape
    gone = np.zeros((height, width), bool)
    if wanted.held is not None:
        gone = wanted.held == HELD.index("removed")
    added = np.zeros((height, width), bool)
    if near_hidden.any():
        added = resize(near_hidden.astype(np.float32), width, height) > 0.5
        added &= wanted.alpha < 0.5
    if not (gone.any() or added.any()):
        return portrait, wanted
    rows, cols = np.nonzero(gone | added)
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(cols.min()), int(cols.max()) + 1
    here = slice(top, bottom), slice(left, right)
    part = crop_camera(camera, (left, top, right, bottom))
    drawn = render_camera(place_gaussians(bound, vertices, body), part)
    alpha, shown = np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32)
    alpha[here] = drawn.alpha
    shown[here] = np.clip(drawn.rgb / np.maximum(drawn.alpha, 1e-3)[..., None], 0.0, 1.0)
    solid = alpha > 0.5

    def fill(matte: Matte, where: BoolArray) -> Matte:
        colors = np.where(where[..., None], shown, matte.foreground)
        return replace(matte, foreground=colors.astype(np.float32))

    longer = np.where(added & solid, alpha, wanted.alpha).astype(np.float32)
    return (
        fill(portrait, gone & solid),
        fill(replace(wanted, alpha=longer), (gone | added) & solid),
    )


def calibrate_colors(
    bound: BoundGaussians,
    matte: Matte,
    camera: Camera,
    vertices: FloatArray,
    body: Body,
    grid_side: float,
    near_hidden: BoolArray | None = None,
) -> BoundGaussians:
    """Calibrate the photo's colours, and make the rim as soft as the photo's.

    Args:
        bound: everything that the lift made.
        matte: of the portrait.
        camera: of the portrait.
        vertices: [V, 3] in the photo's pose, world space, metres.
        body: the person's own.
        grid_side: longer side, in pixels, of the picture in which the photo splats are one pixel
            apart. Colours made for a coarser picture would show rings from near.
        near_hidden: [H, W] of any size: beside forearms that something outside the matte hides,
            or of a head that the frame cuts, where both stay solid; None if there are none.
    """
    height, width = matte.alpha.shape
    w, h = fit_size(width, height, round(float(np.clip(grid_side, *S.view_sides))))
    view = camera.resized(w, h)
    alpha = resize(matte.alpha, w, h)
    photo = bound.layer == PHOTO
    gaussians = place_gaussians(bound, vertices, body)
    kept = _below_person(gaussians, bound, alpha > 0.5, view, vertices, body)
    xy, depth = project(gaussians.means, view)
    inside = (depth > 0) & in_picture(xy, view)
    kept |= find_leaving_hands(bound.triangle, inside, body)
    if near_hidden is not None:
        whole = np.isin(vertex_groups(body), (*ARMS, HEAD))[body.f[bound.triangle, 0]]
        size = np.array(near_hidden.shape[::-1])
        at = project(gaussians.means[whole], view)[0] / [w, h] * size
        col, row = np.clip(at, 0, size - 1).astype(int).T
        kept[whole] |= near_hidden[row, col]
    # The rest of the picture stays empty.
    box, window = _window_of(gaussians, alpha, view)
    view, alpha = crop_camera(view, box), alpha[window]
    truth = resize(matte.foreground, w, h, box=box)
    solid = erode(alpha > SOLID, 1)
    gaussians = _thin_rim(gaussians, photo, kept, alpha, view)
    xy, depth = project(gaussians.means[photo], view)
    # Splats finer than the picture, as the face's are, take a smaller part of the residual.
    spacing = gaussians.scales[photo, :2].min(1) / PHOTO_SPLATS.sigma * view.K[0, 0] / depth
    trust = photo_trust(gaussians.take(photo), view, bound.triangle[photo], body)
    gain = S.gain * np.clip(spacing, 0.0, 1.0) ** 2 * trust
    pixel = np.clip(xy.astype(int), 0, [view.width - 1, view.height - 1])
    inside = solid[pixel[:, 1], pixel[:, 0]]
    colors = np.array(bound.colors, np.float32)
    first = colors[photo]
    # What hides behind its neighbours would turn white, step by step, and show it from the side.
    most = S.clamp * trust
    paint = paint_camera(gaussians, view)
    gain *= _weigh_residuals(
        paint, gaussians, photo, view, vertex_groups(body)[body.f[bound.triangle, 0]]
    )
    for _ in range(S.steps):
        residual = np.where(solid[..., None], truth - paint(colors), 0.0)
        # Detail finer than a splat would only ring.
        residual = ndimage.gaussian_filter(residual, (0.35, 0.35, 0.0))
        own = colors[photo]
        given = residual, xy, gain * inside, first, most, S.tint
        run_parts(_add_residual, len(own), *given, own, least=SPLATS_PER_PART)
        colors[photo] = own
    colors = match_monochrome(colors, truth[solid])
    return replace(
        bound, colors=colors.astype(np.float32), opacities=gaussians.opacities.astype(np.float32)
    )


def match_monochrome(colors: FloatArray, shown: FloatArray) -> FloatArray:
    """Grey the colours that a black-and-white photo's person does not have: gums, clothes, lips.

    Args:
        colors: [N, 3] sRGB 0..1 of all splats.
        shown: [M, 3] the same of what the photo shows of the person.

    Returns:
        [N, 3] sRGB 0..1, as they are if the photo has colours.
    """
    if len(shown) == 0 or np.percentile(np.ptp(shown, axis=1), S.most_grey) > S.grey:
        return colors
    return np.asarray(lab_to_rgb(rgb_to_lab(np.clip(colors, 0.0, 1.0)) * [1.0, 0.0, 0.0]))


def _window_of(
    gaussians: Gaussians, alpha: FloatArray, view: Camera
) -> tuple[tuple[int, int, int, int], tuple[slice, slice]]:
    """The box (left, top, right, bottom) of all that is or should be drawn, and it as slices."""
    xy, depth = project(gaussians.means, view)
    size = np.array([view.width, view.height])
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < size).all(1)
    places = np.concatenate([xy[inside], np.argwhere(alpha > 0.0)[:, ::-1]])
    left, top = np.maximum(places.min(0).astype(int) - S.margin, 0)
    right, bottom = np.minimum(places.max(0).astype(int) + 1 + S.margin, size)
    return (left, top, right, bottom), (slice(top, bottom), slice(left, right))


def _weigh_residuals(
    paint: Callable[[FloatArray], FloatArray],
    gaussians: Gaussians,
    photo: BoolArray,
    view: Camera,
    limb: IntArray,
) -> FloatArray:
    """0..1 how far the residual of its pixel concerns each of the ``photo`` splats.

    Beside an arm, which is in the same pixels, their colours would make up for that one's. What
    joins the arm, as a sleeve does at the shoulder, is as far away.

    Args:
        paint: draws colours [N, channels].
        gaussians: N in world space.
        photo: [N].
        view: the camera.
        limb: [N] of each, index into ``limbs.GROUPS``.
    """
    if not np.isin(limb, ARMS).any():
        return np.ones(int(photo.sum()))
    owner = np.stack([~np.isin(limb, ARMS), *(limb == arm for arm in ARMS)], -1)
    xy, depth = project(gaussians.means, view)
    drawn = paint(np.column_stack([owner, depth]).astype(np.float32))
    *shares, far = bilinear(drawn, xy[photo]).T
    alpha = np.maximum(np.sum(shares, axis=0), 1e-6)
    share = (np.stack(shares, -1) * owner[photo]).sum(1) / alpha
    low, high = S.own_share
    apart = np.abs(far / alpha - depth[photo]) > S.apart
    return np.where(apart, np.clip((share - low) / (high - low), 0.0, 1.0), 1.0)


@kernel()
def _add_residual(  # type: ignore[no-untyped-def]
    begin, beyond, residual, xy, gain, first, most, tint, colors
):
    """Add what a picture [H, W, 3] misses at ``xy`` to colours.

    They change by at most ``most`` [N] from the ``first``, by light, and by ``tint`` besides.
    """
    change = np.empty(3)
    for i in range(begin, beyond):
        for c in range(3):
            step = gain[i] * sample_bilinear(residual, xy[i, 0], xy[i, 1], c)
            change[c] = colors[i, c] + step - first[i, c]
        light = (change[0] + change[1] + change[2]) / 3.0
        hue = max(abs(change[0] - light), abs(change[1] - light), abs(change[2] - light))
        kept = min(1.0, tint / max(hue, tint))
        for c in range(3):
            color = first[i, c] + light + kept * (change[c] - light)
            low, high = max(first[i, c] - most[i], 0.0), min(first[i, c] + most[i], 1.0)
            colors[i, c] = min(max(color, low), high)


def _below_person(
    gaussians: Gaussians,
    bound: BoundGaussians,
    mask: BoolArray,
    view: Camera,
    vertices: FloatArray,
    body: Body,
) -> BoolArray:
    """[N] splats of the trunk and the legs that something below the person hides."""
    groups = vertex_groups(body)
    below = hidden_below(mask, view, vertices, groups)
    xy, depth = project(gaussians.means, view)
    inside = (depth > 0) & (xy >= 0).all(1) & (xy < [view.width, view.height]).all(1)
    own = inside & np.isin(groups, TRUNK_AND_LEGS)[body.f[bound.triangle, 0]]
    col, row = xy[own].astype(int).T
    own[own] = below[row, col]
    return np.asarray(own)


def _thin_rim(
    gaussians: Gaussians, photo: BoolArray, kept: BoolArray, alpha: FloatArray, view: Camera
) -> Gaussians:
    """Lower opacities on the soft rim until the drawn outline is as soft as the matte's.

    With 1 - alpha the product of all 1 - o k along a ray, raising every 1 - o to the power
    log(1 - wanted) / log(1 - drawn) gives the wanted alpha. Only ever downwards; for the
    ``photo`` [N] splats by themselves, and for the texels that stand beyond the outline. The other
    texels there are the sides of the person, which other views look at squarely: they stay whole,
    as do those that are ``kept`` [N].
    """
    xy, depth = project(gaussians.means, view)
    inside = (xy >= 0).all(1) & (xy < [view.width, view.height]).all(1)
    beyond = inside & ~photo & ~kept
    beyond[beyond] = bilinear(alpha[..., None], xy[beyond])[:, 0] < S.beyond
    opacities = np.array(gaussians.opacities, np.float64)
    wanted = np.clip(alpha, 0.002, 0.999)
    rim = alpha <= S.rim_alpha
    # Splats out of reach of the rim neither change nor contribute to it.
    apart = np.full(len(xy), np.inf)
    apart[inside] = bilinear(measure_depth(~rim)[..., None], xy[inside])[:, 0]
    radius = gaussians.scales.max(1) * view.K[0, 0] / np.maximum(depth, 1e-6) + 1.0
    near = apart < S.sigmas * radius
    for group in (photo & inside & near, beyond & near):
        own, at = gaussians.take(group), xy[group]
        thinned = np.minimum(opacities[group], _MAX_OPACITY)
        for _ in range(S.rim_steps if len(own) else 0):
            drawn = render_camera(replace(own, opacities=thinned), view).alpha
            power = np.log(1.0 - wanted) / np.log(1.0 - np.clip(drawn, 0.002, 0.999))
            power = np.where(rim, np.clip(power, 0.05, 1.0), 1.0)
            here = bilinear(power[..., None], at)[:, 0]
            thinned = 1.0 - (1.0 - thinned) ** here
        opacities[group] = thinned
    return replace(gaussians, opacities=opacities)
