"""What light reaches a figure's surface: the sky through gaps, beams past what shades them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..core.kernels import kernel
from ..core.spherical_harmonics import (
    COARSE,
    downscale_picture,
    latlong_directions,
    mean_radiance,
    sh_basis,
    solid_angles,
)
from ..core.types import FloatArray, IntArray
from ..wardrobe.mesh_parts import LABEL
from . import environment_light
from .person_parts import Lighting
from .raster_scene import (
    FAR_AWAY,
    FLAT_MIPS,
    RasterScene,
    place_parallel,
    project_parallel,
    run_in_threads,
    z_pass,
)
from .raster_textures import Textures

DIRECTIONS, SKY_MAP = 40, 256  # directions that sample the sky; pixels of each depth map
GLOSSY = 24  # rows of the blurred environments
BEAM_MAP, STRIPS = 1024, 8  # pixels of a beam's depth map; strips that it is drawn in
SURFACE_OFFSET = 0.006  # metres off the surface, so that it doesn't shade itself
FACE = [LABEL[name] for name in ("face", "eye", "mouth")]
BOUNCE = np.array([0.24, 0.18, 0.15])  # what skin and cloth around send back of the light
CASTER = 0.08  # metres to what throws a typical shadow; with the beam's angle, its softness
THROUGH_HAIR = 0.5  # share of the sky's light on hair that it hands on
CUTOUT = 0.5  # alpha that throws a shadow


class SurfaceLights(NamedTuple):
    """Light in the form that the shading needs.

    Attributes:
        sky: [V, 28] float32: spherical harmonics (9 x 3) of the radiance that reaches each vertex
            of the scene past everything else, and the open share of its hemisphere.
        towards: [B, 3] unit directions to the beams.
        irradiance: [B, 3] of the beams, linear.
        spread: [B] roughness that their width adds.
        axes: [B, 3, 3] rows right, down, forward of the beams' parallel pictures.
        centre: [3] metres, the middle of those pictures.
        scale: pixels per metre of those pictures.
        moments: [B, S, S, 2] float32 blurred depth (metres behind the centre) and its square.
        mirror: [64, 128, 3] float32 all of the environment in a smooth surface.
        glossy: [2, 24, 48, 3] float32 the environment without the beams in surfaces of roughness
            0.3 and 0.5.
    """

    sky: FloatArray
    towards: FloatArray
    irradiance: FloatArray
    spread: FloatArray
    axes: FloatArray
    centre: FloatArray
    scale: float
    moments: FloatArray
    mirror: FloatArray
    glossy: FloatArray


def measure_lights(
    scene: RasterScene, textures: Textures, lighting: Lighting, environment: FloatArray
) -> SurfaceLights:
    """Measure how an environment reaches a figure.

    Args:
        scene: the figure.
        textures: of the figure.
        lighting: with or without a key light.
        environment: [H, W, 3] from :func:`.environment_light.environment_picture`.
    """
    rest, found = environment_light.extract_beams(environment, lighting)
    low, high = scene.vertices.min(0), scene.vertices.max(0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + 0.02
    towards = np.array([beam.direction for beam in found]).reshape(-1, 3)
    axes = np.array([_axes(t) for t in towards]).reshape(-1, 3, 3)
    scale = BEAM_MAP / (2 * radius)
    moments = np.zeros((len(found), BEAM_MAP, BEAM_MAP, 2), np.float32)
    for k, beam in enumerate(found):
        depth = _depth_map(scene, textures, axes[k], centre, scale)
        blur = max(3, int(2 * CASTER * np.tan(np.radians(beam.angle / 2)) * scale) | 1)
        _blur_moments(depth, blur, moments[k])
    return SurfaceLights(
        sky=_sky(scene, textures, rest, _mean_card(rest, found), centre, radius),
        towards=towards,
        irradiance=np.array([beam.irradiance for beam in found]).reshape(-1, 3),
        spread=np.array([np.tan(np.radians(beam.angle / 4)) for beam in found]),
        axes=axes,
        centre=centre,
        scale=scale,
        moments=moments,
        mirror=_mirror(environment, lighting),
        glossy=_glossy(rest),
    )


def _axes(towards: FloatArray) -> FloatArray:
    """[3, 3] rows right, down, forward of a camera at the light."""
    up = np.array([0.0, 1.0, 0.0]) if abs(towards[1]) < 0.95 else np.array([0.0, 0.0, 1.0])
    right = np.cross(up, towards)
    right /= np.linalg.norm(right)
    return np.stack([right, -np.cross(towards, right), -towards])


def _depth_map(
    scene: RasterScene, textures: Textures, axes: FloatArray, centre: FloatArray, scale: float
) -> FloatArray:
    """[S, S] metres behind the centre; the deepest vertex's where nothing is."""
    view = project_parallel(scene, axes, centre, scale, BEAM_MAP)
    depth = np.full((BEAM_MAP, BEAM_MAP), np.inf)
    face = np.full(depth.shape, -1, np.int32)
    edges = np.linspace(0, BEAM_MAP, STRIPS + 1).astype(int)

    def strip(k: int) -> None:
        a, b = int(edges[k]), int(edges[k + 1])
        z_pass(scene, textures, view, a, b, CUTOUT, FLAT_MIPS, depth[a:b], face[a:b])

    run_in_threads(strip, range(STRIPS))
    return np.where(np.isfinite(depth), depth, view.z.max()) - FAR_AWAY


