"""Clothes without a library: cut from the body's own skin, widened, and sewn; shoes from a hull.

A shirt or a pair of trousers is the body's surface inside a few smooth lines (neck, sleeves,
hem), cut straight through the triangles, carried outward and drawn smooth like cloth that spans
the hollows. Panels are cut where a tailor has the seams, so that patterns run as on real clothes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from ..core.geometry import vertex_normals
from ..core.noise import fractal_noise
from ..core.types import JOINT_INDEX, FloatArray, IntArray
from ..wardrobe.cloth_mesh import Cloth, compact_mesh, neighbour_mean_matrix, split_triangles
from ..wardrobe.dress import PosedBody
from ..wardrobe.mesh_parts import LABEL
from .cloth_charts import flatten_cloth, pack_charts

FILLING = 60  # rounds in which cloth comes to span hollows; a triangle is about 2 cm across


@dataclass(frozen=True)
class GarmentCut:
    """How a garment is cut.

    Attributes:
        limb_length: of sleeves 0 (shoulder) to 1 (wrist), or of legs 0 (hip) to 1 (ankle);
            below 0: no sleeves.
        neck: half width, depth in front and behind, metres; None for what hangs on the waist.
        hem: metres of the lower edge under the pelvis joint; for trousers, minus the waist's
            height over it.
        clearance: least distance from the skin, metres.
        ease: how much wider than the body at trunk and thigh, metres.
    """

    limb_length: float
    neck: tuple[float, float, float] | None
    hem: float
    clearance: float
    ease: float


TOPS = {
    "t-shirt": GarmentCut(0.36, (0.082, 0.075, 0.02), 0.105, 0.006, 0.010),
    "v-neck": GarmentCut(0.30, (0.085, 0.15, 0.02), 0.10, 0.005, 0.008),
    "long sleeve": GarmentCut(0.97, (0.085, 0.07, 0.02), 0.105, 0.006, 0.008),
    "tank top": GarmentCut(-1.0, (0.092, 0.13, 0.06), 0.10, 0.005, 0.007),
    "sweater": GarmentCut(0.99, (0.080, 0.05, 0.012), 0.11, 0.013, 0.018),
}
BOTTOMS = {
    "jeans": GarmentCut(0.98, None, -0.055, 0.0035, 0.009),
    "trousers": GarmentCut(0.98, None, -0.065, 0.0035, 0.016),
    "shorts": GarmentCut(0.45, None, -0.06, 0.0035, 0.020),
    "leggings": GarmentCut(0.90, None, -0.08, 0.002, 0.0),
}
SKIRT = "skirt"
SHOES = ("sneakers", "boots", "slippers")
TURNS, SOLE = 72, 0.016  # points around a shoe; metres
_WORN_ON = ("torso", "neck", "arm", "leg")


def tailor_garment(style: str, rest: PosedBody, loose: float, seed: int) -> Cloth:
    """Tailor a garment of :data:`TOPS` or :data:`BOTTOMS`, or a skirt.

    Args:
        style: of these.
        rest: the person in the T-pose.
        loose: factor on the cut's ease, about 0.5 to 2.
        seed: of where the cloth stands off.
    """
    if style == SKIRT:
        return _skirt(rest, 0.38 + 0.1 * (seed % 3))
    cut = TOPS[style] if style in TOPS else BOTTOMS[style]
    body = rest.dress.body
    parts = [body.part_names.index(name) for name in _WORN_ON]
    wanted = np.isin(body.face_part, parts)
    points = np.concatenate([rest.vertices, body.weights, vertex_normals(rest.vertices, body.f)], 1)
    points, f = compact_mesh(points, body.f[wanted])
    lines = _neck_and_sleeves if cut.neck else _waist_and_legs
    for k in range(len(lines(points[:, :3], rest.joints, cut))):
        cut_points, cut_f, _, inside = split_triangles(
            points, f, lines(points[:, :3], rest.joints, cut)[k]
        )
        points, f = compact_mesh(cut_points, cut_f[inside])
    panel = np.zeros(len(f), np.int64)
    seams = _top_seams if cut.neck else _trouser_seams
    for k in range(2):
        points, f, parent, side = split_triangles(
            points, f, seams(points[:, :3], rest.joints, cut)[k]
        )
        panel = 2 * panel[parent] + side
    if cut.neck is not None:  # both sleeves lie beyond one seam
        sleeve = (panel & 2) > 0
        panel += 4 * (sleeve & (points[f].mean(1)[:, 0] > 0))
    verts = _draped(points, f, rest.joints, cut, loose, seed)
    label = np.full(len(f), LABEL["clothes"], np.uint8)
    skinning = points[:, 3:58] / points[:, 3:58].sum(1, keepdims=True)
    cloth = Cloth(style, verts, skinning, f, np.zeros((len(f), 3, 2)), label)
    return replace(cloth, uv=pack_charts(flatten_cloth(cloth, panel)))


def _neck_and_sleeves(p: FloatArray, joints: FloatArray, cut: GarmentCut) -> list[FloatArray]:
    """Values [V] that are positive on the cloth's side of each line."""
    assert cut.neck is not None
    width, front, back = cut.neck
    base, shoulder, wrist = (
        joints[JOINT_INDEX[n]] for n in ("neck", "left_shoulder", "left_wrist")
    )
    ahead = 1.0 / (1.0 + np.exp(-(p[:, 2] - base[2] - 0.01) / 0.025))
    depth = back + (front - back) * ahead
    below = np.maximum(base[1] + 0.015 - p[:, 1], 0.0)
    neck = (np.hypot(p[:, 0] / width, below / depth) - 1.0) * width
    if cut.limb_length < 0:
        reach = shoulder[0] - 0.03 - 0.18 * (p[:, 1] - shoulder[1])
    else:
        reach = shoulder[0] + cut.limb_length * (wrist[0] - shoulder[0])
    hem = p[:, 1] - (joints[0, 1] - cut.hem)
    return [neck, reach - np.abs(p[:, 0]), hem]


