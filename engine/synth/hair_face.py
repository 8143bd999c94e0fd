"""Brows and lashes: a library's cards or grown hairs, which follow every expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from ..wardrobe.asset_files import Garment, load_garment, load_texture
from ..wardrobe.brow_hairs import BROW_HIGH, BROW_LOW, grow_brow_hairs, interpolate_line
from ..wardrobe.dress import garment_vertices
from ..wardrobe.face_marks import find_landmarks
from ..wardrobe.hair_binding import bind_to_skin, build_surface, normalize
from ..wardrobe.mesh_parts import LABEL, Material, MeshPart
from .person_parts import Wearer

THIN = 0.0025  # metres by which brows and lashes win against the skin below

BROW_TURN, BROW_RISE = -0.02, 0.25
"""Slope of brows from the nose outwards, and how much of an asset's own is added: as they lie on a
face they mostly rise outwards by 5 to 30 %, and a relaxed face would frown."""
BROW_DROP = 0.004  # metres below the brow landmarks' middle that brows may lie

# Landmarks of the left side (the subject's).
_UPPER_LID = (362, 398, 384, 385, 386, 387, 388, 466, 263)
_LOWER_LID = (362, 382, 381, 380, 374, 373, 390, 249, 263)


def _recolor_once(
    wearer: Wearer, path: Path, color: FloatArray, strength: float
) -> NDArray[np.uint8]:
    """The result of :func:`recolor_alpha`, once for a person."""
    asked = (str(path), color.tolist(), strength)
    return wearer.make_once("recoloured", asked, lambda: recolor_alpha(path, color, strength))


def recolor_alpha(path: Path, color: FloatArray, strength: float) -> NDArray[np.uint8]:
    """[512, 512, 4] a brow or lash texture of one colour, darker where it was painted so.

    Args:
        path: of the texture.
        color: [3] sRGB 0..1.
        strength: exponent that thins (over 1) or thickens the painted hairs.
    """
    rgba = load_texture(path) / 255.0
    dark = rgba[..., :3].mean(-1, keepdims=True)
    out = np.concatenate(
        [np.clip(color * (0.85 + 1.2 * dark), 0, 1), rgba[..., 3:] ** strength], -1
    )
    return np.asarray(np.rint(255 * out), np.uint8)


def _part(
    name: str, points: FloatArray, f: IntArray, uv: FloatArray, picture: NDArray[np.uint8]
) -> MeshPart:
    label = np.full(len(f), LABEL["brow"], np.uint8)
    return MeshPart(name, points, f, uv, label, Material("hair", picture, 0.55), True, THIN)


def _upper(points: FloatArray, f: IntArray, eye: FloatArray) -> BoolArray:
    """[N] whether a lash point belongs to an upper lid: by the mean height of its card."""
    links = sparse.csr_matrix(
        (np.ones(f.size), (f.ravel(), f[:, [1, 2, 0]].ravel())), (len(points),) * 2
    )
    _, piece = sparse.csgraph.connected_components(links, directed=False)
    mean = ndimage.mean(points[:, 1], piece, np.arange(piece.max() + 1))
    out: BoolArray = np.asarray(mean)[piece] > eye[1]
    return out


def _on_lids(points: FloatArray, upper: BoolArray, wearer: Wearer, rest: FloatArray) -> FloatArray:
    """Lash points at rest that hang on the lid (upper or lower) that they grow from."""
    body = wearer.dress.body
    rows = body.part_vertices("eyelid")
    # The lids' own sides, from the template.
    above = body.v_template[rows, 1] > body.J_template[JOINT_INDEX["left_eye_smplhf"], 1]
    out = np.array(points, np.float64)
    for high in (True, False):
        for left in (True, False):
            own = (upper == high) & ((points[:, 0] > 0) == left)
            lid = rows[(above == high) & ((rest[rows, 0] > 0) == left)]
            if own.any():
                out[own] = bind_to_skin(points[own], rest, wearer.posed, lid)
    return out


def _eye(wearer: Wearer) -> FloatArray:
    """[3] the left eye's joint at rest, metres."""
    return np.asarray(wearer.rest().joints[JOINT_INDEX["left_eye_smplhf"]], np.float64)