@kernel()
def _blur_moments(depth, width, out):  # type: ignore[no-untyped-def]
    """Means of ``depth`` [S, S] and of its square over squares ``width`` (odd) pixels wide."""
    size, half = depth.shape[0], width // 2
    rows = np.empty((size, size, 2))
    for y in range(size):
        mean, square = 0.0, 0.0
        for x in range(-half, half):
            d = depth[y, min(max(x, 0), size - 1)]
            mean, square = mean + d, square + d * d
        for x in range(size):
            d = depth[y, min(x + half, size - 1)]
            mean, square = mean + d, square + d * d
            rows[y, x, 0], rows[y, x, 1] = mean / width, square / width
            d = depth[y, max(x - half, 0)]
            mean, square = mean - d, square - d * d
    total = np.zeros((size, 2))
    for y in range(-half, half):
        total += rows[min(max(y, 0), size - 1)]
    for y in range(size):
        total += rows[min(y + half, size - 1)]
        out[y] = total / width
        total -= rows[max(y - half, 0)]


def _smooth_values(values: FloatArray, f: IntArray, rounds: int) -> FloatArray:
    """Means [V, C] over each vertex and its neighbours, ``rounds`` times."""
    count = len(values)
    here = np.concatenate([f.ravel(), np.arange(count)])
    there = np.concatenate([f[:, [1, 2, 0]].ravel(), np.arange(count)])
    near = sparse.csr_matrix((np.ones(len(here)), (here, there)), (count, count))
    total = np.asarray(near.sum(1))
    for _ in range(rounds):
        values = (near @ values) / total
    return np.asarray(values)


def _mean_card(rest: FloatArray, found: tuple[environment_light.Beam, ...]) -> FloatArray:
    """[3] what a white card sends back, on the mean over how it stands."""
    beams = sum((beam.irradiance for beam in found), np.zeros(3))
    return np.asarray(mean_radiance(rest) + beams / (4 * np.pi))


