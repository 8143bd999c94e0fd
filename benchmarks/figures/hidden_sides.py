"""How an avatar's hidden side agrees with what its photo shows: colours, grain and skin behind.

An avatar is drawn by the photo's camera and by the same camera swung behind it, both without
background and at ``PIXEL`` metres a pixel. Nothing here uses the lift's labels: a change of the
labels must not change the measure. Parts are those of the body's triangles that carry the splats;
skin is distinguished from cloth by the face's colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter

from ...engine.body.atlas import surface_points
from ...engine.body.extension import piece_triangles
from ...engine.core.cameras import orbit, project
from ...engine.core.color import rgb_to_lab
from ...engine.core.framing import Box, crop_to_box
from ...engine.core.types import JOINT_INDEX, Avatar, BoolArray, Camera, FloatArray
from ...engine.gaussians.lift.skirts.skirt import PART as SKIRT
from ...engine.gaussians.posing import pose_avatar
from ...engine.render import render_camera
from ...engine.visual.view_cameras import orbit_centre, visible_box

PARTS = ("trunk", "legs", "head")
"""Parts of the body that are measured; neck, arms, hands and feet belong to none."""

CLOTHED = ("trunk", "legs")
"""Those that clothes cover."""

PIXEL = 0.0025
"""Metres of a pixel at the middle of the person."""

MIN_AREA = 0.02
"""Square metres that both sides of a part must show to be measured."""

MIN_SHARE = 0.1
"""Of a part's area from which one of its colours counts as a main colour."""

GRAIN_SIGMA = {"trunk": 0.01, "legs": 0.01, "head": 0.005}
"""Metres of the blur whose difference to the picture is grain: folds and weave up to about 6 cm,
strands up to 3 cm."""

COLOR_SIGMA = 0.01
"""Metres of the blur before main colours are found: a print is what it looks like from afar."""

QUIET_SHARE = 0.9
"""Of a part whose grain counts: edges of prints, seams and buttons are not asked for behind."""

MIN_GRAIN_AREA = 0.004
"""Square metres that both sides of a part must show for its grain, rims left out."""

LIMIT_DE = 12.0
"""CIE Lab distance of a back to its front that counts as a wrong colour."""

_SUPERSAMPLING = 2  # drawings alias, and aliases are grain
_RADIUS = 10.0  # CIE Lab, of one colour with its shading
_MAX_SAMPLES = 20_000
_SOLID = 0.9  # alpha, and share of a pixel's light, from which it belongs to a part
_SKIN_RADIUS = 11.0  # CIE Lab with half of L's difference
_MIN_CLOTH = 0.3  # share of the front's trunk; with less, the person counts as bare
_PART_JOINTS = {
    "trunk": ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "legs": ("left_hip", "right_hip", "left_knee", "right_knee"),
    "head": ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf"),
}


class MainColor(NamedTuple):
    """One of the colours of a part.

    Attributes:
        lab: [3] CIE Lab, the median of its pixels.
        share: of the part's area, 0..1.
    """

    lab: FloatArray
    share: float


class SideView(NamedTuple):
    """One drawing of an avatar.

    Attributes:
        lab: [H, W, 3] CIE Lab.
        parts: name of a part -> its pixels [H, W].
        camera: by which it is drawn.
    """

    lab: FloatArray
    parts: dict[str, BoolArray]
    camera: Camera


@dataclass(frozen=True)
class HiddenSides:
    """The figures of one avatar; None where too little of a part is seen.

    Attributes:
        name: of the portrait.
        back_de: CIE Lab distance (1976) of the trunk's main colour behind to the nearest main
            colour of its front without skin.
        skin_on_back: share (0..1) of the trunk's back that has the face's colour and is no main
            colour of the clothes; None for bare trunks.
        grain: local contrast behind over that in front, by part.
        grain_alike: the same, of the front only what shows one of the colours behind: a coat's
            back is not compared with the striped shirt that it is open over.
        front: main colours of the trunk's front, the commonest first.
        back: those behind.
    """

    name: str
    back_de: float | None
    skin_on_back: float | None
    grain: dict[str, float | None]
    grain_alike: dict[str, float | None]
    front: tuple[MainColor, ...] = ()
    back: tuple[MainColor, ...] = ()


def measure_hidden_sides(name: str, avatar: Avatar) -> HiddenSides:
    """Draw an avatar from the photo's side and from behind, and compare the two.

    Args:
        name: of the portrait.
        avatar: the avatar.
    """
    front, back = draw_sides(avatar)
    skin = find_skin_color(avatar, front)
    cloth, bare = split_skin(front, skin)
    if bare:
        cloth = front.parts["trunk"]
    behind = back.parts["trunk"]
    back_de, skin_on_back, fronts, backs = None, None, (), ()
    if min(cloth.sum(), behind.sum()) * PIXEL**2 >= MIN_AREA:
        fronts = find_main_colors(blur_inside(front.lab, cloth, COLOR_SIGMA)[cloth])
        backs = find_main_colors(blur_inside(back.lab, behind, COLOR_SIGMA)[behind])
        back_de = float(min(np.linalg.norm(backs[0].lab - one.lab) for one in fronts))
        if skin is not None and not bare:
            skin_on_back = float(_is_skin(back.lab[behind], skin, fronts).mean())
    grain = {
        part: compare_grain(front, back, part, skin if part == "head" else None) for part in PARTS
    }
    alike = {part: compare_grain(_alike(front, back, part), back, part, None) for part in CLOTHED}
    return HiddenSides(name, back_de, skin_on_back, grain, alike, fronts, backs)


