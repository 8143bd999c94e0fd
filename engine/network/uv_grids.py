"""The network's two UV grids over a body: the cells that are tokens, and the points in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..core.distances import find_nearest
from ..core.types import FloatArray, IntArray
from ..dual_uv.sampling import SurfaceSamples, sample_surface
from .config import AnyDecoder, GuavaConfig

LIMBS = ("face", "scalp", "neck", "torso", "arm", "hand", "leg", "foot")
"""Segments of the surface for the heads; ears belong to the neck, eyes and mouth to the face."""

_LIMB_OF = {"ear": "neck"} | dict.fromkeys(
    ("eye", "eye_back", "eye_socket", "mouth", "teeth", "tongue", "lips", "eyelid"), "face"
)


@dataclass(frozen=True)
class UVGrids:
    """What all photos of all people share.

    Attributes:
        core: Nc surface points in the cells of the core's grid.
        shell: Ns surface points in the cells of the shell's grid.
        core_cells: [Tc] cells that are tokens, numbered row by row: those with any texel of the
            attribute map. The atlas leaves the others empty.
        shell_cells: [Ts] the same of the shell.
        core_token: [Nc] token of each surface point.
        shell_token: [Ns] the same of the shell.
        position: [Tc, 3] metres: places of the core tokens on the template, the canonical position
            map (supplement A.1).
        places: [F, 3, 2] places of the corners of the body's triangles in the atlas (v down).
        texel_place: [M, M, 3] float32 metres: the template at each texel of the attribute map;
            texels outside all charts have the nearest one's.
        texel_normal: [M, M, 3] float32 its normals.
        texel_limb: [M, M] int8 index into LIMBS.
        extent: [F] float32 length in metres, on the template, of the atlas's side at the scale of
            each of the body's triangles.
        vertices: [Vt] vertices with a Gaussian of GUAVA's template branch; [0] in other forms.
    """

    core: SurfaceSamples
    shell: SurfaceSamples
    core_cells: IntArray
    shell_cells: IntArray
    core_token: IntArray
    shell_token: IntArray
    position: FloatArray
    places: FloatArray
    texel_place: FloatArray
    texel_normal: FloatArray
    texel_limb: IntArray
    extent: FloatArray
    vertices: IntArray


def uv_grids(body: Body, config: AnyDecoder) -> UVGrids:
    """Compute the grids over a body's atlas.

    Args:
        body: With its atlas; only the template's shape counts, so any person's will do.
        config: Of the decoder.
    """
    core = sample_surface(body, config.core_grid, config.samples_per_side)
    shell = sample_surface(body, config.shell_grid, config.samples_per_side)
    texels = sample_surface(body, config.map_size)
    # A Gaussian at a chart's border reads the texels around it, so those one beyond count too.
    used = np.zeros((config.core_grid, config.core_grid), bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            row = np.clip(texels.row + down, 0, config.map_size - 1) // config.patch
            col = np.clip(texels.col + right, 0, config.map_size - 1) // config.patch
            used[row, col] = True
    core_cells = np.flatnonzero(used)
    shell_cell = shell.row * shell.size + shell.col
    shell_cells = np.unique(shell_cell)
    core_token = np.searchsorted(core_cells, core.row * core.size + core.col)
    points = core.points(np.asarray(body.v_template, np.float64), body.f)
    position = _means(points, core_token, len(core_cells))
    return UVGrids(
        core,
        shell,
        core_cells,
        shell_cells,
        core_token,
        np.searchsorted(shell_cells, shell_cell),
        position.astype(np.float32),
        np.asarray(body.atlas_vt)[body.atlas_ft].astype(np.float32),
        *_texel_maps(body, texels),
        _extent(body),
        _template_vertices(body, config),
    )


def _template_vertices(body: Body, config: AnyDecoder) -> IntArray:
    """``vertices`` of the grids: all, or some of them, spread by farthest-point sampling."""
    if not isinstance(config, GuavaConfig):
        return np.zeros(0, np.int64)
    rest = np.asarray(body.v_template, np.float64)
    count = config.template_vertices or len(rest)
    if count >= len(rest):
        return np.arange(len(rest))
    chosen = np.zeros(count, np.int64)
    away = np.full(len(rest), np.inf)
    x, y, z = np.ascontiguousarray(rest.T)
    for k in range(1, count):
        i = chosen[k - 1]
        away = np.minimum(away, (x - x[i]) ** 2 + (y - y[i]) ** 2 + (z - z[i]) ** 2)
        chosen[k] = int(away.argmax())
    return np.sort(chosen)


def _extent(body: Body) -> FloatArray:
    """``extent`` of the grids: square roots of the ratios of areas.

    Triangles without an area get the median.
    """
    a, b, c = np.moveaxis(np.asarray(body.v_template, np.float64)[body.f], 1, 0)
    p, q, r = np.moveaxis(np.asarray(body.atlas_vt, np.float64)[body.atlas_ft], 1, 0)
    there = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    here = np.abs((q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0])
    sized = (there > 0.0) & (here > 0.0)
    out: FloatArray = np.sqrt(np.divide(there, here, out=np.zeros(len(here)), where=sized))
    out[~sized] = np.median(out[sized])
    return np.asarray(out, np.float32)


def _texel_maps(body: Body, texels: SurfaceSamples) -> tuple[FloatArray, FloatArray, IntArray]:
    """``texel_place``, ``texel_normal`` and ``texel_limb`` of a grid."""
    rest = np.asarray(body.v_template, np.float64)
    a, b, c = (rest[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    names = [_LIMB_OF.get(name, name) for name in body.part_names]
    limb = np.array([LIMBS.index(n) if n in LIMBS else LIMBS.index("torso") for n in names])
    side = texels.size
    source = np.full((side, side), -1)
    source[texels.row, texels.col] = np.arange(len(texels.row))
    row, col, _ = find_nearest(source >= 0)
    nearest = source[row, col]
    triangle = texels.triangle[nearest]
    return (
        texels.points(rest, body.f)[nearest].astype(np.float32),
        normal[triangle].astype(np.float32),
        limb[body.face_part[triangle]].astype(np.int8),
    )


def _means(points: FloatArray, token: IntArray, count: int) -> FloatArray:
    """[count, 3] means of points by token.

    A token without a point, at the rim of a chart, gets the place of the previous one.
    """
    means, number = means_by(points, token, count)
    filled = np.maximum.accumulate(np.where(number > 0, np.arange(count), -1))
    first = int(np.argmax(number > 0))
    source = np.where(filled < 0, first, filled)
    out: FloatArray = means[source]
    return out


def means_by(values: FloatArray, number: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """Compute means of values by their number.

    Args:
        values: [n, K].
        number: [n] in 0..count - 1.
        count: Number of means.

    Returns:
        [count, K] means, zero where there are no values, and [count] their counts.
    """
    held = np.bincount(number, minlength=count)
    sums = [np.bincount(number, values[:, c], count) for c in range(values.shape[1])]
    return np.stack(sums, -1) / np.maximum(held, 1)[:, None], held