def library_brows(
    wearer: Wearer, rest: FloatArray, path: Path, color: FloatArray, strength: float
) -> MeshPart | None:
    """Make a library's brows; None for one without a texture.

    Args:
        wearer: the person.
        rest: [V, 3] the body's vertices in the T-pose, metres.
        path: of the .mhclo file.
        color: [3] sRGB 0..1.
        strength: exponent that thins (over 1) or thickens the painted hairs.
    """
    garment = load_garment(path)
    if garment.texture is None:
        return None
    rows = wearer.dress.body.part_vertices("face")
    points = wearer.make_once("brows", str(path), lambda: _brows_at_rest(garment, wearer, rest))
    points = bind_to_skin(points, rest, wearer.posed, rows)
    picture = _recolor_once(wearer, garment.texture, color, strength)
    return _part(garment.name, points, garment.f, garment.uv, picture)


def _brows_at_rest(garment: Garment, wearer: Wearer, rest: FloatArray) -> FloatArray:
    """[G, 3] a library's brows on a face at rest, metres."""
    points = garment_vertices(garment, wearer.rest())
    skin = build_surface(rest, wearer.dress.body, "face")
    height, _ = skin.height(points)
    points = _at_ease(points, _seen(garment), wearer, rest)
    again, normals = skin.height(points)
    points += (height - again)[:, None] * normals
    return skin.outside(points, 0.0006)


def _seen(garment: Garment) -> FloatArray:
    """[G] how much of the painted hairs is around each vertex, a little everywhere."""
    assert garment.texture is not None
    alpha = load_texture(garment.texture)[..., 3] / 255.0
    middle = np.clip(garment.uv.mean(1), 0.0, 0.999) * alpha.shape[::-1]
    own = alpha[middle[:, 1].astype(int), middle[:, 0].astype(int)] + 1e-3
    out = np.bincount(garment.f.ravel(), np.repeat(own, 3), int(garment.f.max()) + 1)
    return np.asarray(out)


def _at_ease(
    points: FloatArray, weight: FloatArray, wearer: Wearer, rest: FloatArray
) -> FloatArray:
    """Brow points [G, 3] at rest, moved up and turned within the face until they don't frown.

    Args:
        points: [G, 3] metres.
        weight: [G] by which each counts in where the brow is.
        wearer: the person.
        rest: [V, 3] the body's vertices in the T-pose, metres.
    """
    body = wearer.dress.body
    eye = _eye(wearer)
    low, high = (find_landmarks(body, rest, rows) for rows in (BROW_LOW, BROW_HIGH))
    middle = 0.5 * (low + high)
    lowest = np.interp(eye[0], middle[:, 0], middle[:, 1]) - BROW_DROP
    out = np.array(points, np.float64)
    for side in (1.0, -1.0):
        own = points[:, 0] * side > 0
        if own.any():
            outwards = points[own, 0] * side - eye[0]
            slope, level = np.polyfit(outwards, points[own, 1], 1, w=np.sqrt(weight[own]))
            turn = BROW_TURN + BROW_RISE * slope - slope
            out[own, 1] += max(lowest - level, 0.0) + turn * outwards
    return out


def library_lashes(
    wearer: Wearer, rest: FloatArray, path: Path, color: FloatArray, strength: float, scale: float
) -> MeshPart | None:
    """Make a library's lashes, on the lids; None for one without a texture.

    Args:
        wearer: the person.
        rest: [V, 3] the body's vertices in the T-pose, metres.
        path: of the .mhclo file.
        color: [3] sRGB 0..1.
        strength: exponent that thins (over 1) or thickens the painted hairs.
        scale: factor on their length, which grows from the lid.
    """
    garment: Garment = load_garment(path)
    if garment.texture is None:
        return None
    points = garment_vertices(garment, wearer.rest())
    body = wearer.dress.body
    upper = _upper(points, garment.f, _eye(wearer))
    lid = rest[body.part_vertices("eyelid")]
    near = lid[np.linalg.norm(points[:, None] - lid[None], axis=-1).argmin(1)]
    points = near + (points - near) * scale
    return _part(
        garment.name,
        _on_lids(points, upper, wearer, rest),
        garment.f,
        garment.uv,
        _recolor_once(wearer, garment.texture, color, strength),
    )