def _waist_and_legs(p: FloatArray, joints: FloatArray, cut: GarmentCut) -> list[FloatArray]:
    hip, ankle = (joints[JOINT_INDEX[n], 1] for n in ("left_hip", "left_ankle"))
    waist = joints[0, 1] - cut.hem + 0.15 * np.minimum(p[:, 2], 0.0)
    return [waist - p[:, 1], p[:, 1] - (hip + cut.limb_length * (ankle - hip))]


def _top_seams(p: FloatArray, joints: FloatArray, cut: GarmentCut) -> list[FloatArray]:
    shoulder = joints[JOINT_INDEX["left_shoulder"]]
    sleeves = np.abs(p[:, 0]) - shoulder[0] - 0.15 * (p[:, 1] - shoulder[1])
    sleeves -= 2.0 * np.maximum(shoulder[1] - 0.14 - p[:, 1], 0.0)  # wide hips are not a sleeve
    return [sleeves, p[:, 2] - shoulder[2] + 0.02]


def _trouser_seams(p: FloatArray, joints: FloatArray, cut: GarmentCut) -> list[FloatArray]:
    rows = [JOINT_INDEX[n] for n in ("left_ankle", "left_knee", "left_hip", "spine1")]
    y, z = joints[rows, 1], joints[rows, 2]
    return [p[:, 0], p[:, 2] - np.interp(p[:, 1], y, z)]


def _draped(
    points: FloatArray, f: IntArray, joints: FloatArray, cut: GarmentCut, loose: float, seed: int
) -> FloatArray:
    """Points carried outward, then hollows filled as by cloth under tension, bumps left.

    They never come nearer to the skin than the clearance.
    """
    skin, normals = points[:, :3], points[:, 58:61]
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    near = neighbour_mean_matrix(f, len(skin))
    for _ in range(8):  # the cloth's sense of outside knows no navel
        normals = near @ normals
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    wave = 0.75 + 0.4 * fractal_noise(skin, seed, 0.22, 2)
    stand = cut.clearance + cut.ease * loose * wave * _ease(skin, joints, cut)
    out = skin + normals * stand[:, None]
    for _ in range(FILLING if cut.ease > 0 else 5):
        pull = near @ out - out
        outward = (pull * normals).sum(1, keepdims=True) * normals
        hollow = ((pull * normals).sum(1) > 0)[:, None]
        out = out + np.where(hollow, 0.9, 0.08) * outward + 0.5 * (pull - outward)
        short = np.maximum(cut.clearance, 0.85 * stand) - ((out - skin) * normals).sum(1)
        out = out + normals * np.maximum(short, 0.0)[:, None]
    return np.asarray(out)