def draw_sides(avatar: Avatar) -> tuple[SideView, SideView]:
    """Draw what the photo shows of an avatar, and the same part of it from behind."""
    posed = pose_avatar(avatar)
    body = avatar.body
    shares = np.stack(
        [body.sum_weights(JOINT_INDEX[j] for j in _PART_JOINTS[part]) for part in PARTS], 1
    )
    of_triangle = shares[body.f].mean(1) > 0.5
    skirt = piece_triangles(body, SKIRT)
    of_triangle[skirt] = [part == "legs" for part in PARTS]
    marks = of_triangle[avatar.gaussians.triangle].astype(np.float32)
    marked = replace(posed, colors=np.concatenate([posed.colors, marks], axis=1))
    centre = orbit_centre(posed, avatar.camera)
    box = visible_box(posed, avatar.camera).padded(0.02)
    size = avatar.camera.width, avatar.camera.height
    box = Box(max(box.left, 0), max(box.top, 0), min(box.right, size[0]), min(box.bottom, size[1]))
    depth = float(project(centre, avatar.camera)[1])
    scale = depth / avatar.camera.K[0, 0] / PIXEL
    width, height = (max(2, round(side * scale)) for side in (box.width, box.height))
    views = []
    for yaw in (0, 180):
        camera = crop_to_box(orbit(avatar.camera, centre, yaw), box, width, height)
        fine = camera.resized(_SUPERSAMPLING * width, _SUPERSAMPLING * height)
        shown = render_camera(marked, fine)
        light, alpha = _reduce(np.asarray(shown.rgb)), _reduce(np.asarray(shown.alpha)[..., None])
        straight = light / np.maximum(alpha, 1e-6)
        solid = alpha[..., 0] > _SOLID
        parts = {part: solid & (straight[..., 3 + k] > _SOLID) for k, part in enumerate(PARTS)}
        views.append(SideView(rgb_to_lab(np.clip(straight[..., :3], 0, 1)), parts, camera))
    return views[0], views[1]


