"""Where each texel of the body's atlas lies on the body, and in which zones of the skin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..body.atlas import atlas_texels, surface_points
from ..body.body_key import BodyKey
from ..body.model import Body
from ..core.distances import find_nearest
from ..core.geometry import vertex_normals
from ..core.interpolation import smoothstep
from ..core.types import JOINT_INDEX, FloatArray, IntArray
from ..wardrobe.face_marks import mirror_points, smooth_curve

HEAD_PARTS = ("face", "scalp", "ear", "neck", "lips", "eyelid", "eye_socket")
MOUTH_PARTS = ("mouth", "teeth", "tongue")
UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
"""FaceMesh's points; of the lids on the right side."""
CHEEK_LINE = ((0.0, 0.016, 0.032, 0.05), (0.045, 0.055, 0.064, 0.070))
JAW_LINE = ((0.0, 0.047, 0.067, 0.079), (0.0, 0.019, 0.034, 0.058))
"""Metres behind the chin, and above it, of the line that a beard ends above, and of the jaw."""


@dataclass(frozen=True)
class SkinTexels:
    """The covered texels of the square maps over a body's atlas.

    Attributes:
        size: of the maps.
        source: [size, size] int32 the entry below that a texel shows; outside the charts the
            nearest one, so that no seam shows under any filter.
        triangle: [N] of the body.
        part: [N] row of ``names``.
        names: of the body's parts.
        points: [N, 3] metres, the template's T-pose.
        uv: [N, 2] in the source's layout, v down.
        zones: [N] float32 0..1 each, how much a texel belongs to one; ``jaw``: moves with it.
        head: [H] entries of the head's skin.
        tree: of their points.
        landmarks: [478, 3] metres.
        face_zones: [H] float32 0..1 each.
    """

    size: int
    source: IntArray
    triangle: IntArray
    part: IntArray
    names: tuple[str, ...]
    points: FloatArray
    uv: FloatArray
    zones: dict[str, NDArray[np.float32]]
    head: IntArray
    tree: cKDTree
    landmarks: FloatArray
    face_zones: dict[str, NDArray[np.float32]]

    def rows(self, *names: str) -> IntArray:
        """[K] entries of the parts of these names."""
        return np.flatnonzero(np.isin(self.part, [self.names.index(name) for name in names]))

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Spread values of the entries over a map.

        Args:
            values: [N, ...] one for each entry.

        Returns:
            [size, size, ...].
        """
        return np.asarray(values[self.source])


def get_skin_texels(body: Body, size: int) -> SkinTexels:
    """Get the texels of one body, cached for the next caller."""
    return _texels(BodyKey(body), size)


@lru_cache(maxsize=2)
def _texels(key: BodyKey, size: int) -> SkinTexels:
    body = key.body
    triangle, bary, row, col = atlas_texels(body, size)
    entry = np.full((size, size), -1, np.int32)
    entry[row, col] = np.arange(len(row), dtype=np.int32)
    nearest = np.stack(find_nearest(entry >= 0)[:2])
    template = np.asarray(body.v_template, np.float32)
    points = surface_points(template, body.f, triangle, bary)
    normals = surface_points(
        vertex_normals(template, body.f).astype(np.float32), body.f, triangle, bary
    )
    uv = surface_points(np.asarray(body.vt, np.float32), body.ft, triangle, bary)
    held = np.asarray(body.weights[:, [JOINT_INDEX["jaw"]]], np.float32)
    jaw = surface_points(held, body.f, triangle, bary)
    part = body.face_part[triangle]
    lm = body.landmarks
    assert lm is not None  # the default body, which Wearer needs, has them
    landmarks = surface_points(template, body.f, lm.face_triangle, lm.face_bary)
    soft = _soft_parts(body)
    head = np.flatnonzero(np.isin(part, [body.part_names.index(name) for name in HEAD_PARTS]))
    tree = cKDTree(points[head])
    own_soft = surface_points(soft, body.f, triangle[head], bary[head])
    by_name = {name: own_soft[:, k] for k, name in enumerate(body.part_names)}
    return SkinTexels(
        size=size,
        source=entry[nearest[0], nearest[1]],
        triangle=triangle,
        part=part,
        names=body.part_names,
        points=points,
        uv=np.stack([uv[:, 0], 1.0 - uv[:, 1]], 1),
        zones=_body_zones(body, points, normals) | {"jaw": jaw[:, 0]},
        head=head,
        tree=tree,
        landmarks=landmarks,
        face_zones=_face_zones(points[head], tree, landmarks, by_name, body),
    )


def _soft_parts(body: Body) -> NDArray[np.float32]:
    """[V, P] share of each vertex's triangles in each part."""
    count = len(body.v_template)
    out = np.zeros((count, len(body.part_names)), np.float32)
    np.add.at(out, (body.f.reshape(-1), np.repeat(body.face_part, 3)), 1.0)
    return np.asarray(out / np.maximum(out.sum(1, keepdims=True), 1.0))


