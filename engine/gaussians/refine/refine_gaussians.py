"""Refining: the lift's Gaussians fitted to the photo by what a camera would see of them.

The rasteriser's own gradients (cpu, or gsplat's on a GPU) drive Adam over opacities, scales and
offsets, and ``color_steps`` over colours. See ``targets`` for what is compared, ``parameters`` for
what may change and ``regularisers`` for the paper's terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from ...body import Body
from ...core.cameras import orbit, project
from ...core.sampling import bilinear
from ...core.settings import register_settings
from ...core.types import (
    JOINT_INDEX,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    Gaussians,
    Matte,
    Progress,
)
from ...render import SAMPLES, Gradients, rasterize_vjp
from ...render.cpu_weights import weigh_gaussians
from ..lod import growth
from ..squareness import photo_trust
from .color_steps import ColorSteps
from .parameters import (
    COLORS,
    COLUMNS,
    OPACITY,
    ParameterRange,
    PosedGaussians,
    adam_step,
    apply_parameters,
    initial_parameters,
    parameter_bounds,
    pixel_sizes,
)
from .regularisers import Regularisers, RegulariserWeights
from .targets import PhotoSurface, RefineView, head_box, make_photo_target


@dataclass(frozen=True)
class RefineSettings:
    """What is compared with the photos, and how freely splats move.

    Comparing on grey and adding the squared difference of the coverage is exactly the mean over
    backgrounds that are randomly black or white in each channel, without the noise of sampling:
    what leaks from one is missed on the other.
    """

    backdrop: float = 0.5  # grey (0..1) on which pictures are compared
    backdrop_variance: float = 0.25  # weight of the coverage's squared difference
    betas: tuple[float, float] = (0.85, 0.95)  # of Adam
    seen: tuple[float, float] = (0.03, 0.23)
    """Part of its footprint that a splat paints to move at all, and freely."""

    shimmer: tuple[float, float] = (0.002, 0.03)  # the same for opacities at the soft rim
    head_margin: float = 0.35  # of the head's size, around it
    worthwhile: float = 1.3  # times as fine as the picture before it; less adds nothing
    min_head: int = 16  # pixels of the photo; a smaller head shows nothing more from nearer
    hand_freedom: float = 0.3  # of unseen bare hands, for their colour only


S = register_settings("refine", RefineSettings())


LEVEL_STEPS = ((0.5, 6, 3), (0.5, 12, 8), (0.25, 24, 11))
"""Parts of an ordered avatar and when they are drawn alone: (part, period in steps, offset in it),
counted from the end. These steps compare with a photo."""


@dataclass(frozen=True)
class RefinePhoto:
    """One photo of the person.

    Attributes:
        matte: straight colours.
        camera: of the photo.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
    """

    matte: Matte
    camera: Camera
    vertices: FloatArray


@dataclass(frozen=True)
class RefineOptions:
    """How long and how freely to refine.

    Attributes:
        steps: how many.
        sides: pixels of the photo's longer side. Without aliasing one is enough: what is right at
            one size is right at others.
        head_side: the same of its head.
        yaws: degrees to cameras beside the photo's, if any; beyond ``carry`` nothing of the photo
            is carried there.
        opacity_rate: Adam's first step of opacities, in the units of ``parameters``.
        scale_rate: the same of scales.
        offset_rate: the same of offsets.
        floor: part of the typical derivative below which steps shrink.
        reach: how far splats may go from the lift.
        weights: of the regularisers.
    """

    steps: int = 16
    sides: tuple[int, ...] = (768,)
    head_side: int = 384
    yaws: tuple[float, ...] = (12.0, -12.0, 30.0, -30.0, 60.0, -60.0)
    carry: float = 35.0
    opacity_rate: float = 0.5
    scale_rate: float = 0.1
    offset_rate: float = 0.2
    floor: float = 0.05
    reach: ParameterRange = field(default_factory=ParameterRange)
    weights: RegulariserWeights = field(default_factory=RegulariserWeights)


REFINE_LEVELS: dict[str, RefineOptions | None] = {
    "off": None,
    "fast": RefineOptions(),
    "full": RefineOptions(
        steps=64,
        sides=(768, 1024),
        head_side=512,
        reach=ParameterRange(scale=2.0, offset=1.5),
        weights=RegulariserWeights(
            color=0.01, opacity=0.0005, scale=0.002, offset=0.002, isotropy=0.01
        ),
    ),
}
"""What ``--refine`` offers. Many steps need looser ties to be worth their time; few steps gain as
much with tight ones, and stray less."""


@dataclass(frozen=True)
class _View:
    """A wanted picture of one of the poses.

    Attributes:
        target: the picture.
        posed: the splats in the pose.
        painted: [N] how many of its pixels each splat paints.
        parts: [N] 0..1 the same as a part of the splat's footprint.
        shown: the splats that paint any of it, nearest first.
    """

    target: RefineView
    posed: PosedGaussians
    painted: FloatArray
    parts: FloatArray
    shown: PosedGaussians


def _view_of(target: RefineView, posed: PosedGaussians) -> _View:
    weighed = weigh_gaussians(posed.base, target.camera)
    return _View(
        target,
        posed,
        weighed.weights.astype(np.float32),
        weighed.parts,
        posed.subset(weighed.shown),
    )


def refine_gaussians(
    bound: BoundGaussians,
    photos: Sequence[RefinePhoto],
    body: Body,
    options: RefineOptions = RefineOptions(),
    backend: str = "cpu",
    progress: Progress | None = None,
    lod_start: FloatArray | None = None,
) -> BoundGaussians:
    """Fit Gaussians to the photos they were lifted from; what no photo shows stays as it is.

    Args:
        bound: what the lift made.
        photos: of the person, the main one first.
        body: the person's own.
        options: how long and how freely to refine.
        backend: of :func:`rasterize_vjp`.
        progress: called after every step.
        lod_start: [N] of an ordered avatar (``lod``), whose lower levels are fitted too; without it
            only the whole is.
    """
    unit = pixel_sizes(bound, photos[0].vertices, body, photos[0].camera)
    shown: list[list[_View]] = []
    beside: list[Callable[[], _View]] = []
    solid, trust = np.zeros(len(bound), bool), np.zeros(len(bound))
    for photo in photos:
        posed = PosedGaussians(bound, photo.vertices, body, unit)
        seen, turned = _targets(posed.base, photo, body, options)
        shown.append([_view_of(target, posed) for target in seen])
        beside.extend(
            cache(lambda make=make, posed=posed: _view_of(make(), posed)) for make in turned
        )
        solid |= _in_solid(posed.base, seen[0])
        trust = np.maximum(trust, photo_trust(posed.base, photo.camera, bound.triangle, body))
    start = initial_parameters(bound)
    seen_part = _seen_part([view for views in shown for view in views])
    freedom = _ramp(seen_part, *S.seen)
    plain = freedom > 0.5 * freedom.max(initial=0.0)
    regularisers = Regularisers(bound, start, freedom, body, options.weights)
    free = np.repeat(freedom[:, None], COLUMNS, 1)
    # The far side shows faintly through a soft rim, and has to thin out with it.
    free[~solid, OPACITY] = _ramp(seen_part[~solid], *S.shimmer)
    free[regularisers.unseen_hands, COLORS] = S.hand_freedom
    low, high = parameter_bounds(start, solid, trust, options.reach)
    rates = _rates(options)
    numbers = np.clip(start, low, high)
    colors = ColorSteps(free[:, COLORS], low[:, COLORS], high[:, COLORS])
    shape = slice(OPACITY, None)  # all that isn't colour
    first, second = np.zeros_like(numbers[:, shape]), np.zeros_like(numbers[:, shape])
    pixels = sum(_covered(views[0].target) for views in shown) / len(shown)
    schedule = _schedule(shown, beside, options.steps)
    levels = _levels(lod_start, len(schedule))
    for k, (view, level) in enumerate(zip(schedule, levels, strict=True)):
        # What others hide would take as long as they do, and change nothing. (What paints less than
        # a thousandth of its footprint does: up to 0.6 dB of the input view.)
        shown_now, painted = view.shown, view.painted
        if level is not None:
            # A prefix paints in the place of those that are left out, too.
            part = view.posed.gaussians(numbers, level)
            painted, _, rows = weigh_gaussians(part, view.target.camera)
            shown_now = view.posed.subset(rows)
        drawn = shown_now.gaussians(numbers, level)
        compared = shown_now.pull(_compare(drawn, view.target, backend), drawn)
        held = regularisers.gradient(numbers, pixels)
        residual = _covered(view.target) * compared[:, COLORS] + pixels * held[:, COLORS]
        colors.take(numbers, -0.5 * residual, painted, k / len(schedule))
        gradient = compared + held
        pull = gradient[:, shape]
        typical = np.sqrt((pull[plain] ** 2).mean(0)) if plain.any() else np.zeros(len(rates))
        fade = np.float32(0.1 + 0.45 * (1.0 + np.cos(np.pi * k / len(schedule))))
        adam_step(
            numbers[:, shape],
            pull,
            first,
            second,
            free[:, shape],
            rates * fade,
            np.float32(options.floor) * typical.astype(np.float32) + np.float32(1e-20),
            low[:, shape],
            high[:, shape],
            k + 1,
            *S.betas,
        )
        if progress is not None:
            progress("refine", (k + 1) / len(schedule), f"step {k + 1} of {len(schedule)}")
    out = apply_parameters(bound, numbers, unit)
    # Through the logit and back an opacity is off by a rounding: what did not move stays exactly.
    moved = numbers[:, OPACITY] != start[:, OPACITY]
    return replace(out, opacities=np.where(moved, out.opacities, bound.opacities))


def _rates(options: RefineOptions) -> NDArray[np.float32]:
    """[6] Adam's rates of all columns but the colours'."""
    rates = [options.opacity_rate, *[options.scale_rate] * 2, *[options.offset_rate] * 3]
    return np.array(rates, np.float32)


def _targets(
    lifted: Gaussians, photo: RefinePhoto, body: Body, options: RefineOptions
) -> tuple[list[RefineView], list[Callable[[], RefineView]]]:
    """Pictures of the photo (whole in all sizes, and its head from nearer), and beside them.

    Returns:
        shown: of the photo.
        beside: from cameras beside the photo's, drawn when called: few steps need few of them.
    """
    wholes = [make_photo_target(photo.matte, photo.camera, options.sides[0])]
    for side in options.sides[1:]:
        other = make_photo_target(photo.matte, photo.camera, side)
        if all(_differ(other, whole) for whole in wholes):
            wholes.append(other)
    around = [(wholes[0], photo.vertices.mean(0))]
    head = body.sum_weights((JOINT_INDEX["head"], JOINT_INDEX["jaw"])) > 0.5
    box = head_box(photo.vertices, head, photo.camera, S.head_margin)
    if min(box[2] - box[0], box[3] - box[1]) >= S.min_head:
        near = make_photo_target(photo.matte, photo.camera, options.head_side, box)
        if near.camera.K[0, 0] > S.worthwhile * max(whole.camera.K[0, 0] for whole in wholes):
            around.append((near, photo.vertices[head].mean(0)))
    surfaces = [PhotoSurface(target, lifted) for target, _ in around]
    beside: list[Callable[[], RefineView]] = [
        partial(surface.target, orbit(target.camera, centre, yaw), abs(yaw) <= options.carry)
        for yaw in options.yaws
        for surface, (target, centre) in zip(surfaces, around, strict=True)
    ]
    return wholes + [target for target, _ in around[1:]], beside


def _differ(a: RefineView, b: RefineView) -> bool:
    """Whether two pictures of the same differ in size so much that both are worth their time."""
    ratio = a.camera.width / b.camera.width
    return max(ratio, 1.0 / ratio) > S.worthwhile


def _schedule(
    shown: list[list[_View]], beside: list[Callable[[], _View]], steps: int
) -> list[_View]:
    """The view of each step: of three steps two compare with a photo, one with a view from beside.

    Photos alternate their first size with each of the others. The last step compares with the
    main photo.
    """
    out: list[_View] = []
    turned = seen = 0
    for k in range(steps):
        if beside and k % 3 == 1:
            out.append(beside[turned % len(beside)]())
            turned += 1
            continue
        views = shown[seen // 2 % len(shown)]
        others = views[1:] or views
        out.append(views[0] if seen % 2 == 0 else others[seen // (2 * len(shown)) % len(others)])
        seen += 1
    return out[::-1]


def _levels(lod_start: FloatArray | None, steps: int) -> list[NDArray[np.float32] | None]:
    """How much the drawn Gaussians have grown in each step; None where all of them are drawn.

    Fitting the whole makes neighbours lean on each other. A prefix of the order, in which half of
    them are missing, has to be drawn now and then to stay good.
    """
    out: list[NDArray[np.float32] | None] = [None] * steps
    if lod_start is None:
        return out
    for part, every, at in LEVEL_STEPS:
        count = max(1, int(part * len(lod_start)))
        grown = growth(lod_start[:count], count).astype(np.float32)
        for k in range(steps):
            if (steps - 1 - k) % every == at:
                out[k] = grown
    return out


def _compare(drawn: Gaussians, target: RefineView, backend: str) -> Gradients:
    """Gradients of the mean squared difference between the drawn and the wanted picture."""
    camera = target.camera
    render, vjp = rasterize_vjp(
        drawn,
        camera.viewmat[None],
        camera.K[None],
        camera.width,
        camera.height,
        np.full(3, S.backdrop),
        backend,
        SAMPLES,
    )
    wanted = target.light + (1.0 - target.alpha[..., None]) * S.backdrop
    count = _covered(target)
    color = 2.0 / count * target.color_weight[..., None] * (render.rgb[0] - wanted)
    cover = (
        6.0 / count * S.backdrop_variance * target.cover_weight * (render.alpha[0] - target.alpha)
    )
    return vjp(rgb=color[None], alpha=cover[None])


def _covered(target: RefineView) -> float:
    """Pixels of the person, at least one."""
    return max(float((target.alpha > 0.5).sum()), 1.0)


def _seen_part(views: list[_View]) -> FloatArray:
    """[N] 0..1, how much of its own footprint each splat paints, in the view that shows it best.

    Adam takes steps of one size however small the derivatives are, so that the hidden ones must be
    held by other means.
    """
    return np.asarray(np.max([view.parts for view in views], axis=0))


def _ramp(values: FloatArray, low: float, high: float) -> NDArray[np.float32]:
    """0 up to ``low``, 1 from ``high`` on, smooth between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    out: NDArray[np.float32] = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return out


def _in_solid(base: Gaussians, target: RefineView) -> BoolArray:
    """[N] whether a splat lies where the photo is not mixed with the background."""
    xy, _ = project(np.asarray(base.means, np.float64), target.camera)
    solid = (target.color_weight >= 1.0).astype(np.float64)
    return np.asarray(bilinear(solid[..., None], xy)[:, 0] > 0.99)
