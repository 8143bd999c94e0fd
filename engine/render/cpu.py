"""The rasteriser for computers without a GPU: numba, tiles of 16 x 16 pixels, several threads.

Gaussians are projected, sorted and listed by tile (``cpu_splats``) and blended front to back
(Kerbl et al. 2023, section 6); ``cpu_backward`` has the derivatives. Results do not depend on the
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import run_parts
from ..core.types import FloatArray, Gaussians, IntArray
from .cpu_backward import blend_backward, project_backward, reduce_over_tiles
from .cpu_splats import (
    AREA,
    BLOCK,
    LANES,
    STRIDE,
    TILE,
    ProjectedSplats,
    TileLists,
    exp_of_negative,
    find_covered_run,
    list_tiles,
    pack_values,
    pixel_index,
    project_gaussians,
    set_ramps,
)
from .cpu_weights import list_pixel_weights, paint_pixels
from .raster_types import (
    ALPHA_MAX,
    DEPTH_EPSILON,
    TRANSMITTANCE_MIN,
    Gradients,
    RasterJob,
    RenderOutput,
    Vjp,
)

_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_MAX_ALPHA = np.float32(ALPHA_MAX)
_OPAQUE = np.float32(TRANSMITTANCE_MIN)


class ForwardState(NamedTuple):
    """What one camera's backward pass needs from its forward pass.

    Attributes:
        splats: The camera's splats.
        lists: Their lists by tile.
        values: [M, columns] colours and depths in the splats' order, as
            :func:`.cpu_splats.pack_values` has them.
        rest: [H, W] remaining transmittance for the background.
        end: [H, W] int32, the index in the tile's list after that of the last splat
            that the pixel shows.
    """

    splats: ProjectedSplats
    lists: TileLists
    values: FloatArray
    rest: FloatArray
    end: IntArray


# A tile's buffers, AREA apart: its pixels' columns and rows, their transmittance (negative once it
# is final), the place in the list after the last splat they show, the weights of one splat, and
# the sums of the values by weight.
_ROWS, _LIGHT, _END, _WEIGHT, _SUMS = (np.uint64(k * AREA) for k in range(1, 6))
_AREA_1, _AREA_2, _AREA_3 = (np.uint64(k * AREA) for k in range(1, 4))
_SUMS_1, _SUMS_2, _SUMS_3 = _SUMS + _AREA_1, _SUMS + _AREA_2, _SUMS + _AREA_3


@kernel()
def _draw_tile(splats, values, listed, left, top, tile):  # type: ignore[no-untyped-def]
    """Blend the listed splats into one tile's buffers."""
    _, centre, conic, _, opacity, reach, box = splats
    columns = values.shape[1]
    for position in range(listed.shape[0]):
        # A check after every splat would cost more than it saves.
        if position % 32 == 31 and not _any_open(tile):
            break
        i = listed[position]
        half_a, b, half_c = _HALF * conic[i, 0], conic[i, 1], _HALF * conic[i, 2]
        to_left = np.float32(left + 0.5 - centre[i, 0])
        to_top = np.float32(top + 0.5 - centre[i, 1])
        limit = _HALF * reach[i]
        strength = opacity[i]
        behind = np.float32(position + 1)
        for strip in range(
            max(box[i, 0] - left, 0) // LANES, min(box[i, 1] - left, TILE - 1) // LANES + 1
        ):
            first, beyond = find_covered_run(box, i, left, top, strip)
            # The first values are summed in the same loop: most pictures have no more.
            v0, v1, v2, v3 = values[i, 0], values[i, 1], values[i, 2], values[i, 3]
            for n in range(first, beyond):
                dx, dy = tile[n] + to_left, tile[n + _ROWS] + to_top
                power = dx * (half_a * dx + b * dy) + half_c * dy * dy
                visible = power <= limit
                alpha = min(_MAX_ALPHA, strength * exp_of_negative(power if visible else limit))
                alpha = alpha if visible else _ZERO
                light, end = tile[n + _LIGHT], tile[n + _END]
                after = light * (_ONE - alpha)
                # Numbers, not conditions: a store under a condition is slow.
                still = np.float32(after > _OPAQUE)
                weight = alpha * light * still
                tile[n + _WEIGHT] = weight
                tile[n + _LIGHT] = after * still - (_ONE - still) * abs(light)
                tile[n + _END] = end + (behind - end) * np.float32(weight > _ZERO)
                tile[n + _SUMS] += weight * v0
                tile[n + _SUMS_1] += weight * v1
                tile[n + _SUMS_2] += weight * v2
                tile[n + _SUMS_3] += weight * v3
            for k in range(BLOCK, columns, BLOCK):
                to = _SUMS + np.uint64(k * AREA)
                v0, v1, v2, v3 = values[i, k], values[i, k + 1], values[i, k + 2], values[i, k + 3]
                for n in range(first, beyond):
                    weight = tile[n + _WEIGHT]
                    tile[n + to] += weight * v0
                    tile[n + to + _AREA_1] += weight * v1
                    tile[n + to + _AREA_2] += weight * v2
                    tile[n + to + _AREA_3] += weight * v3


