"""The network's two UV grids over a body: which cells are tokens, and what lies in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..core.types import FloatArray, IntArray
from ..dual_uv.sampling import SurfaceSamples, sample_surface
from ..gaussians.lift.pixel_grids import nearest_known
from .config import DecoderConfig

LIMBS = ("face", "scalp", "neck", "torso", "arm", "hand", "leg", "foot")
"""What the surface is told apart into for the heads; ears go with the neck, eyes and the mouth with
the face."""

_LIMB_OF = {"ear": "neck"} | dict.fromkeys(
    ("eye", "eye_back", "eye_socket", "mouth", "teeth", "tongue", "lips", "eyelid"), "face"
)


@dataclass(frozen=True)
class UVGrids:
    """What is the same for every photo of every person.

    Attributes:
        core, shell: surface points in the cells of the two grids; Nc and Ns of them.
        core_cells: [Tc], shell_cells: [Ts] the cells that are tokens, counted row by row: those
            that any texel of the attribute map lies in. The atlas leaves the others empty.
        core_token: [Nc], shell_token: [Ns] the token that each surface point belongs to.
        position: [Tc, 3] metres: where the core tokens lie on the template, the canonical
            position map (supplement A.1).
        places: [F, 3, 2] where the corners of the body's triangles lie in the atlas (v down).
        texel_place: [M, M, 3] float32 metres, texel_normal: [M, M, 3] float32 and texel_limb:
            [M, M] int8 index into LIMBS: the template at each texel of the attribute map; texels
            beside all charts have the nearest one's.
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


def uv_grids(body: Body, config: DecoderConfig) -> UVGrids:
    """The grids over a body's atlas.

    Args:
        body: with its atlas; only the template's shape counts, so any person's will do.
    """
    core = sample_surface(body, config.core_grid, config.samples_per_side)
    shell = sample_surface(body, config.shell_grid, config.samples_per_side)
    texels = sample_surface(body, config.map_size)
    # A Gaussian at a chart's border reads the texels around it: those one beyond count as well.
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
    )


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
    row, col, _ = nearest_known(source >= 0)
    nearest = source[row, col]
    triangle = texels.triangle[nearest]
    return (
        texels.points(rest, body.f)[nearest].astype(np.float32),
        normal[triangle].astype(np.float32),
        limb[body.face_part[triangle]].astype(np.int8),
    )


def _means(points: FloatArray, token: IntArray, count: int) -> FloatArray:
    """[count, 3] means of points by token. A token without a point, at the rim of a chart, lies
    where the one before it does."""
    means, number = means_by(points, token, count)
    filled = np.maximum.accumulate(np.where(number > 0, np.arange(count), -1))
    first = int(np.argmax(number > 0))
    source = np.where(filled < 0, first, filled)
    out: FloatArray = means[source]
    return out


def means_by(values: FloatArray, number: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """[count, K] means of values [n, K] by their number [n], zero where there are none, and
    [count] how many there are of each."""
    held = np.bincount(number, minlength=count)
    sums = [np.bincount(number, values[:, c], count) for c in range(values.shape[1])]
    return np.stack(sums, -1) / np.maximum(held, 1)[:, None], held