def _reduce(picture: FloatArray) -> FloatArray:
    """[h, w, C] means of squares of [H, W, C]."""
    n = _SUPERSAMPLING
    height, width, channels = picture.shape
    return picture.reshape(height // n, n, width // n, n, channels).mean((1, 3))


def blur_inside(picture: FloatArray, mask: BoolArray, sigma: float) -> FloatArray:
    """Blur a part of a picture as if there were nothing around it.

    Args:
        picture: [H, W, C].
        mask: [H, W] the part; the result is undefined outside.
        sigma: metres.
    """
    pixels = sigma / PIXEL
    weight = gaussian_filter(mask.astype(np.float64), pixels)[..., None]
    blurred = gaussian_filter(picture * mask[..., None], (pixels, pixels, 0.0))
    return np.asarray(blurred / np.maximum(weight, 1e-6))


def find_main_colors(lab: FloatArray) -> tuple[MainColor, ...]:
    """Find the colours that each fill a tenth of some pixels or more, the commonest first.

    The densest place of the colour space and all within a radius of 10 around it are one colour,
    with its shading; then the densest place of the rest. There is always one, the commonest.

    Args:
        lab: [N, 3] CIE Lab, at least one.
    """
    rest = lab[:: -(-len(lab) // _MAX_SAMPLES)].astype(np.float64)
    total = len(rest)
    out: list[MainColor] = []
    while len(rest) >= max(1, MIN_SHARE * total):
        cells, count = np.unique(np.floor(rest / 5.0), axis=0, return_counts=True)
        middle = 5.0 * (cells[count.argmax()] + 0.5)
        for _ in range(10):  # mean shift
            near = np.linalg.norm(rest - middle, axis=1) < _RADIUS
            middle = rest[near].mean(0)
        share = float(near.sum() / total)
        if share < MIN_SHARE and out:
            break
        out.append(MainColor(np.median(rest[near], axis=0), share))
        rest = rest[~near]
    return tuple(sorted(out, key=lambda color: -color.share))


def find_skin_color(avatar: Avatar, front: SideView) -> FloatArray | None:
    """Find the face's median colour [3], CIE Lab; None where the photo shows no face.

    Args:
        avatar: the avatar.
        front: drawn as in the photo.
    """
    body = avatar.body
    marks = body.landmarks
    if marks is None:
        return None
    vertices = np.asarray(body.vertices(avatar.pose)[0], np.float64)
    points = surface_points(vertices, body.f, marks.face_triangle, marks.face_bary)
    xy, _ = project(points, front.camera)
    column, row = np.floor(xy).astype(int).T
    height, width = front.lab.shape[:2]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    row, column = row[inside], column[inside]
    shown = front.parts["head"][row, column]
    if shown.sum() < 0.25 * len(points):
        return None
    return np.asarray(np.median(front.lab[row, column][shown], axis=0))


def _skin_distance(lab: FloatArray, skin: FloatArray) -> FloatArray:
    """[...] with half of L's difference: skin is lit less beside the face."""
    return np.linalg.norm((lab - skin) * [0.5, 1.0, 1.0], axis=-1)


def split_skin(front: SideView, skin: FloatArray | None) -> tuple[BoolArray, bool]:
    """Return the pixels [H, W] of the front's trunk without skin, and whether it is mostly skin."""
    trunk = front.parts["trunk"]
    if skin is None:
        return trunk, False
    cloth = trunk & (_skin_distance(front.lab, skin) > _SKIN_RADIUS)
    return cloth, bool(cloth.sum() < _MIN_CLOTH * trunk.sum())


def _is_skin(lab: FloatArray, skin: FloatArray, clothes: Sequence[MainColor]) -> BoolArray:
    """[N] whether colours are skin, and are nearer to it than to any of the clothes."""
    away = _skin_distance(lab, skin)
    nearest = np.min([_skin_distance(lab, one.lab) for one in clothes], axis=0)
    return np.asarray((away < _SKIN_RADIUS) & (away < nearest))


def measure_grain(light: FloatArray, mask: BoolArray, sigma: float) -> float | None:
    """Measure a part's local contrast: rms of L minus its blur, where that differs least.

    Args:
        light: [H, W] L of CIE Lab.
        mask: [H, W] the part; its rim is left out.
        sigma: metres of the blur and of the rim.
    """
    interior = binary_erosion(mask, iterations=round(sigma / PIXEL))
    if interior.sum() * PIXEL**2 < MIN_GRAIN_AREA:
        return None
    squared = (light - blur_inside(light[..., None], mask, sigma)[..., 0])[interior] ** 2
    return float(np.sqrt(squared[squared <= np.quantile(squared, QUIET_SHARE)].mean()))


def compare_grain(
    front: SideView, back: SideView, part: str, skin: FloatArray | None
) -> float | None:
    """Return the grain of a part behind over that in front; None where too little is seen.

    Args:
        front: drawn as in the photo.
        back: drawn from behind.
        part: one of ``PARTS``.
        skin: [3] CIE Lab of what is left out: on the head, only hair and hats count.
    """
    grains = []
    for view in (front, back):
        mask = view.parts[part]
        if skin is not None:
            mask = mask & (_skin_distance(view.lab, skin) > _SKIN_RADIUS)
        grains.append(measure_grain(view.lab[..., 0], mask, GRAIN_SIGMA[part]))
    if grains[0] is None or grains[1] is None:
        return None
    return grains[1] / max(grains[0], 1e-3)


def _alike(front: SideView, back: SideView, part: str) -> SideView:
    """The front with only those pixels of a part that have one of its main colours behind."""
    own, behind = front.parts[part], back.parts[part]
    near = np.zeros_like(own)
    if behind.any() and own.any():
        soft = blur_inside(front.lab, own, COLOR_SIGMA)
        for color in find_main_colors(blur_inside(back.lab, behind, COLOR_SIGMA)[behind]):
            near |= np.linalg.norm((soft - color.lab) * [0.5, 1.0, 1.0], axis=-1) < _RADIUS
    return front._replace(parts={**front.parts, part: own & near})


def summarize(results: Sequence[HiddenSides]) -> dict[str, Any]:
    """Return JSON-able medians over the portraits that have a figure; None where none has."""
    backs = [one.back_de for one in results if one.back_de is not None]
    return {
        "portraits": len(results),
        "backs": len(backs),
        "back_de": _median(backs),
        "back_de_over": sum(value > LIMIT_DE for value in backs),
        "skin_on_back": _median([one.skin_on_back for one in results]),
        "skin_on_back_most": max((one.skin_on_back or 0.0 for one in results), default=None),
        "grain": {part: _median([one.grain[part] for one in results]) for part in PARTS},
        "grain_alike": {
            part: _median([one.grain_alike[part] for one in results]) for part in CLOTHED
        },
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def format_header() -> str:
    """Return the head of the table of :func:`format_row`."""
    return (
        f"{'portrait':<30}{'back dE':>8}{'skin %':>8}"
        + "".join(f"{'grain ' + part:>13}" for part in PARTS)
        + "".join(f"{'alike ' + part:>13}" for part in CLOTHED)
    )


def format_row(name: str, figures: HiddenSides | dict[str, Any]) -> str:
    """Return a line of the table: one avatar's figures, or those of :func:`summarize`."""
    if isinstance(figures, HiddenSides):
        figures = {field.name: getattr(figures, field.name) for field in fields(figures)}
    skin = figures["skin_on_back"]
    cells = [(figures["back_de"], 8, 1), (skin if skin is None else 100 * skin, 8, 1)]
    cells += [(figures["grain"][part], 13, 2) for part in PARTS]
    cells += [(figures["grain_alike"][part], 13, 2) for part in CLOTHED]
    return f"{name:<30}" + "".join(
        f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"
        for value, width, digits in cells
    )