@kernel()
def _any_open(tile):  # type: ignore[no-untyped-def]
    for n in range(_LIGHT, _END):  # noqa: SIM110
        if tile[n] > _ZERO:
            return True
    return False


@kernel()
def _draw(  # type: ignore[no-untyped-def]
    first, beyond, splats, values, start, members, background, rgb, alpha, depth, rest, end
):
    """Draw the tiles first, first + STRIDE, ... of each number in the range."""
    height, width, channels = rgb.shape
    columns = (width + TILE - 1) // TILE
    tiles = start.shape[0] - 1
    tile = np.empty((5 + values.shape[1]) * AREA, np.float32)
    set_ramps(tile, tile[AREA:])
    for hand in range(first, beyond):
        for one in range(hand, tiles, STRIDE):
            left, top = one % columns * TILE, one // columns * TILE
            wide, high = min(TILE, width - left), min(TILE, height - top)
            for n in range(2 * AREA, tile.shape[0]):
                tile[n] = _ZERO
            for y in range(high):
                for x in range(wide):
                    tile[pixel_index(y, x) + _LIGHT] = _ONE
            _draw_tile(splats, values, members[start[one] : start[one + 1]], left, top, tile)
            for y in range(high):
                for x in range(wide):
                    n = pixel_index(y, x)
                    through = abs(tile[n + _LIGHT])
                    for k in range(channels):
                        drawn = tile[n + _SUMS + k * AREA]
                        rgb[top + y, left + x, k] = drawn + through * background[k]
                    cover = _ONE - through
                    alpha[top + y, left + x] = cover
                    far = tile[n + _SUMS + channels * AREA]
                    depth[top + y, left + x] = far / max(cover, DEPTH_EPSILON)
                    rest[top + y, left + x] = through
                    end[top + y, left + x] = np.int32(tile[n + _END])


@kernel()
def _set_worth(first, beyond, d_rgb, d_alpha, background, worth):  # type: ignore[no-untyped-def]
    """What each pixel's last transmittance is worth, for a range of rows."""
    for y in range(first, beyond):
        for x in range(worth.shape[1]):
            total = 0.0
            for k in range(d_rgb.shape[2]):
                total += d_rgb[y, x, k] * background[k]
            worth[y, x] = total - d_alpha[y, x]


def rasterize_cpu(gaussians: Gaussians, job: RasterJob) -> RenderOutput:
    """Draw Gaussians for the cameras of ``job``."""
    return _draw_all(gaussians, job, None)