def gaussian_falloff(points: FloatArray, centres: FloatArray, radius: float) -> NDArray[np.float32]:
    """Weigh points by their distance from centres.

    Args:
        points: [N, 3] metres.
        centres: [C, 3] or [3] metres.
        radius: standard deviation, metres.

    Returns:
        [N] float32: 1 at any of the centres, falling to 0 as a Gaussian.
    """
    out = np.zeros(len(points), np.float32)
    for centre in np.atleast_2d(centres):
        squared = ((points - centre) ** 2).sum(1) / radius**2
        np.maximum(out, np.exp(-0.5 * squared), out=out)
    return out


def _both(points: FloatArray) -> FloatArray:
    return np.concatenate([points, mirror_points(points)])


def _distance(tree: cKDTree, count: int, lines: FloatArray, reach: float) -> NDArray[np.float32]:
    """[H] metres from the head's texels to the points of lines; ``reach`` beyond it."""
    out = np.full(count, reach, np.float32)
    for point, rows in zip(lines, tree.query_ball_point(lines, reach)):
        gap = np.linalg.norm(tree.data[rows] - point, axis=1)
        out[rows] = np.minimum(out[rows], gap)
    return out


def _body_zones(
    body: Body, points: FloatArray, normals: FloatArray
) -> dict[str, NDArray[np.float32]]:
    """Zones of the whole body: palms and soles, knuckles, elbows and knees, nails."""
    J = np.asarray(body.J_template)

    def joints(*names: str) -> FloatArray:
        return J[[JOINT_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in names]]

    fingers = [f"{f}{k}" for f in ("index", "middle", "ring", "pinky") for k in (1, 2, 3)]
    wrist, ankle = float(joints("wrist")[0, 0]), float(joints("ankle")[0, 1])
    hands = smoothstep(np.abs(points[:, 0]), wrist, wrist + 0.03)
    feet = smoothstep(ankle - points[:, 1], 0.0, 0.05)
    down = smoothstep(-normals[:, 1], -0.15, 0.45)
    back = smoothstep(normals[:, 1], -0.1, 0.5)
    return {
        "palm": hands * down + feet * smoothstep(-normals[:, 1], 0.3, 0.8),
        "knuckle": hands * back * gaussian_falloff(points, joints(*fingers), 0.008),
        "joint": gaussian_falloff(points, joints("elbow", "knee"), 0.045),
        "hand": hands,
        "nail": _nails(body, points, normals) * hands,
    }


def _nails(body: Body, points: FloatArray, normals: FloatArray) -> NDArray[np.float32]:
    """[N] the plates at the fingers' ends, as the hand landmarks place the tips."""
    out = np.zeros(len(points), np.float32)
    lm = body.landmarks
    assert lm is not None
    for tip, name in ((4, "thumb3"), (8, "index3"), (12, "middle3"), (16, "ring3"), (20, "pinky3")):
        joint = np.asarray(body.J_template[JOINT_INDEX[f"left_{name}"]])
        axis = np.asarray(lm.hand_offset[tip], np.float64)
        long = float(np.linalg.norm(axis))
        axis = axis / long
        up = np.array([0.0, 0.5, 0.85]) if name == "thumb3" else np.array([0.0, 1.0, 0.0])
        up = up - axis * (axis @ up)
        for side in (1.0, -1.0):
            flip = np.array([side, 1.0, 1.0])
            d = points - joint * flip
            rows = np.flatnonzero((d**2).sum(1) < (long + 0.012) ** 2)
            along = d[rows] @ (axis * flip) / long
            facing = normals[rows] @ (up * flip) / np.linalg.norm(up)
            plate = smoothstep(along, 0.62, 0.70) * (1.0 - smoothstep(along, 0.93, 1.0))
            plate = plate * smoothstep(facing, 0.78, 0.9)
            out[rows] = np.maximum(out[rows], plate)
    return out