def _hairs(
    paths: FloatArray, outward: FloatArray, width: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Narrow strips along paths [N, K, 3] that face ``outward`` [N, 3], with v along them."""
    count, points = paths.shape[:2]
    across = normalize(np.cross(np.gradient(paths, axis=1), outward[:, None])) * width / 2
    vertices = np.stack([paths - across, paths + across], 2).reshape(-1, 3)
    start = (np.arange(count)[:, None] * points + np.arange(points - 1)[None]).ravel() * 2
    f = np.stack(
        [np.stack([start, start + 1, start + 3], 1), np.stack([start, start + 3, start + 2], 1)], 1
    ).reshape(-1, 3)
    uv = np.stack(np.meshgrid([0.01, 0.99], np.linspace(0.01, 0.99, points)), -1)
    return vertices, f, np.tile(uv.reshape(-1, 2), (count, 1))[f]


def _hair_picture(color: FloatArray) -> NDArray[np.uint8]:
    """[64, 16, 4] one hair that gets thinner towards its end (below)."""
    y, x = np.mgrid[0.5:64, 0.5:16]
    half = np.interp(y / 64, [0, 0.1, 0.4, 1], [3.0, 6.0, 5.0, 0.8])
    alpha = np.clip(half - np.abs(x - 8) + 0.5, 0, 1)
    out = np.concatenate([np.tile(color, (64, 16, 1)), alpha[..., None]], -1)
    return np.asarray(np.rint(255 * np.clip(out, 0, 1)), np.uint8)


def make_grown_brows(
    wearer: Wearer, rest: FloatArray, color: FloatArray, thickness: float, seed: int
) -> MeshPart:
    """Make brows of single hairs between the brow landmarks.

    Args:
        wearer: the person.
        rest: [V, 3] the body's vertices in the T-pose, metres.
        color: [3] sRGB 0..1.
        thickness: 0..1, from plucked to bushy.
        seed: of the hairs.
    """
    body = wearer.dress.body
    paths, outward, _ = grow_brow_hairs(body, rest, thickness, seed)
    vertices, f, uv = _hairs(paths, outward, 0.0008)
    points = bind_to_skin(vertices, rest, wearer.posed, body.part_vertices("face"))
    return _part("brows", points, f, uv, _hair_picture(color))


def grow_lashes(
    wearer: Wearer, rest: FloatArray, color: FloatArray, scale: float, seed: int
) -> MeshPart:
    """Make lashes of single hairs along the lids' rims.

    Args:
        wearer: the person.
        rest: [V, 3] the body's vertices in the T-pose, metres.
        color: [3] sRGB 0..1.
        scale: factor on their length.
        seed: of the hairs.
    """
    body = wearer.dress.body
    rng = np.random.default_rng([seed, 22])
    normals = vertex_normals(np.asarray(rest, np.float64), body.f)[body.part_vertices("eyelid")]
    lid = rest[body.part_vertices("eyelid")]
    paths, uppers = [], []
    for side in (1.0, -1.0):
        eye = _eye(wearer) * [side, 1.0, 1.0]
        for rows, count, long, sign in (
            (_UPPER_LID, 75, 0.0075, 1.0),
            (_LOWER_LID, 45, 0.0048, -1.0),
        ):
            t = np.sort(rng.uniform(0.10, 0.99, count))
            root = interpolate_line(find_landmarks(body, rest, rows, side), t)
            near = np.linalg.norm(root[:, None] - lid[None], axis=-1).argmin(1)
            radial = normalize(root - eye + [0, 0, 0.004])
            fan = np.stack(
                [
                    side * np.interp(t, [0, 1], [-0.25, 0.75]),
                    np.full(count, sign * 0.25),
                    np.full(count, 0.55),
                ],
                1,
            )
            d = normalize(0.5 * radial + 0.3 * normals[near] + fan)
            size = long * scale * np.interp(t, [0, 0.5, 0.9, 1], [0.55, 0.95, 1.05, 0.8])
            s = np.linspace(0, 1, 5)[None, :, None]
            curl = s**2 * 0.42 * np.array([0.0, sign, 0.0])
            paths.append(root[:, None] + (s * d[:, None] + curl) * size[:, None, None])
            uppers.append(np.full(count * 10, sign > 0))
    every = np.concatenate(paths)
    # They are seen from the front: the strips' width lies along the lid.
    outward = normalize(every[:, 2] - every[:, 0])
    outward = normalize(np.cross(outward, np.cross(outward, [0.0, 0.3, 1.0])))
    vertices, f, uv = _hairs(every, -outward, 0.0005)
    points = _on_lids(vertices, np.concatenate(uppers), wearer, rest)
    return _part("lashes", points, f, uv, _hair_picture(color * 0.6))


def brow_color(hair: FloatArray, grey: float) -> FloatArray:
    """Choose the colour of brows: darker than blond hair, and grey later.

    Args:
        hair: [3] sRGB 0..1 of the person's hair in youth.
        grey: share of grey hair, 0..1.

    Returns:
        [3] sRGB.
    """
    light = float(hair.mean())
    out = hair * np.interp(light, [0.1, 0.3, 0.7], [1.0, 0.85, 0.62])
    return np.asarray(out + 0.5 * float(smoothstep(np.array(grey), 0.3, 1.1)) * (0.72 - out))