def rasterize_cpu_vjp(gaussians: Gaussians, job: RasterJob) -> tuple[RenderOutput, Vjp]:
    """Draw like :func:`rasterize_cpu`, and return the vector-Jacobian product."""
    viewmats, Ks, width, height, background, compensated = job
    drawn: list[ForwardState] = []
    render = _draw_all(gaussians, job, drawn)

    def vjp(
        rgb: FloatArray | None = None,
        alpha: FloatArray | None = None,
        depth: FloatArray | None = None,
    ) -> Gradients:
        channels = gaussians.colors.shape[1]
        out = Gradients(
            *(
                np.zeros(np.shape(values), np.float32)
                for values in (
                    gaussians.means,
                    gaussians.quats,
                    gaussians.scales,
                    gaussians.opacities,
                    gaussians.colors,
                    background,
                )
            )
        )
        for c, camera in enumerate(drawn):
            size = (height, width)
            d_rgb = np.zeros((*size, channels), np.float32) if rgb is None else rgb[c]
            d_alpha = np.zeros(size, np.float32) if alpha is None else alpha[c]
            # The depth is a sum of weighted depths over alpha: a colour, and some more alpha.
            d_sum = np.zeros(size, np.float32)
            if depth is not None:
                cover = render.alpha[c]
                # In empty pixels the depth is 0 whatever the Gaussians do.
                np.divide(depth[c], cover, out=d_sum, where=cover > 0)
                d_alpha = d_alpha - d_sum * render.depth[c]
            d_rgb = np.ascontiguousarray(d_rgb, np.float32)
            # What a pixel's last transmittance is worth.
            worth = np.empty(size, np.float32)
            backdrop = np.ascontiguousarray(background[c], np.float64)
            run_parts(_set_worth, height, d_rgb, np.asarray(d_alpha), backdrop, worth, least=TILE)
            pairs, shown = blend_backward(*camera, d_rgb, d_sum, worth)
            sums = reduce_over_tiles(pairs, shown, camera.lists, len(camera.splats.source))
            view = (viewmats[c], Ks[c], width, height, compensated)
            project_backward(gaussians, *view, camera.splats, sums, out)
            out.background[c] = camera.rest.ravel() @ d_rgb.reshape(-1, channels)
        return out

    return render, vjp


def paint_cpu(
    gaussians: Gaussians, job: RasterJob, samples: int
) -> Callable[[FloatArray], FloatArray]:
    """Return a function from colours [N, channels] to one camera's picture on black.

    Everything else is computed once: a picture is then a sum of weighted colours.

    Args:
        gaussians: In world space; their colours are ignored.
        job: Of one camera, whose pixels are the samples.
        samples: Per pixel of the picture, along each side.
    """
    ((splats, lists),) = _place(gaussians, job)
    weights = list_pixel_weights(splats, lists, job.width, job.height, samples)
    size = job.width // samples, job.height // samples
    return lambda colors: paint_pixels(weights, colors[splats.source], *size, samples)


def _draw_all(
    gaussians: Gaussians, job: RasterJob, drawn: list[ForwardState] | None
) -> RenderOutput:
    """Draw the pictures of all cameras; append what the backward pass needs to ``drawn``."""
    height, width = job.height, job.width
    cameras = len(job.viewmats)
    colors = np.ascontiguousarray(gaussians.colors, np.float32)
    rgb: NDArray[np.float32] = np.empty((cameras, height, width, colors.shape[1]), np.float32)
    alpha: NDArray[np.float32] = np.empty((cameras, height, width), np.float32)
    depth: NDArray[np.float32] = np.empty((cameras, height, width), np.float32)
    backdrop = np.ascontiguousarray(job.background, np.float32)
    for c, (splats, lists) in enumerate(_place(gaussians, job)):
        values = pack_values(colors[splats.source], splats.depth)
        rest = np.empty((height, width), np.float32)
        end = np.empty((height, width), np.int32)
        run_parts(
            _draw,
            min(STRIDE, len(lists.start) - 1),
            tuple(splats),
            values,
            lists.start,
            lists.members,
            backdrop[c],
            rgb[c],
            alpha[c],
            depth[c],
            rest,
            end,
        )
        if drawn is not None:
            drawn.append(ForwardState(splats, lists, values, rest, end))
    return RenderOutput(rgb, alpha, depth)


def _place(gaussians: Gaussians, job: RasterJob) -> Iterator[tuple[ProjectedSplats, TileLists]]:
    """Project for each camera, and list by tile."""
    for viewmat, K in zip(job.viewmats, job.Ks, strict=True):
        splats = project_gaussians(gaussians, viewmat, K, job.width, job.height, job.compensated)
        yield splats, list_tiles(splats, job.width, job.height)