def _sky(
    scene: RasterScene,
    textures: Textures,
    rest: FloatArray,
    card: FloatArray,
    centre: FloatArray,
    radius: float,
) -> FloatArray:
    """SurfaceLights.sky."""
    directions = _all_round(DIRECTIONS)
    radiance, solid = _cells(rest, directions)
    seen = np.zeros((len(scene.vertices), DIRECTIONS), np.float32)
    frames = [(centre, radius, np.arange(len(scene.vertices)))]
    face = scene.vertices[np.unique(scene.f[np.isin(scene.label, FACE)])]
    if len(face):  # its folds are finer than the body's, and seen more
        middle = (face.min(0) + face.max(0)) / 2
        reach = float(np.linalg.norm(face - middle, axis=1).max()) + 0.03
        near = np.linalg.norm(scene.vertices - middle, axis=1) < reach
        frames.append((middle, reach, np.flatnonzero(near)))
    maps = []
    for middle, reach, rows in frames:
        scale = SKY_MAP / (2 * reach)
        off = min(SURFACE_OFFSET, 2 / scale) * scene.normals[rows]
        maps.append((middle, scale, rows, scene.vertices[rows] + off))

    def look(k: int) -> None:
        axes = _axes(directions[k])
        for middle, scale, rows, points in maps:
            view = project_parallel(scene, axes, middle, scale, SKY_MAP)
            depth = np.full((SKY_MAP, SKY_MAP), np.inf)
            face = np.full(depth.shape, -1, np.int32)
            z_pass(scene, textures, view, 0, SKY_MAP, CUTOUT, FLAT_MIPS, depth, face)
            xy, z = place_parallel(points, axes, middle, scale, SKY_MAP)
            seen[rows, k] = _passing(depth, xy, z, 1 / scale)

    run_in_threads(look, range(DIRECTIONS))
    basis = sh_basis(directions) * solid[:, None]
    direct = (basis[:, :, None] * radiance[:, None]).reshape(DIRECTIONS, 27)
    returned = (basis[:, :, None] * (BOUNCE * card)).reshape(DIRECTIONS, 27)
    normals, solid32 = scene.normals.astype(np.float32), solid.astype(np.float32)
    towards = np.maximum(normals @ directions.T.astype(np.float32), 0.0) * solid32
    open_share = np.einsum("vk,vk->v", towards, seen) / towards.sum(1)
    open_share = open_share[:, None].astype(np.float64)
    # What is nearly closed sends its light back and forth, and little of it out.
    passed = seen @ np.concatenate([direct, returned], 1).astype(np.float32)
    lit = passed[:, :27] + open_share * (returned.sum(0) - passed[:, 27:])
    sky = np.concatenate([lit, open_share], 1)
    sky = _smooth_values(sky, scene.f, 2)
    hair = np.unique(scene.f[scene.label == LABEL["hair"]])
    if len(hair):  # light goes from strand to strand
        sky[hair] += THROUGH_HAIR * (sky[hair].mean(0) - sky[hair])
    return np.ascontiguousarray(sky, np.float32)


def _all_round(count: int) -> FloatArray:
    """[count, 3] directions spread evenly (a Fibonacci sphere)."""
    k = np.arange(count) + 0.5
    y = 1.0 - 2.0 * k / count
    ring, turn = np.sqrt(1.0 - y * y), np.pi * (3.0 - np.sqrt(5.0)) * k
    return np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], 1)


