"""The rasteriser for computers without a GPU: numba, tiles of 16 x 16 pixels, several threads.

Gaussians are projected, sorted and listed by tile (``cpu_splats``) and blended front to back
(Kerbl et al. 2023, section 6); ``cpu_backward`` has the derivatives. Results do not depend on the
number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ..core.types import FloatArray, Gaussians, IntArray
from .cpu_backward import blend_backward, project_backward, reduce_over_tiles
from .cpu_splats import (
    LANES,
    LANES_TOLD,
    ROW,
    STRIDE,
    TILE,
    ProjectedSplats,
    TileLists,
    exp_of_negative,
    list_tiles,
    project_gaussians,
)
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
        colors: [M, channels] in the splats' order.
        rest: [H, W] remaining transmittance for the background.
        end: [H, W] int32, the index in the tile's list at which the pixel was finished.
    """

    splats: ProjectedSplats
    lists: TileLists
    colors: FloatArray
    rest: FloatArray
    end: IntArray


# A row of a tile's flat buffer of pixels: transmittance, 1 where it may still fall (else 0), and
# the place in the list at which the pixel was finished.
_OPEN, _END, _STATE = ROW, 2 * ROW, 3 * ROW
_OPEN_AT, _END_AT = np.uint64(_OPEN), np.uint64(_END)
_RAMP = np.uint64(LANES)  # behind the weights of LANES pixels: 0, 1, 2 ...


@numba.njit(cache=True)
def _draw_tile(  # type: ignore[no-untyped-def]
    splats, colors, listed, left, top, high, pixels, sums, row, lanes
):
    """Blend the listed splats into one tile's buffers.

    pixels: [16 * _STATE]. sums: [(channels + 1) * 16 * ROW] colours and depth by weight.
    row: [2 * LANES] weights, and the ramp. lanes: LANES_TOLD, where the form of this is explained.
    """
    _, centre, conic, depth, opacity, reach, box = splats
    channels = colors.shape[1]
    for position in range(listed.shape[0]):
        # A check after every splat would cost more than it saves.
        if position % 32 == 31 and not _any_open(pixels, high):
            break
        i = listed[position]
        half_a, b, half_c = _HALF * conic[i, 0], conic[i, 1], _HALF * conic[i, 2]
        to_first = np.float32(left + 0.5 - centre[i, 0])
        limit = _HALF * reach[i]
        strength = opacity[i]
        here = np.float32(position)
        first = max(box[i, 0] - left, 0)
        last = min(box[i, 1] - left, TILE - 1)
        for y in range(max(box[i, 2] - top, 0), min(box[i, 3] - top, high - 1) + 1):
            dy = np.float32(y + (top + 0.5 - centre[i, 1]))
            across, down = b * dy, half_c * dy * dy
            for lane in range(first, last + 1, LANES):
                at = np.uint64(y * _STATE + lane)
                to_lane = np.float32(lane) + to_first
                for x in range(lanes):
                    dx = row[_RAMP + x] + to_lane
                    power = dx * (half_a * dx + across) + down
                    visible = power <= limit
                    alpha = min(_MAX_ALPHA, strength * exp_of_negative(power if visible else limit))
                    alpha = alpha * pixels[at + _OPEN_AT + x] if visible else _ZERO
                    light = pixels[at + x]
                    after = light * (_ONE - alpha)
                    ends = after <= _OPAQUE
                    still = pixels[at + _OPEN_AT + x]
                    end = pixels[at + _END_AT + x]
                    pixels[at + _OPEN_AT + x] = _ZERO if ends else still
                    pixels[at + _END_AT + x] = here if ends else end
                    row[x] = _ZERO if ends else alpha * light
                    pixels[at + x] = light if ends else after
                for k in range(channels + 1):
                    value = colors[i, k] if k < channels else depth[i]
                    to = np.uint64((k * TILE + y) * ROW + lane)
                    for x in range(lanes):
                        sums[to + x] += row[x] * value