def _ease(p: FloatArray, joints: FloatArray, cut: GarmentCut) -> FloatArray:
    """[V] factor on a cut's ease: none at waist and neck, more where cloth hangs free."""
    hip, ankle = (joints[JOINT_INDEX[n], 1] for n in ("left_hip", "left_ankle"))
    if cut.neck is None:
        down = np.clip((hip - p[:, 1]) / (hip - ankle), 0.0, 1.0)
        waist = np.clip((joints[0, 1] + 0.03 - p[:, 1]) / 0.12, 0.1, 1.0)
        return np.asarray(waist * (1.0 + 1.3 * down))
    neck, shoulder = joints[JOINT_INDEX["neck"], 1], joints[JOINT_INDEX["left_shoulder"]]
    down = np.clip((neck - p[:, 1]) / 0.25, 0.15, 1.0)
    sleeve = np.clip((np.abs(p[:, 0]) - shoulder[0]) / 0.1, 0.0, 1.0)
    hang = np.clip((joints[JOINT_INDEX["spine2"], 1] - p[:, 1]) / 0.3, 0.0, 1.0)
    return np.asarray(np.maximum(down * (1.0 + 0.8 * hang), 1.2 * sleeve))


def _skirt(rest: PosedBody, length: float) -> Cloth:
    """A tube that hangs from the hips: the hull of each height, never narrower than above."""
    v, joints = rest.vertices, rest.joints
    own = np.isin(
        rest.dress.body.face_part, [rest.dress.body.part_names.index(n) for n in ("torso", "leg")]
    )
    v = v[np.unique(rest.dress.body.f[own])]
    top = joints[0, 1] + 0.06
    angles = np.linspace(0, 2 * np.pi, 97)[:-1]
    ways = np.stack([np.cos(angles), np.sin(angles)], 1)
    centre = np.array([0.0, joints[0, 2]])
    heights = top - np.linspace(0.0, length, 28)
    radius = np.zeros(len(angles))
    rows, cosine = [], np.maximum(np.cos(angles[:, None] - angles[None]), 1e-3)
    for k, y in enumerate(heights):
        slab = v[np.abs(v[:, 1] - y) < 0.02][:, [0, 2]] - centre
        support = (slab @ ways.T).max(0)
        hull = (support[None] / cosine).min(1)
        radius = np.maximum(hull, radius * (1.0 if k > 4 else 0.99))
        down = top - y
        flare = 0.004 + 0.10 * max(down - 0.12, 0.0) * (1.0 + 0.22 * np.cos(9 * angles))
        xz = centre + ways * (radius + flare)[:, None]
        rows.append(np.stack([xz[:, 0], np.full(len(angles), y), xz[:, 1]], 1))
    points = np.concatenate(rows)
    n, m = len(heights), len(angles)
    i, j = (x.ravel() for x in np.meshgrid(np.arange(n - 1), np.arange(m), indexing="ij"))
    a, b, c, d = i * m + j, i * m + (j + 1) % m, (i + 1) * m + j, (i + 1) * m + (j + 1) % m
    f = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    share = 1.0 / (1.0 + np.exp(-points[:, 0] / 0.04))
    legs = 0.75 * np.clip((joints[0, 1] - points[:, 1]) / 0.25, 0.0, 1.0)
    skinning = np.zeros((len(points), rest.dress.weights.shape[1]))
    skinning[:, 0] = 1.0 - legs
    skinning[:, JOINT_INDEX["left_hip"]] = legs * share
    skinning[:, JOINT_INDEX["right_hip"]] = legs * (1.0 - share)
    label = np.full(len(f), LABEL["clothes"], np.uint8)
    cloth = Cloth(SKIRT, points, skinning, f, np.zeros((len(f), 3, 2)), label)
    return replace(
        cloth, uv=pack_charts(flatten_cloth(cloth, (np.tile(j, 2) >= m // 2).astype(np.int64)))
    )


def make_shoes(style: str, rest: PosedBody) -> Cloth:
    """Make a pair of :data:`SHOES`: the hull of each foot with a sole, open at the ankle."""
    body = rest.dress.body
    low = body.part_vertices("foot", "leg")
    over = {"sneakers": 0.0, "boots": 0.03, "slippers": -0.03}[style]
    pieces: list[tuple[FloatArray, FloatArray, IntArray]] = []
    sides = []
    for k, side in enumerate(("left", "right")):
        ankle = rest.joints[JOINT_INDEX[f"{side}_ankle"]]
        v = rest.vertices[low]
        rows = low[(v[:, 0] * ankle[0] > 0) & (v[:, 1] < ankle[1] + over + 0.035)]
        points, skinning, f = _shoe(rest, rest.vertices[rows], rows, ankle[1] + over)
        pieces.append((points, skinning, f + (len(pieces[0][0]) if pieces else 0)))
        # Its inner and outer half, and the sole, are charts of their own.
        n = vertex_normals(points, f)[f].mean(1)
        sides.append(3 * k + np.where(n[:, 1] < -0.7, 2, (points[f].mean(1)[:, 0] > ankle[0])))
    points, skinning, f = (np.concatenate(table) for table in zip(*pieces))
    label = np.full(len(f), LABEL["shoes"], np.uint8)
    cloth = Cloth(style, points, skinning, f, np.zeros((len(f), 3, 2)), label)
    return replace(cloth, uv=pack_charts(flatten_cloth(cloth, np.concatenate(sides))))


def _shoe(
    rest: PosedBody, foot: FloatArray, rows: IntArray, top: float
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Vertices, skinning and triangles of one shoe around the points of a foot [N, 3].

    Rings around its hull from the ground to the opening, and a sole.
    """
    ground = float(foot[:, 1].min())
    hull = ConvexHull(foot).equations
    turn = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
    ways = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], -1)
    outward = ways @ hull[:, :3].T
    high = foot[foot[:, 1] > top - 0.01].mean(0)
    middle = foot.mean(0)
    upper = np.concatenate([np.linspace(ground + SOLE, top - 0.004, 22), [top]])
    rings = []
    for y in upper:
        share = (y - ground) / max(high[1] - ground, 1e-6)
        centre = middle + (high - middle) * share
        centre[1] = y
        reach = -(hull[:, :3] @ centre + hull[:, 3])
        radius = np.where(outward > 1e-6, reach / np.maximum(outward, 1e-6), np.inf).min(1)
        rings.append(centre + ways * (radius + 0.006)[:, None])
    wide = rings[0] + ways * 0.004
    sole = [wide * [1, 0, 1] + [0, ground - 0.008, 0], wide * [1, 0, 1] + [0, ground + SOLE, 0]]
    # The last point closes the sole.
    points = np.concatenate(
        [*sole, *rings, [rings[0].mean(0) * [1, 0, 1] + sole[0][0] * [0, 1, 0]]]
    )
    i, j = (
        x.ravel() for x in np.meshgrid(np.arange(len(rings) + 1), np.arange(TURNS), indexing="ij")
    )
    a, b = i * TURNS + j, i * TURNS + (j + 1) % TURNS
    c, d = a + TURNS, b + TURNS
    k = np.arange(TURNS)
    under = np.stack([np.full(TURNS, len(points) - 1), k, (k + 1) % TURNS], 1)
    f = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1), under])
    weights = rest.dress.body.weights[rows[cKDTree(foot).query(points, k=6)[1]]].mean(1)
    return points, weights / weights.sum(1, keepdims=True), f