def _face_zones(
    points: FloatArray,
    tree: cKDTree,
    landmarks: FloatArray,
    soft: dict[str, NDArray[np.float32]],
    body: Body,
) -> dict[str, NDArray[np.float32]]:
    """Zones of the head's texels [H]."""
    count = len(points)
    eyes = body.J_template[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]]
    front = smoothstep(points[:, 2], eyes[0, 2] - 0.035, eyes[0, 2] - 0.005)

    def at(*rows: int) -> FloatArray:
        return np.asarray(landmarks[list(rows)])

    upper = smooth_curve(at(*UPPER_LID), 48)
    lid_gap = _distance(tree, count, _both(upper), 0.012)
    low_gap = _distance(tree, count, _both(smooth_curve(at(*LOWER_LID), 48)), 0.012)
    above = points[:, 1] - np.interp(np.abs(points[:, 0]), np.abs(upper[::-1, 0]), upper[::-1, 1])
    hairline = _inside_hairline(points, eyes)
    not_ear = 1.0 - smoothstep(soft["ear"], 0.0, 0.5)
    out = {
        "lips": smoothstep(soft["lips"], 0.25, 0.75),
        "ear": soft["ear"],
        "socket": soft["eye_socket"],
        "nose": gaussian_falloff(points, at(4, 5), 0.011),
        "wings": gaussian_falloff(points, at(64, 294, 98, 327), 0.008),
        "cheeks": front * gaussian_falloff(points, at(50, 280, 205, 425), 0.019),
        "apples": front * gaussian_falloff(points, at(50, 280), 0.02),
        "chin": gaussian_falloff(points, at(199, 175), 0.014),
        "mouth_side": front * gaussian_falloff(points, at(164, 18, 57, 287), 0.009),
        "orbit": front * gaussian_falloff(points, eyes, 0.017),
        "jowl": smoothstep(eyes[0, 1] - 0.03 - points[:, 1], 0.0, 0.05),
        "forehead": front * gaussian_falloff(points, at(151, 108, 337, 9), 0.022),
        "under_eyes": gaussian_falloff(points, _both(at(231, 230, 229, 232)), 0.0065)
        * smoothstep(-above, 0.0, 0.006),
        "shadow": smoothstep(above, -0.001, 0.002)
        * (1.0 - smoothstep(lid_gap, 0.0045, 0.0105))
        * front,
        "upper_lash": 1.0 - smoothstep(lid_gap, 0.0006, 0.0016),
        "lower_lash": 1.0 - smoothstep(low_gap, 0.0005, 0.0014),
        "lid_rim": 1.0 - smoothstep(np.minimum(lid_gap, low_gap), 0.0008, 0.0025),
        "scalp": smoothstep(hairline, -0.008, 0.014) * not_ear,
        "near_hair": smoothstep(hairline, -0.05, -0.010),
        "middle": front,
    }
    out |= _beard_zones(points, landmarks, eyes)
    return {name: np.asarray(zone, np.float32) for name, zone in out.items()}


def _inside_hairline(points: FloatArray, eyes: FloatArray) -> NDArray[np.float32]:
    """Metres [H] inside the hair; negative outside (as ``body/bake/plain.py`` draws the line).

    The hairline runs 62 mm above the eyes, goes down the temples to before the ears, round them,
    and along the nape.
    """
    above = points[:, 1] - eyes[:, 1].mean()
    behind = eyes[:, 2].mean() - points[:, 2]
    # A soft maximum rounds the corners at the temples.
    pair = np.stack([above - 0.064, behind - 0.055 + 0.2 * np.maximum(above, 0.0)])
    over_face = 0.008 * np.logaddexp(*(pair / 0.008)) - 0.004
    over_nape = above + 0.045 + 0.35 * np.maximum(0.0, 0.085 - behind)
    return np.asarray(np.minimum(over_face, over_nape), np.float32)


def _beard_zones(
    points: FloatArray, landmarks: FloatArray, eyes: FloatArray
) -> dict[str, NDArray[np.float32]]:
    """Where moustache, chin beard, cheek beard and neck beard grow, by place around the head."""
    chin = landmarks[152]
    x, y = np.abs(points[:, 0]), points[:, 1]
    back, up = chin[2] - points[:, 2], y - chin[1]  # from the chin's lowest point
    top = np.interp(back, CHEEK_LINE[0], CHEEK_LINE[1])
    edge = np.interp(back, JAW_LINE[0], JAW_LINE[1])
    before_ear = 1.0 - smoothstep(back, 0.066, 0.078)
    burns = smoothstep(back, 0.053, 0.063) * smoothstep(eyes[0, 1] - y, -0.022, 0.0)
    mouth, nose, lip = landmarks[61], float(landmarks[2, 1]), float(landmarks[17, 1])
    wide = abs(float(mouth[0]))
    front = 1.0 - smoothstep(back, 0.03, 0.05)
    above_mouth = smoothstep(y - mouth[1], -0.004, 0.003)
    # A moustache falls to the sides from under the nose, and ends past the mouth's corners.
    roof = nose - 0.001 - 0.45 * np.maximum(x - 0.007, 0.0)
    below_line = smoothstep(top - up, -0.004, 0.016)
    jawed = smoothstep(up - edge, -0.026, 0.002)
    philtrum = 1.0 - 0.25 * np.exp(-0.5 * (x / 0.0025) ** 2) * above_mouth
    # The chin's beard is narrow under the lip and as wide as the mouth below.
    wider = x - np.interp(lip - y, [0.0, 0.006, 0.014, 0.03], [0.004, 0.006, 0.02, 0.017])
    return {
        "moustache": front
        * smoothstep(roof - y, -0.001, 0.005)
        * above_mouth
        * philtrum
        * (1.0 - smoothstep(x, wide - 0.003, wide + 0.007)),
        "corners": front
        * (1.0 - above_mouth)
        * jawed
        * np.exp(-0.5 * ((x - wide + 0.001) / 0.0045) ** 2),
        "chin_beard": front
        * smoothstep(lip - y, 0.001, 0.006)
        * jawed
        * (1.0 - smoothstep(wider, -0.003, 0.006)),
        "cheek_beard": np.maximum(below_line, burns)
        * jawed
        * before_ear
        * np.maximum(smoothstep(x, wide - 0.002, wide + 0.010), 1.0 - above_mouth),
        "neck_beard": before_ear * (1.0 - jawed) * smoothstep(up - edge, -0.07, -0.02),
    }