@numba.njit(cache=True)
def _any_open(pixels, high):  # type: ignore[no-untyped-def]
    for y in range(high):
        for x in range(TILE):
            if pixels[y * _STATE + _OPEN + x] != _ZERO:
                return True
    return False


@numba.njit(cache=True, parallel=True)
def _draw(  # type: ignore[no-untyped-def]
    splats, colors, start, members, background, width, height, rgb, alpha, depth, rest, end, lanes
):
    columns = (width + TILE - 1) // TILE
    tiles = start.shape[0] - 1
    channels = colors.shape[1]
    for hand in numba.prange(min(STRIDE, tiles)):
        pixels = np.empty((TILE, 3, ROW), np.float32)
        sums = np.empty((channels + 1, TILE, ROW), np.float32)
        row = np.empty(2 * LANES, np.float32)
        for x in range(LANES):
            row[LANES + x] = x
        for tile in range(hand, tiles, STRIDE):
            left, top = tile % columns * TILE, tile // columns * TILE
            wide, high = min(TILE, width - left), min(TILE, height - top)
            listed = members[start[tile] : start[tile + 1]]
            sums[:] = _ZERO
            pixels[:, 0] = _ONE
            pixels[:, 1] = _ZERO
            pixels[:high, 1, :wide] = _ONE
            pixels[:, 2] = np.float32(listed.shape[0])
            _draw_tile(
                splats,
                colors,
                listed,
                left,
                top,
                high,
                pixels.reshape(-1),
                sums.reshape(-1),
                row,
                lanes,
            )
            for y in range(high):
                for x in range(wide):
                    through = pixels[y, 0, x]
                    for k in range(channels):
                        rgb[top + y, left + x, k] = sums[k, y, x] + through * background[k]
                    cover = _ONE - through
                    alpha[top + y, left + x] = cover
                    depth[top + y, left + x] = sums[channels, y, x] / max(cover, DEPTH_EPSILON)
                    rest[top + y, left + x] = through
                    end[top + y, left + x] = np.int32(pixels[y, 2, x])


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
            d_out = np.ascontiguousarray(np.concatenate([d_rgb, d_sum[..., None]], 2), np.float32)
            # What a pixel's last transmittance is worth.
            worth = np.ascontiguousarray(d_rgb @ background[c] - d_alpha, np.float32)
            pairs = blend_backward(*camera, d_out, worth)
            sums = reduce_over_tiles(pairs, camera.lists, len(camera.splats.source))
            view = (viewmats[c], Ks[c], width, height, compensated)
            project_backward(gaussians, *view, camera.splats, sums, out)
            out.background[c] = np.einsum("hw,hwk->k", camera.rest, d_rgb)
        return out

    return render, vjp


def _draw_all(
    gaussians: Gaussians, job: RasterJob, drawn: list[ForwardState] | None
) -> RenderOutput:
    """Draw the pictures of all cameras; append what the backward pass needs to ``drawn``."""
    viewmats, Ks, width, height, background, compensated = job
    cameras = len(viewmats)
    colors = np.ascontiguousarray(gaussians.colors, np.float32)
    rgb: NDArray[np.float32] = np.empty((cameras, height, width, colors.shape[1]), np.float32)
    alpha: NDArray[np.float32] = np.empty((cameras, height, width), np.float32)
    depth: NDArray[np.float32] = np.empty((cameras, height, width), np.float32)
    backdrop = np.ascontiguousarray(background, np.float32)
    for c in range(cameras):
        splats = project_gaussians(gaussians, viewmats[c], Ks[c], width, height, compensated)
        lists = list_tiles(splats, width, height)
        seen = colors[splats.source]
        rest = np.empty((height, width), np.float32)
        end = np.empty((height, width), np.int32)
        _draw(
            splats,
            seen,
            lists.start,
            lists.members,
            backdrop[c],
            width,
            height,
            rgb[c],
            alpha[c],
            depth[c],
            rest,
            end,
            LANES_TOLD,
        )
        if drawn is not None:
            drawn.append(ForwardState(splats, lists, seen, rest, end))
    return RenderOutput(rgb, alpha, depth)
