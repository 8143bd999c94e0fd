"""Painting cloth: fabrics, colours, patterns, prints and wear, with or without a texture.

Everything is painted texel by texel in the chart's own metres (:mod:`.cloth_charts`) or at the
place on the T-pose, so that it belongs to the cloth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from ..body.atlas import rasterize_atlas
from ..core.distances import find_nearest, measure_depth
from ..core.geometry import vertex_normals
from ..core.noise import fractal_noise
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..wardrobe.asset_files import MaterialFile, load_picture
from ..wardrobe.cloth_mesh import Cloth, border_distance
from ..wardrobe.mesh_parts import Material
from ..wardrobe.tables import Color
from .cloth_charts import Charts, flatten_cloth
from .cloth_pattern import WEAVES, Fabric, Weave, motif_value, pattern_value

SEWN_ON = 0.02  # square metres; a smaller chart goes with the large one next to it
REGIONS = ("top", "bottom", "second", "detail", "shoes")


def classify_charts(
    cloth: Cloth, charts: Charts, joints: FloatArray, picture: FloatArray | None
) -> IntArray:
    """[charts] rows of :data:`REGIONS`: which piece of clothing each chart of a garment is.

    ``second`` are other pieces worn above the waist (a vest on a shirt), found by their colour;
    ``detail`` are buckles and buttons.

    Args:
        cloth: at rest.
        charts: of the cloth.
        joints: [55, 3] of the person in the T-pose, metres.
        picture: [H, W, 3 or more] the library's texture, 0..1, or None.
    """
    number = len(charts.area)
    face = np.asarray(cloth.rest)[cloth.f].mean(1)
    held = np.maximum(np.bincount(charts.chart, minlength=number), 1)
    height = np.bincount(charts.chart, face[:, 1], number) / held
    legs = (charts.limb >= 3) | ((charts.limb == 0) & (height < joints[0, 1] - 0.02))
    out = np.where(legs, 1, 0)
    large = (charts.area > SEWN_ON)[charts.chart]
    if large.any():  # a jacket's pocket before the hip belongs to the jacket
        nearest = cKDTree(face[large]).query(face)[1]
        share = np.bincount(charts.chart, out[charts.chart[large]][nearest], number) / held
        out = np.where(charts.area > SEWN_ON, out, share > 0.5)
    ankle = joints[JOINT_INDEX["left_ankle"], 1]
    out[legs & (height < ankle + 0.01)] = 4
    if picture is not None:
        centre = cloth.uv.mean(1) % 1.0
        rows = (centre[:, ::-1] * picture.shape[:2]).astype(int)
        seen = picture[rows[:, 0], rows[:, 1], :3]
        color = np.stack([np.bincount(charts.chart, c, number) / held for c in seen.T], 1)
        tops = np.flatnonzero(out == 0)
        if len(tops):
            main = color[tops[charts.area[tops].argmax()]]
            other = np.linalg.norm(color[tops] - main, axis=1) > 0.13
            out[tops[other]] = 2
        out[(charts.area < 0.003) & (out != 4)] = 3
    return np.asarray(out)


@dataclass(frozen=True)
class _Texels:
    """What is known of the N texels that cloth covers."""

    covered: BoolArray
    nearest: IntArray
    face: IntArray
    position: FloatArray
    across: FloatArray
    up: FloatArray
    edge: FloatArray
    folds: FloatArray
    seam: FloatArray


def _texels(cloth: Cloth, charts: Charts, folds: FloatArray, size: int) -> _Texels:
    uv = cloth.uv - np.floor(cloth.uv.mean(1, keepdims=True))
    face, bary, _ = rasterize_atlas(uv.reshape(-1, 2), np.arange(uv.size // 2).reshape(-1, 3), size)
    covered = face >= 0
    f, b = face[covered], bary[covered].astype(np.float32)
    edge = border_distance(cloth.rest, cloth.f)
    known = np.column_stack([cloth.rest, edge, folds]).astype(np.float32)[cloth.f]
    known = np.concatenate([known, charts.across_up.astype(np.float32)], -1)
    here = sum(known[f, k] * b[:, k, None] for k in range(3))
    nearest = np.stack(find_nearest(covered)[:2])
    inner = measure_depth(covered)[covered]
    metres = np.sqrt(charts.area.sum() / max(int(covered.sum()), 1))
    return _Texels(
        covered,
        nearest,
        f,
        here[:, :3],
        here[:, 5],
        here[:, 6],
        here[:, 3],
        here[:, 4],
        (inner * metres).astype(np.float32),
    )


def paint_cloth(
    cloth: Cloth,
    joints: FloatArray,
    fabrics: dict[str, Fabric],
    source: MaterialFile | None,
    folds: FloatArray,
    size: int,
    seed: int,
) -> Material:
    """Paint a garment.

    Args:
        cloth: at rest.
        joints: [55, 3] of the person in the T-pose, metres.
        fabrics: by :data:`REGIONS`; a region that is missing keeps the source's colours.
        source: the library's material.
        folds: [V] 0..1 how much the pose compresses the cloth.
        size: pixels along the sides.
        seed: of noise.
    """
    charts = flatten_cloth(cloth)
    picture = None if source is None or source.texture is None else _resized(source.texture, size)
    region = classify_charts(cloth, charts, joints, picture)[charts.chart]
    t = _texels(cloth, charts, folds, size)
    # The same weave of noise for all: threads, blotches.
    threads = np.random.default_rng([seed, 5]).standard_normal(len(t.face)).astype(np.float32)
    flat = np.stack([t.across, t.up, charts.chart[t.face] * 3.7], 1)
    fine = fractal_noise(flat, seed + 1, 0.006, 2)
    soft = fractal_noise(t.position, seed + 2, 0.09, 3)
    under = (
        np.full((len(t.face), 3), 0.5, np.float32) if picture is None else picture[t.covered][:, :3]
    )
    rgb = np.array(under, np.float32)
    rough = np.full(len(t.face), 0.7, np.float32)
    front = vertex_normals(cloth.rest, cloth.f)[cloth.f].mean(1)[:, 2] > 0.1
    chest = joints[JOINT_INDEX["spine3"]] - [0.0, 0.02, 0.0]
    height = np.zeros(len(t.face), np.float32)
    for row, name in enumerate(REGIONS):
        fabric = fabrics.get(name)
        here = region[t.face] == row
        if fabric is None or not here.any():
            continue
        weave = WEAVES[fabric.weave]
        accent = _accent(fabric, t, here, charts, flat, soft, chest, seed)
        if fabric.motif and name == "top":
            trunk = (charts.limb[charts.chart] == 0) & front
            at = t.position[here] - chest
            printed = motif_value(fabric.motif, at[:, 0], at[:, 1] - 0.01, seed)
            accent = np.maximum(accent, printed * trunk[t.face[here]])
        color, other = np.array(fabric.color), np.array(fabric.accent)
        new = color + (other - color) * accent[:, None]
        if picture is None:
            new = new + _sewn(fabric, t, here, weave)[:, None]
        else:
            new = _over(under[here], new, other, fabric)
        light = weave.mottle * (threads[here] * 0.6 + 1.5 * fine[here])
        light += fabric.wear * (0.05 * soft[here] + 0.10 * np.exp(-t.edge[here] / 0.004))
        if fabric.weave == "denim" and picture is None:
            light += fabric.wear * 0.28 * _faded(t.position[here], joints)
        new = new * (1.0 + light[:, None])
        low = np.clip((joints[JOINT_INDEX["left_knee"], 1] - t.position[here, 1]) / 0.5, 0.05, 1.0)
        dirt = fabric.dirt * low * np.clip(1.6 * soft[here] + 0.2, 0.0, 1.0)
        rgb[here] = new + (np.array([0.33, 0.27, 0.20]) - new) * (0.7 * dirt)[:, None]
        rough[here] = np.clip(weave.roughness + 0.1 * fabric.wear * soft[here], 0.05, 1.0)
        if fabric.pattern == "knit":
            height[here] += 0.0006 * accent
    height += _bumps(t, flat, seed, picture is None)
    return _material(t, rgb, rough, height, picture, source, fabrics, size)


def _accent(
    fabric: Fabric,
    t: _Texels,
    here: BoolArray,
    charts: Charts,
    flat: FloatArray,
    soft: FloatArray,
    chest: FloatArray,
    seed: int,
) -> FloatArray:
    if fabric.pattern == "blocks":
        if seed % 2:  # sleeves and legs in the other colour, or the upper part
            return np.isin(charts.limb[charts.chart[t.face[here]]], (1, 2)).astype(np.float32)
        over = (t.position[here, 1] - chest[1] + 0.02) / 0.0015
        return np.asarray(np.clip(over + 0.5, 0.0, 1.0))
    if fabric.pattern == "camouflage":
        blobs = fractal_noise(flat[here], seed + 9, 3.0 * fabric.size, 3)
        return np.clip(blobs / 0.015 + 0.5, 0.0, 1.0) * 0.7 + 0.3 * np.clip(soft[here] / 0.02, 0, 1)
    a = np.radians(fabric.angle)
    x, y = t.across[here], t.up[here]
    return pattern_value(
        fabric.pattern, np.cos(a) * x + np.sin(a) * y, np.cos(a) * y - np.sin(a) * x, fabric.size
    )


def _over(under: FloatArray, new: FloatArray, accent: FloatArray, fabric: Fabric) -> FloatArray:
    """Recolour a library's texture.

    Its folds and seams stay as lightness; what has another colour than most of it (trims, prints)
    takes the accent.
    """
    light = under.mean(1)
    main = np.median(under[:: max(1, len(under) // 20000)], 0)
    chroma = (under - light[:, None]) - (main - main.mean())
    trim = np.clip((np.linalg.norm(chroma, axis=1) - 0.20) / 0.12, 0.0, 1.0)
    if fabric.weave != "denim":
        trim = np.maximum(trim, np.clip((np.abs(light - main.mean()) - 0.42) / 0.1, 0.0, 1.0))
    if trim.mean() > 0.2 or fabric.pattern not in ("plain", "knit", "herringbone"):
        trim = trim * 0.0
    detail = np.clip(light - main.mean(), -0.35, 0.35)
    detail *= 0.95 if fabric.weave == "denim" else 0.75
    out = new + detail[:, None] * (1.0 - trim)[:, None]
    return np.asarray(out + (accent - out) * trim[:, None])


def _sewn(fabric: Fabric, t: _Texels, here: BoolArray, weave: Weave) -> FloatArray:
    """[N] lightness of seams and hems on cloth that has no texture of its own."""
    seam, edge = t.seam[here], t.edge[here]
    dark = -0.10 * np.exp(-((seam / 0.002) ** 2)) * (edge > 0.004)
    band = 0.036 if fabric.weave == "denim" else 0.019
    for at in (band, band - 0.004):
        dark -= 0.05 * np.exp(-(((edge - at) / 0.0012) ** 2))
    if fabric.weave == "denim":
        dashes = (np.sin(2 * np.pi * t.up[here] / 0.006) > -0.4) * 1.0
        dark += 0.22 * dashes * np.exp(-(((seam - 0.008) / 0.0012) ** 2))
    if fabric.weave in ("knit", "wool"):
        ribs = np.sin(2 * np.pi * t.across[here] / 0.008)
        dark += 0.05 * ribs * np.clip((0.045 - edge) / 0.003, 0.0, 1.0)
    return np.asarray(dark)


def _faded(p: FloatArray, joints: FloatArray) -> FloatArray:
    """[N] where jeans lose their colour: thighs and knees in front."""
    hip, knee = joints[JOINT_INDEX["left_hip"]], joints[JOINT_INDEX["left_knee"]]
    along = np.exp(-(((p[:, 1] - 0.6 * hip[1] - 0.4 * knee[1]) / 0.13) ** 2))
    along += 0.5 * np.exp(-(((p[:, 1] - knee[1]) / 0.06) ** 2))
    across = np.exp(-(((np.abs(p[:, 0]) - knee[0]) / 0.045) ** 2))
    return np.asarray(along * across)


def _bumps(t: _Texels, flat: FloatArray, seed: int, sewn: bool) -> FloatArray:
    """[N] metres: small folds, along the limb where cloth hangs, across it where it is pressed."""
    hanging = fractal_noise(flat / [0.5, 1.6, 1.0], seed + 3, 0.045, 3)
    pressed = fractal_noise(flat / [1.6, 0.45, 1.0], seed + 4, 0.05, 3)
    bump = 0.0022 * hanging + 0.006 * t.folds * (0.5 - np.abs(pressed))
    if sewn:
        bump = bump - 0.0008 * np.exp(-((t.seam / 0.002) ** 2))
        bump += 0.0005 * np.clip((0.02 - t.edge) / 0.002, 0.0, 1.0)
    return np.asarray(bump, np.float32)


def _resized(path: Path, size: int) -> FloatArray:
    """[size, size, 4] float32 0..1."""
    stored = load_picture(path)
    if stored.shape[:2] != (size, size):
        stored = np.asarray(Image.fromarray(stored).resize((size, size), Image.Resampling.BICUBIC))
    return stored.astype(np.float32) / np.float32(255.0)


def _material(
    t: _Texels,
    rgb: FloatArray,
    rough: FloatArray,
    height: FloatArray,
    picture: FloatArray | None,
    source: MaterialFile | None,
    fabrics: dict[str, Fabric],
    size: int,
) -> Material:
    y, x = t.nearest

    def spread(values: FloatArray) -> FloatArray:
        table = np.zeros((size, size, *values.shape[1:]), np.float32)
        table[t.covered] = values
        return np.asarray(table[y, x])

    rgba = np.ones((size, size, 4), np.float32)
    rgba[..., :3] = np.clip(spread(rgb), 0.012, 0.97)
    normal: NDArray[np.uint8] | None = None
    if source is not None and picture is not None:
        if source.transparent:
            rgba[..., 3] = picture[..., 3]
        if source.occlusion is not None:
            rgba[..., :3] *= 0.6 + 0.4 * _resized(source.occlusion, size)[..., :1]
        if source.normal is not None:
            normal = np.array(load_picture(source.normal, size)[..., :3])
    first = fabrics.get("top") or fabrics.get("bottom") or next(iter(fabrics.values()), None)
    weave = WEAVES[first.weave if first else "cotton"]
    return Material(
        kind="plain" if first is not None and first.weave == "leather" else "cloth",
        color=np.round(rgba * 255.0).astype(np.uint8),
        roughness=np.round(spread(rough) * 255.0).astype(np.uint8),
        bump=spread(height),
        normal=normal,
        grain=weave.grain,
        grain_depth=weave.depth,
    )


def library_shoes(source: MaterialFile, color: Color | None, size: int) -> Material:
    """Shoes as the library paints them, or in another colour."""
    rgba = np.ones((4, 4, 4), np.float32) * (*source.color, 1.0)
    if source.texture is not None:
        rgba = load_picture(source.texture, size).astype(np.float32) / 255.0
    if color is not None:
        light = rgba[..., :3].mean(-1, keepdims=True)
        rgba = rgba.copy()
        rgba[..., :3] = np.clip(np.array(color) * (0.35 + 1.3 * light), 0.0, 1.0)
    rgba[..., 3] = rgba[..., 3] if source.transparent else 1.0
    normal = None if source.normal is None else np.array(load_picture(source.normal, size)[..., :3])
    return Material("plain", np.round(rgba * 255.0).astype(np.uint8), 0.5, normal=normal)


def tailored_shoes(cloth: Cloth, upper: Color, sole: Color, size: int, seed: int) -> Material:
    """Shoes without a library: sole, toe cap, laces, lining at the opening."""
    charts = flatten_cloth(cloth)
    t = _texels(cloth, charts, np.zeros(len(cloth.rest)), size)
    p = t.position
    ground, foot = cloth.rest[:, 1].min(), cloth.rest[:, 2]
    rgb = np.array(upper) * (1.0 + 0.12 * fractal_noise(p, seed, 0.02, 3))[:, None]
    toe = foot.min() + 0.80 * (foot.max() - foot.min())
    middle = 0.5 * (np.abs(cloth.rest[:, 0]).min() + np.abs(cloth.rest[:, 0]).max())
    rgb *= 1.0 - 0.3 * np.exp(-(((p[:, 2] - toe) / 0.0025) ** 2))[:, None]
    laces = (np.abs(np.abs(p[:, 0]) - middle) < 0.018) & (np.sin(p[:, 2] * 420.0) > 0.3)
    laces &= (p[:, 2] < toe - 0.01) & (p[:, 2] > toe - 0.085) & (p[:, 1] > ground + 0.05)
    rgb[laces] = 0.25 * np.array(upper) + 0.75 * np.array(sole)
    under = np.clip((ground + 0.0235 - p[:, 1]) / 0.0006, 0.0, 1.0)[:, None]
    rgb += (np.array(sole) - rgb) * under
    rgb *= 1.0 - 0.5 * np.exp(-t.edge / 0.003)[:, None]
    height = np.where(laces, 0.0015, 0.0).astype(np.float32) - 0.001 * under[:, 0]
    rough = np.full(len(p), 0.55)
    return replace(_material(t, rgb, rough, height, None, None, {}, size), kind="plain")