def _cells(picture: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean radiance [K, 3] and solid angle [K] of what lies nearest to each direction."""
    height = len(picture)
    nearest = (latlong_directions(height).reshape(-1, 3) @ directions.T).argmax(1)
    weight = np.repeat(solid_angles(height)[:, 0], 2 * height)
    solid = np.bincount(nearest, weight, len(directions))
    pixels = picture.reshape(-1, 3) * weight[:, None]
    sums = np.stack([np.bincount(nearest, pixels[:, c], len(directions)) for c in range(3)], 1)
    return sums / solid[:, None], np.asarray(solid, np.float64)


@kernel()
def _passing(depth, xy, z, texel):  # type: ignore[no-untyped-def]
    """[V] share of the four nearest pixels of a depth map that let light through to a point."""
    size = depth.shape[0]
    out = np.empty(len(z), np.float32)
    for i in range(len(z)):
        x, y = xy[i, 0] - 0.5, xy[i, 1] - 0.5
        x0 = min(max(int(np.floor(x)), 0), size - 2)
        y0 = min(max(int(np.floor(y)), 0), size - 2)
        fx, fy = x - x0, y - y0
        limit = z[i] - 1.5 * texel - 0.002
        top = (depth[y0, x0] > limit) * (1 - fx) + (depth[y0, x0 + 1] > limit) * fx
        low = (depth[y0 + 1, x0] > limit) * (1 - fx) + (depth[y0 + 1, x0 + 1] > limit) * fx
        out[i] = top * (1 - fy) + low * fy
    return out


def _mirror(environment: FloatArray, lighting: Lighting) -> FloatArray:
    """SurfaceLights.mirror: the environment and the key light's disc."""
    sharp = downscale_picture(environment, COARSE)
    key = environment_light.key_irradiance(lighting, environment)
    if lighting.key is not None and key.max() > 0:
        half = np.cos(np.radians(max(lighting.key_angle, 6.0) / 2))
        disc = latlong_directions(COARSE) @ np.array(lighting.key) > half
        sharp = sharp + disc[..., None] * key / (2 * np.pi * (1 - half))
    return np.ascontiguousarray(sharp, np.float32)


def _glossy(rest: FloatArray) -> FloatArray:
    """SurfaceLights.glossy: means over the lobes of rough surfaces."""
    coarse = downscale_picture(rest, GLOSSY)
    directions = latlong_directions(GLOSSY).reshape(-1, 3)
    cosine = directions @ directions.T
    solid = np.repeat(solid_angles(GLOSSY)[:, 0], 2 * GLOSSY)
    out = []
    for roughness in (0.3, 0.5):
        lobe = np.exp((cosine - 1.0) * (2.0 / roughness**4)) * solid
        blurred = lobe @ coarse.reshape(-1, 3) / lobe.sum(1, keepdims=True)
        out.append(blurred.reshape(coarse.shape))
    return np.asarray(np.stack(out), np.float32)


@kernel()
def beam_visibility(lights, k, x, y, z):  # type: ignore[no-untyped-def]
    """Share of a beam that reaches a point, 0..1.

    Chebyshev's inequality (variance shadow maps, Donnelly and Lauritzen 2006), with its low end cut
    off against leaks.

    Args:
        lights: with the beams.
        k: row of the beam.
        x: metres.
        y: metres.
        z: metres.
    """
    dx, dy, dz = x - lights.centre[0], y - lights.centre[1], z - lights.centre[2]
    A, size = lights.axes[k], lights.moments.shape[1]
    px = (A[0, 0] * dx + A[0, 1] * dy + A[0, 2] * dz) * lights.scale + size / 2 - 0.5
    py = (A[1, 0] * dx + A[1, 1] * dy + A[1, 2] * dz) * lights.scale + size / 2 - 0.5
    d = A[2, 0] * dx + A[2, 1] * dy + A[2, 2] * dz
    x0 = min(max(int(np.floor(px)), 0), size - 2)
    y0 = min(max(int(np.floor(py)), 0), size - 2)
    fx, fy = min(max(px - x0, 0.0), 1.0), min(max(py - y0, 0.0), 1.0)
    mean, square = 0.0, 0.0
    for j in range(2):
        for i in range(2):
            share = (fx if i else 1.0 - fx) * (fy if j else 1.0 - fy)
            mean += share * lights.moments[k, y0 + j, x0 + i, 0]
            square += share * lights.moments[k, y0 + j, x0 + i, 1]
    behind = d - 0.004 - mean
    if behind <= 0.0:
        return 1.0
    variance = max(square - mean * mean, 1e-5)
    share = variance / (variance + behind * behind)
    return min(max((share - 0.3) / 0.65, 0.0), 1.0)
